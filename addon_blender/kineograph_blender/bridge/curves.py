# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses worked out from F-curves alone: where nothing but keys moves a rig, no frame of the scene needs to be visited.

Setting a frame evaluates the whole scene, its meshes too. What Blender would show is followed in float64: parents
and rotation modes. Whatever else could have a say (constraints, drivers, the NLA,
scale, a moving object, somebody's handlers) sends the reader back to Blender itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.motion import euler, kinematics, quat
from kineograph.motion.skeleton import Skeleton

from .. import compat
from . import datapath, keyed, poses
from .bones import ancestors
from .datapath import Channel
from .frame import rotation_of
from .keyed import Keyed, KeyedCurve
from .poses import Pose
from .rest import Rest
from .rig import Rig
from .traits import Traits

FloatArray = NDArray[np.floating[Any]]

_ONE = 1e-6
_NO_LENGTH_XYZW = np.array([1.0, 0.0, 0.0, 0.0])
_WIDTHS = {"location": 3, "rotation_quaternion": 4, "rotation_axis_angle": 4, "rotation_euler": 3, "scale": 3}


def object_is_still(armature: Any, action: Any, slot: Any, paths: Sequence[str] | None = None) -> bool:
    """Whether the object stands at the same place at every frame, as far as can be told without going there.

    ``paths``: the data paths of the action's curves, where they were read a moment ago."""
    data = armature.animation_data
    if len(bpy.app.handlers.frame_change_pre) or len(bpy.app.handlers.frame_change_post):
        return False
    if parents_move(armature):
        return False
    if data is None:
        return True
    if data.use_tweak_mode or nla_plays(data) or any(not d.data_path.startswith("pose.bones[") for d in data.drivers):
        return False
    found = keyed.paths_of(action, slot) if paths is None else paths
    if data.action != action:
        found = [*found, *keyed.paths_of(data.action, compat.slot_of(data))]
    return keyed.are_of_bones(found)


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
    """Plain curves of one property at the same keys (N,): ``columns`` (C,) of the property's values of all bones, one
    bone after the other, and where each one's values begin."""

    prop: str
    frames: NDArray[np.float64]
    columns: NDArray[np.intp]
    firsts: NDArray[np.intp]
    curves: list[KeyedCurve]


@dataclass(frozen=True, eq=False)
class _Bones:
    """What of the bones that count does not depend on their keys: ``names`` parents first, and for the joints of a
    request ``which`` of them they are, whether in the ``same`` tree."""

    names: tuple[str, ...]
    index: Mapping[str, int]
    parents: NDArray[np.int32]
    rest_xyzw: FloatArray
    offsets_bu: FloatArray
    axes_xyzw: FloatArray
    connected: NDArray[np.bool_]
    which: NDArray[np.intp]
    is_same: bool


@lru_cache(8)
def _bones(rest: Rest, rig: Rig, names: tuple[str, ...]) -> _Bones:
    index = {name: i for i, name in enumerate(names)}
    rows = rest.rows(names)
    parents = np.array([index.get(rest.above[name] or "", -1) for name in names], np.int32)
    there, rest_xyzw = rest.matrices[rows], rest.xyzw[rows]
    up_xyzw = np.where(parents[:, None] < 0, quat.IDENTITY_XYZW, rest_xyzw[parents])
    local = rest.flags["use_local_location"][rows]
    which = np.array([index[name] for name in rig.names], np.intp)
    sent = rig.skeleton.parents
    same = len(which) == len(names) and bool((np.where(sent < 0, -1, which[sent]) == parents[which]).all())
    return _Bones(
        names,
        index,
        parents,
        rest_xyzw,
        np.where(parents[:, None] < 0, there[:, :3, 3], there[:, :3, 3] - there[parents, :3, 3]),
        np.where(local[:, None], rest_xyzw, up_xyzw),
        rest.flags["use_connect"][rows] & (parents >= 0),
        which,
        same,
    )


class Poses:
    """What the keys of one action show, in plain numbers. Make it by ``of``."""

    def __init__(
        self,
        rig: Rig,
        names: tuple[str, ...],
        traits: Traits,
        world: FloatArray,
        said: Keyed,
        posed: Mapping[Channel, Sequence[float]],
    ) -> None:
        self._rig, self._world = rig, world
        self._bones = bones = _bones(traits.rest, rig, names)
        rows = [traits.row[name] for name in names]
        modes = [traits.modes[row] for row in rows]
        self._modes = {mode: [i for i, m in enumerate(modes) if m == mode] for mode in set(modes)}
        self._posed = {prop: v.reshape(len(traits.names), -1)[rows].astype(float) for prop, v in traits.posed.items()}
        for (bone, prop), values in posed.items():
            if bone in bones.index:
                self._posed[prop][bones.index[bone]] = values
        index = bones.index
        self._runs = [some for run in said.runs if run[0].channel.bone in index and (some := _known(run))]
        self._values = said.values
        # Turns along the armature's axes, seen along the request's.
        self._axes_xyzw = quat.mul(rig.frame.turn_xyzw, rotation_of(world))

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
        traits: Traits | None = None,
    ) -> Poses | None:
        """None where something but keys has a say. ``said``: what was read of the action; ``posed``: what channels
        say where no curve speaks of them, and the pose that is shown is not meant; ``traits``: as they were read."""
        if traits is None:
            still = object_is_still(armature, action, slot)
            traits = Traits.of(armature, bpy.context.scene, is_still=still)
        if not traits.is_still or armature.data.animation_data is not None:
            return None
        data = armature.animation_data
        if data is not None and (
            len(data.drivers) or data.action_blend_type != "REPLACE" or data.action_influence < 1.0
        ):
            return None
        if any(group.mute for group in compat.groups(action, slot)):
            return None  # what that means differs between versions
        rest = traits.rest
        wanted = set(rig.names)
        for name in rig.names:
            up = rest.above[name]
            if up is not None and up not in wanted:
                wanted.update(ancestors(rest.above, name))
        if any(traits.is_constrained(name) for name in wanted):
            return None
        names = tuple([name for name in rest.names if name in wanted])  # parents first, as Blender keeps them
        turns = rest.flags["use_inherit_rotation"][rest.rows(names)]
        if sum(rest.above[name] is None for name in names) != 1 or not turns.all():
            return None
        found = cls(rig, names, traits, np.array(armature.matrix_world, float), said, posed or {})
        return None if found._is_scaled() else found

    def _is_scaled(self) -> bool:
        if np.abs(self._posed["scale"] - 1.0).max() > _ONE:
            return True
        scales = [c for run in self._runs if run[0].channel.prop == "scale" for c in run]
        values = ((c, self._values[c.first : c.first + len(c.frames)]) for c in scales)
        return any(not c.is_plain or np.abs(keys - 1.0).max() > _ONE for c, keys in values)

    def get_ready(self) -> int:
        """For ``at``, in a piece of its own; how many curves can be looked up."""
        return sum(len(group.curves) for group in self._groups)

    @cached_property
    def _groups(self) -> list[_Group]:
        """Plain curves of one property that have the same keys are looked up at once."""
        found: dict[tuple[str, int], list[Sequence[KeyedCurve]]] = {}
        for run in self._runs:
            if run[0].is_plain:
                found.setdefault((run[0].channel.prop, id(run[0].frames)), []).append(run)
        return [self._group(prop, runs) for (prop, _), runs in found.items()]

    def _group(self, prop: str, runs: list[Sequence[KeyedCurve]]) -> _Group:
        index, width = self._bones.index, _WIDTHS[prop]
        begins = [width * index[run[0].channel.bone] for run in runs]
        columns = [begin + c.part for begin, run in zip(begins, runs, strict=True) for c in run]
        curves = [c for run in runs for c in run]
        firsts = np.array([c.first for c in curves], np.intp)
        return _Group(prop, runs[0][0].frames, np.array(columns, np.intp), firsts, curves)

    @property
    def most_frames(self) -> int:
        """So many are worked out in about a millisecond."""
        return max(1, 3600 // len(self._bones.names))

    def not_on_keys(self, frames: Sequence[float]) -> list[KeyedCurve]:
        """Curves that Blender has to be asked about at some frames (T,)."""
        return keyed.not_on_keys(self._runs, np.asarray(frames, float))

    def at(self, frames: Sequence[float], asked: Mapping[int, FloatArray] | None = None) -> Pose:
        """What is shown at some frames (T,). ``asked``: what ``not_on_keys`` say there."""
        rig, bones = self._rig, self._bones
        turns, moves = self._channels(np.asarray(frames, float), asked or {})
        along = _seen_along(bones.rest_xyzw, turns)
        which, root = bones.which, bones.which[0]
        if bones.is_same and not (moves.any(axis=(0, 2)) & (np.arange(len(bones.names)) != root)).any():
            # Rotations alone put every joint where it is.
            local = _seen_along(self._axes_xyzw, along[:, which])
            none = np.zeros((*local.shape[:-1], 3))
            places = bones.offsets_bu[root] + quat.rotate(bones.axes_xyzw[root], moves[:, root])
            return Pose(local, self._points_m(places), none[..., 0], none, rig.skeleton)
        offsets = bones.offsets_bu + quat.rotate(bones.axes_xyzw, moves)
        # Rest rotations of identity: a turn is then measured along the armature's axes.
        skeleton = Skeleton.build(bones.names, bones.parents, bones.offsets_bu)
        places, rotations = kinematics.forward(skeleton, along, offsets[:, skeleton.root], offsets)
        if bones.is_same:
            local = _seen_along(self._axes_xyzw, along[:, which])
        else:
            local = kinematics.local_from_world(rig.skeleton, _seen_along(self._axes_xyzw, rotations[:, which]))
        points = self._points_m(places[:, which])
        return poses.of_turns(rig, local, points, np.zeros(points.shape[:-1]))

    def _points_m(self, places_bu: FloatArray) -> FloatArray:
        """Places (..., 3) in the armature's space as the request's metres."""
        return self._rig.frame.points_m(places_bu @ self._world[:3, :3].T + self._world[:3, 3])

    def _channels(self, frames: FloatArray, asked: Mapping[int, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Rotations (T, B, 4) and locations (T, B, 3) in the bones' own spaces."""
        values = {prop: np.repeat(now[None], len(frames), axis=0) for prop, now in self._posed.items()}
        for group in self._groups:
            found = keyed.near(group.frames, frames)
            if found is None:
                self._put_asked(values, group.curves, asked)
            else:
                there = self._values[group.firsts[:, None] + found]
                values[group.prop].reshape(len(frames), -1)[:, group.columns] = there.T
        self._put_asked(values, [c for run in self._runs if not run[0].is_plain for c in run], asked)
        turns = quat.identity(len(frames), len(self._bones.names))
        for mode, which in self._modes.items():
            said = values[datapath.rotation_prop(mode)[0]]
            if len(self._modes) == 1:
                turns = _rotations(mode, said)
            else:
                turns[:, which] = _rotations(mode, said[:, which])
        moves = values["location"]
        moves[:, self._bones.connected] = 0.0
        return turns, moves

    def _put_asked(
        self, values: dict[str, FloatArray], curves: Sequence[KeyedCurve], asked: Mapping[int, FloatArray]
    ) -> None:
        for curve in curves:
            values[curve.channel.prop][:, self._bones.index[curve.channel.bone], curve.part] = asked[curve.where]


def _seen_along(axes_xyzw: FloatArray, turns_xyzw: FloatArray) -> FloatArray:
    """The same turns (..., 4) measured along other axes (4,)."""
    return np.concatenate([quat.rotate(axes_xyzw, turns_xyzw[..., :3]), turns_xyzw[..., 3:]], axis=-1)


def _known(run: Sequence[KeyedCurve]) -> Sequence[KeyedCurve]:
    """Those of values that the property has."""
    width = _WIDTHS.get(run[0].channel.prop, 0)
    return run if max([c.part for c in run]) < width else [c for c in run if c.part < width]


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
