# SPDX-License-Identifier: Apache-2.0
"""A skeleton with a T-pose as its rest: what some formats demand, whatever pose a character was built in.

Only rest rotations change, and how high the root stands; bones keep their lengths and their own frames, so that the
local rotations of a clip mean the same on both skeletons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs.mapping import RigMap
from kineograph.rigs.roles import Role

FloatArray = NDArray[np.floating[Any]]

_LIMBS = (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "calf"), ("calf", "foot"))
_FINGERS = ("index", "middle", "ring", "pinky")


def with_t_pose(skeleton: Skeleton, rig: RigMap) -> Skeleton:
    """Arms to the sides with palms down and straight fingers, legs straight down, feet as they were.

    Joints without a role keep their rest against their parents. A rig without hips and thighs comes back as it is.
    """
    frame = _frame(skeleton, rig)
    if frame is None:
        return skeleton
    world = skeleton.rest_world_rotations_xyzw.copy()
    turns = {j: (below, way) for j, below, way in _ways(rig, frame)}
    hands = {rig[Role(f"{s}_hand")]: s for s in ("left", "right") if rig.get(Role(f"{s}_hand")) is not None}
    flat = {rig[Role(f"{s}_foot")] for s in ("left", "right") if rig.get(Role(f"{s}_foot")) is not None}
    for j in range(len(skeleton)):
        up = int(skeleton.parents[j])
        if up >= 0 and j not in flat:
            world[j] = quat.mul(world[up], skeleton.rest_rotations_xyzw[j])
        if j in hands:
            world[j] = quat.mul(_palm_down(skeleton, rig, j, hands[j], world[j], frame), world[j])
        elif j in turns:
            below, way = turns[j]
            now = quat.rotate(world[j], _bone(skeleton, j, below))
            if float(np.linalg.norm(now)) > 1e-9:
                world[j] = quat.mul(quat.between(now, way), world[j])
    local = world.copy()
    inner = skeleton.parents >= 0
    local[inner] = quat.mul(quat.conj(world[skeleton.parents[inner]]), world[inner])
    made = Skeleton.build(skeleton.names, skeleton.parents, skeleton.rest_translations_m, local)
    moved = skeleton.rest_translations_m.copy()
    moved[skeleton.root] += frame[:, 1] * float(
        (skeleton.rest_positions_m @ frame[:, 1]).min() - (made.rest_positions_m @ frame[:, 1]).min()
    )
    return Skeleton.build(skeleton.names, skeleton.parents, moved, local)


def _frame(skeleton: Skeleton, rig: RigMap) -> FloatArray | None:
    """(3, 3) columns left, up, front of a body that stands along y; None where hips or thighs are unknown."""
    a, b = rig.get(Role.LEFT_THIGH), rig.get(Role.RIGHT_THIGH)
    if rig.get(Role.HIPS) is None or a is None or b is None:
        return None
    up = np.array([0.0, 1.0, 0.0])
    left = (skeleton.rest_positions_m[a] - skeleton.rest_positions_m[b]) * (1.0, 0.0, 1.0)
    if float(np.linalg.norm(left)) < 1e-9:
        return None
    left = left / np.linalg.norm(left)
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _ways(rig: RigMap, frame: FloatArray) -> Iterator[tuple[int, int, FloatArray]]:
    """Each limb joint, the joint below it, and the direction from one to the other in a T-pose."""
    for side, s in (("left", 1.0), ("right", -1.0)):
        chains = [[Role(f"{side}_{p}") for p in pair] for pair in _LIMBS]
        chains += [[Role(f"{side}_{f}_{k}"), Role(f"{side}_{f}_{k + 1}")] for f in _FINGERS for k in (1, 2)]
        for a, b in chains:
            top, end = rig.get(a), rig.get(b)
            if top is not None and end is not None:
                yield top, end, -frame[:, 1] if a.part in ("thigh", "calf") else s * frame[:, 0]


def _bone(skeleton: Skeleton, joint: int, below: int) -> FloatArray:
    """From a joint to one below it, in the joint's own frame, with what lies between at rest."""
    own = quat.conj(skeleton.rest_world_rotations_xyzw[joint])
    return quat.rotate(own, skeleton.rest_positions_m[below] - skeleton.rest_positions_m[joint])


def _palm_down(
    skeleton: Skeleton, rig: RigMap, hand: int, side: str, world_xyzw: FloatArray, frame: FloatArray
) -> FloatArray:
    """The turn that lays a hand along its arm, its knuckles from front to back; none for a hand without fingers."""
    knuckles = [rig.get(Role(f"{side}_{f}_1")) for f in _FINGERS]
    bones = [quat.rotate(world_xyzw, _bone(skeleton, hand, j)) for j in knuckles if j is not None]
    if len(bones) < 2:
        return quat.identity()
    along, across = np.mean(bones, axis=0), bones[0] - bones[-1]
    size = float(np.linalg.norm(along))
    across = across - along * float(across @ along) / max(size * size, 1e-12)
    if size < 1e-9 or float(np.linalg.norm(across)) < 1e-3 * size:
        return quat.identity()
    own = np.stack([along / size, across / np.linalg.norm(across)], axis=-1)
    own = np.concatenate([own, np.cross(own[:, 0], own[:, 1])[:, None]], axis=-1)
    way = frame[:, 0] if side == "left" else -frame[:, 0]
    wanted = np.stack([way, frame[:, 2], np.cross(way, frame[:, 2])], axis=-1)
    return quat.from_matrix(wanted @ own.T)
