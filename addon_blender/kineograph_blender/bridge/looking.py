# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyed poses that only Blender knows, looked at ahead, a few frames a turn: a rig with constraints, many keys, and a
scene that takes long to evaluate hold nobody up.

Between turns the scene is as its user left it, and nothing but names and numbers is held. What was seen counts only
while the keys are what they were.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error

from . import curves, guard, identity, poses, request, shot, stamps, switches, unkeyed
from . import keys as user_keys
from . import rig as rigs
from .curves import KeyedCurve
from .datapath import Channel
from .places import where
from .request import Direction, Outgoing
from .rig import Rig

FloatArray = NDArray[np.floating[Any]]


class Looking:
    """Looking ahead for one request. ``step`` until it is done, then ``gather``."""

    def __init__(self, rig: Rig, scene: str, direction: Direction, stops: set[float], said: bytes) -> None:
        self._rig, self._scene, self._direction, self._said = rig, scene, direction, said
        self._left = sorted(stops)
        self._seen: dict[float, FloatArray] = {}
        self._posed: Mapping[Channel, Sequence[float]] | None = None
        self._now: Mapping[str, FloatArray] | None = None

    @classmethod
    def ahead(cls, armature: Any, scene: Any, direction: Direction) -> Looking | None:
        """None where no more than two frames would have to be visited: that is done at once. Raises as ``gather``."""
        request.check(armature, direction)
        with guard.untouched(scene, armature), identity.up_to_date(armature, *stamps.own_action(armature)) as own:
            rig = request.rig_of(armature, scene, direction, *own)
            keyed = curves.read(*own)
            keys = user_keys.collect(armature, keyed, rig, direction.span, direction.keys, direction.pick)
            stops = {key.at for key in keys.own.values()}
            if len(stops) < 3 or curves.Poses.of(armature, *own, rig, keyed) is not None:
                return None
            out = cls(rig, scene.name, direction, stops, _said(keyed))
        out._now = shot.everything(armature) if direction.start_pose else None
        return out

    @property
    def progress(self) -> tuple[int, int]:
        """How many frames were looked at, of how many."""
        return len(self._seen), len(self._seen) + len(self._left)

    @property
    def character(self) -> str:
        """The armature's name when it began."""
        return self._rig.armature

    def step(self, budget_s: float) -> bool:
        """Look for about ``budget_s``, at one frame at least; whether all was seen. Raises ``rig_changed``."""
        began = time.perf_counter()
        armature, scene = self._find()
        with guard.untouched(scene, armature), identity.up_to_date(armature, *stamps.own_action(armature)) as own:
            if self._posed is None:
                self._posed = unkeyed.before(armature)
            with switches.as_before(armature), guard.playing(armature, *own):
                guard.pose(armature, self._posed)
                while self._left:
                    at = self._left.pop(0)
                    guard.go_to(scene, at)
                    self._seen[at] = poses.world_matrices(armature, self._rig)
                    if time.perf_counter() - began > budget_s:
                        break
        return not self._left

    def gather(self) -> Outgoing:
        """The request, from what was seen. Keys that were changed meanwhile are looked at again."""
        armature, scene = self._find()
        request.check(armature, self._direction)
        with identity.up_to_date(armature, *stamps.own_action(armature)) as own:
            same = _said(curves.read(*own)) == self._said and not rigs.what_changed(self._rig, armature)
        return request.gather(armature, scene, self._direction, self._seen if same else {}, self._now)

    def _find(self) -> tuple[Any, Any]:
        armature, scene = rigs.find(self._rig), bpy.data.scenes.get(self._scene)
        if armature is not None and armature.session_uid != self._rig.session_uid:
            armature = None  # of another file, by the same name
        if armature is None or scene is None or not set(self._rig.names) <= set(armature.pose.bones.keys()):
            name = self._rig.armature
            raise error(
                ErrorCode.RIG_CHANGED,
                f"{name!r} was changed while it was being read",
                {"where": where("character", name, name), "got": None},
            )
        return armature, scene


def _said(keyed: list[KeyedCurve]) -> bytes:
    """What the curves say, in short."""
    out = hashlib.blake2b(digest_size=16)
    for curve in keyed:
        out.update(repr((curve.channel, curve.part)).encode())
        out.update(curve.frames.tobytes())
        out.update(curve.values.tobytes())
    return out.digest()
