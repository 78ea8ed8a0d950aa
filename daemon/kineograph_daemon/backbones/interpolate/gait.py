# SPDX-License-Identifier: Apache-2.0
"""When which foot steps: a plan of stands and swings for one stretch of travel.

The clock is the way travelled, not time: a body that slows down steps slower and one that stands does not step. Steps
begin and end shorter where the body starts and stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.solve import curves

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

TROT = (0.8, 1.8)
"""Between these speeds, leg lengths a second, four feet go over from a walk into a trot."""
LONGEST_STEP = 1.2
"""No foot that goes from a stance into a stance takes longer steps than this, in strides of the speed."""
PAD = 0.06
"""Cycles of standing before the first and after the last step."""
_SWING = {1: 0.75, 2: 0.42, 3: 0.36}
_SWING_MANY = 0.42
LONGEST_SWING_S = 0.65
SHORTEST_CYCLE_S = 0.46
"""A cycle never takes less, for legs of one metre."""
FIRST_STEP = 0.3
"""The first and last steps out of a stance, as a share of a full one."""


@dataclass(frozen=True)
class Swing:
    """One foot in the air from ``start`` to ``stop``, in frames from the stretch's first frame (not whole numbers)."""

    foot: int
    start: float
    stop: float


def swing_share(feet: int, trot: float = 0.0) -> float:
    """The share of a cycle that each of so many feet spends in the air; at a ``trot`` (0 to 1) half of it."""
    walking = _SWING.get(feet, _SWING_MANY)
    return walking + (0.5 - walking) * trot


def trotting(feet: int, speed_per_s: float) -> float:
    """How far from a walk, 0, to a trot, 1, so many feet go at a speed in leg lengths a second."""
    slow, fast = TROT
    return float(curves.smoothstep(np.array((speed_per_s - slow) / (fast - slow)))) if feet == 4 else 0.0


def stride_m(speed_m_s: float, size_m: float) -> float:
    """How far one foot goes in one swing at a walking speed: longer when faster."""
    return size_m * float(np.clip(0.75 + 0.45 * speed_m_s / size_m, 0.75, 1.9))


def step_count(
    feet: int, way_m: float, seconds: float, stride: float, size_m: float, gathered: tuple[bool, bool]
) -> int:
    """How many steps all feet together take along a way, with strides of about ``stride`` metres.

    Out of and into a stance steps are shorter, so there is half a step more at each such end.
    """
    wanted = round(feet * way_m / stride + 0.25 * feet * sum(gathered))
    if all(gathered) and wanted // feet * LONGEST_STEP * stride < way_m:
        wanted += 1  # of an odd number of steps one foot has fewer, for the same way
    # Legs are pendulums: short ones may step faster.
    shortest_s = SHORTEST_CYCLE_S * float(np.sqrt(size_m))
    return max(feet, min(wanted, int(feet * seconds / shortest_s)))


def sequence(order: list[int], count: int, last: int | None) -> list[int]:
    """Which foot takes each of about ``count`` steps, in turn; of two feet ``last``, where given, takes the last."""
    m = len(order)
    if m > 2:
        count = m * max(1, round(count / m))
    elif m == 2 and last is not None and order[(count - 1) % m] != last:
        count += 1
    return [order[i % m] for i in range(count)]


def plan(
    steps: list[int], feet: int, way: FloatArray, gathered: tuple[bool, bool], fps_hz: float, trot: float = 0.0
) -> list[Swing]:
    """Swings for ``steps``, the foot of each in turn, over a stretch whose ``way`` (N,) grows with the travel.

    ``feet`` take turns; ``gathered`` says whether all stand together, under the body, at the start and at the end. At a
    ``trot`` (0 to 1) every second of four feet goes earlier, with the one before it: fore and the other hind together.
    """
    swing = swing_share(feet, trot)
    early = 0.25 * trot
    total = (len(steps) - 1) / feet - early + swing + 2 * PAD
    # A clock that stands still has no inverse: give it the smallest tick.
    ticks = np.arange(len(way), dtype=float)
    clock = _clock(way, gathered, total) + ticks * 1e-9
    out = []
    for i, foot in enumerate(steps):
        begin = PAD + i / feet - early * (i % 2)
        start, stop = np.interp([begin, begin + swing], clock, ticks)
        longest = LONGEST_SWING_S * fps_hz
        if stop - start > longest:
            middle = 0.5 * (start + stop)
            start, stop = middle - longest / 2, middle + longest / 2
        out.append(Swing(foot, float(start), float(stop)))
    return out


def _clock(way: FloatArray, gathered: tuple[bool, bool], total: float) -> FloatArray:
    """Phase (N,) in cycles, from 0 to ``total``: even along the way, with shorter steps out of and into a stance."""
    span = float(way[-1] - way[0])
    x = (way - way[0]) / span if span > 1e-9 else np.linspace(0.0, 1.0, len(way))
    phase = np.linspace(0.0, total, 401)
    ramp = min(1.0, 0.5 * total)
    step = np.ones(len(phase))
    if gathered[0]:
        step *= FIRST_STEP + (1 - FIRST_STEP) * curves.smoothstep(phase / ramp)
    if gathered[1]:
        step *= FIRST_STEP + (1 - FIRST_STEP) * curves.smoothstep((total - phase) / ramp)
    gone = np.concatenate([[0.0], np.cumsum(0.5 * (step[1:] + step[:-1]))])
    return np.interp(x, gone / gone[-1], phase)


def walking_order(sides: FloatArray, along: FloatArray, first: int, trots: bool = False) -> list[int]:
    """The order in which feet swing, by their place in the rest pose: side (positive is left) and how far in front.

    Two legs alternate, ``first`` first. Four walk hind, fore on one side, then on the other; a trot begins with the
    fore that goes with the first hind. Of more every second one of each side steps with those between them on the other
    side, and then the rest: it never stands on one side alone.
    """
    feet = range(len(sides))
    if len(sides) <= 2:
        return [first, *(f for f in feet if f != first)]
    one = sorted((f for f in feet if sides[f] >= 0), key=lambda f: along[f])
    other = sorted((f for f in feet if sides[f] < 0), key=lambda f: along[f])
    if len(sides) > 4:
        now = sorted([*one[::2], *other[1::2]], key=lambda f: along[f])
        then = sorted([*other[::2], *one[1::2]], key=lambda f: along[f])
        return [*then, *now] if first in then else [*now, *then]
    out = [*other, *one] if first in other else [*one, *other]
    return [out[-1], *out[:-1]] if trots else out
