# SPDX-License-Identifier: Apache-2.0
"""A contact sheet of two motions: the source above the result, at the same times, from the side and from the front.

Both are drawn in their own size and in the same world directions, so that a wrong facing, a bent limb or a sliding foot
is seen at once. Below, the paths from above with the prints of the feet that stand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kineograph.motion.clip import Clip
from kineograph.rigs import Role, Side, profiles

FloatArray = NDArray[np.floating[Any]]
Color = tuple[int, int, int]

_PAPER, _INK, _FAINT, _GROUND = (250, 249, 246), (52, 55, 60), (150, 152, 156), (222, 219, 211)
_LEFT, _RIGHT, _TRUNK = (66, 122, 179), (201, 108, 62), (88, 92, 99)
_SCALE = 2  # drawn at twice the size, then reduced: smooth lines
_ROWS = (("source", "side"), ("result", "side"), ("source", "front"), ("result", "front"))
_ROW, _PLAN, _TOP = 230, 230, 46


def draw(source: Clip, result: Clip, out: Path, *, title: str = "", cells: int = 12, width: int = 1680) -> None:
    """Write the sheet as a PNG of ``width`` pixels."""
    figures = {"source": _Figure(source), "result": _Figure(result)}
    u, margin = _SCALE, 24 * _SCALE
    image = Image.new("RGB", (width * u, (_TOP + len(_ROWS) * _ROW + _PLAN + 24) * u), _PAPER)
    pen = ImageDraw.Draw(image)
    font, bold = ImageFont.load_default(12 * u), ImageFont.load_default(18 * u)
    pen.text((margin, 12 * u), title, _INK, bold)
    x = image.width - margin
    rates = f"{len(source)} frames at {source.fps_hz:g} fps  >  {len(result)} frames at {result.fps_hz:g} fps"
    for text, color in ((rates, _FAINT), ("right", _RIGHT), ("left", _LEFT)):
        x -= int(pen.textlength(text, font)) + 16 * u
        pen.text((x, 16 * u), text, color, font)
    side = figures["source"].forward()
    for row, (which, view) in enumerate(_ROWS):
        top = (_TOP + row * _ROW) * u
        axis = side if view == "side" else np.array([side[2], 0.0, -side[0]])
        box = (margin, top, image.width - margin, top + _ROW * u)
        figures[which].row(pen, font, box, axis, cells, f"{which}, {view}")
    top = (_TOP + len(_ROWS) * _ROW) * u
    half = (image.width - 3 * margin) // 2
    for i, (which, figure) in enumerate(figures.items()):
        left = margin + i * (half + margin)
        figure.plan(pen, font, (left, top, left + half, top + _PLAN * u), side, f"{which}, from above")
    image.resize((width, image.height // u), Image.Resampling.LANCZOS).save(out, format="PNG")


class _Figure:
    """One clip and how it is drawn; positions (T, J, 3) in world metres."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.positions, _ = clip.world()
        skeleton = clip.skeleton
        rig = profiles.read_rig(skeleton.names, skeleton.parents.tolist(), skeleton.rest_positions_m)
        self.rig = rig
        hips = rig.get(Role.HIPS)
        self.hips = skeleton.root if hips is None else hips
        self.colors = [_TRUNK] * len(skeleton)
        for j in range(len(skeleton)):
            up = j
            while up >= 0:
                role = rig.roles.get(up)
                if role is not None:
                    self.colors[j] = {Side.LEFT: _LEFT, Side.RIGHT: _RIGHT}.get(role.side, _TRUNK)
                    break
                up = int(skeleton.parents[up])
        own = (self.positions - self.positions[:, [self.hips]])[..., [0, 2]]
        self.reach = max(float(np.percentile(np.linalg.norm(own, axis=-1).max(axis=1), 75)), 1e-6)
        self.floor = float(np.percentile(self.positions[..., 1].min(axis=1), 2))
        self.tall = max(float(self.positions[..., 1].max()) - self.floor, 1e-6)

    def forward(self) -> FloatArray:
        """The horizontal direction of travel, else the one the hips face at first."""
        way = (self.positions[-1, self.hips] - self.positions[0, self.hips]) * np.array([1.0, 0.0, 1.0])
        if np.linalg.norm(way) < 0.25 * self.tall:
            left, right = self.rig.get(Role.LEFT_THIGH), self.rig.get(Role.RIGHT_THIGH)
            if left is not None and right is not None:
                across = self.positions[0, left] - self.positions[0, right]
                way = np.array([-across[2], 0.0, across[0]])
        length = float(np.linalg.norm(way))
        return way / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])

    def row(self, pen: Any, font: Any, box: tuple[int, int, int, int], axis: FloatArray, cells: int, name: str) -> None:
        """The figure at even times along a row, seen so that ``axis`` points to the right."""
        left, top, right, bottom = box
        count = min(cells, len(self.clip))
        frames = np.linspace(0, len(self.clip) - 1, count).round().astype(int)
        wide = (right - left) / count
        scale = min((bottom - top - 34 * _SCALE) / (self.tall * 1.05), wide / (2.0 * self.reach))
        ground = bottom - 8 * _SCALE
        pen.line((left, ground, right, ground), _GROUND, 2 * _SCALE)
        depth = np.array([-axis[2], 0.0, axis[0]])
        for column, frame in enumerate(frames.tolist()):
            middle = left + (column + 0.5) * wide
            self._draw(pen, frame, axis, depth, middle, ground, scale)
            if name.startswith("source, side"):
                pen.text((left + column * wide, top + 2), f"{frame / self.clip.fps_hz:.2f} s", _FAINT, font)
        pen.text((left, top + 16 * _SCALE), name, _INK, font)

    def plan(self, pen: Any, font: Any, box: tuple[int, int, int, int], side: FloatArray, name: str) -> None:
        """The path of the hips and of the toes, from above; the direction of travel to the right."""
        left, top, right, bottom = box
        down = np.array([-side[2], 0.0, side[0]])
        tracks = [(self.positions[:, self.hips], _TRUNK, 2)]
        for role, color in ((Role.LEFT_TOE, _LEFT), (Role.RIGHT_TOE, _RIGHT)):
            joint = self.rig.get(role)
            if joint is None:
                joint = self.rig.get(Role(f"{role.side}_foot"))
            if joint is not None:
                tracks.append((self.positions[:, joint], color, 1))
        flat = [np.stack([p @ side, p @ down], axis=-1) for p, _, _ in tracks]
        every = np.concatenate(flat)
        low, high = every.min(axis=0), every.max(axis=0)
        extent = np.maximum(high - low, 0.5 * self.tall)
        scale = float(min((right - left - 40) / extent[0], (bottom - top - 60) / extent[1]))
        middle = (low + high) / 2
        pen.rectangle(box, outline=_GROUND, width=_SCALE)
        pen.text((left + 8 * _SCALE, top + 4 * _SCALE), name, _INK, font)
        for points, (_, color, thick) in zip(flat, tracks, strict=True):
            at = (points - middle) * scale + ((left + right) / 2, (top + bottom) / 2)
            pen.line([(float(a), float(b)) for a, b in at], color, thick * _SCALE, joint="curve")
        pen.text((right - 60 * _SCALE, bottom - 18 * _SCALE), "1 m", _FAINT, font)
        pen.line(
            (right - 60 * _SCALE - scale, bottom - 10 * _SCALE, right - 60 * _SCALE, bottom - 10 * _SCALE),
            _FAINT,
            _SCALE,
        )

    def _draw(
        self, pen: Any, frame: int, axis: FloatArray, depth: FloatArray, middle: float, ground: float, scale: float
    ) -> None:
        p = self.positions[frame]
        root = p[self.hips]
        thick = max(int(0.02 * self.tall * scale), 2)
        parents = self.clip.skeleton.parents
        for j in np.argsort((p - root) @ depth).tolist():
            parent = int(parents[j])
            if parent < 0 or (float(np.linalg.norm(p[parent])) == 0.0 and parents[parent] < 0 and parent != self.hips):
                continue  # a root on the floor is no limb
            ends = [
                (middle + float((q - root) @ axis) * scale, ground - (float(q[1]) - self.floor) * scale)
                for q in (p[parent], p[j])
            ]
            pen.line((*ends[0], *ends[1]), self.colors[j], thick)
