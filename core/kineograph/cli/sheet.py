# SPDX-License-Identifier: Apache-2.0
"""A contact sheet: one picture that shows a whole motion.

The character from the side at even times, a row for each sample, keys marked on the timeline, and the paths from above
with the pins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kineograph.motion import quat
from kineograph.motion.clip import Clip

FloatArray = NDArray[np.floating[Any]]
Color = tuple[int, int, int]

_PAPER, _INK, _FAINT, _GROUND = (250, 249, 246), (52, 55, 60), (176, 178, 182), (222, 219, 211)
_LEFT, _RIGHT, _TRUNK = (66, 122, 179), (201, 108, 62), (88, 92, 99)
_KEY, _PATH, _PIN = (214, 158, 32), (96, 150, 96), (178, 60, 120)
_SCALE = 2  # drawn at twice the size, then reduced: smooth lines


@dataclass(frozen=True)
class Marks:
    """What was asked for: key frames, path points (N, 2) on the floor (x, z), pins as (frame, position)."""

    keys: Sequence[int] = ()
    path_xz: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    pins: Sequence[tuple[int, FloatArray]] = ()

    @classmethod
    def of_request(cls, request: Mapping[str, Any]) -> Marks:
        """The marks of an MMCP request."""
        keys: list[int] = []
        path: list[Any] = []
        pins: list[tuple[int, FloatArray]] = []
        for c in request.get("constraints") or ():
            match c["type"]:
                case "pose_keyframe":
                    keys.append(int(c["frame"]))
                case "root_path":
                    path.extend(np.asarray(c["positions_xz"], float))
                case "effector_target":
                    pins.extend(
                        (int(f), np.asarray(p, float)) for f, p in zip(c["frames"], c["positions"], strict=True)
                    )
        return cls(sorted(set(keys)), np.asarray(path, float).reshape(-1, 2), pins)


def draw(
    clips: Sequence[Clip], marks: Marks, out: Path, *, title: str = "", cells: int = 12, width: int = 1680
) -> None:
    """Write the sheet of ``clips``, the samples of one motion, as a PNG of ``width`` pixels."""
    sheet = _Sheet(clips, marks, cells, width * _SCALE)
    for sample in range(len(clips)):
        sheet.figures(sample)
    sheet.timeline()
    sheet.plan()
    sheet.heading(title or clips[0].name)
    sheet.image.resize((width, sheet.image.height // _SCALE), Image.Resampling.LANCZOS).save(out)


class _Sheet:
    """Lays out and draws one sheet; positions are (T, J, 3) world metres, of the sample that is drawn."""

    def __init__(self, clips: Sequence[Clip], marks: Marks, cells: int, width: int) -> None:
        self.clips, self.marks = clips, marks
        self.clip = clip = clips[0]
        self.positions, self.rotations = clip.world()
        self.frames = np.unique(np.linspace(0, len(clip) - 1, min(cells, len(clip))).round().astype(int))
        self.u = _SCALE
        self.margin = 24 * self.u
        self.cell_w = (width - 2 * self.margin) // len(self.frames)
        self.cell_h = int(min(max(self.cell_w * 1.9, 220 * self.u), 340 * self.u))
        self.top, self.strip_h, self.plan_h = 56 * self.u, 74 * self.u, 300 * self.u
        self.strip = self.top + self.cell_h * len(clips)
        height = self.strip + self.strip_h + self.plan_h + self.margin
        self.image = Image.new("RGB", (width, height), _PAPER)
        self.pen = ImageDraw.Draw(self.image)
        self.font = ImageFont.load_default(13 * self.u)
        self.bold = ImageFont.load_default(19 * self.u)

    def heading(self, title: str) -> None:
        """Title, length and rate; the legend of colours."""
        clip = self.clip
        self.pen.text((self.margin, 14 * self.u), title, _INK, self.bold)
        said = f"{len(clip)} frames, {clip.duration_s:.1f} s at {clip.fps_hz:g} fps"
        x = self.image.width - self.margin
        for text, color in (
            (said, _FAINT),
            ("pin", _PIN),
            ("path", _PATH),
            ("key", _KEY),
            ("right", _RIGHT),
            ("left", _LEFT),
        ):
            x -= int(self.pen.textlength(text, self.font)) + 16 * self.u
            self.pen.text((x, 18 * self.u), text, color, self.font)

    def figures(self, sample: int) -> None:
        """The character from the side (seen from its right, travelling to the right) at even times."""
        if self.clip is not self.clips[sample]:
            self.clip = self.clips[sample]
            self.positions, self.rotations = self.clip.world()
        top = self.top + self.cell_h * sample
        if len(self.clips) > 1:
            self.pen.text((self.margin, top + 8 * self.u), f"sample {sample + 1}", _FAINT, self.font)
        side = self._side_axis()
        low = min(0.0, float(self.positions[..., 1].min()))
        tall = max(float(self.positions[..., 1].max()) - low, self.clip.skeleton.height_m) * 1.12
        wide = self._widest(side) * 1.1
        scale = min((self.cell_h - 30 * self.u) / tall, self.cell_w / max(wide, 1e-6))
        ground = top + self.cell_h - 24 * self.u + low * scale
        for column, frame in enumerate(self.frames):
            x0 = self.margin + column * self.cell_w
            keyed = self._key_near(int(frame))
            self.pen.line((x0, ground, x0 + self.cell_w, ground), _GROUND, 2 * self.u)
            center = x0 + self.cell_w / 2
            self._pins(int(frame), side, center, ground, scale)
            self._figure(int(frame), side, center, ground, scale)
            label = f"{frame / self.clip.fps_hz:.2f} s   f{frame}"
            below = top + self.cell_h
            self.pen.text((x0 + 8 * self.u, below - 18 * self.u), label, _KEY if keyed else _FAINT, self.font)
            if keyed:
                self._diamond(x0 + self.cell_w - 14 * self.u, below - 10 * self.u, _KEY)

    def timeline(self) -> None:
        """Keys as diamonds, pins as dots, the path's span as a bar, the pictured frames as ticks."""
        y = self.strip + 34 * self.u
        left, right = self.margin, self.image.width - self.margin
        last = max(len(self.clip) - 1, 1)

        def x(frame: float) -> float:
            return left + (right - left) * frame / last

        self.pen.line((left, y, right, y), _FAINT, self.u)
        for f in self.frames:
            self.pen.line((x(f), y - 5 * self.u, x(f), y + 5 * self.u), _FAINT, self.u)
        for f in self.marks.keys:
            self._diamond(x(f), y, _KEY)
            self.pen.text((x(f) - 6 * self.u, y + 12 * self.u), str(f), _FAINT, self.font)
        for f, _ in self.marks.pins:
            self._dot(x(f), y, 5 * self.u, _PIN)

    def plan(self) -> None:
        """From above: +X to the right, +Z up the page; the asked path, the roots' trails, facings, pins."""
        y0 = self.strip + self.strip_h
        roots = [clip.root_m[:, [0, 2]] for clip in self.clips]
        points = [*roots, self.marks.path_xz, *(p[None, [0, 2]] for _, p in self.marks.pins)]
        every = np.concatenate([p for p in points if len(p)])
        center, extent = (every.min(0) + every.max(0)) / 2, np.ptp(every, axis=0) + 0.6
        w, h = self.image.width - 2 * self.margin, self.plan_h - 12 * self.u
        turn = extent[1] > extent[0]  # a long walk lies along the page
        if turn:
            extent = extent[::-1]
        scale = float(min(w / extent[0], h / extent[1], 220 * self.u))

        def place(p: FloatArray) -> tuple[float, float]:
            d = p - center
            a, b = (d[1], d[0]) if turn else (d[0], -d[1])
            return self.margin + w / 2 + a * scale, y0 + h / 2 + b * scale

        self.pen.rectangle((self.margin, y0, self.margin + w, y0 + h), outline=_GROUND, width=self.u)
        axes = "from above: +z right, +x down" if turn else "from above: +x right, +z up"
        self.pen.text((self.margin + 8 * self.u, y0 + 6 * self.u), axes, _FAINT, self.font)
        if len(self.marks.path_xz) > 1:
            self.pen.line([place(p) for p in self.marks.path_xz], _PATH, 5 * self.u, joint="curve")
        for p in self.marks.path_xz:
            self._dot(*place(p), 4 * self.u, _PATH)
        for clip, root in zip(self.clips, roots, strict=True):
            self.pen.line([place(p) for p in root], _INK, 2 * self.u, joint="curve")
            facing = quat.rotate(clip.rotations_xyzw[:, clip.skeleton.root], np.array([0.0, 0.0, 1.0]))[:, [0, 2]]
            for f in self.frames:
                self.pen.line((*place(root[f]), *place(root[f] + 0.16 * facing[f])), _RIGHT, 2 * self.u)
        root = roots[0]
        for f in (k for k in self.marks.keys if k < len(root)):
            self._diamond(*place(root[f]), _KEY)
        for _, p in self.marks.pins:
            self._dot(*place(p[[0, 2]]), 6 * self.u, _PIN)

    def _figure(self, frame: int, side: FloatArray, center: float, ground: float, scale: float) -> None:
        p = self.positions[frame]
        root = self.clip.root_m[frame]
        depth_axis = np.array([-side[2], 0.0, side[0]])
        order = np.argsort((p - root) @ depth_axis)
        for j in order:
            parent = int(self.clip.skeleton.parents[j])
            if parent < 0:
                continue
            a, b = (
                (center + float((q - root) @ side) * scale, ground - float(q[1]) * scale) for q in (p[parent], p[j])
            )
            thick = max(int(0.028 * self.clip.skeleton.height_m * scale), 3)
            color = self._color(int(j))
            self.pen.line((*a, *b), color, thick)
            for x, y in (a, b):
                self._dot(x, y, thick / 2, color)

    def _pins(self, frame: int, side: FloatArray, center: float, ground: float, scale: float) -> None:
        step = len(self.clip) / max(len(self.frames), 1)
        for f, position in self.marks.pins:
            if abs(f - frame) <= step / 2:
                x = center + float((position - self.clip.root_m[frame]) @ side) * scale
                y, r = ground - float(position[1]) * scale, 7 * self.u
                self.pen.ellipse((x - r, y - r, x + r, y + r), outline=_PIN, width=2 * self.u)

    def _side_axis(self) -> FloatArray:
        """The horizontal direction drawn to the right: the travel, else the way the character faces at first."""
        travel = (self.clip.root_m[-1] - self.clip.root_m[0]) * np.array([1.0, 0.0, 1.0])
        if np.linalg.norm(travel) < 0.25 * self.clip.skeleton.height_m:
            travel = quat.rotate(self.rotations[0, self.clip.skeleton.root], np.array([0.0, 0.0, 1.0])) * np.array(
                [1.0, 0, 1.0]
            )
        length = float(np.linalg.norm(travel))
        return travel / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])

    def _widest(self, side: FloatArray) -> float:
        spread = (self.positions - self.clip.root_m[:, None]) @ side
        return 2 * float(np.abs(spread).max())

    def _key_near(self, frame: int) -> bool:
        return frame in set(self.marks.keys)

    def _color(self, joint: int) -> Color:
        x = float(
            self.clip.skeleton.rest_positions_m[joint, 0]
            - self.clip.skeleton.rest_positions_m[self.clip.skeleton.root, 0]
        )
        limit = 0.02 * self.clip.skeleton.height_m
        return _LEFT if x > limit else _RIGHT if x < -limit else _TRUNK

    def _dot(self, x: float, y: float, r: float, color: Color) -> None:
        self.pen.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def _diamond(self, x: float, y: float, color: Color) -> None:
        r = 7 * self.u
        self.pen.polygon([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], fill=color, outline=_PAPER)
