# SPDX-License-Identifier: GPL-3.0-or-later
"""One look through all the frames of a scene that matter, and the constraints that come of it.

Two things are looked at: the user's own action, where its keys say their poses, and what plays now (an applied take,
say), where edits on it, marked frames and the motion that stays beside the new one are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics

from . import action as actions
from . import curves, guard, keyed, muted, places, poses, stamps, switches, unkeyed
from .datapath import Channel
from .keyed import Keyed
from .keys import KeyedFrame, Keys
from .marked import Item, Marked, MarksSeen, Remark, outside, some
from .pace import Pace, whole
from .poses import Pose
from .rig import Rig
from .traits import Traits

if TYPE_CHECKING:
    from .request import Direction

FloatArray = NDArray[np.floating[Any]]

Find = Callable[[], tuple[Any, Any]]
"""Finds armature and scene anew: nothing of Blender's is held between pieces."""

Turn = tuple[float, ...]
"""A quaternion, x, y, z, w."""

_STRETCH_TOLERANCE = 1e-3
_OFFSET_TOLERANCE_M = 1e-3


def everything(armature: Any) -> dict[str, FloatArray]:
    """World matrices (4, 4) of all bones as they are shown now."""
    names = tuple(b.name for b in armature.data.bones)
    world, bones = poses.evaluated_matrices(armature, names)
    return dict(zip(names, world @ bones, strict=True))


class Ghosts(Mapping[int, FloatArray]):
    """Places of joints (J, 3) by scene frame, worked out when they are looked at: sending needs none of them."""

    def __init__(self, every: Pose, index: Mapping[int, int]) -> None:
        self._every, self._index = every, index

    def __getitem__(self, frame: int) -> FloatArray:
        return np.asarray(self.of([frame])[0])

    def of(self, frames: Sequence[int]) -> FloatArray:
        """At some frames (N, J, 3), at once: one by one takes nearly as long for each."""
        return whole(self.placing(frames))

    def placing(self, frames: Sequence[int]) -> Generator[None, None, FloatArray]:
        """``of`` in pieces."""
        some = poses.together([self._every[self._index[frame]] for frame in frames])
        straight, _ = yield from kinematics.forwarding(some.skeleton, some.local_xyzw, some.root_m)
        return straight + some.offsets_m

    def __iter__(self) -> Iterator[int]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)


@dataclass
class _KeyPose:
    """What is asked of the pose at one frame: turns by joint, the root's place. Later words replace earlier ones."""

    turns: dict[str, Turn] = field(default_factory=dict)
    place_m: list[float] | None = None


@dataclass
class Shot:
    """What a direction needs of the scene, in plain values: nothing of Blender's is held.

    Go through ``preparing``, ``visit`` the frames that are to be looked at, all or some at a time, go through
    ``finishing`` and ``asking``, and ask for ``remarks``. What goes in pieces finds the scene anew for each.
    """

    rig: Rig
    direction: Direction
    keys: Keys
    own: dict[float, Pose] = field(default_factory=dict)
    shown: dict[float, Pose] = field(default_factory=dict)
    now: FloatArray | None = None
    items: list[Item] = field(default_factory=list)
    left_out: list[Remark] = field(default_factory=list)
    marks_outside: list[tuple[dict[str, Any], tuple[int, ...]]] = field(default_factory=list)
    marks: MarksSeen = field(default_factory=MarksSeen)
    playing: Keyed | None = None
    _posed: Mapping[Channel, Sequence[float]] = field(default_factory=dict)
    _both: set[float] = field(default_factory=set)
    _left_own: set[float] = field(default_factory=set)
    _left_marked: set[float] = field(default_factory=set)
    _left_shown: set[float] = field(default_factory=set)
    _seen_own: dict[float, FloatArray] = field(default_factory=dict)
    _seen_shown: dict[float, FloatArray] = field(default_factory=dict)
    _stops: int = 0

    def begin_in(self, now: Mapping[str, FloatArray]) -> None:
        """The motion begins in this pose."""
        seen = np.stack([now[name] for name in self.rig.seen_on or self.rig.names])
        self.now = poses.as_joints(self.rig, seen)

    def check(self, armature: Any, scene: Any) -> None:
        """Raises what is wrong with marks, before anything is looked at."""
        Marked(self.marks, self.rig, self.direction, armature, scene)

    def preparing(self, find: Find, own: Keyed, traits: Traits, *, is_own: bool) -> Generator[None, None, None]:
        """Work out the poses that keys alone make, and note at which frames the others are to be looked at.

        ``own``: what the user's own action says; ``is_own``: it is what plays.
        """
        armature, scene = find()
        self._left_marked = Marked(self.marks, self.rig, self.direction, armature, scene).stops
        self._posed = {} if is_own else unkeyed.before(armature)
        own_stops = {key.at for key in self.keys.own.values()}
        shown_stops = self._shown_stops()
        self._both = shown_stops & own_stops if is_own else set()
        left = shown_stops - self._both
        yield
        self.own = yield from self._working_out(find, stamps.own_action, own, own_stops, self._posed, traits)
        self._left_own = own_stops - self.own.keys()
        if left and find()[0].animation_data is not None:
            if is_own:
                self.playing = own
            else:
                self.playing = yield from keyed.reading(lambda: actions.shown(find()[0]))
                yield
            self.shown = yield from self._working_out(find, actions.shown, self.playing, left, {}, traits)
        self._left_shown = left - self.shown.keys()
        self._stops = len(self._left)

    @property
    def progress(self) -> tuple[int, int]:
        """How many frames were looked at, of how many."""
        return self._stops - len(self._left), self._stops

    @property
    def is_left(self) -> bool:
        """Whether there are frames that have to be looked at."""
        return bool(self._left)

    @property
    def _left(self) -> list[tuple[bool, float]]:
        """What is to be looked at, the own action's first: whether of what is shown, and at which frame."""
        own = sorted(self._left_own | self._left_marked)
        return [*((False, at) for at in own), *((True, at) for at in sorted(self._left_shown))]

    def visit(
        self, armature: Any, scene: Any, action: Any, slot: Any, enough: Callable[[], bool] = lambda: False
    ) -> None:
        """Look at the frames that are left, one at least, until it is ``enough``."""
        first = next((shown for shown, _ in self._left), None)
        if first is False:
            marked = Marked(self.marks, self.rig, self.direction, armature, scene) if self._left_marked else None
            with switches.as_before(armature), muted.as_before(armature), guard.playing(armature, action, slot):
                guard.pose(armature, self._posed)
                for at in sorted(self._left_own | self._left_marked):
                    self._look_at_own(armature, scene, at, marked)
                    if enough():
                        return
        for at in sorted(self._left_shown):
            if first is False and enough():
                break
            first = False
            guard.go_to(scene, at)
            self._seen_shown[at] = poses.world_matrices(armature, self.rig)
            self._left_shown.discard(at)

    def _look_at_own(self, armature: Any, scene: Any, at: float, marked: Marked | None) -> None:
        guard.go_to(scene, at)
        if marked is not None and at in self._left_marked:
            marked.read(at)
        if at in self._left_own:
            self._seen_own[at] = poses.world_matrices(armature, self.rig)
        self._left_own.discard(at)
        self._left_marked.discard(at)

    def finishing(self, find: Find) -> Generator[None, None, bool]:
        """From what was seen to poses and constraints; False where marks came or changed since they were read."""
        self.own |= yield from self._poses(self._seen_own)
        self.shown |= yield from self._poses(self._seen_shown)
        self.shown |= {at: self.own[at] for at in self._both}
        armature, scene = find()
        marked = Marked(self.marks, self.rig, self.direction, armature, scene)
        if marked.stops:
            return False
        self.items, self.left_out = marked.items(), marked.left_out
        self.marks_outside = outside(armature, scene, self.direction, self.direction.span)
        yield
        return True

    def _working_out(
        self,
        find: Find,
        slot_of: Callable[[Any], keyed.Slot],
        said: Keyed,
        stops: set[float],
        posed: Mapping[Channel, Sequence[float]],
        traits: Traits,
    ) -> Generator[None, None, dict[float, Pose]]:
        if not stops:
            return {}
        armature, _ = find()
        found = curves.Poses.of(armature, *slot_of(armature), self.rig, said, posed, traits=traits)
        yield
        if found is None:
            return {}
        frames = sorted(stops)
        out: dict[float, Pose] = {}
        found.get_ready()
        unsaid = found.not_on_keys(frames)
        yield
        asked = yield from keyed.evaluating(unsaid, np.array(frames), lambda: slot_of(find()[0]))
        for part in _parts(len(frames), found.most_frames):
            some = frames[part]
            every = found.at(some, {where: values[part] for where, values in asked.items()})
            out |= {at: every[n] for n, at in enumerate(some)}
            yield
        return out

    def _poses(self, seen: Mapping[float, FloatArray]) -> Generator[None, None, dict[float, Pose]]:
        # Many at once, because one by one takes ten times as long.
        stops = list(seen)
        out: dict[float, Pose] = {}
        for part in _parts(len(stops), max(1, 1200 // len(self.rig.names))):
            some = stops[part]
            every = self._pose(np.stack([seen[at] for at in some]))
            out |= {at: every[n] for n, at in enumerate(some)}
            yield
        return out

    def _shown_stops(self) -> set[float]:
        wanted = self.direction
        stops = {key.at for key in self.keys.shown.values()} | set(map(float, self._leads()))
        return stops if wanted.end_pose is None else stops | {float(wanted.end_pose)}

    def _leads(self) -> list[int]:
        wanted = self.direction
        before = range(wanted.start - wanted.lead_in, wanted.start)
        after = range(wanted.end + 1, wanted.end + wanted.lead_out + 1)
        return [*before, *after]

    def asking(self) -> Generator[None, None, tuple[list[dict[str, Any]], list[Any]]]:
        """MMCP constraints and, in the same order, what each stands for in the scene."""
        asked: dict[int, _KeyPose] = {}
        for frame in self._leads():
            self._whole(asked, frame, self.shown[float(frame)], placed=True)
        if self.now is not None:
            self._whole(asked, self.direction.start, self._pose(self.now), placed=True)
        if self.direction.end_pose is not None:
            there = self.shown[float(self.direction.end_pose)]
            self._whole(asked, self.direction.end, there, placed=self.direction.end_place)
        yield
        pace, at, said = Pace(8), 0, [*self.keys.own.items(), *self.keys.shown.items()]
        while at < len(said):
            with pace.piece() as count:
                for n, (frame, key) in enumerate(said[at : at + count], at):
                    self._keyed(asked.setdefault(frame, _KeyPose()), key, self._key_poses[n])
                at += count
            yield
        found = [item for frame in sorted(asked) for item in self._item(frame, asked[frame])] + self.items
        return [c for c, _ in found], [ref for _, ref in found]

    @cached_property
    def _key_poses(self) -> Pose:
        """The poses of all keys, own ones first."""
        own, shown = self.keys.own.values(), self.keys.shown.values()
        return poses.together([*(self.own[k.at] for k in own), *(self.shown[k.at] for k in shown)])

    def ghosts(self) -> Mapping[int, FloatArray]:
        """Where the joints (J, 3) are at the keys, by scene frame, metres."""
        frames = [*self.keys.own, *self.keys.shown]
        return Ghosts(self._key_poses, {frame: n for n, frame in enumerate(frames)}) if frames else {}

    def _pose(self, matrices: FloatArray) -> Pose:
        return poses.of_matrices(self.rig, matrices)

    def _whole(self, asked: dict[int, _KeyPose], frame: int, pose: Pose, *, placed: bool) -> None:
        turns = self._turns(pose)
        asked[frame] = _KeyPose(turns, [float(x) for x in pose.root_m] if placed else None)

    def _turns(self, pose: Pose) -> dict[str, Turn]:
        # Tuples: of lists, thousands for a take, Python's collector would look through each again and again.
        return dict(zip(self.rig.names, struct.iter_unpack("4d", pose.local_xyzw.astype(float).tobytes()), strict=True))

    def _keyed(self, item: _KeyPose, key: KeyedFrame, pose: Pose) -> None:
        turns = self._turns(pose)
        if len(key.turned) == len(turns):
            item.turns = turns
        else:
            item.turns.update({name: turns[name] for name in key.turned})
        if key.root_placed:
            item.place_m = [float(x) for x in pose.root_m]

    def _item(self, at: int, asked: _KeyPose) -> list[Item]:
        ref = places.ref("key", f"frame {at}", self.rig.armature, frame=at)
        frame = at - self.direction.first
        if asked.turns:
            turns, names = asked.turns, self.rig.names
            ordered = turns if len(turns) == len(names) else {n: turns[n] for n in names if n in turns}
            item: dict[str, Any] = {"type": "pose_keyframe", "frame": frame, "joint_rotations": ordered}
            if asked.place_m is not None:
                item["root_position"] = asked.place_m
            return [(item, ref)]
        if asked.place_m is None:
            return []
        # A pose key needs a rotation, and the user keyed none: a target says just the place.
        root = self.rig.names[0]
        return [({"type": "effector_target", "joint": root, "frames": [frame], "positions": [asked.place_m]}, ref)]

    def outside(self) -> list[tuple[dict[str, Any], tuple[int, ...]]]:
        """What stands outside the range altogether: what of the scene it is, and at which scene frames."""
        keys = [(f, places.ref("key", f"frame {f}", self.rig.armature, frame=f)) for f in self._keys_outside()]
        return [*((ref, (frame,)) for frame, ref in keys), *self.marks_outside]

    def _keys_outside(self) -> list[int]:
        return sorted({round(at) for at in self.keys.outside})

    def remarks(self) -> list[Remark]:
        """What of the scene was not sent, or changed on the way."""
        out = [*self.left_out, *(Remark(f"key on {what}", why) for what, why in sorted(self.keys.unsent.items()))]
        out += [Remark(what, why) for what, why in self.keys.told.items()]
        for at in sorted(self.keys.outside)[:6]:
            out.append(Remark(f"key at {at:g}", "it stands outside the range"))
        for layer in (self.keys.own, self.keys.shown):
            for frame, key in sorted(layer.items()):
                if key.at != frame:
                    why = f"a request has whole frames: its pose is sent at frame {frame}"
                    out.append(Remark(f"key at {key.at:g}", why))
        if self.keys.unmarked:
            out.append(Remark(f"{self.keys.unmarked} keys", "you unmarked them as key poses"))
        return out + self._pose_remarks()

    def _pose_remarks(self) -> list[Remark]:
        if not (self.keys.own or self.keys.shown):
            return []
        pose = self._key_poses
        moved = self._names(np.linalg.norm(pose.offsets_m, axis=-1) > _OFFSET_TOLERANCE_M)
        stretched = self._names(pose.stretch > _STRETCH_TOLERANCE)
        out = []
        if stretched:
            out.append(Remark(f"scaled or stretched bones: {some(stretched)}", "a request carries rotations only"))
        if moved - stretched:
            out.append(Remark(f"bones away from their rest place: {some(moved)}", "a request carries rotations only"))
        return out

    def _names(self, which: NDArray[np.bool_]) -> set[str]:
        return {self.rig.names[int(i)] for i in np.flatnonzero(which.any(axis=0))}


def _parts(count: int, size: int) -> list[slice]:
    """``count`` in pieces that do not depend on the clock: the same numbers come out whoever reads."""
    return [slice(first, first + size) for first in range(0, count, size)]
