# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn, as plain values: lines and labels in the scene's world, Blender units. No bpy, no GPU."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
Color = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Lines:
    """Separate lines: ``points`` (2 N, 3), two for each."""

    points: FloatArray
    color: Color
    width_px: float = 1.5


@dataclass(frozen=True, eq=False)
class Label:
    """A text at a place (3,); ``frame``: where a click on it goes."""

    place: FloatArray
    text: str
    color: Color
    frame: int | None = None


@dataclass(eq=False)
class Picture:
    """Everything of one drawing. It is made once and shown many times."""

    lines: list[Lines] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def line(self, points: FloatArray, color: Color, width_px: float = 1.5) -> None:
        """A line through points (N, 3)."""
        if len(points) > 1:
            self.lines.append(Lines(strip(points), color, width_px))

    def label(self, place: Sequence[float] | FloatArray, text: str, color: Color, frame: int | None = None) -> None:
        """A text at a place."""
        self.labels.append(Label(np.asarray(place, float), text, color, frame))


def apart(places: Sequence[tuple[float, float]], widths: Sequence[float], height: float) -> list[tuple[float, float]]:
    """Places (x, y) of texts moved down where they would cover one another; those higher up stay."""
    out: list[tuple[float, float]] = list(places)
    done: list[int] = []
    for n in sorted(range(len(places)), key=lambda i: -places[i][1]):
        x, y = places[n]
        for m in sorted(done, key=lambda i: -out[i][1]):
            beside = x > out[m][0] + widths[m] or out[m][0] > x + widths[n]
            if not beside and abs(out[m][1] - y) < height:
                y = out[m][1] - height
        out[n] = x, y
        done.append(n)
    return out


def color_of(name: str, alpha: float = 1.0, value: float = 0.95) -> Color:
    """One colour per character: by its name, so that it is the same in every session."""
    hue = (zlib.crc32(name.encode()) % 360) / 360.0
    r, g, b = colorsys.hsv_to_rgb(hue, 0.65, value)
    return r, g, b, alpha


def strip(points: FloatArray) -> FloatArray:
    """A line through points (N, 3) as separate lines (2 N - 2, 3)."""
    return np.repeat(np.asarray(points, float), 2, axis=0)[1:-1]


def cross(place: FloatArray, size: float) -> FloatArray:
    """Three short lines (6, 3) through a place."""
    ends = np.eye(3) * size
    return np.stack([place + s * e for e in ends for s in (-0.5, 0.5)])


def arrow(place: FloatArray, ahead: FloatArray, length: float) -> FloatArray:
    """An arrow (6, 3) lying on the floor; nothing for a direction without length."""
    flat = np.array([ahead[0], ahead[1], 0.0])
    size = float(np.linalg.norm(flat))
    if size < 1e-9:
        return np.zeros((0, 3))
    ahead, side = flat / size, np.array([-flat[1], flat[0], 0.0]) / size
    tip = place + ahead * length
    barbs = [tip - 0.3 * length * ahead + s * 0.2 * length * side for s in (-1.0, 1.0)]
    return np.stack([place, tip, tip, barbs[0], tip, barbs[1]])


def figure(joints: FloatArray, parents: NDArray[np.integer[Any]]) -> FloatArray:
    """A stick figure (2 N, 3) of joints (J, 3)."""
    below = np.flatnonzero(np.asarray(parents) >= 0)
    out = np.empty((2 * len(below), 3))
    out[::2], out[1::2] = joints[np.asarray(parents)[below]], joints[below]
    return out
