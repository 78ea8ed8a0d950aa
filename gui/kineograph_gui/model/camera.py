# SPDX-License-Identifier: Apache-2.0
"""A camera that circles a point: from metres to pixels, in numpy, so that no OpenGL is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

NEAR_M = 0.05
STEEPEST_RAD = 1.5


def _front() -> FloatArray:
    return np.array([0.0, 0.9, 0.0])


@dataclass
class Camera:
    """Looks at ``target_m`` from ``distance_m``; ``yaw_rad`` 0 stands on +Z, ``pitch_rad`` above the floor."""

    target_m: FloatArray = field(default_factory=_front)
    distance_m: float = 4.0
    yaw_rad: float = 0.6
    pitch_rad: float = 0.25
    focal: float = 1.6  # in half heights of the picture

    @property
    def place(self) -> tuple[float, ...]:
        """Where it stands and looks, to be compared."""
        return *(float(v) for v in self.target_m), self.distance_m, self.yaw_rad, self.pitch_rad

    def axes(self) -> FloatArray:
        """Right, up and back of the view in the world: (3, 3), one a row."""
        cy, sy = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        cp, sp = np.cos(self.pitch_rad), np.sin(self.pitch_rad)
        back = np.array([sy * cp, sp, cy * cp])
        right = np.array([cy, 0.0, -sy])
        return np.stack([right, np.cross(back, right), back])

    def project(self, points_m: FloatArray, width: float, height: float) -> tuple[FloatArray, FloatArray]:
        """Pixels (..., 2) and depth (...) in metres before the camera; what is behind has a depth of NEAR_M."""
        local = (np.asarray(points_m, float) - self.target_m) @ self.axes().T
        depth = np.maximum(self.distance_m - local[..., 2], NEAR_M)
        scale = self.focal * height / 2 / depth
        x = width / 2 + local[..., 0] * scale
        y = height / 2 - local[..., 1] * scale
        return np.clip(np.stack([x, y], axis=-1), -1e5, 1e5), depth

    def on_floor(self, x: float, y: float, width: float, height: float) -> tuple[float, float] | None:
        """The floor's x and z under a pixel, metres; None where the view does not meet the floor."""
        right, up, back = self.axes()
        scale = self.focal * height / 2
        ray = right * (x - width / 2) / scale - up * (y - height / 2) / scale - back
        eye = self.target_m + back * self.distance_m
        if ray[1] > -1e-4:
            return None
        hit = eye - ray * (eye[1] / ray[1])
        return float(hit[0]), float(hit[2])

    def shift(self, point_m: FloatArray, dx: float, dy: float, width: float, height: float) -> FloatArray:
        """A point moved by so many pixels across the view, its depth kept."""
        _, depth = self.project(point_m, width, height)
        right, up, _ = self.axes()
        moved: FloatArray = point_m + (dx * right - dy * up) * float(depth) / (self.focal * height / 2)
        return moved

    def orbit(self, dx: float, dy: float) -> None:
        """Turn by a drag of so many pixels."""
        self.yaw_rad = float((self.yaw_rad - dx * 0.01) % (2 * np.pi))
        self.pitch_rad = float(np.clip(self.pitch_rad + dy * 0.01, -0.3, STEEPEST_RAD))

    def pan(self, dx: float, dy: float, height: float) -> None:
        """Move sideways by a drag of so many pixels: what is under the pointer stays there."""
        right, up, _ = self.axes()
        metres = self.distance_m * 2 / (self.focal * max(height, 1.0))
        self.target_m = self.target_m + (-dx * right + dy * up) * metres

    def zoom(self, notches: float) -> None:
        """Nearer for positive ``notches``."""
        self.distance_m = float(np.clip(self.distance_m * 0.88**notches, 0.2, 200.0))

    def frame(self, points_m: FloatArray, aspect: float) -> None:
        """Stand so that all points (..., 3) are in view; the direction stays."""
        points = np.asarray(points_m, float).reshape(-1, 3)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            return
        self.target_m = (points.min(axis=0) + points.max(axis=0)) / 2
        local = (points - self.target_m) @ self.axes().T
        need_y = np.abs(local[:, 1]) * self.focal + local[:, 2]
        need_x = np.abs(local[:, 0]) * self.focal / max(aspect, 0.1) + local[:, 2]
        self.distance_m = float(max(need_x.max(), need_y.max(), 0.3) * 1.12 + 0.1)
