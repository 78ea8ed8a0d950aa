# SPDX-License-Identifier: Apache-2.0
"""Unit quaternions ``(..., 4)`` in the order (x, y, z, w), batch-agnostic.

A quaternion rotates a column vector actively; ``mul(a, b)`` applies b first. All functions broadcast over leading
axes and keep float32 as float32, float64 as float64. Formulas: Shoemake, "Animating rotation with quaternion
curves" (1985), and Diebel, "Representing attitude" (2006). Singularities (identity, a half turn, antipodal pairs)
are named where they matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

IDENTITY_XYZW = np.array([0.0, 0.0, 0.0, 1.0])
_TINY = 1e-12


def identity(*shape: int) -> FloatArray:
    """Identity rotations, shape ``(*shape, 4)``, float64."""
    out = np.zeros((*shape, 4))
    out[..., 3] = 1.0
    return out


def squared_length(q_xyzw: FloatArray) -> FloatArray:
    """x^2 + y^2 + z^2 + w^2, shape (...): column by column, which numpy does far faster than a sum over four."""
    q = np.asarray(q_xyzw)
    total: FloatArray = q[..., 0] * q[..., 0]
    for i in range(1, q.shape[-1]):
        total += q[..., i] * q[..., i]
    return total


_CHUNK = 2**15


def squared_length_range(q_xyzw: FloatArray) -> tuple[float, float]:
    """The least and the greatest ``squared_length`` of quaternions (..., 4), and of 1: a look at a whole motion.

    A number that is not finite shows in the greatest: NaN goes before everything, and infinity is greatest.
    """
    q = np.ascontiguousarray(q_xyzw).reshape(-1)
    least = greatest = 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        # The squares in one go, then pairs of them added as complex numbers are: in pieces that stay in the cache, and
        # without the columns that ``squared_length`` picks one by one.
        pair = np.complex64 if q.dtype == np.float32 else np.complex128
        squares = np.empty(min(q.size, 4 * _CHUNK), np.float32 if pair is np.complex64 else np.float64)
        for at in range(0, q.size, 4 * _CHUNK):
            part = q[at : at + 4 * _CHUNK]
            pairs = np.multiply(part, part, out=squares[: part.size], casting="same_kind").view(pair)
            sums = pairs[0::2] + pairs[1::2]
            total = sums.real + sums.imag
            least, greatest = np.minimum(least, total.min()), np.maximum(greatest, total.max())
    return float(least), float(greatest)


def is_zero(q_xyzw: FloatArray) -> NDArray[np.bool_]:
    """Which quaternions (..., 4) have length zero: ``normalize`` takes them as the identity."""
    with np.errstate(over="ignore"):
        return np.asarray(np.sqrt(squared_length(q_xyzw)) <= _TINY)


def normalize(q_xyzw: FloatArray) -> FloatArray:
    """Unit length. A quaternion of length zero becomes the identity instead of NaN."""
    q = np.asarray(q_xyzw)
    if not np.issubdtype(q.dtype, np.floating):
        q = q.astype(np.float64)
    with np.errstate(over="ignore"):
        length = np.sqrt(squared_length(q))[..., None]
    if np.isinf(length).any():  # too long to be squared: first by its largest number
        q = q / np.where(np.isinf(length), np.abs(q).max(axis=-1, keepdims=True), 1.0)
        length = np.sqrt(squared_length(q))[..., None]
    safe = np.where(length > _TINY, length, 1.0)
    return np.where(length > _TINY, q / safe, IDENTITY_XYZW.astype(q.dtype))


def make_unit(q_xyzw: FloatArray) -> None:
    """``normalize`` in place: no second array, and nothing to do for what is as long as its numbers can tell."""
    with np.errstate(over="ignore"):
        squared = squared_length(q_xyzw)
    off = np.abs(squared - 1.0)
    if float(off.max(initial=0.0)) <= 4.0 * float(np.finfo(q_xyzw.dtype).eps):
        return
    huge = np.isinf(squared)
    if huge.any():  # too long to be squared in single precision, as in a damaged file
        q_xyzw[huge] = normalize(q_xyzw[huge].astype(np.float64) * 1e-30)
        squared[huge] = 1.0
    length = np.sqrt(squared)
    zero = length <= _TINY
    if zero.any():
        q_xyzw[zero] = IDENTITY_XYZW
        length[zero] = 1.0
    for i in range(4):
        q_xyzw[..., i] /= length


def conj(q_xyzw: FloatArray) -> FloatArray:
    """The inverse of a unit quaternion."""
    q = np.array(q_xyzw, copy=True)
    q[..., :3] *= -1
    return q


def mul(a_xyzw: FloatArray, b_xyzw: FloatArray) -> FloatArray:
    """The product a*b: first b, then a."""
    ax, ay, az, aw = np.moveaxis(np.asarray(a_xyzw), -1, 0)
    bx, by, bz, bw = np.moveaxis(np.asarray(b_xyzw), -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def rotate(q_xyzw: FloatArray, v: FloatArray) -> FloatArray:
    """Vectors ``(..., 3)`` turned by ``q``: v + 2w(u x v) + 2u x (u x v)."""
    q = np.asarray(q_xyzw)
    qx, qy, qz, qw = np.moveaxis(q, -1, 0)
    vx, vy, vz = np.moveaxis(np.asarray(v), -1, 0)
    tx = 2 * (qy * vz - qz * vy)
    ty = 2 * (qz * vx - qx * vz)
    tz = 2 * (qx * vy - qy * vx)
    return np.stack(
        [
            vx + qw * tx + qy * tz - qz * ty,
            vy + qw * ty + qz * tx - qx * tz,
            vz + qw * tz + qx * ty - qy * tx,
        ],
        axis=-1,
    )


def from_rotvec(rotvec_rad: FloatArray) -> FloatArray:
    """The exponential map: axis times angle (radians) ``(..., 3)``; exact near zero by its series."""
    v = np.asarray(rotvec_rad)
    angle = np.sqrt(np.einsum("...i,...i->...", v, v))[..., None]
    half = 0.5 * angle
    scale = np.where(angle > 1e-6, np.sin(half) / np.where(angle > 1e-6, angle, 1.0), 0.5 - angle * angle / 48.0)
    return np.concatenate([v * scale, np.cos(half)], axis=-1)


def to_rotvec(q_xyzw: FloatArray) -> FloatArray:
    """The logarithm: axis times angle in [0, pi], radians. q and -q give the same vector; at pi the sign is free."""
    q = np.asarray(q_xyzw)
    q = np.where(q[..., 3:] < 0, -q, q)
    v, w = q[..., :3], np.clip(q[..., 3:], -1.0, 1.0)
    s = np.sqrt(np.einsum("...i,...i->...", v, v))[..., None]
    angle = 2.0 * np.arctan2(s, w)
    scale: FloatArray = np.where(s > 1e-7, angle / np.where(s > 1e-7, s, 1.0), 2.0)
    return v * scale


def from_axis_angle(axis: FloatArray, angle_rad: FloatArray | float) -> FloatArray:
    """A turn by ``angle_rad`` about unit ``axis`` ``(..., 3)``."""
    half = 0.5 * np.asarray(angle_rad, dtype=np.float64)[..., None]
    return np.concatenate([np.asarray(axis) * np.sin(half), np.cos(half) * np.ones((*np.shape(axis)[:-1], 1))], axis=-1)


def about_y(angle_rad: FloatArray | float) -> FloatArray:
    """A right-handed turn about +Y: it takes +Z towards +X. Shape ``(..., 4)``."""
    half = 0.5 * np.asarray(angle_rad, dtype=np.float64)
    zero = np.zeros_like(half)
    return np.stack([zero, np.sin(half), zero, np.cos(half)], axis=-1)


def heading_rad(q_xyzw: FloatArray) -> FloatArray:
    """The turn about +Y in ``q`` (swing-twist about Y), radians in (-pi, pi]; 0 where q is a pure half-turn swing."""
    q = np.asarray(q_xyzw)
    half = np.arctan2(q[..., 1], q[..., 3])
    angle: FloatArray = np.arctan2(np.sin(2 * half), np.cos(2 * half))
    return angle


def swing_twist(q_xyzw: FloatArray, axis: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``q = swing * twist`` with twist about unit ``axis``. A half-turn swing has no twist: identity is chosen."""
    q = np.asarray(q_xyzw)
    a = np.asarray(axis, dtype=q.dtype)
    d = np.einsum("...i,...i->...", q[..., :3], np.broadcast_to(a, q[..., :3].shape))[..., None]
    twist = normalize(np.concatenate([a * d, q[..., 3:]], axis=-1))
    return mul(q, conj(twist)), twist


def between(a: FloatArray, b: FloatArray) -> FloatArray:
    """The shortest arc taking direction ``a`` to ``b`` ``(..., 3)``; opposite directions turn about any normal."""
    a = np.asarray(a, dtype=np.float64)
    b = np.asarray(b, dtype=np.float64)
    a, b = np.broadcast_arrays(a, b)
    a = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), _TINY)
    b = b / np.maximum(np.linalg.norm(b, axis=-1, keepdims=True), _TINY)
    w = 1.0 + np.einsum("...i,...i->...", a, b)[..., None]
    v = np.cross(a, b)
    helper = np.where(np.abs(a[..., :1]) < 0.9, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    normal = np.cross(a, helper)
    opposite = w < 1e-9
    return normalize(np.concatenate([np.where(opposite, normal, v), np.where(opposite, 0.0, w)], axis=-1))


def slerp(a_xyzw: FloatArray, b_xyzw: FloatArray, t: FloatArray | float) -> FloatArray:
    """Along the shorter great arc from a to b; ``t`` broadcasts over the leading axes (0 gives a, 1 gives b)."""
    a = np.asarray(a_xyzw)
    b = np.asarray(b_xyzw)
    dot = np.einsum("...i,...i->...", a, b)[..., None]
    b = np.where(dot < 0, -b, b)
    theta = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))
    s = np.sin(theta)
    t_ = np.asarray(t, dtype=np.result_type(a, b))[..., None]
    close = s < 1e-6
    safe = np.where(close, 1.0, s)
    wa = np.where(close, 1.0 - t_, np.sin((1.0 - t_) * theta) / safe)
    wb = np.where(close, t_, np.sin(t_ * theta) / safe)
    return normalize(wa * a + wb * b)


def continuous(q_xyzw: FloatArray, axis: int = 0) -> FloatArray:
    """Signs flipped so that neighbours along ``axis`` (time) lie in one half-space: no jumps between q and -q."""
    q = np.moveaxis(np.array(q_xyzw, copy=True), axis, 0)
    if len(q) < 2:
        return np.moveaxis(q, 0, axis)
    dots = q[1:, ..., 0] * q[:-1, ..., 0]
    for i in range(1, 4):
        dots += q[1:, ..., i] * q[:-1, ..., i]
    jumps = dots < 0
    if jumps.any():
        sign = np.where(np.logical_xor.accumulate(jumps, axis=0), -1.0, 1.0)
        q[1:] *= sign[..., None].astype(q.dtype)
    return np.moveaxis(q, 0, axis)


def angle_between_rad(a_xyzw: FloatArray, b_xyzw: FloatArray) -> FloatArray:
    """The angle of the turn from a to b, radians in [0, pi]; exact for small angles (no arccos)."""
    d = mul(conj(np.asarray(a_xyzw)), b_xyzw)
    s = np.sqrt(np.einsum("...i,...i->...", d[..., :3], d[..., :3]))
    angle: FloatArray = 2.0 * np.arctan2(s, np.abs(d[..., 3]))
    return angle


def to_matrix(q_xyzw: FloatArray) -> FloatArray:
    """Rotation matrices ``(..., 3, 3)`` acting on column vectors."""
    x, y, z, w = np.moveaxis(np.asarray(q_xyzw), -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    m = np.stack(rows, axis=-1)
    return m.reshape(*m.shape[:-1], 3, 3)


def from_matrix(m: FloatArray) -> FloatArray:
    """From proper rotation matrices ``(..., 3, 3)``; the largest of the four candidates is taken (stable at pi)."""
    m = np.asarray(m, dtype=np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    xy, yx, xz = m[..., 0, 1], m[..., 1, 0], m[..., 0, 2]
    zx, yz, zy = m[..., 2, 0], m[..., 1, 2], m[..., 2, 1]
    candidates = np.stack(
        [
            np.stack([1 + xx - yy - zz, xy + yx, xz + zx, zy - yz], -1),
            np.stack([xy + yx, 1 - xx + yy - zz, yz + zy, xz - zx], -1),
            np.stack([xz + zx, yz + zy, 1 - xx - yy + zz, yx - xy], -1),
            np.stack([zy - yz, xz - zx, yx - xy, 1 + xx + yy + zz], -1),
        ],
        axis=-2,
    )
    largest = np.argmax(np.stack([xx - yy - zz, yy - xx - zz, zz - xx - yy, xx + yy + zz], -1), axis=-1)
    return normalize(np.take_along_axis(candidates, largest[..., None, None], axis=-2)[..., 0, :])
