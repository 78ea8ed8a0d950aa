# SPDX-License-Identifier: Apache-2.0
"""Corrections over time: exact where asked, eased in and out around it, never a pop.

A correction is a vector (an offset in metres, a rotation vector) at some frames. Between near frames it is a smooth
cubic; where frames are far apart it fades to nothing in between, so that a motion keeps its own character. Slopes are
linear in the values: turning all corrections turns the curve with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.solve import curves
from kineograph_daemon.solve.curves import Ease

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

SWING = Ease("smooth", 1.0)


def bumps(
    frames: IntArray, values: FloatArray, total: int, fade_frames: FloatArray | float, still: Iterable[int] = ()
) -> FloatArray:
    """Corrections (T, ...) that are ``values`` (N, ...) at ``frames`` (N,) and zero at ``still`` frames.

    ``fade_frames`` (N,) or one number: how long each correction takes to come and go.
    """
    values = np.asarray(values, float)
    fade = np.broadcast_to(np.asarray(fade_frames, float), (len(frames),))
    if not len(frames):
        return np.zeros((total, *values.shape[1:]))
    at, source = _breakpoints(np.asarray(frames), fade, sorted(set(still) - set(np.asarray(frames).tolist())))
    padded = np.concatenate([values, np.zeros((1, *values.shape[1:]))])
    v = padded[source]
    slope = curves.slopes(at, np.diff(v, axis=0), SWING)
    slope[source < 0] = 0.0
    return _hermite(at, v, slope, np.arange(total, dtype=float))


def _breakpoints(frames: IntArray, fade: FloatArray, still: list[int]) -> tuple[FloatArray, IntArray]:
    """Times (M,) of breakpoints and the index (M,) of the value there, -1 for zero."""
    points = sorted([(float(f), i) for i, f in enumerate(frames)] + [(float(f), -1) for f in still])
    out: list[tuple[float, int]] = []
    before = (-np.inf, -1)
    for t, i in points:
        gap = t - before[0]
        leave = float(fade[before[1]]) if before[1] >= 0 else 0.0
        come = float(fade[i]) if i >= 0 else 0.0
        if gap > leave + come:
            if before[1] >= 0:
                out.append((before[0] + leave, -1))
            if i >= 0:
                out.append((t - come, -1))
        out.append((t, i))
        before = (t, i)
    if before[1] >= 0:
        out.append((before[0] + float(fade[before[1]]), -1))
    unique = [p for k, p in enumerate(out) if k == 0 or p[0] > out[k - 1][0] + 1e-9]
    return np.array([t for t, _ in unique]), np.array([i for _, i in unique])


def _hermite(at: FloatArray, v: FloatArray, slope: FloatArray, t: FloatArray) -> FloatArray:
    if len(at) == 1:
        return np.broadcast_to(v[0], (len(t), *v.shape[1:])).copy()
    shape = (-1, *[1] * (v.ndim - 1))
    i = np.clip(np.searchsorted(at, t, side="right") - 1, 0, len(at) - 2)
    step = (at[i + 1] - at[i]).reshape(shape)
    u = np.clip((t - at[i]) / (at[i + 1] - at[i]), 0.0, 1.0).reshape(shape)
    return np.asarray(v[i] + curves.hermite(u, v[i + 1] - v[i], slope[i] * step, slope[i + 1] * step))


def held(frames: IntArray, values: FloatArray, total: int) -> FloatArray:
    """Corrections (T, ...) that are ``values`` (N, ...) at ``frames``, smooth between and held outside."""
    at = np.arange(total, dtype=float)
    if len(frames) == 1:
        return np.broadcast_to(values[0], (total, *np.shape(values)[1:])).copy()
    slope = curves.slopes(frames, np.diff(values, axis=0), SWING)
    return _hermite(np.asarray(frames, float), np.asarray(values, float), slope, at)


def fade_for(
    size: FloatArray, per_second: float, fps_hz: float, shortest_s: float = 0.2, longest_s: float = 0.7
) -> FloatArray:
    """Frames (N,) over which corrections of the given sizes (N,) come and go at a natural speed."""
    return np.asarray(np.clip(np.asarray(size) / per_second, shortest_s, longest_s) * fps_hz)


def spread(mask_or_values: FloatArray, half: int) -> FloatArray:
    """A smooth upper envelope of (T,): a running maximum, then a Hann mean, both over +-``half`` frames."""
    values = np.asarray(mask_or_values, float)
    if half < 1 or len(values) < 2:
        return values
    padded = np.pad(values, half, mode="edge")
    top = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1).max(axis=1)
    return smooth(top, half)


def smooth(values: FloatArray, half: int) -> FloatArray:
    """A Hann-weighted mean of (T,) over +-``half`` frames; the ends are held."""
    if half < 1 or len(values) < 2:
        return np.asarray(values, float)
    window = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(np.pad(values, half, mode="edge"), window / window.sum(), mode="valid")


def away_from(frames: Iterable[int], total: int, half: float) -> FloatArray:
    """A weight (T,): 0 at ``frames``, rising smoothly to 1 at ``half`` frames from them."""
    near = distance_to(frames, total)
    if half <= 0:
        return np.where(near == 0, 0.0, 1.0)
    return curves.smootherstep(near / half)


def distance_to(frames: Iterable[int], total: int) -> FloatArray:
    """How many frames (T,) it is to the nearest of ``frames``; infinite where there is none."""
    at = np.array(sorted(frames), float)
    if not len(at):
        return np.full(total, np.inf)
    t = np.arange(total, dtype=float)
    after = np.clip(np.searchsorted(at, t), 0, len(at) - 1)
    return np.asarray(np.minimum(np.abs(at[after] - t), np.abs(t - at[np.maximum(after - 1, 0)])))
