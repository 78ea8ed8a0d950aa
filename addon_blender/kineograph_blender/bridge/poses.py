# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluated poses as arrays: what Blender shows, constraints, IK and drivers included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics
from kineograph.motion.skeleton import Skeleton

from .frame import read_matrices, rotation_of, scale_of
from .rig import Rig

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Pose:
    """Evaluated poses, one or several, in the request's frame: ``local_xyzw`` (..., J, 4), ``root_m`` (..., 3) the root
    joint's place.

    ``stretch`` (..., J) is the largest change of a bone's length or thickness, 0 for none; ``offsets_m`` (..., J, 3) is
    how far each joint stands from where rotations alone put it.
    """

    local_xyzw: FloatArray
    root_m: FloatArray
    stretch: FloatArray
    offsets_m: FloatArray
    skeleton: Skeleton

    @property
    def positions_m(self) -> FloatArray:
        """Where the joints are (..., J, 3): worked out when it is asked, which is seldom."""
        straight, _ = kinematics.forward(self.skeleton, self.local_xyzw, self.root_m)
        return straight + self.offsets_m

    def __getitem__(self, index: int) -> Pose:
        return Pose(
            self.local_xyzw[index], self.root_m[index], self.stretch[index], self.offsets_m[index], self.skeleton
        )


def evaluated_matrices(armature: Any, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """World matrix (4, 4) of the object and armature-space matrices (J, 4, 4) of bones, at the current frame."""
    shown = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(shown.matrix_world, float), read_matrices(shown.pose.bones, "matrix", names)


def world_matrices(armature: Any, rig: Rig) -> FloatArray:
    """World matrices (J, 4, 4) of the rig's bones as Blender shows them at the current frame."""
    world, bones = evaluated_matrices(armature, rig.seen_on or rig.names)
    return as_joints(rig, world @ bones)


def as_joints(rig: Rig, seen: FloatArray) -> FloatArray:
    """Matrices (..., J, 4, 4) of the joints from those of the bones on which they are seen."""
    return seen if rig.seen_offsets is None else seen @ rig.seen_offsets


def read(armature: Any, rig: Rig) -> Pose:
    """The pose at the current frame."""
    return of_matrices(rig, world_matrices(armature, rig))


def of_matrices(rig: Rig, world_bones: FloatArray) -> Pose:
    """Poses from the bones' world matrices (..., J, 4, 4)."""
    deltas = rig.frame.deltas_xyzw(rotation_of(world_bones), rig.rest_world_xyzw)
    local = kinematics.local_from_world(rig.skeleton, deltas)
    points = rig.frame.points_m(world_bones[..., :3, 3])
    stretch = np.abs(scale_of(world_bones) / rig.scale - 1.0).max(axis=-1)
    return of_turns(rig, local, points, stretch)


def of_turns(rig: Rig, local_xyzw: FloatArray, points_m: FloatArray, stretch: FloatArray) -> Pose:
    """Poses from local turns, places and stretch, each (..., J, n)."""
    straight, _ = kinematics.forward(rig.skeleton, local_xyzw, points_m[..., 0, :])
    return Pose(local_xyzw, points_m[..., 0, :], stretch, points_m - straight, rig.skeleton)


def together(poses: Sequence[Pose]) -> Pose:
    """Single poses as one of several."""
    return Pose(
        np.stack([p.local_xyzw for p in poses]),
        np.stack([p.root_m for p in poses]),
        np.stack([p.stretch for p in poses]),
        np.stack([p.offsets_m for p in poses]),
        poses[0].skeleton,
    )
