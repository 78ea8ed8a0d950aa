# SPDX-License-Identifier: Apache-2.0
"""Between motion and the model's numbers: inputs from a base, motion from a residual.

Every frame is described in its own floor frame: origin under the base's pelvis, turned to the base's heading. The
model is so blind to where on the floor a motion happens and which way it goes. Rotations are six numbers, the first
two columns of the matrix (Zhou et al., "On the continuity of rotation representations", 2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.base import Ask, Base
from kineograph_daemon.backbones.starter.figure import JOINTS

FloatArray = NDArray[np.floating[Any]]

RESIDUAL = 6 * JOINTS + 3
"""Numbers of a residual: six a joint, and the root's shift in the floor frame."""
CONTACTS = len(figure.FEET)
INPUT = 6 * JOINTS + 4 + 3 * (JOINTS - 1) + 10
STYLES = ("", "walk", "run", "jump", "dance", "climb", "ball", "signal", "sword", "wash", "kick", "punch", "idle")
"""Classes of motion that a window may be told to be of; the first is none."""


def six(q_xyzw: FloatArray) -> FloatArray:
    """(..., 4) to (..., 6)."""
    x, y, z, w = np.moveaxis(q_xyzw, -1, 0)
    return np.stack(
        [
            1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w),
            2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w),
        ],
        axis=-1,
    )  # fmt: skip


def from_six(values: FloatArray) -> FloatArray:
    """(..., 6) to unit quaternions (..., 4), by Gram and Schmidt."""
    a, b = values[..., :3].astype(np.float64), values[..., 3:].astype(np.float64)
    a = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-8)
    b = b - (a * b).sum(-1, keepdims=True) * a
    b = b / np.maximum(np.linalg.norm(b, axis=-1, keepdims=True), 1e-8)
    return quat.from_matrix(np.stack([a, b, np.cross(a, b)], axis=-1))


def in_floor_frame(rotations_xyzw: FloatArray, root_m: FloatArray, base: Base) -> tuple[FloatArray, FloatArray]:
    """Local rotations with the pelvis seen from the base's floor frame, and the root's place in it (B, T, 3)."""
    back = quat.about_y(-base.yaw_rad).astype(np.float32)
    out = np.array(rotations_xyzw, np.float32)
    out[:, :, 0] = quat.mul(back, out[:, :, 0])
    shift = root_m - base.root_m * np.array([1, 0, 1], np.float32)
    return out, quat.rotate(back, shift.astype(np.float32))


def inputs(ask: Ask, base: Base) -> FloatArray:
    """What the model reads, (B, T, INPUT) float32."""
    local, place = in_floor_frame(base.rotations_xyzw, base.root_m, base)
    b, t = ask.key.shape
    at, _ = kinematics.forward(figure.SKELETON, local, place)
    steps = np.diff(base.root_m, axis=1, append=base.root_m[:, -1:]) * np.float32(figure.FPS_HZ)
    steps[:, -1] = steps[:, -2] if t > 1 else 0.0
    going = quat.rotate(quat.about_y(-base.yaw_rad).astype(np.float32), steps)
    turning = np.diff(np.unwrap(base.yaw_rad, axis=1), axis=1, append=np.nan) * figure.FPS_HZ
    turning[:, -1] = turning[:, -2] if t > 1 else 0.0
    told = np.stack(
        [
            ask.key, ask.on_path, ask.faces, ask.steps,
            np.cos(ask.phase_rad) * ask.steps, np.sin(ask.phase_rad) * ask.steps,
            np.minimum(base.since, 60) / 60, np.minimum(base.until, 60) / 60,
            np.exp(-base.since / 8), np.exp(-base.until / 8),
        ],
        axis=-1,
    )  # fmt: skip
    return np.concatenate(
        [
            six(local).reshape(b, t, -1),
            place[..., 1:2],
            going[..., [0, 2]] / 2,
            turning[..., None] / 3,
            at[:, :, 1:].reshape(b, t, -1) - np.tile([0.0, 1.0, 0.0], JOINTS - 1),
            told,
        ],
        axis=-1,
    ).astype(np.float32)


def residual(rotations_xyzw: FloatArray, root_m: FloatArray, base: Base) -> FloatArray:
    """What has to be added to the base to become this motion, (B, T, RESIDUAL)."""
    b, t = root_m.shape[:2]
    local, place = in_floor_frame(rotations_xyzw, root_m, base)
    start, at = in_floor_frame(base.rotations_xyzw, base.root_m, base)
    turned = (six(local) - six(start)).reshape(b, t, -1)
    return np.concatenate([turned, place - at], axis=-1).astype(np.float32)


def apply(values: FloatArray, base: Base) -> tuple[FloatArray, FloatArray]:
    """The motion (B, T, 22, 4), (B, T, 3) that a residual makes of its base, float64."""
    b, t = values.shape[:2]
    start, at = in_floor_frame(base.rotations_xyzw, base.root_m, base)
    rotations = from_six(six(start) + values[..., :-3].reshape(b, t, JOINTS, 6))
    forth = quat.about_y(base.yaw_rad)
    rotations[:, :, 0] = quat.mul(forth, rotations[:, :, 0])
    root = quat.rotate(forth, (at + values[..., -3:]).astype(np.float64))
    return rotations, root + base.root_m * np.array([1.0, 0.0, 1.0])
