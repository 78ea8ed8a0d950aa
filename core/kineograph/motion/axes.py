# SPDX-License-Identifier: Apache-2.0
"""Axes and units: z-up to y-up and back, and lengths.

C takes z-up (Blender) to y-up (glTF, MMCP): (x, y, z) -> (x, z, -y), a quarter turn about -X. Two uses differ:
*turning* multiplies C from the left only (the world turns, a joint keeps its own local frame), *rebasing* conjugates,
C q C^-1 (the joint's own frame changes too; an identity stays an identity).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

Y_UP_FROM_Z_UP_XYZW = np.array([-np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
"""C as a quaternion, for turning: ``mul(C, world_rotation)``."""


def y_up_from_z_up(v: FloatArray) -> FloatArray:
    """Vectors ``(..., 3)``: (x, y, z) -> (x, z, -y)."""
    v = np.asarray(v)
    return np.stack([v[..., 0], v[..., 2], -v[..., 1]], axis=-1)


def z_up_from_y_up(v: FloatArray) -> FloatArray:
    """Vectors ``(..., 3)``: (x, y, z) -> (x, -z, y)."""
    v = np.asarray(v)
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], axis=-1)


def rebase_y_up_from_z_up(q_xyzw: FloatArray) -> FloatArray:
    """Rotations C q C^-1: the axis turns as a vector, the angle stays."""
    q = np.asarray(q_xyzw)
    return np.concatenate([y_up_from_z_up(q[..., :3]), q[..., 3:]], axis=-1)


def rebase_z_up_from_y_up(q_xyzw: FloatArray) -> FloatArray:
    """Rotations C^-1 q C."""
    q = np.asarray(q_xyzw)
    return np.concatenate([z_up_from_y_up(q[..., :3]), q[..., 3:]], axis=-1)


def turn_y_up_from_z_up(world_xyzw: FloatArray) -> FloatArray:
    """World rotations C q: joints keep their own frames, as a Blender bone's matrix_world does."""
    q = np.asarray(world_xyzw)
    return quat.mul(Y_UP_FROM_Z_UP_XYZW.astype(q.dtype), q)


def turn_z_up_from_y_up(world_xyzw: FloatArray) -> FloatArray:
    """World rotations C^-1 q."""
    q = np.asarray(world_xyzw)
    return quat.mul(quat.conj(Y_UP_FROM_Z_UP_XYZW).astype(q.dtype), q)


def skeleton_y_up_from_z_up(skeleton: Skeleton) -> Skeleton:
    """Every joint rebased: world positions are ``y_up_from_z_up`` of what they were."""
    return Skeleton.build(
        skeleton.names,
        skeleton.parents,
        y_up_from_z_up(skeleton.rest_translations_m),
        rebase_y_up_from_z_up(skeleton.rest_rotations_xyzw),
    )


def clip_y_up_from_z_up(clip: Clip) -> Clip:
    """A clip rebased together with its skeleton."""
    moved = clip.translations_m
    return replace(
        clip,
        skeleton=skeleton_y_up_from_z_up(clip.skeleton),
        rotations_xyzw=rebase_y_up_from_z_up(clip.rotations_xyzw),
        root_m=y_up_from_z_up(clip.root_m),
        translations_m=None if moved is None else y_up_from_z_up(moved),
    )


def clip_z_up_from_y_up(clip: Clip) -> Clip:
    """The inverse of ``clip_y_up_from_z_up``."""
    own, moved = clip.skeleton, clip.translations_m
    skeleton = Skeleton.build(
        own.names,
        own.parents,
        z_up_from_y_up(own.rest_translations_m),
        rebase_z_up_from_y_up(own.rest_rotations_xyzw),
    )
    return replace(
        clip,
        skeleton=skeleton,
        rotations_xyzw=rebase_z_up_from_y_up(clip.rotations_xyzw),
        root_m=z_up_from_y_up(clip.root_m),
        translations_m=None if moved is None else z_up_from_y_up(moved),
    )


def scale_skeleton(skeleton: Skeleton, factor: float) -> Skeleton:
    """All lengths times ``factor``."""
    return Skeleton.build(
        skeleton.names, skeleton.parents, skeleton.rest_translations_m * factor, skeleton.rest_rotations_xyzw
    )


def scale_clip(clip: Clip, factor: float) -> Clip:
    """All lengths of a clip and its skeleton times ``factor``."""
    moved = clip.translations_m
    return replace(
        clip,
        skeleton=scale_skeleton(clip.skeleton, factor),
        root_m=clip.root_m * factor,
        translations_m=None if moved is None else moved * factor,
    )


def turn_clip(clip: Clip, turn_xyzw: FloatArray, move_m: FloatArray | None = None) -> Clip:
    """The whole clip turned about the world's origin, then moved: only its root changes."""
    root = clip.skeleton.root
    rotations = np.array(clip.rotations_xyzw, copy=True)
    turn = np.asarray(turn_xyzw, dtype=rotations.dtype)
    rotations[:, root] = quat.mul(turn, rotations[:, root])
    root_m = quat.rotate(turn, clip.root_m)
    return replace(clip, rotations_xyzw=rotations, root_m=root_m if move_m is None else root_m + np.asarray(move_m))
