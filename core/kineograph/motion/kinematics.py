# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics: local rotations and the root's path to world positions and rotations."""

from __future__ import annotations

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
    """
    q = np.asarray(rotations_xyzw)
    pos = np.empty((*q.shape[:-1], 3), q.dtype)
    rot = np.empty_like(q)
    offsets = skeleton.rest_translations_m.astype(q.dtype) if translations_m is None else np.asarray(translations_m)
    for depth, joints in enumerate(skeleton.levels):
        if depth == 0:
            rot[..., joints, :] = q[..., joints, :]
            pos[..., joints, :] = np.asarray(root_m)[..., None, :]
            continue
        up = skeleton.parents[joints]
        parent_rot = rot[..., up, :]
        rot[..., joints, :] = quat.mul(parent_rot, q[..., joints, :])
        pos[..., joints, :] = pos[..., up, :] + quat.rotate(parent_rot, offsets[..., joints, :])
    return pos, rot


def local_from_world(skeleton: Skeleton, world_xyzw: FloatArray) -> FloatArray:
    """Local rotations ``(..., J, 4)`` from world rotations of the same shape."""
    world = np.asarray(world_xyzw)
    out = world.copy()
    has_parent = skeleton.parents >= 0
    out[..., has_parent, :] = quat.mul(
        quat.conj(world[..., skeleton.parents[has_parent], :]), world[..., has_parent, :]
    )
    return out
