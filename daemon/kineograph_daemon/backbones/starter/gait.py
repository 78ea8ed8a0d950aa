# SPDX-License-Identifier: Apache-2.0
"""The phase of steps: 0 where the left foot is foremost, half a turn where the right one is.

Given with a path, it turns "somewhere along here are steps" into one definite motion: without it the average of all
possible steps is a glide.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.backbones.starter import figure

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

LEAST_STRIDE_M = 0.10
"""How far a foot must swing past the other to count as a step."""
STEP_S = (0.18, 1.1)
"""The shortest and longest step, seconds."""
_SMOOTH = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0


def phase_of(world_m: FloatArray, yaw_rad: FloatArray) -> tuple[FloatArray, BoolArray]:
    """The phase (T,) of a motion (T, 22, 3) that faces ``yaw_rad`` (T,), and where it walks or runs."""
    t = len(world_m)
    ahead = np.stack([np.sin(yaw_rad), np.cos(yaw_rad)], axis=-1)
    apart = world_m[:, figure.INDEX["l_ankle"]] - world_m[:, figure.INDEX["r_ankle"]]
    lead = (apart[:, [0, 2]] * ahead).sum(axis=-1)
    if t < 12:
        return np.zeros(t), np.zeros(t, bool)
    lead = np.convolve(np.pad(lead, 2, mode="edge"), _SMOOTH, mode="valid")
    turns = _turns(lead)
    phase, walks = np.zeros(t), np.zeros(t, bool)
    last = 0.0
    for (a, left), (b, _) in itertools.pairwise(turns):
        if not STEP_S[0] <= (b - a) / figure.FPS_HZ <= STEP_S[1]:
            continue
        begin = 0.0 if left else np.pi
        phase[a : b + 1] = begin + np.pi * np.arange(b - a + 1) / (b - a)
        walks[a : b + 1] = True
        last = np.pi / (b - a)
    _extend(phase, walks, last)
    return phase % (2 * np.pi), walks


def _turns(lead: FloatArray) -> list[tuple[int, bool]]:
    """Frames where one foot is foremost, alternating left and right: (frame, is left)."""
    out: list[tuple[int, bool]] = []
    sign = np.where(lead > LEAST_STRIDE_M, 1, np.where(lead < -LEAST_STRIDE_M, -1, 0))
    frame = 0
    while frame < len(lead):
        if sign[frame] == 0:
            frame += 1
            continue
        stop = frame
        while stop < len(lead) and sign[stop] == sign[frame]:
            stop += 1
        peak = frame + int(np.argmax(lead[frame:stop] * sign[frame]))
        left = bool(sign[frame] > 0)
        if out and out[-1][1] == left:  # the same foot twice: the further one counts
            if abs(lead[peak]) > abs(lead[out[-1][0]]):
                out[-1] = (peak, left)
        elif 0 < peak < len(lead) - 1:
            out.append((peak, left))
        frame = stop
    return out


def _extend(phase: FloatArray, walks: BoolArray, per_frame_rad: float) -> None:
    """Half a step more on both sides, at the pace found."""
    found = np.flatnonzero(walks)
    if not len(found):
        return
    reach = int(np.pi / max(per_frame_rad, 1e-6) / 1.5)
    first, last = int(found[0]), int(found[-1])
    rate = phase[first + 1] - phase[first] if last > first else per_frame_rad
    low = max(0, first - reach)
    phase[low:first] = phase[first] - rate * np.arange(first - low, 0, -1)
    high = min(len(phase), last + 1 + reach)
    phase[last + 1 : high] = phase[last] + per_frame_rad * np.arange(1, high - last)
    walks[low:high] = True
