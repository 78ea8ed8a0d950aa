# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones of a take that were renamed since, known again by where they rest, how they point, how long they are and what
they hang on. Only a bone that was not there before can be one of them; where two would do, nobody guesses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error
from kineograph.motion.skeleton import Skeleton

from . import identity
from . import rig as rigs
from .bones import ancestors
from .frame import read_matrices
from .places import where
from .rig import Rig

FloatArray = NDArray[np.floating[Any]]
Options = dict[str, list[str]]


@dataclass(frozen=True)
class Recognised:
    """``now``: what bones of the take are called now; ``doubtful``: those that several bones could be."""

    now: dict[str, str] = field(default_factory=dict)
    doubtful: Options = field(default_factory=dict)


def now(rig: Rig, armature: Any, name: str, take: str) -> tuple[Rig, dict[str, str]]:
    """The rig under its bones' present names, and those that differ. Raises ``unknown_joint`` where only a person can
    tell which bone is meant by the take of this ``name``."""
    found = recognise(rig, armature)
    renamed = under(rig, found.now)
    if found.doubtful and all(n in armature.data.bones or n in found.doubtful for n in renamed.names):
        joint, options = next(iter(found.doubtful.items()))
        raise error(
            ErrorCode.UNKNOWN_JOINT,
            f"{armature.name!r} has no bone {joint!r}; it may be {' or '.join(map(repr, options[:4]))}",
            {
                "where": where("take", name, armature.name),
                "got": joint,
                "joint": joint,
                "suggestions": options,
                "take": take,
            },
        )
    return renamed, found.now


def recognise(rig: Rig, armature: Any) -> Recognised:
    """Look for the bones of a rig that the armature has no more under their names."""
    bones = armature.data.bones
    missing = [n for n in rig.names if n not in bones]
    if not missing or rig.placed_on:  # a rig's controls are known by their names alone
        return Recognised()
    told = identity.renamed(armature, missing)
    twice = {new for new, n in Counter(told.values()).items() if n > 1}
    now = {old: new for old, new in told.items() if new not in twice and new not in rig.names}
    return _Search(rig, armature, [n for n in missing if n not in now], now).result()


def under(rig: Rig, now: Mapping[str, str]) -> Rig:
    """The rig with its bones' present names."""
    old = rig.skeleton
    names = tuple(now.get(n, n) for n in old.names)
    return replace(rig, skeleton=Skeleton(names, old.parents, old.rest_translations_m, old.rest_rotations_xyzw))


class _Search:
    def __init__(self, rig: Rig, armature: Any, missing: list[str], now: dict[str, str]) -> None:
        self._rig, self._now = rig, now
        bones = armature.data.bones
        self._above = {b.name: b.parent.name if b.parent else None for b in bones}
        known = {*rig.names, *rig.beside, *now.values()}
        fresh = [b.name for b in bones if b.name not in known]
        self._open: Options = self._alike(armature, missing, fresh) if fresh else {}

    def result(self) -> Recognised:
        """Round by round: each bone that is sure makes those that hang on it surer."""
        while True:
            left = {old: self._on_the_same(old, options) for old, options in self._open.items()}
            claims = Counter(name for options in left.values() for name in options)
            sure = {old: o[0] for old, o in left.items() if len(o) == 1 and claims[o[0]] == 1}
            if not sure:
                return Recognised(self._now, {old: options for old, options in left.items() if options})
            self._now.update(sure)
            gone = set(sure.values())
            self._open = {old: [n for n in o if n not in gone] for old, o in self._open.items() if old not in sure}

    def _alike(self, armature: Any, missing: list[str], fresh: list[str]) -> Options:
        """Bones that rest where the missing ones did, pointing the same way, as long as they."""
        rests = read_matrices(armature.data.bones, "matrix_local", fresh)
        lengths = np.array([armature.data.bones[n].length for n in fresh])
        index = self._rig.skeleton.index
        out: Options = {}
        for old in missing:
            j = index[old]
            near = rigs.is_same_rest(self._rig, self._rig.rest_local[j], rests)
            if self._rig.lengths_bu is not None:
                near &= np.abs(lengths - self._rig.lengths_bu[j]) <= rigs.rest_tolerance_bu(self._rig)
            out[old] = [fresh[int(i)] for i in np.flatnonzero(near)]
        return out

    def _on_the_same(self, old: str, options: list[str]) -> list[str]:
        """Of the options those that hang on what the missing bone hung on, where that is known; else all of them, if
        it is known that they are new."""
        up = int(self._rig.skeleton.parents[self._rig.skeleton.index[old]])
        above = None if up < 0 else self._rig.names[up]
        wanted = above if above is None else self._now.get(above, above)
        if wanted is not None and wanted not in self._above:
            return options if self._rig.beside else []
        here = {n for n in self._rig.names if n in self._above} | set(self._now.values())
        hangs = [n for n in options if next((a for a in ancestors(self._above, n) if a in here), None) == wanted]
        return hangs or (options if self._rig.beside else [])
