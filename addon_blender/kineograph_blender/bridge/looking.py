# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene read for one request, some of it a turn: a rig with many bones or constraints, moving pins, many keys, an
edited take or a scene that takes long to evaluate hold nobody up.

Between turns the scene is as its user left it, and nothing but names and numbers is held. What is sent is of one
moment: where something of it changed between two turns, it is read again from the start once it is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error

from . import gathering, request
from . import shot as shots
from .gathering import Gathering
from .pace import work
from .places import where
from .request import Direction, Outgoing
from .watch import Watch

FloatArray = NDArray[np.floating[Any]]

_TRIES = 3
_PATIENCE = 20
"""So many turns in all it is waited for the user's hands to rest; then all of it is read in one turn."""


class Looking:
    """Reading for one request. ``step`` until it is done, then take ``outgoing``; ``close`` it where that is not so."""

    def __init__(self, armature: Any, scene: Any, direction: Direction) -> None:
        self.character: str = armature.name
        self._uid, self._scene, self._direction = int(armature.session_uid), str(scene.name), direction
        self._now: Mapping[str, FloatArray] | None = shots.everything(armature) if direction.start_pose else None
        self._end_s = 0.0
        self._outgoing: Outgoing | None = None
        self._tries = self._waited = 0
        self._watch = Watch(armature, scene)
        self._pieces: Iterator[None] = iter(())
        self._began: Gathering | None = self._begin()

    @classmethod
    def ahead(cls, armature: Any, scene: Any, direction: Direction) -> Looking:
        """Begun: a click has done its part. Raises as ``gathering.gather`` what is wrong at once."""
        request.check(armature, direction)
        out = cls(armature, scene, direction)
        try:
            while not (out._began is None or out._began.is_begun):
                work(out._pieces, 0.0)
        except BaseException:
            out.close()
            raise
        out._watch.forget()
        return out

    @property
    def is_done(self) -> bool:
        """Whether all was read."""
        return self._outgoing is not None

    @property
    def progress(self) -> tuple[int, int]:
        """How many frames were looked at, of how many."""
        return (0, 0) if self._began is None or self._began.shot is None else self._began.shot.progress

    @property
    def outgoing(self) -> Outgoing:
        """What was read, once it is done."""
        assert self._outgoing is not None
        return self._outgoing

    def step(self, budget_s: float) -> bool:
        """Read for about ``budget_s``, one piece or frame at least; whether all was. Raises as ``gathering.gather``,
        and ``rig_changed``."""
        self._end_s = time.perf_counter() + budget_s
        try:
            if not self.is_done:
                self._turn(budget_s)
        except BaseException:
            self.close()
            raise
        if self.is_done:
            self.close()
        return self.is_done

    def close(self) -> None:
        """Nothing more is read."""
        self._watch.close()
        # What is read here and what reads it hold each other: let go, or Python has to look for such circles.
        self._began, self._pieces = None, iter(())

    def _turn(self, budget_s: float) -> None:
        armature, scene = self._find()
        request.check(armature, self._direction)
        if self._watch.is_changed:
            self._watch.forget()
            self._waited += 1
            self._began = None
            if self._waited < _PATIENCE:  # not at once: whoever drags a bone goes on doing so
                return
        if self._began is None:
            self._watch.close()
            if self._tries >= _TRIES or self._waited >= _PATIENCE:  # it changes all the time
                self._outgoing = gathering.gather(armature, scene, self._direction, self._now)
                return
            self._watch = Watch(armature, scene)
            self._began = self._begin()
        self._read_on(self._began, budget_s)
        self._watch.forget()

    def _begin(self) -> Gathering:
        self._tries += 1
        found = Gathering(self._find, self._direction, self._now, self._is_enough, compares=True)
        self._pieces = found.pieces()
        return found

    def _read_on(self, began: Gathering, budget_s: float) -> None:
        try:
            if work(self._pieces, budget_s):
                self._outgoing = began.outgoing
                if self._outgoing is None:  # it is not what it was
                    self._began = None
        except (IndexError, KeyError, ReferenceError):  # a bone or a curve that was there a moment ago
            self._began = None

    def _is_enough(self) -> bool:
        return time.perf_counter() >= self._end_s

    def _find(self) -> tuple[Any, Any]:
        scene = bpy.data.scenes.get(self._scene)
        # By its id: another file may have one of the same name.
        armature = bpy.data.objects.get(self.character)
        if armature is None or armature.session_uid != self._uid:
            armature = next((o for o in bpy.data.objects if o.session_uid == self._uid), None)
        if armature is None or scene is None:
            raise error(
                ErrorCode.RIG_CHANGED,
                f"{self.character!r} was changed while it was being read",
                {"where": where("character", self.character, self.character), "got": None},
            )
        return armature, scene
