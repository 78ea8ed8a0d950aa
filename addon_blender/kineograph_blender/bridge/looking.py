# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene read for one request, some of it a turn: a rig with constraints, moving pins, many keys, an edited take or a
scene that takes long to evaluate hold nobody up.

Between turns the scene is as its user left it, and nothing but names and numbers is held. What was seen counts only
while the keys are what they were.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error

from . import action as actions
from . import curves, guard, identity, request, shot, stamps, written
from . import rig as rigs
from .curves import KeyedCurve
from .marked import Marked, MarksSeen
from .pace import work
from .places import where
from .request import Direction, Outgoing
from .shot import Shot

FloatArray = NDArray[np.floating[Any]]

_AT_ONCE = 2
"""So many frames are visited without another turn."""


class Looking:
    """Reading for one request. ``step`` until it is done, then take ``outgoing``."""

    def __init__(self, armature: Any, scene: Any, direction: Direction) -> None:
        self.character: str = armature.name
        self._uid, self._scene, self._direction = int(armature.session_uid), str(scene.name), direction
        self._now: Mapping[str, FloatArray] | None = shot.everything(armature) if direction.start_pose else None
        self._shot: Shot | None = None
        self._end_s = 0.0
        self._outgoing: Outgoing | None = None
        self._pieces = self._read()

    @classmethod
    def ahead(cls, armature: Any, scene: Any, direction: Direction) -> Looking:
        """Begun: a click has done its part. Raises as ``request.gather`` what is wrong at once."""
        request.check(armature, direction)
        out = cls(armature, scene, direction)
        if out._plays_a_take():  # which is compared with what was written first, in turns
            with out._scene_now() as (_, _, own):
                rig = request.rig_of(armature, scene, direction, *own)
                Marked(MarksSeen(), rig, direction, armature, scene)
        else:
            out.step(0.0)
        return out

    @property
    def is_done(self) -> bool:
        """Whether all was read."""
        return self._outgoing is not None

    @property
    def progress(self) -> tuple[int, int]:
        """How many frames were looked at, of how many."""
        return (0, 0) if self._shot is None else self._shot.progress

    @property
    def outgoing(self) -> Outgoing:
        """What was read, once it is done."""
        assert self._outgoing is not None
        return self._outgoing

    def step(self, budget_s: float) -> bool:
        """Read for about ``budget_s``, one piece or frame at least; whether all was. Raises as ``request.gather``, and
        ``rig_changed``."""
        self._end_s = time.perf_counter() + budget_s
        work(self._pieces, budget_s)
        return self.is_done

    def _read(self) -> Generator[None, None, None]:
        for _ in range(2):
            if (yield from self._read_once()):
                return
            yield
        # It changes all the time: all of it in one turn.
        armature, scene = self._find()
        self._outgoing = request.gather(armature, scene, self._direction)

    def _read_once(self) -> Generator[None, None, bool]:
        """Whether nothing changed on the way."""
        edits = (yield from written.comparing(self._playing)) if self._plays_a_take() else None
        with self._scene_now() as (armature, scene, own):
            request.check(armature, self._direction)
            self._shot, keyed = request.begun(armature, scene, self._direction, *own, self._now, edits)
            self._shot.check(armature, scene)
            said = _said(keyed)
        yield
        with self._scene_now() as (armature, scene, own):
            keyed = curves.read(*own)
            if _said(keyed) != said or rigs.what_changed(self._shot.rig, armature):
                return False
            self._shot.prepare(armature, scene, *own, keyed)
            if self._shot.progress[1] <= _AT_ONCE:
                self._shot.visit(armature, scene, *own)
        del keyed, own  # nothing of Blender's is held between turns
        while self._shot.is_left:
            yield
            with self._scene_now() as (armature, scene, own):
                self._shot.visit(armature, scene, *own, self._is_enough)
        yield
        with self._scene_now() as (armature, scene, own):
            request.check(armature, self._direction)
            same = _said(curves.read(*own)) == said and not rigs.what_changed(self._shot.rig, armature)
            return same and self._finish(armature, scene)

    def _finish(self, armature: Any, scene: Any) -> bool:
        assert self._shot is not None
        if not self._shot.finish(armature, scene):
            return False
        self._outgoing = request.outgoing(armature, scene, self._shot)
        return True

    def _is_enough(self) -> bool:
        return time.perf_counter() >= self._end_s

    @contextmanager
    def _scene_now(self) -> Iterator[tuple[Any, Any, tuple[Any, Any]]]:
        """Armature, scene, and the user's own action with its slot; all is as before afterwards."""
        armature, scene = self._find()
        with guard.untouched(scene, armature), identity.up_to_date(armature, *stamps.own_action(armature)) as own:
            yield armature, scene, own

    def _plays_a_take(self) -> bool:
        return self._playing() is not None

    def _playing(self) -> tuple[Any, Any, Any] | None:
        armature, _ = self._find()
        action, slot = actions.shown(armature)
        return None if stamps.take_of(action) is None else (action, slot, armature)

    def _find(self) -> tuple[Any, Any]:
        scene = bpy.data.scenes.get(self._scene)
        # By its id: another file may have one of the same name.
        armature = bpy.data.objects.get(self.character)
        if armature is None or armature.session_uid != self._uid:
            armature = next((o for o in bpy.data.objects if o.session_uid == self._uid), None)
        bones = () if self._shot is None else self._shot.rig.names
        if armature is None or scene is None or any(n not in armature.pose.bones for n in bones):
            raise error(
                ErrorCode.RIG_CHANGED,
                f"{self.character!r} was changed while it was being read",
                {"where": where("character", self.character, self.character), "got": None},
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
