# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene read for a request, in pieces of about a millisecond; between them nothing of Blender's is held.

All at once or a piece now and then, the same is read: what is worked out together does not depend on the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import action as actions
from . import curves, guard, identity, keyed, request, stamps, written
from . import keys as user_keys
from . import rig as rigs
from . import shot as shots
from .keys import Pick
from .marked import Marked, MarksSeen
from .pace import whole
from .request import Direction, Outgoing
from .rig import Rig
from .shot import Find, Shot
from .traits import Traits

FloatArray = NDArray[np.floating[Any]]


def gather(armature: Any, scene: Any, direction: Direction, now: Mapping[str, FloatArray] | None = None) -> Outgoing:
    """Read everything and leave the scene as it was. ``now``: all bones' world matrices (4, 4), for a direction that
    begins in the pose of now; those of now where they are not given.

    Raises ``apply_blocked``, ``invalid_skeleton``, ``unknown_joint``, ``frame_out_of_range``, ``schema_validation``.
    """
    request.check(armature, direction)
    if direction.start_pose and now is None:
        now = shots.everything(armature)
    reading = Gathering(lambda: (armature, scene), direction, now)
    whole(reading.pieces())
    assert reading.outgoing is not None
    return reading.outgoing


class Gathering:
    """One reading: go through ``pieces``, then take ``outgoing``. ``find`` finds armature and scene anew; ``now``: the
    world matrices (4, 4) of all bones to begin in; ``is_enough`` says when to leave off visiting frames."""

    def __init__(
        self,
        find: Find,
        direction: Direction,
        now: Mapping[str, FloatArray] | None = None,
        is_enough: Callable[[], bool] = lambda: False,
        *,
        compares: bool = False,
    ) -> None:
        self._find, self._direction, self._now, self._is_enough = find, direction, now, is_enough
        self._compares = compares
        self.shot: Shot | None = None
        self.outgoing: Outgoing | None = None
        self.is_begun = False

    def pieces(self) -> Generator[None, None, None]:
        """Read. Raises what is wrong with rig and marks before it ``is_begun``; where ``compares`` and the scene is not
        what it was when it began, there is no ``outgoing`` at the end."""
        armature, scene = self._find()
        # What is read here serves all that follows: a few hundred bones, asked again by each part, take a millisecond.
        paths = keyed.paths_of(*self._own())
        is_still = curves.object_is_still(armature, *self._own(), paths)
        if is_still:
            bpy.context.view_layer.update()
        traits = Traits.of(armature, scene, is_still=is_still)
        yield
        armature, scene = self._find()
        rig = _rig_of(armature, scene, self._direction, traits)
        Marked(MarksSeen(), rig, self._direction, armature, scene)
        self.is_begun = True
        yield
        plays_a_take = self._playing() is not None
        edits = (yield from written.comparing(self._playing)) if plays_a_take else None
        chosen = self._direction.pick is Pick.SELECTED_KEYS
        own = yield from keyed.reading(self._own, chosen=chosen, paths=paths)
        own = own.renamed(identity.renamed(self._find()[0], own.bones))
        yield
        shot = self.shot = yield from self._begun(rig, traits, own, edits)
        yield from shot.preparing(self._find, own, traits, is_own=self._is_own())
        while shot.is_left:
            yield
            self._visit(shot)
        yield
        if not (yield from shot.finishing(self._find)):
            return
        constraints, refs = yield from shot.asking()
        yield
        out = request.outgoing(*self._find(), shot, constraints, refs)
        yield
        if not self._compares or (yield from self._is_same(traits, own, shot)):
            self.outgoing = out

    def _begun(
        self, rig: Rig, traits: Traits, own: keyed.Keyed, edits: written.Edits | None
    ) -> Generator[None, None, Shot]:
        """The keys, and what is wanted of them."""
        armature, _ = self._find()
        wanted = self._direction
        keys = user_keys.collect(armature, traits, own, rig, wanted.span, wanted.keys, wanted.pick, edits)
        shot = Shot(rig, wanted, keys)
        yield
        if self._now is not None:
            shot.begin_in(self._now)
            yield
        return shot

    def _visit(self, shot: Shot) -> None:
        armature, scene = self._find()
        with guard.untouched(scene, armature), identity.up_to_date(armature, *stamps.own_action(armature)) as own:
            shot.visit(armature, scene, *own, self._is_enough)

    def _is_same(self, was: Traits, own: keyed.Keyed, shot: Shot) -> Generator[None, None, bool]:
        parts = [(own, self._own)]
        if shot.playing is not None and shot.playing is not own:
            parts.append((shot.playing, self._shown))
        for said, find in parts:
            if not (yield from keyed.comparing(said, find)):
                return False
            yield
        armature, scene = self._find()
        moved = {run[0].channel for said, _ in parts for run in said.runs}
        if not was.are_those_of(armature, scene, moved):
            return False
        # The rests are those that were, and the scale is where the object stands still.
        return was.is_still or not rigs.what_changed(shot.rig, armature)

    def _own(self) -> keyed.Slot:
        return stamps.own_action(self._find()[0])

    def _shown(self) -> keyed.Slot:
        return actions.shown(self._find()[0])

    def _is_own(self) -> bool:
        armature, _ = self._find()
        data = armature.animation_data
        return data is None or (data.action, compat.slot_of(data)) == stamps.own_action(armature)

    def _playing(self) -> tuple[Any, Any, Any] | None:
        armature, _ = self._find()
        action, slot = actions.shown(armature)
        return None if stamps.take_of(action) is None else (action, slot, armature)


def _rig_of(armature: Any, scene: Any, direction: Direction, traits: Traits) -> Rig:
    """The rig where its object stands at the first frame."""
    wanted = direction.bones, direction.root, direction.ground_bu, traits.rest
    if traits.is_still:
        return rigs.read(armature, scene, *wanted)
    own = stamps.own_action(armature)
    with (
        guard.untouched(scene, armature),
        identity.up_to_date(armature, *own) as (action, slot),
        guard.playing(armature, action, slot),
    ):
        guard.go_to(scene, direction.start)
        return rigs.read(armature, scene, *wanted)
