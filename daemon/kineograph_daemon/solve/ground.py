# SPDX-License-Identifier: Apache-2.0
"""The ground: a flat floor, or the surface points of ``ground_height``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics
from kineograph_daemon.solve.body import read_body, rest_floor
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

RAISED = 0.25
"""Keyed poses that stand higher or lower than the rest pose by this share of a leg stand on another floor."""
SMOOTH_S = 0.35
"""Half-width of the window over which a body rises and sinks with uneven ground, seconds."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Heights in metres. ``points_m`` (P, 3) x, y, z or None for a flat floor at ``floor_m``.

    ``rest_floor_m`` is the height on which the skeleton stands in its rest pose. ``reach_m`` is how far, sideways, a
    point may be from what stands on it; beyond that there is nothing to stand on. ``usual_m`` is the floor that a
    model takes for granted.
    """

    floor_m: float
    rest_floor_m: float
    points_m: FloatArray | None = None
    reach_m: float = 0.5
    usual_m: float = 0.0

    def under(self, xz_m: FloatArray) -> FloatArray:
        """Height of the nearest surface point under positions (..., 2); NaN where there is no ground near."""
        xz = np.asarray(xz_m, float)
        if self.points_m is None:
            return np.full(xz.shape[:-1], self.floor_m)
        flat = xz.reshape(-1, 2)
        at = self.points_m[:, [0, 2]]
        # |a-b|^2 without the (N, P, 2) intermediate: thousands of points meet thousands of feet.
        d2 = (flat**2).sum(1)[:, None] - 2 * flat @ at.T + (at**2).sum(1)[None]
        near = d2.argmin(axis=1)
        height = self.points_m[near, 1].copy()
        height[d2[np.arange(len(flat)), near] > self.reach_m**2] = np.nan
        return np.asarray(height.reshape(xz.shape[:-1]))

    def smooth_under(self, xz_m: FloatArray, fps_hz: float) -> FloatArray:
        """Ground heights (T,) along a way (T, 2), gaps bridged and steps rounded: what a body's height follows."""
        height = self.under(xz_m)
        known = np.isfinite(height)
        if self.points_m is None or not known.any():
            return np.full(len(height), self.floor_m)
        t = np.arange(len(height))
        height = np.interp(t, t[known], height[known])
        half = round(SMOOTH_S * fps_hz)
        if half < 1:
            return height
        window = np.hanning(2 * half + 3)[1:-1]
        return np.convolve(np.pad(height, half, mode="edge"), window / window.sum(), mode="valid")


def read_ground(goals: Goals) -> Ground:
    """The ground of a request; without surface points a floor under the keys' feet, or where the rest pose stands."""
    rest = rest_floor(goals.skeleton)
    usual = 0.0 if _is_hung(goals, rest) else rest
    reach = max(0.35 * goals.skeleton.height_m, 0.05)
    floor = usual if goals.ground_m is not None else _under_keys(goals, usual)
    return Ground(floor, rest, goals.ground_m, reach, usual)


def _is_hung(goals: Goals, rest_floor_m: float) -> bool:
    """Whether the rest pose hangs with its root at the origin, as motion capture rigs do, and stands on y = 0."""
    height = goals.skeleton.height_m
    root_y = float(goals.skeleton.rest_positions_m[goals.skeleton.root, 1])
    return bool(read_body(goals.skeleton).feet) and abs(root_y) < 0.1 * height and rest_floor_m < -0.25 * height


def _under_keys(goals: Goals, usual_m: float) -> float:
    """The floor on which the keyed poses stand: a scene may be set on a table or a roof.

    Small differences from the usual floor are poses (a crouch, a jump), not floors.
    """
    body = read_body(goals.skeleton)
    keys = [k for k in goals.keys if k.root_m is not None]
    if not keys or not body.feet:
        return usual_m
    q = np.broadcast_to(goals.skeleton.rest_rotations_xyzw, (len(keys), len(goals.skeleton), 4)).copy()
    for i, key in enumerate(keys):
        q[i, key.joints] = key.rotations_xyzw
    at, _ = kinematics.forward(goals.skeleton, q, np.array([k.root_m for k in keys]))
    low = np.min([(at[:, f.joints, 1] - f.rest_height_m).min(axis=1) for f in body.feet], axis=0)
    # Of keys that stand about as high the lowest counts: then no key stands in its own floor.
    near = low[np.abs(low - np.median(low)) < 0.08 * body.size_m]
    floor = float(near.min() if len(near) else np.median(low))
    return floor if abs(floor - usual_m) > RAISED * body.size_m else usual_m


def lift(pose: Pose, goals: Goals, ground: Ground) -> None:
    """Raise a motion made for the usual floor onto this ground, except where keys say how high the root is."""
    rise = ground.smooth_under(pose.root_m[:, [0, 2]], goals.fps_hz) - ground.usual_m
    keyed = sorted(goals.root_keys())
    if keyed and ground.points_m is not None:
        rise = rise - np.interp(np.arange(len(pose)), keyed, rise[keyed])
    if np.abs(rise).max() > 1e-9:
        pose.shift(np.stack([np.zeros_like(rise), rise, np.zeros_like(rise)], axis=1))
