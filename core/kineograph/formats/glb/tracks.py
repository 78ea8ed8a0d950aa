# SPDX-License-Identifier: Apache-2.0
"""Keys of one channel, and their values on a grid of frames.

Interpolation as in Khronos, glTF 2.0 specification, appendix C: STEP, LINEAR (slerp for rotations), CUBICSPLINE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat

FloatArray = NDArray[np.floating[Any]]

RATES_HZ = (30.0, 24.0, 60.0, 25.0, 50.0, 48.0, 120.0, 30.0 / 1.001, 24.0 / 1.001, 100.0, 90.0, 72.0, 144.0, 240.0)
_OFF_GRID = 0.02  # frames: what float32 seconds and an exporter's rounding may be off


@dataclass(frozen=True, eq=False)
class Track:
    """``times_s`` (K,) rising; ``values`` (K, n), or (K, 3, n) for CUBICSPLINE (in-tangent, value, out-tangent)."""

    node: int
    path: str
    interpolation: str
    times_s: FloatArray
    values: FloatArray

    def on_grid(self, start_s: float, fps_hz: float) -> bool:
        """Whether every key falls on a frame, no two on one."""
        frames = (self.times_s - start_s) * fps_hz
        whole = np.rint(frames)
        return bool(np.abs(frames - whole).max() <= _OFF_GRID and (np.diff(whole) > 0).all())

    def sample(self, start_s: float, fps_hz: float, count: int) -> FloatArray:
        """Values (count, n) at start_s + f / fps_hz; held before the first and after the last key."""
        keys = (self.times_s - start_s) * fps_hz
        if self.on_grid(start_s, fps_hz):
            keys = np.rint(keys)
        grid = np.arange(count, dtype=np.float64)
        rotation = self.path == "rotation"
        if self.interpolation != "CUBICSPLINE" and len(keys) == count and np.array_equal(keys, grid):
            out = self.values
        elif len(keys) == 1:
            only = self.values[0, 1] if self.interpolation == "CUBICSPLINE" else self.values[0]
            out = np.broadcast_to(only, (count, only.shape[-1]))
        elif self.interpolation == "STEP":
            out = self.values[np.clip(np.searchsorted(keys, grid, side="right") - 1, 0, len(keys) - 1)]
        else:
            out = self._between(keys, grid, fps_hz, rotation)
        return quat.normalize(out.astype(np.float64)) if rotation else out

    def _between(self, keys: FloatArray, grid: FloatArray, fps_hz: float, rotation: bool) -> FloatArray:
        i = np.clip(np.searchsorted(keys, grid, side="right") - 1, 0, len(keys) - 2)
        gap = keys[i + 1] - keys[i]
        t = np.clip(np.where(gap > 0, (grid - keys[i]) / np.where(gap > 0, gap, 1.0), 1.0), 0.0, 1.0)
        if self.interpolation == "LINEAR":
            a, b = self.values[i].astype(np.float64), self.values[i + 1].astype(np.float64)
            if rotation:
                return quat.slerp(quat.normalize(a), quat.normalize(b), t)
            between: FloatArray = a + (b - a) * t[:, None]
            return between
        u = t[:, None]
        dt = (gap / fps_hz)[:, None]
        a, leave = self.values[i, 1], self.values[i, 2]
        b, arrive = self.values[i + 1, 1], self.values[i + 1, 0]
        hermite: FloatArray = (
            (2 * u**3 - 3 * u**2 + 1) * a
            + dt * (u**3 - 2 * u**2 + u) * leave
            + (3 * u**2 - 2 * u**3) * b
            + dt * (u**3 - u**2) * arrive
        )
        return hermite


def rate(tracks: list[Track], start_s: float) -> float | None:
    """The first usual frame rate on whose grid all keys lie, or None."""
    for fps_hz in RATES_HZ:
        if all(track.on_grid(start_s, fps_hz) for track in tracks):
            return fps_hz
    return None
