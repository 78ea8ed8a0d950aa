# SPDX-License-Identifier: Apache-2.0
"""Curves through keys: scalars, rotations and a travelled path, evaluated for all frames at once.

Scalars use monotone cubics (Fritsch and Carlson, "Monotone piecewise cubic interpolation", 1980): nothing overshoots
between keys, and two equal keys stay level. Rotations use the same cubic in the logarithm of each span, so that the
curve is smooth in the rotations' own geometry and does not depend on the world's orientation. Paths are centripetal
Catmull-Rom curves (Yuksel et al., "Parameterization and applications of Catmull-Rom curves", 2011) travelled at a
monotone arc length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Ease:
    """How spans between keys are timed. ``overshoot`` 0 never passes a key's value, 1 is a full Catmull-Rom swing."""

    kind: str = "smooth"
    overshoot: float = 0.0


SMOOTH = Ease()


def smoothstep(u: FloatArray) -> FloatArray:
    """0 to 1 with level ends (cubic), clipped."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)


def smootherstep(u: FloatArray) -> FloatArray:
    """0 to 1 with level ends and no jerk there (minimum-jerk quintic), clipped."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (u * (6.0 * u - 15.0) + 10.0)


def slopes(
    frames: IntArray | FloatArray, deltas: FloatArray, ease: Ease = SMOOTH, periodic: bool = False
) -> FloatArray:
    """Tangents (N, ...) at keys from the changes ``deltas`` (N-1, ...) between them; level at the ends.

    Weighted harmonic mean where both neighbours move the same way, zero otherwise; ``ease.overshoot`` mixes in the
    plain average. ``periodic`` joins the last key to the first.
    """
    h = np.diff(np.asarray(frames, float)).reshape(-1, *[1] * (deltas.ndim - 1))
    rate = deltas / h
    out = np.zeros((len(deltas) + 1, *deltas.shape[1:]))
    if ease.kind in ("ease_in_out", "hold"):
        return out
    if len(rate) > 1:
        out[1:-1] = _joined(rate[:-1], rate[1:], h[:-1], h[1:], ease.overshoot)
    if periodic and len(rate) > 0:
        out[0] = out[-1] = _joined(rate[-1:], rate[:1], h[-1:], h[:1], ease.overshoot)[0]
    return out


def _joined(before: FloatArray, after: FloatArray, hb: FloatArray, ha: FloatArray, overshoot: float) -> FloatArray:
    both = before * after
    same = both > 0
    wb, wa = 2 * ha + hb, ha + 2 * hb
    # Nothing is divided by a rate: one next to nothing would overflow.
    harmonic = (wb + wa) * both / np.where(same, wb * after + wa * before, 1.0)
    mean = (hb * after + ha * before) / (hb + ha)
    return np.where(same, harmonic, 0.0) * (1 - overshoot) + mean * overshoot


def hermite(u: FloatArray, end: FloatArray, start_slope: FloatArray, end_slope: FloatArray) -> FloatArray:
    """A cubic from 0 to ``end`` over u in [0, 1] with the given slopes (per unit of u)."""
    u2 = u * u
    u3 = u2 * u
    return (u3 - 2 * u2 + u) * start_slope + (3 * u2 - 2 * u3) * end + (u3 - u2) * end_slope


def spans(frames: IntArray, at: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """For times ``at`` (T,): the span's index, u in [0, 1] inside it (clamped outside all keys), and its length."""
    i = np.clip(np.searchsorted(frames, at, side="right") - 1, 0, len(frames) - 2)
    length = (frames[i + 1] - frames[i]).astype(float)
    return i, np.clip((at - frames[i]) / length, 0.0, 1.0), length


def scalars(
    frames: IntArray, values: FloatArray, at: FloatArray, ease: Ease = SMOOTH, periodic: bool = False
) -> FloatArray:
    """Values (T, ...) at times ``at`` through ``values`` (N, ...) at ``frames`` (N,); held outside."""
    values = np.asarray(values, float)
    if len(frames) == 1:
        return np.broadcast_to(values[0], (len(at), *values.shape[1:])).copy()
    deltas = np.diff(values, axis=0)
    i, u, length = spans(frames, at)
    shape = (-1, *[1] * (values.ndim - 1))
    if ease.kind == "hold":
        return values[np.where(u >= 1.0, i + 1, i)]
    if ease.kind == "linear":
        return values[i] + deltas[i] * u.reshape(shape)
    m = slopes(frames, deltas, ease, periodic)
    step = length.reshape(shape)
    return values[i] + hermite(u.reshape(shape), deltas[i], m[i] * step, m[i + 1] * step)


def rotations(
    frames: IntArray, values_xyzw: FloatArray, at: FloatArray, ease: Ease = SMOOTH, periodic: bool = False
) -> FloatArray:
    """Rotations (T, ..., 4) at times ``at`` through ``values_xyzw`` (N, ..., 4); held outside.

    Each span is ``q_i exp(h(u))`` with a cubic h from 0 to ``log(q_i^-1 q_{i+1})``. The angular velocity is continuous:
    the end slope is taken back through the inverse right Jacobian of the exponential map.
    """
    q = np.asarray(values_xyzw, float)
    if len(frames) == 1:
        return np.broadcast_to(q[0], (len(at), *q.shape[1:])).copy()
    delta = quat.to_rotvec(quat.mul(quat.conj(q[:-1]), q[1:]))
    i, u, _ = spans(frames, at)
    if ease.kind == "hold":
        return q[np.where(u >= 1.0, i + 1, i)]
    u_ = u.reshape(-1, *[1] * (q.ndim - 1))
    if ease.kind == "linear":
        return quat.mul(q[i], quat.from_rotvec(delta[i] * u_))
    m = slopes(frames, delta, ease, periodic)
    step = np.diff(frames.astype(float)).reshape(-1, *[1] * (q.ndim - 1))
    into = _inverse_right_jacobian(delta, m[1:] * step)
    out = quat.mul(q[i], quat.from_rotvec(hermite(u_, delta[i], (m[:-1] * step)[i], into[i])))
    exact = u >= 1.0  # rounding aside, a key is met to the last bit
    out[exact] = q[i[exact] + 1]
    return out


def _inverse_right_jacobian(phi: FloatArray, v: FloatArray) -> FloatArray:
    """``J_r(phi)^-1 v`` for rotation vectors below a half turn (Sola et al., "A micro Lie theory", 2018, eq. 144)."""
    theta2 = np.einsum("...i,...i->...", phi, phi)[..., None]
    theta = np.sqrt(theta2)
    small = theta < 1e-4
    safe = np.where(small, 1.0, theta)
    sin = np.sin(safe)
    # At a half turn sin is 0; the limit of the second term is 0 there as well.
    ratio = np.where(np.abs(sin) < 1e-9, 0.0, (1 + np.cos(safe)) / (2 * safe * np.where(np.abs(sin) < 1e-9, 1.0, sin)))
    k = np.where(small, 1.0 / 12.0, 1.0 / (safe * safe) - ratio)
    cross = np.cross(phi, v)
    return v + 0.5 * cross + k * np.cross(phi, cross)


@dataclass(frozen=True, eq=False)
class Travel:
    """A path travelled: ``xz_m`` (T, 2) and the unit tangent (T, 2), held where there is no movement."""

    xz_m: FloatArray
    tangent: FloatArray
    moves: bool


def travel(frames: IntArray, xz_m: FloatArray, at: FloatArray, ease: Ease = SMOOTH, periodic: bool = False) -> Travel:
    """The natural way through sparse or dense root points: smooth in space, monotone in arc length over time."""
    points = np.asarray(xz_m, float)
    if len(frames) == 1:
        still = np.broadcast_to(points[0], (len(at), 2)).copy()
        return Travel(still, np.broadcast_to([0.0, 1.0], still.shape).copy(), moves=False)
    tangents = _centripetal_tangents(points)
    i, _, _ = spans(frames, at)
    table_u, table_s = _arc_length_table(points, tangents)
    s_keys = np.concatenate([[0.0], np.cumsum(table_s[:, -1])])
    s = scalars(frames, s_keys, at, ease, periodic)
    inside = np.clip(s - s_keys[i], 0.0, table_s[i, -1])
    u = _invert(table_u, table_s[i], inside)[:, None]
    move = hermite(u, points[i + 1] - points[i], tangents[0][i], tangents[1][i])
    xz = points[i] + move
    exact = np.isin(at, frames)
    xz[exact] = points[np.searchsorted(frames, at[exact])]
    slope = _hermite_slope(u, points[i + 1] - points[i], tangents[0][i], tangents[1][i])
    return Travel(xz, *_held_direction(slope, table_s[i, -1] > 1e-4))


def _centripetal_tangents(p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Start and end tangents (N-1, 2) per span, scaled to that span's unit parameter."""
    chord = np.maximum(np.linalg.norm(np.diff(p, axis=0), axis=-1), 1e-9)
    knot = np.sqrt(chord)[:, None]
    rate = np.diff(p, axis=0) / knot
    at = np.concatenate([rate[:1], rate[-1:]])
    if len(rate) > 1:
        a, b = knot[:-1], knot[1:]
        # A span of no length is a stop: the curve leaves and arrives along its own chord, without a loop.
        stop = (chord[:-1] < 1e-6)[:, None] | (chord[1:] < 1e-6)[:, None]
        inner = np.where(stop, 0.0, (rate[:-1] * b + rate[1:] * a) / (a + b))
        at = np.concatenate([rate[:1], inner, rate[-1:]])
    return at[:-1] * knot, at[1:] * knot


def _arc_length_table(p: FloatArray, tangents: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """u (K,) and the arc length (N-1, K) at u along every span."""
    u = np.linspace(0.0, 1.0, 33 if len(p) < 64 else 9)
    d = np.diff(p, axis=0)[:, None, :]
    at = hermite(u[None, :, None], d, tangents[0][:, None, :], tangents[1][:, None, :])
    steps = np.linalg.norm(np.diff(at, axis=1), axis=-1)
    return u, np.concatenate([np.zeros((len(d), 1)), np.cumsum(steps, axis=1)], axis=1)


def _invert(u: FloatArray, s_rows: FloatArray, s: FloatArray) -> FloatArray:
    """u (T,) where each row of the table reaches ``s`` (T,)."""
    k = np.clip((s_rows <= s[:, None]).sum(axis=1) - 1, 0, len(u) - 2)
    row = np.arange(len(s))
    low, high = s_rows[row, k], s_rows[row, k + 1]
    part = np.where(high > low, (s - low) / np.where(high > low, high - low, 1.0), 0.0)
    return np.asarray(u[k] + np.clip(part, 0.0, 1.0) * (u[k + 1] - u[k]))


def _hermite_slope(u: FloatArray, d: FloatArray, m0: FloatArray, m1: FloatArray) -> FloatArray:
    u2 = u * u
    return (3 * u2 - 4 * u + 1) * m0 + (6 * u - 6 * u2) * d + (3 * u2 - 2 * u) * m1


def _held_direction(v: FloatArray, moving: NDArray[np.bool_]) -> tuple[FloatArray, bool]:
    """Unit directions (T, 2); where there is none, turning from the last to the next; +Z where nothing ever moves."""
    length = np.linalg.norm(v, axis=-1)
    known = np.flatnonzero(moving & (length > 1e-9))
    if not len(known):
        return np.broadcast_to([0.0, 1.0], v.shape).copy(), False
    where = np.searchsorted(known, np.arange(len(v)))
    left, right = known[np.clip(where - 1, 0, len(known) - 1)], known[np.clip(where, 0, len(known) - 1)]
    t = np.arange(len(v))
    angle = np.unwrap(np.arctan2(v[known, 0], v[known, 1]))
    a, b = (angle[np.searchsorted(known, at)] for at in (left, right))
    u = smoothstep((t - left) / np.maximum(right - left, 1))
    facing = a + u * (b - a)
    out = np.stack([np.sin(facing), np.cos(facing)], axis=1)
    out[known] = v[known] / length[known][:, None]
    return out, True
