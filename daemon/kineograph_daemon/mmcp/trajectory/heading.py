# SPDX-License-Identifier: Apache-2.0
"""Which way a travelling body faces: square to its hips, not along its path. Only a turn that lasts counts."""

from __future__ import annotations

import math

import numpy as np

from kineograph_daemon.mmcp.trajectory.gait import Gait
from kineograph_daemon.mmcp.trajectory.rig import Complexes, Floats
from kineograph_daemon.mmcp.trajectory.smooth import average, monotone_keys, pchip, slope

_WINDOW_S = 0.5
_STILL_RAD, _ON_SPOT_RAD = math.radians(4.0), math.radians(15.0)
_RMS_RAD, _MOST_RAD = math.radians(2.0), math.radians(5.0)
_MOVING_M_S = 0.05


def fit(gait: Gait, on_spot: bool) -> tuple[Floats, str] | None:
    """``(turn since the first frame in radians, how it was fitted)``; None where the body shows no facing."""
    body = gait.body
    if body.facing is None or body.frames < 3:
        return None
    times = np.arange(body.frames) / body.fps
    turn = average(body.facing, np.maximum(gait.window, _WINDOW_S * body.fps), body.loop)
    turn = turn - turn[0]
    steady = times * (float(times @ turn) / max(float(times @ times), 1e-12))
    if body.loop:
        return steady, "steady"
    if abs(float(turn[-1])) < (_ON_SPOT_RAD if on_spot else _STILL_RAD):
        return np.zeros(body.frames), "fixed"
    off = np.abs(steady - turn)
    if math.sqrt(float(np.mean(off**2))) <= _RMS_RAD and float(off.max()) <= _MOST_RAD:
        return steady, "steady"
    keyed = pchip(gait.keys_s, monotone_keys(turn, times, gait.keys_s), times)
    return keyed - keyed[0], "keyed"


def of_path(points: Complexes, fps: float) -> Floats:
    """The turn of a path's direction since it first moved, radians, held where it stands."""
    tangent = slope(points)
    moving = np.flatnonzero(np.abs(tangent) * fps > _MOVING_M_S)
    if not len(moving):
        return np.zeros(len(points))
    angle = np.unwrap(np.angle(tangent))
    held = np.interp(np.arange(len(points)), moving, angle[moving])
    return np.asarray(held - held[moving[0]])
