# SPDX-License-Identifier: Apache-2.0
"""When a foot stands: low and slow, with hysteresis, so that a foot on the edge does not flicker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.retarget.limbs import Leg

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]

LOW_M, SLOW_M_PER_S = 0.06, 0.3
"""A foot comes to stand below both; on a body with legs of 0.85 m, and in proportion on others."""

STAY = 1.35
"""It stands on until it is above one of them by this factor."""

LEG_M = 0.85
SHORTEST_S, BRIDGED_S = 0.06, 0.04
WANDER_M = 0.10
"""A foot that shuffles further than this while it stands has stepped: the span is cut there."""
_CUT_S = 0.1


@dataclass(frozen=True, eq=False)
class Contact:
    """``on`` (T,) of one leg of the target, and its spans (S, 2) as [start, end)."""

    leg: Leg
    on: BoolArray
    spans: IntArray


def detect(position_m: FloatArray, ground_m: float, fps_hz: float, size: float = 1.0) -> BoolArray:
    """(T,) whether a joint at ``position_m`` (3, T) stands on the ground at ``ground_m``; ``size`` scales limits."""
    height = position_m[1] - ground_m
    slow = speed(position_m, fps_hz)
    enter = (height < LOW_M * size) & (slow < SLOW_M_PER_S * size)
    stay = (height < STAY * LOW_M * size) & (slow < STAY * SLOW_M_PER_S * size)
    found = [(a, b) for a, b in spans(stay) if enter[a:b].any()]
    found = _bridged(found, round(BRIDGED_S * fps_hz))
    on = np.zeros(len(height), bool)
    for a, b in found:
        if b - a >= max(2, round(SHORTEST_S * fps_hz)):
            on[a:b] = True
            _cut(on, position_m, a, b, WANDER_M * size, max(2, round(_CUT_S * fps_hz)))
    return on


def spans(on: BoolArray) -> IntArray:
    """(S, 2) runs of True as [start, end)."""
    edges = np.diff(np.concatenate([[0], on.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=-1)


def speed(position_m: FloatArray, fps_hz: float) -> FloatArray:
    """Speeds (T,) m/s over about a thirtieth of a second, which evens out the noise of fast captures."""
    frames = position_m.shape[1]
    if frames < 2:
        return np.zeros(frames)
    k = max(1, round(fps_hz / 60.0))
    t = np.arange(frames)
    a, b = np.maximum(t - k, 0), np.minimum(t + k, frames - 1)
    way = position_m[:, b] - position_m[:, a]
    return np.asarray(np.sqrt(np.einsum("if,if->f", way, way)) * fps_hz / (b - a))


def _bridged(found: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for a, b in found:
        if out and a - out[-1][1] <= gap:
            out[-1] = (out[-1][0], b)
        else:
            out.append((int(a), int(b)))
    return out


def _cut(on: BoolArray, position_m: FloatArray, a: int, b: int, limit_m: float, gap: int) -> None:
    """Open the span where the joint has wandered ``limit_m`` from where it stood."""
    floor = position_m[::2, a:b]
    if float(np.ptp(floor, axis=1).max()) <= limit_m:
        return
    at = 0
    while at < b - a:
        away = np.linalg.norm(floor[:, at:] - floor[:, at : at + 1], axis=0) > limit_m
        if not away.any():
            return
        stop = at + int(np.argmax(away))
        on[a + max(stop - gap, at) : min(a + stop + gap, b)] = False
        at = stop + gap
