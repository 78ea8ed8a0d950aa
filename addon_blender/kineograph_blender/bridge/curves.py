# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses worked out from F-curves alone: where nothing but keys moves a rig, no frame of the scene needs to be visited.

Setting a frame evaluates the whole scene, its meshes too. What Blender would show is followed in float64: parents
and rotation modes. Whatever else could have a say (constraints, drivers, the NLA,
scale, a moving object, somebody's handlers) sends the reader back to Blender itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.motion import euler, kinematics, quat
from kineograph.motion.skeleton import Skeleton

from .. import compat
from . import datapath, guard, keyed, poses
from .bones import ancestors
from .datapath import Channel
from .frame import read_matrices, rotation_of
from .keyed import Keyed, KeyedCurve
from .poses import Pose
from .rig import Rig

FloatArray = NDArray[np.floating[Any]]

_ONE = 1e-6
_NO_LENGTH_XYZW = np.array([1.0, 0.0, 0.0, 0.0])
_WIDTHS = {"location": 3, "rotation_quaternion": 4, "rotation_axis_angle": 4, "rotation_euler": 3, "scale": 3}


def object_is_still(armature: Any, action: Any, slot: Any) -> bool:
    """Whether the object stands at the same place at every frame, as far as can be told without going there."""
    data = armature.animation_data
    if len(bpy.app.handlers.frame_change_pre) or len(bpy.app.handlers.frame_change_post):
        return False
    if parents_move(armature):
        return False
    if data is None:
        return True
    if data.use_tweak_mode or nla_plays(data) or any(not d.data_path.startswith("pose.bones[") for d in data.drivers):
        return False
    found = compat.curves(action, slot)
    if data.action != action:
        found += compat.curves(data.action, compat.slot_of(data))
    return all(datapath.parse(c.data_path) is not None for c in found)


def nla_plays(data: Any) -> bool:
    """Whether any strip has a say beside the action."""
    return bool(data.use_nla and any(len(t.strips) and not t.mute for t in data.nla_tracks))


def parents_move(armature: Any) -> bool:
    """Whether the object's own constraints or its parents may move it."""
    child = armature
    while True:
        if len(child.constraints) or child.rigid_body is not None:
            return True
        up = child.parent
        if up is None:
            return False
        # To a bone, a vertex or along a curve: what is above may move by itself.
        if child.parent_type != "OBJECT" or up.type not in ("EMPTY", "MESH") or up.animation_data is not None:
            return True
        child = up


class _Group(NamedTuple):
    """Plain curves of one property at the same keys (N,): of which bones (C,), which part, where their values begin."""

    prop: str
    frames: NDArray[np.float64]
    bones: NDArray[np.intp]
    parts: NDArray[np.intp]
    firsts: NDArray[np.intp]
    curves: list[KeyedCurve]


class Poses:
    """What the keys of one action show, in plain numbers. Make it by ``of``."""

    def __init__(
        self,
        armature: Any,
        rig: Rig,
        above: Mapping[str, str | None],
        modes: Mapping[str, str],
        said: Keyed,
        posed: Mapping[Channel, Sequence[float]],
    ) -> None:
        names = tuple(name for name in above if name in modes)  # parents first, as Blender keeps them
        self._rig, self._names = rig, names
        bones = armature.data.bones
        index = {name: i for i, name in enumerate(names)}
        self._index = index
        self._parents = np.array([index.get(above[name] or "", -1) for name in names], np.int32)
        rest = read_matrices(bones, "matrix_local", names)
        self._rest_xyzw = rotation_of(rest)
        offsets = np.where(self._parents[:, None] < 0, rest[:, :3, 3], rest[:, :3, 3] - rest[self._parents, :3, 3])
        self._offsets_bu = offsets
        up_xyzw = np.where(self._parents[:, None] < 0, quat.IDENTITY_XYZW, self._rest_xyzw[self._parents])
        local = _flags(bones, "use_local_location", names)
        self._axes_xyzw = np.where(local[:, None], self._rest_xyzw, up_xyzw)
        self._connected = _flags(bones, "use_connect", names) & (self._parents >= 0)
        self._modes = [modes[name] for name in names]
        self._posed = _posed_now(armature, names)
        for (bone, prop), values in posed.items():
            if bone in index:
                self._posed[prop][index[bone]] = values
        self._world = np.array(armature.matrix_world, float)
        self._curves = [c for c in said.curves if c.channel.bone in index and c.part < _WIDTHS.get(c.channel.prop, 0)]
        self._values = said.values
        self._groups = self._grouped()

    @classmethod
    def of(
        cls,
        armature: Any,
        action: Any,
        slot: Any,
        rig: Rig,
        said: Keyed,
        posed: Mapping[Channel, Sequence[float]] | None = None,
        *,
        is_still: bool | None = None,
    ) -> Poses | None:
        """None where something but keys has a say. ``said``: what was read of the action; ``posed``: what channels
        say where no curve speaks of them, and the pose that is shown is not meant; ``is_still``: what is known of
        ``object_is_still``."""
        still = object_is_still(armature, action, slot) if is_still is None else is_still
        if not still or armature.data.animation_data is not None:
            return None
        data = armature.animation_data
        if data is not None and (
            len(data.drivers) or data.action_blend_type != "REPLACE" or data.action_influence < 1.0
        ):
            return None
        if any(group.mute for group in compat.groups(action, slot)):
            return None  # what that means differs between versions
        bones = armature.data.bones
        above = {b.name: b.parent.name if b.parent else None for b in bones}
        wanted = set(rig.names)
        for name in rig.names:
            if above[name] is not None and above[name] not in wanted:
                wanted.update(ancestors(above, name))
        modes: dict[str, str] = {}
        for bone in armature.pose.bones:
            if (name := bone.name) in wanted:
                if len(bone.constraints):
                    return None
                modes[name] = bone.rotation_mode
        names = tuple(modes)
        if sum(above[name] is None for name in names) != 1 or not _flags(bones, "use_inherit_rotation", names).all():
            return None
        found = cls(armature, rig, above, modes, said, posed or {})
        return None if found._is_scaled() else found

    def _is_scaled(self) -> bool:
        if np.abs(self._posed["scale"] - 1.0).max() > _ONE:
            return True
        scales = [c for c in self._curves if c.channel.prop == "scale"]
        values = ((c, self._values[c.first : c.first + len(c.frames)]) for c in scales)
        return any(not c.is_plain or np.abs(keys - 1.0).max() > _ONE for c, keys in values)

    def _grouped(self) -> list[_Group]:
        """Plain curves of one property that have the same keys are looked up at once."""
        found: dict[tuple[str, int], list[KeyedCurve]] = {}
        for curve in self._curves:
            if curve.is_plain:
                found.setdefault((curve.channel.prop, id(curve.frames)), []).append(curve)
        return [
            _Group(
                prop,
                curves[0].frames,
                np.array([self._index[c.channel.bone] for c in curves]),
                np.array([c.part for c in curves]),
                np.array([c.first for c in curves]),
                curves,
            )
            for (prop, _), curves in found.items()
        ]

    @property
    def most_frames(self) -> int:
        """So many are worked out in about a millisecond."""
        return max(1, 2400 // len(self._names))

    def not_on_keys(self, frames: Sequence[float]) -> list[KeyedCurve]:
        """Curves that Blender has to be asked about at some frames (T,)."""
        return keyed.not_on_keys(self._curves, np.asarray(frames, float))

    def at(self, frames: Sequence[float], asked: Mapping[int, FloatArray] | None = None) -> Pose:
        """What is shown at some frames (T,). ``asked``: what ``not_on_keys`` say there."""
        rig = self._rig
        turns, moves = self._channels(np.asarray(frames, float), asked or {})
        along = _seen_along(self._rest_xyzw, turns)
        offsets = self._offsets_bu + quat.rotate(self._axes_xyzw, moves)
        # Turns along the armature's axes, seen along the request's.
        axes = quat.mul(rig.frame.turn_xyzw, rotation_of(self._world))
        which = [self._index[name] for name in rig.names]
        same = self._is_same_tree(which)
        if same and not np.delete(moves, which[0], axis=1).any():
            # Rotations alone put every joint where it is.
            local = _seen_along(axes, along[:, which])
            none = np.zeros((*local.shape[:-1], 3))
            return Pose(local, self._points_m(offsets[:, which[0]]), none[..., 0], none, rig.skeleton)
        # Rest rotations of identity: a turn is then measured along the armature's axes.
        skeleton = Skeleton.build(self._names, self._parents, self._offsets_bu)
        places, rotations = kinematics.forward(skeleton, along, offsets[:, skeleton.root], offsets)
        if same:
            local = _seen_along(axes, along[:, which])
        else:
            local = kinematics.local_from_world(rig.skeleton, _seen_along(axes, rotations[:, which]))
        points = self._points_m(places[:, which])
        return poses.of_turns(rig, local, points, np.zeros(points.shape[:-1]))

    def _points_m(self, places_bu: FloatArray) -> FloatArray:
        """Places (..., 3) in the armature's space as the request's metres."""
        return self._rig.frame.points_m(places_bu @ self._world[:3, :3].T + self._world[:3, 3])

    def _is_same_tree(self, which: list[int]) -> bool:
        if len(which) != len(self._names):
            return False
        sent, bones = self._rig.skeleton.parents, np.array(which)
        return bool((np.where(sent < 0, -1, bones[sent]) == self._parents[bones]).all())

    def _channels(self, frames: FloatArray, asked: Mapping[int, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Rotations (T, B, 4) and locations (T, B, 3) in the bones' own spaces."""
        values = {prop: np.repeat(now[None], len(frames), axis=0) for prop, now in self._posed.items()}
        for group in self._groups:
            found = keyed.near(group.frames, frames)
            if found is None:
                self._put_asked(values, group.curves, asked)
            else:
                there = self._values[group.firsts[:, None] + found]
                values[group.prop][:, group.bones, group.parts] = there.T
        self._put_asked(values, [c for c in self._curves if not c.is_plain], asked)
        turns = quat.identity(len(frames), len(self._names))
        for mode in set(self._modes):
            which = [i for i, m in enumerate(self._modes) if m == mode]
            turns[:, which] = _rotations(mode, values[datapath.rotation_prop(mode)[0]][:, which])
        moves = values["location"]
        moves[:, self._connected] = 0.0
        return turns, moves

    def _put_asked(
        self, values: dict[str, FloatArray], curves: Sequence[KeyedCurve], asked: Mapping[int, FloatArray]
    ) -> None:
        for curve in curves:
            values[curve.channel.prop][:, self._index[curve.channel.bone], curve.part] = asked[curve.where]


def _seen_along(axes_xyzw: FloatArray, turns_xyzw: FloatArray) -> FloatArray:
    """The same turns (..., 4) measured along other axes (4,)."""
    return np.concatenate([quat.rotate(axes_xyzw, turns_xyzw[..., :3]), turns_xyzw[..., 3:]], axis=-1)


def _flags(bones: Any, attribute: str, names: Sequence[str]) -> NDArray[np.bool_]:
    """A yes or no of some bones, read in one go."""
    every = np.empty(len(bones), bool)
    bones.foreach_get(attribute, every)
    index = {name: i for i, name in enumerate(bones.keys())}
    return every[[index[name] for name in names]]


def _posed_now(armature: Any, names: tuple[str, ...]) -> dict[str, FloatArray]:
    """What the pose says now, keyed or not: (B, width) by property."""
    order = {name: i for i, name in enumerate(armature.pose.bones.keys())}
    which = [order[name] for name in names]
    return {prop: v.reshape(len(order), -1)[which].astype(float) for prop, v in guard.read_pose(armature).items()}


def _rotations(mode: str, values: FloatArray) -> FloatArray:
    """Channel values (T, B, 4 or 3) of one rotation mode as quaternions (T, B, 4)."""
    if mode == "QUATERNION":
        xyzw = values[..., [1, 2, 3, 0]]
        # Of a quaternion of length zero Blender makes a half turn about x.
        return quat.normalize(np.where((xyzw == 0.0).all(axis=-1, keepdims=True), _NO_LENGTH_XYZW, xyzw))
    if mode == "AXIS_ANGLE":
        length = np.linalg.norm(values[..., 1:], axis=-1, keepdims=True)
        axis = np.where(length > 0.0, values[..., 1:] / np.where(length > 0.0, length, 1.0), 0.0)
        half = 0.5 * values[..., :1]
        # Without an axis Blender turns nothing.
        return quat.normalize(np.concatenate([axis * np.sin(half), np.where(length > 0.0, np.cos(half), 1.0)], axis=-1))
    order = mode[::-1]
    return euler.to_quat(values[..., ["XYZ".index(a) for a in order]], order)
