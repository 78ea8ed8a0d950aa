# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics: local rotations and the root's path to world positions and rotations."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]


def forward(
    skeleton: Skeleton,
    rotations_xyzw: FloatArray,
    root_m: FloatArray,
    translations_m: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """World positions ``(..., J, 3)`` metres and rotations ``(..., J, 4)``.

    ``rotations_xyzw`` (..., J, 4) local, replacing rest; ``root_m`` (..., 3) the root's world position;
    ``translations_m`` (..., J, 3) optional local translations (the root's entry is ignored).

    Works on structure-of-arrays copies (component, joint, frame), a level of the tree at a time: every step is one
    pass over contiguous memory.
    """
    levels = forwarding(skeleton, rotations_xyzw, root_m, translations_m)
    while True:
        try:
            next(levels)
        except StopIteration as e:
            found: tuple[FloatArray, FloatArray] = e.value
            return found


def forwarding(
    skeleton: Skeleton,
    rotations_xyzw: FloatArray,
    root_m: FloatArray,
    translations_m: FloatArray | None = None,
) -> Generator[None, None, tuple[FloatArray, FloatArray]]:
    """``forward`` in pieces, one for each level of the tree, for who must not be held."""
    q = np.asarray(rotations_xyzw)
    batch, joints = q.shape[:-2], q.shape[-2]
    local = np.ascontiguousarray(q.reshape(-1, joints, 4).transpose(2, 1, 0))
    offsets = _offsets(skeleton, translations_m, q.dtype)
    rot = np.empty_like(local)
    pos = np.empty((3, *local.shape[1:]), q.dtype)
    root = skeleton.root
    rot[:, root] = local[:, root]
    pos[:, root] = np.asarray(root_m).reshape(-1, 3).T
    for level in skeleton.levels[1:]:
        up = skeleton.parents[level]
        parent = rot[:, up]
        rot[:, level] = _mul(parent, local[:, level])
        pos[:, level] = pos[:, up] + _rotate(parent, offsets[:, level])
        yield
    return (
        np.ascontiguousarray(pos.transpose(2, 1, 0)).reshape(*batch, joints, 3),
        np.ascontiguousarray(rot.transpose(2, 1, 0)).reshape(*batch, joints, 4),
    )


def local_from_world(skeleton: Skeleton, world_xyzw: FloatArray) -> FloatArray:
    """Local rotations ``(..., J, 4)`` from world rotations of the same shape."""
    world = np.asarray(world_xyzw)
    out = world.copy()
    has_parent = skeleton.parents >= 0
    out[..., has_parent, :] = quat.mul(
        quat.conj(world[..., skeleton.parents[has_parent], :]), world[..., has_parent, :]
    )
    return out


def _offsets(skeleton: Skeleton, translations_m: FloatArray | None, dtype: np.dtype[Any]) -> FloatArray:
    """Local translations as (3, J, 1) or (3, J, N)."""
    if translations_m is None:
        return skeleton.rest_translations_m.astype(dtype).T[:, :, None]
    moved = np.asarray(translations_m)
    return np.ascontiguousarray(moved.reshape(-1, *moved.shape[-2:]).transpose(2, 1, 0))


def _mul(a: FloatArray, b: FloatArray) -> FloatArray:
    """Quaternion product with the components (x, y, z, w) on the first axis."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    out = np.empty_like(b)
    out[0] = aw * bx + ax * bw + ay * bz - az * by
    out[1] = aw * by - ax * bz + ay * bw + az * bx
    out[2] = aw * bz + ax * by - ay * bx + az * bw
    out[3] = aw * bw - ax * bx - ay * by - az * bz
    return out


def _rotate(q: FloatArray, v: FloatArray) -> FloatArray:
    """Vectors (3, ...) turned by quaternions (4, ...), components on the first axis: v + 2w(u x v) + 2u x (u x v)."""
    qx, qy, qz, qw = q
    vx, vy, vz = v
    tx = 2 * (qy * vz - qz * vy)
    ty = 2 * (qz * vx - qx * vz)
    tz = 2 * (qx * vy - qy * vx)
    out = np.empty((3, *qx.shape), q.dtype)
    out[0] = vx + qw * tx + qy * tz - qz * ty
    out[1] = vy + qw * ty + qz * tx - qx * tz
    out[2] = vz + qw * tz + qx * ty - qy * tx
    return out
