# SPDX-License-Identifier: GPL-3.0-or-later
"""From world poses to the values of bone channels, in numpy alone: what ``convert_local_to_pose`` inverts, in float64.

Per bone, with P its pose in armature space, U its parent's and R, R_u their rests: local = (U R_u^-1 R)^-1 P.
Bones that do not inherit rotation leave U's rotation out; bones without local location are moved along the parent's
axes. Scales are 1 throughout: a take resets them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import euler, quat

FloatArray = NDArray[np.floating[Any]]

_NOWHERE = np.zeros(3)
_AXES = {"X": 0, "Y": 1, "Z": 2}


@dataclass(frozen=True, eq=False)
class BoneTable:
    """What Blender says about the bones that a take writes, parents first. J bones, E parents outside the take.

    ``parents`` (J,) index of the Blender parent within the take, or -1; ``outside`` (J,) index of a Blender parent
    outside the take, or -1; rests in armature space: ``rest_xyzw`` (J, 4), ``rest_bu`` (J, 3), and the same of each
    bone's Blender parent, whichever it is: ``up_rest_xyzw``, ``up_rest_bu`` (identity above a root).
    """

    names: tuple[str, ...]
    modes: tuple[str, ...]
    parents: NDArray[np.int32]
    outside: NDArray[np.int32]
    outside_names: tuple[str, ...]
    rest_xyzw: FloatArray
    rest_bu: FloatArray
    up_rest_xyzw: FloatArray
    up_rest_bu: FloatArray
    inherits_rotation: NDArray[np.bool_]
    local_location: NDArray[np.bool_]
    connected: NDArray[np.bool_]

    @cached_property
    def offsets_xyzw(self) -> FloatArray:
        """Rest rotations (J, 4) from the Blender parent."""
        return quat.mul(quat.conj(self.up_rest_xyzw), self.rest_xyzw)

    @cached_property
    def offsets_bu(self) -> FloatArray:
        """Rest places (J, 3) from the Blender parent, in its axes."""
        return quat.rotate(quat.conj(self.up_rest_xyzw), self.rest_bu - self.up_rest_bu)

    @cached_property
    def levels(self) -> tuple[NDArray[np.intp], ...]:
        """Bones by depth within the take."""
        depth = np.zeros(len(self.names), int)
        for i, p in enumerate(self.parents):
            depth[i] = depth[p] + 1 if p >= 0 else 0
        return tuple(np.flatnonzero(depth == d) for d in range(int(depth.max()) + 1))


@dataclass(frozen=True, eq=False)
class Locals:
    """Channel values: ``rotations_xyzw`` (T, J, 4), ``locations_bu`` (T, J, 3), both in each bone's own space.

    ``missed_bu`` (T, J): how far a bone will stand from where it should, because it is connected.
    """

    rotations_xyzw: FloatArray
    locations_bu: FloatArray
    missed_bu: FloatArray

    def put(self, first: int, part: Locals) -> None:
        """Some frames, from frame ``first``."""
        frames = slice(first, first + len(part.missed_bu))
        self.rotations_xyzw[frames], self.locations_bu[frames] = part.rotations_xyzw, part.locations_bu
        self.missed_bu[frames] = part.missed_bu


def to_locals(
    table: BoneTable,
    poses_xyzw: FloatArray,
    poses_bu: FloatArray,
    outside_xyzw: FloatArray,
    outside_bu: FloatArray,
    tolerance_bu: float,
) -> Locals:
    """Channel values that show the poses (T, J, 4), (T, J, 3) in armature space.

    ``outside_*`` (T or 1, E, 4 and 3) are the poses of parents outside the take. A place that rotations alone give
    within ``tolerance_bu`` gets location 0; a connected bone gets it always, and what hangs on it follows.
    """
    every = np.arange(len(table.names))
    up_xyzw = _parents(table, every, poses_xyzw, outside_xyzw, quat.IDENTITY_XYZW)
    up_bu = _parents(table, every, poses_bu, outside_bu, _NOWHERE)
    turned = quat.mul(up_xyzw, table.offsets_xyzw)
    basis = np.where(table.inherits_rotation[:, None], turned, table.rest_xyzw)
    rotations = quat.normalize(quat.mul(quat.conj(basis), poses_xyzw))
    reach_bu = quat.rotate(up_xyzw, table.offsets_bu)
    moved = poses_bu - (up_bu + reach_bu)
    axes = np.where(table.local_location[:, None], turned, up_xyzw)
    if np.abs(moved[:, 1:]).max(initial=0.0) <= tolerance_bu and not table.connected[0]:
        locations: FloatArray = np.zeros(poses_bu.shape)
        locations[:, 0] = quat.rotate(quat.conj(axes[:, 0]), moved[:, 0])
        return Locals(rotations, locations, np.zeros(locations.shape[:2]))
    locations, missed = _moved_bones(table, reach_bu, axes, poses_bu, outside_bu, tolerance_bu)
    return Locals(rotations, locations, missed)


def is_like(table: BoneTable, parents: NDArray[np.integer[Any]]) -> bool:
    """Whether the bones hang together in Blender as in the tree ``parents`` (J,), below a root that may be moved: then
    a local turn is a local turn, whatever the bones above do."""
    below = slice(1, None)
    same = bool((table.parents[below] == parents[below]).all()) and parents[0] < 0 and table.parents[0] < 0
    return same and bool(table.inherits_rotation[below].all()) and not table.connected[0]


def root_of(table: BoneTable) -> BoneTable:
    """The table of the first bone alone."""
    one = {f.name: getattr(table, f.name)[:1] for f in fields(table) if f.name != "outside_names"}
    return replace(table, **one)


def seen_along(axes_xyzw: FloatArray, turns_xyzw: FloatArray) -> FloatArray:
    """Turns (T, J, 4) measured along other axes (J, 4): a^-1 q a."""
    turned = quat.rotate(quat.conj(axes_xyzw), turns_xyzw[..., :3])
    return np.concatenate([turned, turns_xyzw[..., 3:]], axis=-1)


def _moved_bones(
    table: BoneTable,
    reach_bu: FloatArray,
    axes_xyzw: FloatArray,
    poses_bu: FloatArray,
    outside_bu: FloatArray,
    tolerance_bu: float,
) -> tuple[FloatArray, FloatArray]:
    """Locations and misses, level by level: what hangs on a bone that cannot follow starts from where that one is."""
    locations: FloatArray = np.zeros(poses_bu.shape)
    shown_bu = np.array(poses_bu, float)
    for joints in table.levels:
        base_bu = _parents(table, joints, shown_bu, outside_bu, _NOWHERE) + reach_bu[:, joints]
        moved = quat.rotate(quat.conj(axes_xyzw[:, joints]), poses_bu[:, joints] - base_bu)
        stays = table.connected[joints] | ((joints > 0) & (np.abs(moved).max(axis=(0, 2)) <= tolerance_bu))
        shown_bu[:, joints] = np.where(stays[:, None], base_bu, poses_bu[:, joints])
        locations[:, joints] = np.where(stays[:, None], 0.0, moved)
    return locations, np.linalg.norm(shown_bu - poses_bu, axis=-1)


def _parents(
    table: BoneTable, joints: NDArray[np.intp], inside: FloatArray, beside: FloatArray, above_roots: FloatArray
) -> FloatArray:
    """Values (T, B, n) of the bones' Blender parents, in the take or outside it; ``above_roots`` (n,) above a root."""
    out = np.broadcast_to(above_roots, (len(inside), len(joints), len(above_roots))).copy()
    within, without = table.parents[joints] >= 0, table.outside[joints] >= 0
    out[:, within] = inside[:, table.parents[joints][within]]
    out[:, without] = beside[:, table.outside[joints][without]]
    return out


def rotation_channels(mode: str, xyzw: FloatArray) -> FloatArray:
    """Values (T, B, 4 or 3) of B bones of one rotation mode, without jumps between neighbouring frames."""
    smooth = quat.continuous(np.where(xyzw[:1, :, 3:] < 0, -xyzw, xyzw))
    if mode == "QUATERNION":
        return smooth[..., [3, 0, 1, 2]]
    if mode == "AXIS_ANGLE":
        return _axis_angles(smooth)
    return _eulers(mode, smooth)


def _axis_angles(smooth_xyzw: FloatArray) -> FloatArray:
    """(angle, x, y, z); while a bone does not turn, it keeps the axis of the frame before."""
    length = np.linalg.norm(smooth_xyzw[..., :3], axis=-1, keepdims=True)
    turns = length > 1e-7
    axis = np.where(turns, smooth_xyzw[..., :3] / np.where(turns, length, 1.0), 0.0)
    angle = 2.0 * np.arctan2(length, smooth_xyzw[..., 3:])
    last = np.broadcast_to(np.array([0.0, 1.0, 0.0]), axis.shape[1:]).copy()
    for t in range(len(axis)):
        axis[t] = np.where(turns[t], axis[t], last)
        flip = np.einsum("bi,bi->b", axis[t], last)[:, None] < 0
        # (axis, angle) and (-axis, -angle) are one rotation: the one that continues the frame before is written.
        flip &= turns[t] & (t > 0)
        axis[t] = np.where(flip, -axis[t], axis[t])
        angle[t] = np.where(flip, -angle[t], angle[t])
        last = axis[t]
    return np.concatenate([np.unwrap(angle, axis=0), axis], axis=-1)


def _eulers(order: str, xyzw: FloatArray) -> FloatArray:
    """Angles (T, B, 3) as x, y, z, nearest to the frame before. Blender's 'YXZ' turns about Y first: R = Rz Rx Ry."""
    angles = euler.continuous(euler.from_quat(xyzw, order[::-1]))[..., ::-1]
    out = np.empty_like(angles)
    out[..., [_AXES[axis] for axis in order]] = angles
    return out
