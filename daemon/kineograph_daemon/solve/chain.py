# SPDX-License-Identifier: Apache-2.0
"""Inverse kinematics of a general chain: damped least squares over all its joints, for all frames at once.

Every joint may turn about any axis, so the Jacobian times its transpose is a 3x3 matrix in closed form,
``sum w_j (|r_j|^2 I - r_j r_j^T)`` with r_j from joint to end (Buss, "Introduction to inverse kinematics", 2004).
Small damped steps from the current pose spread the bend over the chain and keep close to that pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

STEPS = 24
STRETCH = 0.998
"""A chain is never stretched further than this share of its length."""
_STEP_RAD = 0.35


def solve(
    pose: Pose,
    joints: Sequence[int],
    end: int,
    frames: IntArray,
    target_m: FloatArray,
    weights: FloatArray | None = None,
    steps: int = STEPS,
) -> None:
    """Turn ``joints`` (ancestors of ``end``, outermost first) so that ``end`` reaches ``target_m`` (N, 3).

    ``weights`` (N, K) or (K,) say how willingly each joint turns; 0 keeps it. Changes the pose in place.
    """
    if not len(frames) or not len(joints):
        return
    chain = _Chain(pose, joints, end, frames)
    w = np.ones(len(joints)) if weights is None else np.asarray(weights, float)
    w = np.broadcast_to(w, (len(frames), len(joints)))
    size = max(chain.length_m, 1e-9)
    target_m = chain.within_reach(target_m)
    for _ in range(steps):
        error = target_m - chain.position[:, -1]
        if float(np.abs(error).max()) < 1e-6 * size:
            break
        chain.turn(_step(chain.position, error, w, size))
    chain.write(pose)


def _step(position: FloatArray, error: FloatArray, w: FloatArray, size: float) -> FloatArray:
    """Rotation vectors (N, K, 3), world, of one damped step."""
    r = position[:, -1:] - position[:, :-1]
    r2 = np.einsum("nki,nki->nk", r, r)
    square = np.einsum("nk,nk->n", w, r2)[:, None, None] * np.eye(3) - np.einsum("nk,nki,nkj->nij", w, r, r)
    # Damping grows with the error: far targets are stretched towards without thrashing, near ones met exactly.
    far = np.minimum(np.linalg.norm(error, axis=-1) / size, 1.0)
    square = square + ((1e-8 + 2e-2 * far * far) * size * size)[:, None, None] * np.eye(3)
    force = np.linalg.solve(square, error[..., None])[..., 0]
    turn = w[..., None] * np.cross(r, force[:, None, :])
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    return np.asarray(turn * np.minimum(1.0, _STEP_RAD / np.maximum(angle, 1e-12)))


class _Chain:
    """World rotations (N, K, 4) of the turning joints, positions (N, K+1, 3) of them and the end."""

    def __init__(self, pose: Pose, joints: Sequence[int], end: int, frames: IntArray) -> None:
        position, world = pose.world
        index = np.array([*joints, end])
        self.joints, self.frames = list(joints), frames
        self.position = position[np.ix_(frames, index)].copy()
        self.world = world[np.ix_(frames, index[:-1])].copy()
        self.total = quat.identity(len(frames), len(joints))
        self.length_m = float(np.linalg.norm(np.diff(self.position, axis=1), axis=-1).sum(axis=1).mean())

    def within_reach(self, target_m: FloatArray) -> FloatArray:
        """Targets (N, 3) beyond the stretched chain drawn in to just inside its reach, in the same direction."""
        base = self.position[:, 0]
        reach = np.linalg.norm(np.diff(self.position, axis=1), axis=-1).sum(axis=1)
        away = target_m - base
        distance = np.linalg.norm(away, axis=1)
        return np.asarray(base + away * np.minimum(1.0, STRETCH * reach / np.maximum(distance, 1e-12))[:, None])

    def turn(self, rotvec: FloatArray) -> None:
        """Apply world rotation vectors (N, K, 3), each to its joint and all that follows."""
        accumulated = quat.from_rotvec(rotvec)
        for k in range(1, accumulated.shape[1]):
            accumulated[:, k] = quat.mul(accumulated[:, k - 1], accumulated[:, k])
        bones = quat.rotate(accumulated, np.diff(self.position, axis=1))
        self.position[:, 1:] = self.position[:, :1] + np.cumsum(bones, axis=1)
        self.total = quat.mul(accumulated, self.total)

    def write(self, pose: Pose) -> None:
        """Local rotations back into the pose; joints between those of the chain ride along."""
        world = quat.mul(self.total, self.world)
        parents = [pose.parent_xyzw(j, self.frames) for j in self.joints]
        for k, joint in enumerate(self.joints):
            above = parents[k] if k == 0 else quat.mul(self.total[:, k - 1], parents[k])
            pose.set_world(joint, self.frames, world[:, k], above)
        pose.touch()
