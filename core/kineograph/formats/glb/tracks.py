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
class Grid:
    """Where the frames of a clip lie among the keys of its tracks: ``keys`` (K,) in frames, ``count`` frames at
    ``fps_hz``; ``is_whole``: a key on every frame and none besides."""

    keys: FloatArray
    count: int
    fps_hz: float
    is_whole: bool

    @classmethod
    def of(cls, times_s: FloatArray, start_s: float, fps_hz: float, count: int) -> Grid:
        """For frames at start_s + f / fps_hz and key times (K,)."""
        keys = (times_s - start_s) * fps_hz
        if on_grid(times_s, start_s, fps_hz):
            keys = np.rint(keys)
        whole = len(keys) == count and bool((keys == np.arange(count)).all())
        return cls(keys, count, fps_hz, whole)


def on_grid(times_s: FloatArray, start_s: float, fps_hz: float) -> bool:
    """Whether every key falls on a frame, no two on one."""
    frames = (times_s - start_s) * fps_hz
    whole = np.rint(frames)
    return bool(np.abs(frames - whole).max() <= _OFF_GRID and (np.diff(whole) > 0).all())


@dataclass(frozen=True, eq=False)
class Track:
    """``times_s`` (K,) rising; ``values`` (K, n), or (K, 3, n) for CUBICSPLINE (in-tangent, value, out-tangent)."""

    node: int
    path: str
    interpolation: str
    times_s: FloatArray
    values: FloatArray

    def sample(self, grid: Grid) -> FloatArray:
        """Values (T, n) on a grid, or (1, n) where all are one; held before the first and after the last key.

        Rotations are as long as the keys make them: whoever takes them brings them to unit length.
        """
        keys = grid.keys
        if self.interpolation != "CUBICSPLINE" and grid.is_whole:
            return self.values
        if len(keys) == 1:
            only: FloatArray = self.values[0, 1] if self.interpolation == "CUBICSPLINE" else self.values[0]
            return only[None]
        frames = np.arange(grid.count, dtype=np.float64)
        if self.interpolation == "STEP":
            return self.values[np.clip(np.searchsorted(keys, frames, side="right") - 1, 0, len(keys) - 1)]
        return self._between(keys, frames, grid.fps_hz, self.path == "rotation")

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
    every = {id(track.times_s): track.times_s for track in tracks}.values()
    for fps_hz in RATES_HZ:
        if all(on_grid(times_s, start_s, fps_hz) for times_s in every):
            return fps_hz
    return None
