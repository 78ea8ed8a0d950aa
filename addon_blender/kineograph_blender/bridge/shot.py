# SPDX-License-Identifier: GPL-3.0-or-later
"""One look through all the frames of a scene that matter, and the constraints that come of it.

Two things are looked at: the user's own action, where its keys say their poses, and what plays now (an applied take,
say), where edits on it, marked frames and the motion that stays beside the new one are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import curves, guard, marks, paths, pins, places, poses, switches, unkeyed, waypoints
from .curves import KeyedCurve
from .datapath import Channel
from .keys import KeyedFrame, Keys
from .poses import Pose
from .rig import Rig

if TYPE_CHECKING:
    from .request import Direction

FloatArray = NDArray[np.floating[Any]]
Item = tuple[dict[str, Any], Any]

_STRETCH_TOLERANCE = 1e-3
_OFFSET_TOLERANCE_M = 1e-3


@dataclass(frozen=True)
class Remark:
    """Something of the scene that a request has no word for, or that was changed on the way."""

    what: str
    why: str


def everything(armature: Any) -> dict[str, FloatArray]:
    """World matrices (4, 4) of all bones as they are shown now."""
    names = tuple(b.name for b in armature.data.bones)
    world, bones = poses.evaluated_matrices(armature, names)
    return dict(zip(names, world @ bones, strict=True))


@dataclass
class _KeyPose:
    """What is asked of the pose at one frame: turns by joint, the root's place. Later words replace earlier ones."""

    turns: dict[str, list[float]] = field(default_factory=dict)
    place_m: list[float] | None = None


@dataclass
class Shot:
    """What a direction needs of the scene. Fill it with ``look``, then ask for ``constraints`` and ``remarks``."""

    rig: Rig
    direction: Direction
    keys: Keys
    own: dict[float, Pose] = field(default_factory=dict)
    shown: dict[float, Pose] = field(default_factory=dict)
    now: FloatArray | None = None
    items: list[Item] = field(default_factory=list)
    left_out: list[Remark] = field(default_factory=list)

    def begin_in(self, now: Mapping[str, FloatArray]) -> None:
        """The motion begins in this pose."""
        seen = np.stack([now[name] for name in self.rig.seen_on or self.rig.names])
        self.now = poses.as_joints(self.rig, seen)

    def look(
        self,
        armature: Any,
        scene: Any,
        action: Any,
        slot: Any,
        keyed: Sequence[KeyedCurve],
        ahead: Mapping[float, FloatArray],
    ) -> None:
        """Read what is needed, each frame once for each of the two actions; ``keyed``: the own action's curves,
        ``ahead``: joints' matrices that were seen before.

        Poses that keys alone make are worked out; the others are looked at, frame by frame.
        """
        marked = _Marked(self, armature, scene)
        own_stops = {key.at for key in self.keys.own.values()}
        data = armature.animation_data
        is_own = data is None or (data.action == action and compat.slot_of(data) == slot)
        posed = {} if is_own else unkeyed.before(armature)
        self.own = self._worked_out(armature, action, slot, keyed, own_stops, posed)
        seen: dict[float, FloatArray] = {at: ahead[at] for at in own_stops - self.own.keys() if at in ahead}
        left = own_stops - self.own.keys() - seen.keys()
        if stops := left | marked.stops:
            with switches.as_before(armature), guard.playing(armature, action, slot):
                guard.pose(armature, posed)
                for at in sorted(stops):
                    guard.go_to(scene, at)
                    marked.read(at)
                    if at in left:
                        seen[at] = poses.world_matrices(armature, self.rig)
        self.own |= self._poses(seen)
        shown_stops = self._shown_stops()
        if is_own:
            self.shown = {at: pose for at, pose in self.own.items() if at in shown_stops}
        left = shown_stops - self.shown.keys()
        if left and data is not None:
            playing = data.action, compat.slot_of(data)
            self.shown |= self._worked_out(armature, *playing, curves.read(*playing), left)
        seen = {}
        for at in sorted(left - self.shown.keys()):
            guard.go_to(scene, at)
            seen[at] = poses.world_matrices(armature, self.rig)
        self.shown |= self._poses(seen)
        self.items = marked.items()

    def _worked_out(
        self,
        armature: Any,
        action: Any,
        slot: Any,
        keyed: Sequence[KeyedCurve],
        stops: set[float],
        posed: Mapping[Channel, Sequence[float]] | None = None,
    ) -> dict[float, Pose]:
        found = curves.Poses.of(armature, action, slot, self.rig, keyed, posed) if stops else None
        if found is None:
            return {}
        frames = sorted(stops)
        every = found.at(frames)
        return {at: every[n] for n, at in enumerate(frames)}

    def _poses(self, seen: Mapping[float, FloatArray]) -> dict[float, Pose]:
        # All at once, because one by one takes ten times as long.
        if not seen:
            return {}
        every = self._pose(np.stack(list(seen.values())))
        return {at: every[n] for n, at in enumerate(seen)}

    def _shown_stops(self) -> set[float]:
        wanted = self.direction
        stops = {key.at for key in self.keys.shown.values()} | set(map(float, self._leads()))
        return stops if wanted.end_pose is None else stops | {float(wanted.end_pose)}

    def _leads(self) -> list[int]:
        wanted = self.direction
        before = range(wanted.start - wanted.lead_in, wanted.start)
        after = range(wanted.end + 1, wanted.end + wanted.lead_out + 1)
        return [*before, *after]

    def constraints(self) -> tuple[list[dict[str, Any]], list[Any]]:
        """MMCP constraints and, in the same order, what each stands for in the scene."""
        found = [*self._key_items(), *self.items]
        return [c for c, _ in found], [ref for _, ref in found]

    def _key_items(self) -> list[Item]:
        asked: dict[int, _KeyPose] = {}
        for frame in self._leads():
            self._whole(asked, frame, self.shown[float(frame)], placed=True)
        if self.now is not None:
            self._whole(asked, self.direction.start, self._pose(self.now), placed=True)
        if self.direction.end_pose is not None:
            there = self.shown[float(self.direction.end_pose)]
            self._whole(asked, self.direction.end, there, placed=self.direction.end_place)
        keyed = [*self.keys.own.items(), *self.keys.shown.items()]
        for n, (frame, key) in enumerate(keyed):
            self._keyed(asked.setdefault(frame, _KeyPose()), key, self._key_poses[n])
        return [item for frame in sorted(asked) for item in self._item(frame, asked[frame])]

    @cached_property
    def _key_poses(self) -> Pose:
        """The poses of all keys, own ones first."""
        own, shown = self.keys.own.values(), self.keys.shown.values()
        return poses.together([*(self.own[k.at] for k in own), *(self.shown[k.at] for k in shown)])

    def ghosts(self) -> dict[int, FloatArray]:
        """Where the joints (J, 3) are at the keys, by scene frame, metres."""
        frames = [*self.keys.own, *self.keys.shown]
        return {frame: self._key_poses.positions_m[n] for n, frame in enumerate(frames)}

    def _pose(self, matrices: FloatArray) -> Pose:
        return poses.of_matrices(self.rig, matrices)

    def _whole(self, asked: dict[int, _KeyPose], frame: int, pose: Pose, *, placed: bool) -> None:
        turns = dict(zip(self.rig.names, pose.local_xyzw.tolist(), strict=True))
        asked[frame] = _KeyPose(turns, [float(x) for x in pose.root_m] if placed else None)

    def _keyed(self, item: _KeyPose, key: KeyedFrame, pose: Pose) -> None:
        turns = dict(zip(self.rig.names, pose.local_xyzw.tolist(), strict=True))
        item.turns.update(turns if len(key.turned) == len(turns) else {name: turns[name] for name in key.turned})
        if key.root_placed:
            item.place_m = [float(x) for x in pose.root_m]

    def _item(self, at: int, asked: _KeyPose) -> list[Item]:
        ref = places.ref("key", f"frame {at}", self.rig.armature, frame=at)
        frame = at - self.direction.first
        if asked.turns:
            ordered = {n: asked.turns[n] for n in self.rig.names if n in asked.turns}
            item: dict[str, Any] = {"type": "pose_keyframe", "frame": frame, "joint_rotations": ordered}
            if asked.place_m is not None:
                item["root_position"] = asked.place_m
            return [(item, ref)]
        if asked.place_m is None:
            return []
        # A pose key needs a rotation, and the user keyed none: a target says just the place.
        root = self.rig.names[0]
        return [({"type": "effector_target", "joint": root, "frames": [frame], "positions": [asked.place_m]}, ref)]

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
            out.append(Remark(f"scaled or stretched bones: {_some(stretched)}", "a request carries rotations only"))
        if moved - stretched:
            out.append(Remark(f"bones away from their rest place: {_some(moved)}", "a request carries rotations only"))
        return out

    def _names(self, which: NDArray[np.bool_]) -> set[str]:
        return {self.rig.names[int(i)] for i in np.flatnonzero(which.any(axis=0))}


class _Marked:
    """The character's curves, pins and waypoints: which frames they want to be read at, and what they then ask."""

    def __init__(self, shot: Shot, armature: Any, scene: Any) -> None:
        self._shot = shot
        self._span, self._first = shot.direction.span, shot.direction.first
        wanted = shot.direction
        self._curves = list(marks.paths_of(armature, scene)) if wanted.use_paths else []
        self._pins = list(marks.pins_of(armature, scene)) if wanted.use_pins else []
        self._waypoints = marks.waypoints_of(armature, scene) if wanted.use_waypoints else []
        self._pin_frames: dict[str, list[int]] = {}
        self._pin_matrices: dict[str, dict[int, FloatArray]] = {}
        self._waypoints_read: list[waypoints.Waypoint] = []
        self._ways: list[Item] = []
        self._check([b.name for b in armature.data.bones])
        self._moving = {p.name for p in self._pins if p.name in self._pin_frames and not pins.is_still(p)}

    @property
    def stops(self) -> set[float]:
        """Scene frames at which ``read`` wants to be called; none where there is nothing to read."""
        if not (self._curves or self._pins or self._waypoints):
            return set()
        out = {float(self._span[0])} | {float(f) for name in self._moving for f in self._pin_frames[name]}
        return out | {self._stop_of(w) for w in self._waypoints}

    def read(self, at: float) -> None:
        """Look at what matters at the current frame, ``at``."""
        if at == self._span[0]:
            self._ways = list(self._path_items())
        for pin in self._pins:
            frames = self._pin_frames.get(pin.name, ())
            if pin.name not in self._moving and at == self._span[0]:
                self._pin_matrices[pin.name] = dict.fromkeys(frames, pins.matrix(pin)) if frames else {}
            elif pin.name in self._moving and at in frames:
                self._pin_matrices.setdefault(pin.name, {})[int(at)] = pins.matrix(pin)
        for marker in self._waypoints:
            if self._stop_of(marker) == at:
                self._waypoints_read.append(waypoints.read(marker))

    def items(self) -> list[Item]:
        """What the marks ask, and which object each stands for."""
        return [*self._ways, *self._waypoint_items(), *self._pin_items()]

    def _check(self, bones: list[str]) -> None:
        for pin in self._pins:
            pins.check_joint(pin, self._shot.rig, bones)
            frames = pins.frames_of(pin, self._span)
            if frames:
                self._pin_frames[pin.name] = frames
            else:
                self._leave_out(f"pin {pin.name!r}", "it holds at no frame of the range")

    def _stop_of(self, marker: Any) -> float:
        # One outside the range is only named: no need to go there.
        return float(min(max(marks.waypoint_frame(marker), self._span[0]), self._span[1]))

    def _path_items(self) -> Iterable[Item]:
        for curve in self._curves:
            a, b = marks.frames_of(curve) or self._span
            frames = list(range(max(a, self._span[0]), min(b, self._span[1]) + 1))
            name = f"path {curve.name!r}"
            if len(frames) < 2:
                self._leave_out(name, "it covers fewer than two frames of the range")
                continue
            timing = marks.timing_of(curve)
            if timing is marks.Timing.CURVE and paths.evaluation_curve(curve) is None:
                self._leave_out(f"the timing of {name}", "its evaluation time has no keys: equal steps are used")
            item = paths.constraint(curve, self._shot.rig.frame, frames, self._first, marks.heading_of(curve), timing)
            yield item, places.ref("path", curve.name, self._shot.rig.armature)

    def _waypoint_items(self) -> Iterable[Item]:
        kept, left = waypoints.sift(self._waypoints_read, self._span)
        for name, why in left.items():
            self._leave_out(f"waypoint {name!r}", why)
        for item, names in waypoints.constraints(kept, self._shot.rig.frame, self._first):
            yield item, places.ref("waypoint", _some(set(names)), self._shot.rig.armature, names=names)

    def _pin_items(self) -> Iterable[Item]:
        rig = self._shot.rig
        for pin in self._pins:
            if pin.name not in self._pin_frames:
                continue
            frames = self._pin_frames[pin.name]
            matrices = np.stack([self._pin_matrices[pin.name][f] for f in frames])
            at = [f - self._first for f in frames]
            yield (
                pins.constraint(pin, rig, marks.joint_of(pin), at, matrices),
                places.ref("pin", pin.name, rig.armature),
            )

    def _leave_out(self, what: str, why: str) -> None:
        self._shot.left_out.append(Remark(what, why))


def _some(names: set[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 6} more" if len(ordered) > 6 else ""
    return ", ".join(ordered[:6]) + more
