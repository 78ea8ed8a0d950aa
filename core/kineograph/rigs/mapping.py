# SPDX-License-Identifier: Apache-2.0
"""Which joint of a rig plays which role, how sure that is, and why.

In this order: a known convention; the words of the names, side first; the tree; positions as a last resort, with low
confidence. What stays unknown is missing: a guess is never made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.rigs import book as books
from kineograph.rigs import fill, tree
from kineograph.rigs.book import Book, Convention, bare
from kineograph.rigs.names import Reading, read
from kineograph.rigs.roles import REQUIRED, Role

CONVENTION_SHARE = 0.9
"""Share of a convention's names that a rig must have to be read by it."""

CONVENTION_CONFIDENCE = 1.0


@dataclass(frozen=True)
class Match:
    """One joint in one role. ``confidence`` 0 to 1; below 0.5 a person should look at it."""

    role: Role
    joint: int
    name: str
    confidence: float
    reason: str


@dataclass(frozen=True)
class RigMap:
    """Roles of a rig. ``chains`` holds all joints of roles that may have several, from the hips outwards."""

    names: tuple[str, ...]
    matches: Mapping[Role, Match]
    chains: Mapping[Role, tuple[int, ...]] = field(default_factory=dict)
    convention: str = ""
    convention_label: str = ""
    convention_share: float = 0.0

    @cached_property
    def joints(self) -> dict[Role, int]:
        """Role to joint index."""
        return {r: m.joint for r, m in self.matches.items()}

    @cached_property
    def roles(self) -> dict[int, Role]:
        """Joint index to role; every joint of a chain has the chain's role unless it has one of its own."""
        out = {joint: r for r, chain in self.chains.items() for joint in chain}
        return out | {m.joint: r for r, m in self.matches.items()}

    @cached_property
    def by_joint(self) -> dict[int, Match]:
        """Joint index to its match: what says how sure a joint's role is, and why."""
        return {m.joint: m for m in self.matches.values()}

    def __getitem__(self, wanted: Role) -> int:
        return self.matches[wanted].joint

    def get(self, wanted: Role) -> int | None:
        """The joint in a role, or None."""
        match = self.matches.get(wanted)
        return None if match is None else match.joint

    def missing(self, required: Sequence[Role] = REQUIRED) -> list[Role]:
        """Roles of ``required`` that no joint fills."""
        return [r for r in required if r not in self.matches]

    @property
    def confidence(self) -> float:
        """How sure the least sure of the required roles is; 0 when one is missing."""
        if self.missing():
            return 0.0
        return min(self.matches[r].confidence for r in REQUIRED)


def roles_of(
    names: Sequence[str],
    parents: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    rest_positions_m: NDArray[np.floating[Any]] | None = None,
    *,
    book: Book | None = None,
) -> RigMap:
    """Read a rig. ``parents`` (J,) indices with -1 for roots; ``rest_positions_m`` (J, 3) world, y up; both optional.

    Never raises on names; unknown rigs give a map with everything missing.
    """
    book = book or books.load()
    readings = [read(name, book) for name in names]
    up = None if parents is None else [int(p) for p in parents]
    convention, share = recognise(names, book)
    found: dict[Role, Match] = {}
    if convention is not None and share >= CONVENTION_SHARE:
        found |= _by_convention(names, convention)
    chains = _by_rules(readings, up, book, found)
    if up is not None and rest_positions_m is not None:
        for wanted, joint in tree.limbs_by_position(up, np.asarray(rest_positions_m, float)).items():
            taken = {m.joint for m in found.values()}
            if wanted not in found and joint not in taken:
                found[wanted] = Match(wanted, joint, names[joint], 0.35, "where it stands in the rest pose")
    return RigMap(
        tuple(names),
        found,
        chains,
        convention.id if convention is not None and share >= CONVENTION_SHARE else "",
        convention.label if convention is not None else "",
        share,
    )


def recognise(names: Sequence[str], book: Book | None = None) -> tuple[Convention | None, float]:
    """The convention that most of whose names a rig has, and that share (0 to 1)."""
    have = {bare(n) for n in names}
    best: tuple[float, int, Convention | None] = (0.0, 0, None)
    for convention in (book or books.load()).conventions:
        hits = len(convention.core & have)
        share = hits / len(convention.core)
        if (share, hits) > best[:2]:
            best = (share, hits, convention)
    return best[2], best[0]


def _by_convention(names: Sequence[str], convention: Convention) -> dict[Role, Match]:
    out: dict[Role, Match] = {}
    for joint, name in enumerate(names):
        wanted = convention.roles.get(bare(name))
        if wanted is not None and wanted not in out:
            out[wanted] = Match(wanted, joint, name, CONVENTION_CONFIDENCE, f"named as in {convention.label}")
    return out


def _by_rules(
    readings: list[Reading], parents: list[int] | None, book: Book, found: dict[Role, Match]
) -> dict[Role, tuple[int, ...]]:
    """Add to ``found`` what names and tree say; return the chains."""
    fixed = {r: m.joint for r, m in found.items()}
    guess = fill.fill_roles(readings, parents, book, fixed)
    for wanted, (joint, confidence, reason) in guess.roles.items():
        if wanted not in found:
            found[wanted] = Match(wanted, joint, readings[joint].name, confidence, reason)
    return guess.chains
