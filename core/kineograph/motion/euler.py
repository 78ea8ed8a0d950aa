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
    x = [np.zeros(angles.shape[:-1]) for _ in range(3)]
    w = np.ones(angles.shape[:-1])
    for column, axis in enumerate(order):
        half = 0.5 * angles[..., column]
        s, c = np.sin(half), np.cos(half)
        i = _AXES[axis]
        j, k = (i + 1) % 3, (i + 2) % 3
        # The product with a turn about one axis: half of the general one's terms are zero.
        w, x[i], x[j], x[k] = w * c - x[i] * s, x[i] * c + w * s, x[j] * c + x[k] * s, x[k] * c - x[j] * s
    return np.stack([*x, w], axis=-1)


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
    own = np.asarray(angles_rad, dtype=np.float64)
    other = own + np.pi
    other[..., 1] = np.pi - own[..., 1]
    # From one frame to the next both forms are as far from each other as their opposites are: so which form is nearer
    # does not depend on the one taken before, only whether to change does.
    change = _around(other[1:] - own[:-1]).sum(-1) < _around(own[1:] - own[:-1]).sum(-1)
    form = np.zeros(own.shape[:-1], bool)
    form[1:] = np.logical_xor.accumulate(change, axis=0)
    out = np.where(form[..., None], other, own)
    out[1:] -= 2.0 * np.pi * np.cumsum(np.round(np.diff(out, axis=0) / (2.0 * np.pi)), axis=0)
    return out


def _around(angles_rad: FloatArray) -> FloatArray:
    """How far (...) angles are from a whole number of turns."""
    return np.asarray(np.abs(angles_rad - 2.0 * np.pi * np.round(angles_rad / (2.0 * np.pi))))
