# SPDX-License-Identifier: Apache-2.0
"""Euler angles in any order of axes, as BVH and DCC tools write them.

``order`` lists axes as they are multiplied: "ZYX" is R = Rz Ry Rx, the last turn happens first. Angles stand in the
same order. The decomposition is Shoemake's ("Euler angle conversion", Graphics Gems IV) with the third angle taken
from what the first leaves over, so that it stays exact at gimbal lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat

FloatArray = NDArray[np.floating[Any]]

ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
_AXES = {"X": 0, "Y": 1, "Z": 2}


def to_quat(angles_rad: FloatArray, order: str) -> FloatArray:
    """Quaternions ``(..., 4)`` from angles ``(..., len(order))``; ``order`` may have 0 to 3 axes, also repeated."""
    angles = np.asarray(angles_rad, dtype=np.float64)
    out = quat.identity(*angles.shape[:-1])
    for column, axis in enumerate(order):
        half = 0.5 * angles[..., column]
        turn = np.zeros((*angles.shape[:-1], 4))
        turn[..., _AXES[axis]] = np.sin(half)
        turn[..., 3] = np.cos(half)
        out = turn if column == 0 else quat.mul(out, turn)
    return out


def from_quat(q_xyzw: FloatArray, order: str) -> FloatArray:
    """Angles ``(..., 3)`` radians for one of the six ``ORDERS``; the middle angle lies in [-pi/2, pi/2]."""
    if order not in ORDERS:
        raise ValueError(f"an order is one of {', '.join(ORDERS)}, got {order!r}")
    i, j, k = (_AXES[axis] for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    m = quat.to_matrix(quat.normalize(np.asarray(q_xyzw, dtype=np.float64)))
    first = np.arctan2(-sign * m[..., j, k], m[..., k, k])
    s, c = np.sin(first), np.cos(first)
    middle = np.arctan2(sign * m[..., i, k], np.hypot(m[..., i, i], m[..., i, j]))
    third = np.arctan2(sign * c * m[..., j, i] + s * m[..., k, i], c * m[..., j, j] + sign * s * m[..., k, j])
    return np.stack([first, middle, third], axis=-1)


def continuous(angles_rad: FloatArray) -> FloatArray:
    """Angles ``(T, ..., 3)`` without jumps over time: each frame takes the nearer of its two equal forms.

    (a, b, c) and (a + pi, pi - b, c + pi) are the same rotation, each also modulo a full turn.
    """
    out = np.array(angles_rad, dtype=np.float64, copy=True)
    other = out + np.pi
    other[..., 1] = np.pi - out[..., 1]
    turn = 2.0 * np.pi
    for t in range(1, len(out)):
        before = out[t - 1]
        a = out[t] + turn * np.round((before - out[t]) / turn)
        b = other[t] + turn * np.round((before - other[t]) / turn)
        nearer = np.abs(b - before).sum(-1) < np.abs(a - before).sum(-1)
        out[t] = np.where(nearer[..., None], b, a)
    return out
