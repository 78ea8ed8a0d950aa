# SPDX-License-Identifier: Apache-2.0
"""Rigs already read and plans already made: a folder of clips is mostly one rig onto another, file after file.

Everything kept here follows from its key by value; the user's profiles are part of the key, and who passes maps to
``retarget`` gets a pure function.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, TypeVar

from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap
from kineograph.rigs.profiles.use import read_rig, stamp

T = TypeVar("T")
_KEPT = 64


class Kept(Generic[T]):
    """A small table that forgets what was not asked for longest. Safe between threads."""

    def __init__(self) -> None:
        self._of: OrderedDict[Hashable, tuple[T, Any]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T], alive: Any = None) -> T:
        """The value of ``key``. ``alive`` is kept with it, for keys that hold the identity of objects."""
        with self._lock:
            if key in self._of:
                self._of.move_to_end(key)
                return self._of[key][0]
        value = make()
        with self._lock:
            self._of[key] = (value, alive)
            while len(self._of) > _KEPT:
                self._of.popitem(last=False)
        return value


_MAPS: Kept[RigMap] = Kept()


def by_value(skeleton: Skeleton) -> Hashable:
    """A key that equal skeletons share."""
    return (
        skeleton.names,
        skeleton.parents.tobytes(),
        skeleton.rest_translations_m.tobytes(),
        skeleton.rest_rotations_xyzw.tobytes(),
    )


_SKELETONS: Kept[Skeleton] = Kept()


def same(skeleton: Skeleton) -> Skeleton:
    """The first skeleton of these values: what it has worked out of itself is known for every file of its rig."""
    return _SKELETONS.get(by_value(skeleton), lambda: skeleton)


def rig_map(skeleton: Skeleton) -> RigMap:
    """Roles of a skeleton, read once: by the user's or a built-in profile, else by names, tree and positions."""
    return _MAPS.get(
        (by_value(skeleton), stamp()),
        lambda: read_rig(skeleton.names, skeleton.parents.tolist(), skeleton.rest_positions_m),
    )
