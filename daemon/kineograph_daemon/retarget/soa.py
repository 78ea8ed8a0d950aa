# SPDX-License-Identifier: Apache-2.0
"""Quaternions and vectors as structures of arrays: ``(4, F)`` and ``(3, F)``, one contiguous row per component.

A row is what the processor's vector units eat; with frames last, a product of quaternions is 28 streams of numbers
instead of 28 gathers. Same conventions as ``kineograph.motion.quat``; constants may have F = 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

_TINY = 1e-12


def mul(a: FloatArray, b: FloatArray) -> FloatArray:
    """a*b: first b, then a."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    out = np.empty((4, max(a.shape[1], b.shape[1])), np.result_type(a, b))
    out[0] = aw * bx + ax * bw + ay * bz - az * by
    out[1] = aw * by - ax * bz + ay * bw + az * bx
    out[2] = aw * bz + ax * by - ay * bx + az * bw
    out[3] = aw * bw - ax * bx - ay * by - az * bz
    return out


def conj(q: FloatArray) -> FloatArray:
    """The inverse of unit quaternions."""
    out = -q
    out[3] = q[3]
    return out


def rotate(q: FloatArray, v: FloatArray) -> FloatArray:
    """Vectors turned by quaternions."""
    t = 2 * cross(q[:3], v)
    return np.asarray(v + q[3] * t + cross(q[:3], t))


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Vector product."""
    out = np.empty((3, max(a.shape[1], b.shape[1])), np.result_type(a, b))
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]
    return out


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Scalar product, (F,)."""
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def length(v: FloatArray) -> FloatArray:
    """Lengths, (F,)."""
    return np.asarray(np.sqrt(dot(v, v)))


def unit(v: FloatArray) -> FloatArray:
    """Unit length in whatever dimension; zero stays zero."""
    n = np.sqrt(np.einsum("if,if->f", v, v))
    return np.asarray(v / np.maximum(n, _TINY))


def arc(a: FloatArray, b: FloatArray) -> FloatArray:
    """The shortest turns from directions a to b. Opposite ones, which no limb reaches, give no turn."""
    scale = np.sqrt(np.maximum(dot(a, a) * dot(b, b), _TINY))
    q = np.concatenate([cross(a, b), (scale + dot(a, b))[None]])
    q[3] = np.where(q[3] < 1e-6 * scale, scale, q[3])
    return unit(q)


def about(axis: FloatArray, angle_rad: FloatArray) -> FloatArray:
    """Turns by angles (F,) about unit axes (3, F) or (3, 1)."""
    half = 0.5 * angle_rad
    return np.concatenate([axis * np.sin(half), np.cos(half)[None]])


def column(values: FloatArray, joint: int) -> FloatArray:
    """One joint's track out of (T, J, n) as contiguous (n, T) float32."""
    return np.ascontiguousarray(values[:, joint].T, dtype=np.float32)


def power(q: FloatArray, share: float) -> FloatArray:
    """Turns of ``share`` of the angle about the same axes, along the shorter way."""
    sign = np.where(q[3] < 0, -1.0, 1.0).astype(q.dtype)
    v, w = q[:3] * sign, q[3] * sign
    s = length(v)
    half = np.arctan2(s, w) * share
    # sin(share x) / sin(x) tends to share for small turns
    scale = np.where(s > 1e-6, np.sin(half) / np.maximum(s, 1e-6), share)
    return np.concatenate([v * scale, np.cos(half)[None]]).astype(q.dtype)
