# SPDX-License-Identifier: Apache-2.0
"""A walk made of sines, so that nothing needs a file: legs swing, arms oppose, the trunk turns and leans."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import Role, roles_of

FloatArray = NDArray[np.floating[Any]]


def walk(skeleton: Skeleton, frames: int = 360, fps_hz: float = 60.0) -> Clip:
    """Walking along +Z at about 1.1 m/s on any rig with roles; turns are about world axes at rest."""
    rig = roles_of(skeleton.names, skeleton.parents.tolist(), skeleton.rest_positions_m)
    t = np.arange(frames) / fps_hz
    step = 2 * np.pi * 0.95 * t
    world: dict[int, tuple[ArrayLike, ArrayLike, ArrayLike]] = {}
    chain = rig.chains.get(Role.SPINE, ())
    for joint in chain:
        world[joint] = (0, 0.12 * np.sin(step) / len(chain), 0.05 * np.sin(2 * step) / len(chain))
    neck = (*rig.chains.get(Role.NECK, ()), rig[Role.HEAD])
    for joint in neck:
        world[joint] = (0.1 * np.sin(0.5 * step) / len(neck), -0.1 * np.sin(step) / len(neck), 0)
    for side, s in (("left", 1.0), ("right", -1.0)):
        swing = s * np.sin(step)
        bend = 0.45 + 0.4 * np.sin(step - s * 0.5 * np.pi - 1.2) * s
        world[rig[Role(f"{side}_thigh")]] = (-0.15 - 0.42 * swing, 0.03 * swing, 0)
        world[rig[Role(f"{side}_calf")]] = (bend, 0, 0)
        world[rig[Role(f"{side}_foot")]] = (-bend + 0.15 + 0.42 * swing, 0, 0)
        world[rig[Role(f"{side}_upper_arm")]] = (0.4 * swing, 0, -s * 1.1)
        world[rig[Role(f"{side}_forearm")]] = (0, -s * (0.4 + 0.2 * swing), 0)
    rotations = np.broadcast_to(skeleton.rest_rotations_xyzw, (frames, len(skeleton), 4)).copy()
    rest = skeleton.rest_world_rotations_xyzw
    for joint, angles in world.items():
        turn = quat.from_rotvec(np.stack(np.broadcast_arrays(*angles, t)[:3], axis=-1).astype(float))
        local = quat.mul(quat.mul(quat.conj(rest[joint]), turn), rest[joint])
        rotations[:, joint] = quat.mul(skeleton.rest_rotations_xyzw[joint], local)
    root = skeleton.rest_positions_m[skeleton.root] + np.stack(
        [0.02 * np.sin(step), 0.02 * np.cos(2 * step), 1.1 * t], -1
    )
    return Clip(skeleton, fps_hz, rotations.astype(np.float32), root.astype(np.float32), "walk")
