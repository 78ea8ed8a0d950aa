# SPDX-License-Identifier: Apache-2.0
"""From a profile to a map of a rig's joints, and from a map to a profile ready to be edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, SceneError
from kineograph.rigs.book import bare
from kineograph.rigs.mapping import Match, RigMap, roles_of
from kineograph.rigs.profiles.model import Match as Fit
from kineograph.rigs.profiles.model import Profile
from kineograph.rigs.profiles.signature import signature
from kineograph.rigs.roles import Role
from kineograph.rigs.suggest import suggest


def to_map(
    profile: Profile,
    names: Sequence[str],
    parents: Sequence[int] | None = None,
    rest_positions_m: NDArray[np.floating[Any]] | None = None,
    *,
    insist: bool = True,
) -> RigMap:
    """The map that a profile gives a rig: what it says wins, what it leaves out is read as without it.

    Raises ``map_incomplete`` for a joint that the rig does not have, with the names that are meant perhaps; without
    ``insist`` such a role is read from the names.
    """
    read = roles_of(names, parents, rest_positions_m)
    index = {bare(n): i for i, n in enumerate(names)} | {n: i for i, n in enumerate(names)}
    taken: dict[int, Role] = {}
    matches = {}
    for role, name in profile.roles.items():
        if not insist and name not in index and bare(name) not in index:
            continue
        joint = _joint(profile, role, name, index, names)
        taken[joint] = role
        matches[role] = Match(role, joint, names[joint], 1.0, f"the profile '{profile.name}' says so")
    for role, match in read.matches.items():
        if role not in matches and match.joint not in taken:
            matches[role] = match
    chains = {r: tuple(j for j in chain if taken.get(j, r) is r or r in _SHARED) for r, chain in read.chains.items()}
    for role, chain_names in profile.chains.items():
        if not insist and not all(n in index or bare(n) in index for n in chain_names):
            continue
        chains[role] = tuple(_joint(profile, role, n, index, names) for n in chain_names)
    return replace(read, matches=matches, chains=chains)


_SHARED = (Role.SPINE, Role.NECK)
"""Chains whose joints may have a role of their own too: the chest is the last joint of the spine."""


def _joint(profile: Profile, role: Role, name: str, index: dict[str, int], names: Sequence[str]) -> int:
    joint = index.get(name, index.get(bare(name)))
    if joint is None:
        near = [s.name for s in suggest(name, names)]
        raise SceneError(
            ErrorCode.MAP_INCOMPLETE,
            f"the profile '{profile.name}' names '{name}' as {str(role).replace('_', ' ')}, which this rig has not",
            {"missing": [str(role)], "got": name, "suggestions": near},
        )
    return joint


def from_map(name: str, rig: RigMap, parents: Sequence[int], notes: str = "") -> Profile:
    """A profile that says what a map says, found by the rig's own signature."""
    return Profile(
        name=name,
        match=Fit(hash=signature(rig.names, parents)),
        roles={role: match.name for role, match in sorted(rig.matches.items())},
        chains={role: tuple(rig.names[j] for j in chain) for role, chain in sorted(rig.chains.items()) if chain},
        notes=notes,
    )
