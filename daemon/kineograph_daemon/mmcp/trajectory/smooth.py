# SPDX-License-Identifier: Apache-2.0
"""Arithmetic over one motion's frames: slopes, moving averages, keys and the curve through them."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.mmcp.trajectory.rig import Complexes, Floats, Ints

Numbers = TypeVar("Numbers", Floats, Complexes)

_CYCLES = 3
"""A loop is laid out this many times before and after itself, so that an average runs over its seam."""
KEY_GAP_S = 0.25
"""Keys lie at most this far apart."""
_LEAST_KEY_GAP_S = 0.15
_LEAST_KEYS = 6


def slope(x: Numbers) -> Numbers:
    """Change a frame along the last axis, over both neighbours inside and one at the ends."""
    out = np.empty_like(x)
    out[..., 1:-1] = (x[..., 2:] - x[..., :-2]) * 0.5
    out[..., 0] = x[..., 1] - x[..., 0]
    out[..., -1] = x[..., -1] - x[..., -2]
    return out


def average(x: Numbers, width_frames: Floats | float, loop: bool) -> Numbers:
    """Centred moving average ``(n,)``, ``width_frames`` wide (fractions count), of the broken line through ``x``.

    Near the ends of a one-shot the window shrinks; a loop goes on with its next cycle, its travel added.
    """
    n = len(x)
    frames = np.arange(n)
    half: Any = np.asarray(width_frames) / 2
    if loop:
        line, offset = _cycles(x), _CYCLES * (n - 1)
    else:
        line, offset = x, 0
        half = np.minimum(half, np.minimum(frames, n - 1 - frames))
    half = np.broadcast_to(half, n)
    area = np.zeros(len(line), x.dtype)
    np.cumsum((line[1:] + line[:-1]) / 2, out=area[1:])
    grid = np.arange(len(line))
    at = frames + offset
    wide = half >= 1e-6
    width = np.where(wide, 2 * half, 1.0)
    mean = (np.interp(at + half, grid, area) - np.interp(at - half, grid, area)) / width
    return np.where(wide, mean, line[at])


def _cycles(x: Numbers) -> Numbers:
    travel, once = x[-1] - x[0], x[:-1]
    laid: list[Any] = [once + travel * cycle for cycle in range(-_CYCLES, _CYCLES + 1)]
    return np.concatenate([*laid, x[-1:] + travel * _CYCLES])


def runs(labels: NDArray[Any]) -> tuple[Ints, Ints]:
    """First and last index of every stretch of equal labels ``(n,)`` or equal columns ``(k, n)``."""
    changes = labels[..., 1:] != labels[..., :-1]
    if changes.ndim > 1:
        changes = changes.any(axis=tuple(range(changes.ndim - 1)))
    first = np.concatenate([[0], np.flatnonzero(changes) + 1])
    return first, np.concatenate([first[1:] - 1, [labels.shape[-1] - 1]])


def key_times(labels: NDArray[Any], fps: float) -> Floats:
    """Times (s) at which a motion is keyed: where its labels change, and in between so that no gap is long."""
    n = len(labels)
    end = (n - 1) / fps
    events = [0.0, *(float(i / fps) for i in runs(labels)[0][1:]), end]
    kept = [0.0]
    for time in events[1:]:
        if time - kept[-1] >= _LEAST_KEY_GAP_S:
            kept.append(time)
    kept = [*kept[:-1], end] if len(kept) > 1 else [0.0, end]
    keys = [kept[0]]
    for time in kept[1:]:
        _halve(keys, time)
    while len(keys) < _LEAST_KEYS:
        widest = int(np.argmax(np.diff(keys)))
        keys.insert(widest + 1, (keys[widest] + keys[widest + 1]) / 2)
    return np.array(keys)


def _halve(keys: list[float], time: float) -> None:
    """Append ``time`` and, before it, halves of the gap until none is wider than allowed."""
    if time - keys[-1] > KEY_GAP_S:
        _halve(keys, (keys[-1] + time) / 2)
        _halve(keys, time)
    else:
        keys.append(time)


def monotone_keys(values: Floats, times: Floats, keys: Floats) -> Floats:
    """``values`` at the keys, made to run one way only: the way that they run over all."""
    at_keys = np.interp(keys, times, values)
    return np.maximum.accumulate(at_keys) if at_keys[-1] >= at_keys[0] else np.minimum.accumulate(at_keys)


def pchip(keys: Floats, values: Floats, times: Floats) -> Floats:
    """The monotone cubic through the keys (Fritsch and Butland, 1984), its end slopes those of the end gaps."""
    h = np.diff(keys)
    d = np.diff(values) / h
    m = np.zeros_like(values)
    one_way = d[:-1] * d[1:] > 0
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    safe = [np.where(one_way, part, 1.0) for part in (d[:-1], d[1:])]
    m[1:-1] = np.where(one_way, (w1 + w2) / (w1 / safe[0] + w2 / safe[1]), 0.0)
    m[0], m[-1] = d[0], d[-1]
    i = np.clip(np.searchsorted(keys, times) - 1, 0, len(keys) - 2)
    u = np.clip((times - keys[i]) / h[i], 0, 1)
    v = 1 - u
    start = v * v * ((1 + 2 * u) * values[i] + u * h[i] * m[i])
    stop = u * u * ((3 - 2 * u) * values[i + 1] - v * h[i] * m[i + 1])
    return start + stop
