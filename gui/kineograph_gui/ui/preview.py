# SPDX-License-Identifier: Apache-2.0
"""The motion in 3D, painted in software: it needs no OpenGL, so it runs over remote desktops and offscreen."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from kineograph_gui.model.camera import NEAR_M, Camera
from kineograph_gui.model.take import Take
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import color, look

FloatArray = NDArray[np.floating[Any]]
MOST_GHOSTS = 14
NOTABLE_CM = 0.5


class Arrangement(StrEnum):
    """How several samples stand."""

    ONE = "one"
    SIDE = "side"
    OVERLAY = "overlay"


class Preview(QWidget):
    """One take at one frame. Drag turns, Shift or the middle button moves, the wheel zooms, F frames."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.camera = Camera()
        self.take: Take | None = None
        self.frame = 0
        self.sample = 0
        self.arrangement = Arrangement.ONE
        self.ghosts = False
        self.trails = False
        self.root_trail = True
        self.hint = say("motion.none")
        self.grabbed: QPointF | None = None
        self.setMinimumSize(220, 150)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(say("motion.view"))
        self._framed_eye: object = None

    # --- what is shown ------------------------------------------------------------------------------------------------
    def show_take(self, take: Take | None, hint: str = "") -> None:
        """Another take, seen whole."""
        self.take, self.hint = take, hint or say("motion.none")
        self.frame = self.sample = 0
        self.frame_view()

    def show_frame(self, frame: int) -> None:
        """Another frame."""
        self.frame = frame
        self.update()

    def frame_view(self) -> None:
        """Everything in view."""
        if self.take is not None:
            shift = self._shifts()
            shown = np.concatenate([self.take.positions_m[b] + s for b, s in shift])
            if self.take.path_m is not None:
                shown = np.concatenate([shown.reshape(-1, 3), self.take.path_m])
            self.camera.frame(shown, self.width() / max(self.height(), 1))
            self._framed_eye = self.camera.place
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.take is not None and self._framed_eye == self.camera.place:  # nobody has looked elsewhere since
            self.frame_view()

    def _shifts(self) -> list[tuple[int, FloatArray]]:
        """Samples that are drawn and where each stands, metres."""
        take = self.take
        assert take is not None
        if self.arrangement is Arrangement.ONE or take.samples == 1:
            return [(min(self.sample, take.samples - 1), np.zeros(3))]
        if self.arrangement is Arrangement.OVERLAY:
            return [(b, np.zeros(3)) for b in range(take.samples)]
        spread = float(np.ptp(take.positions_m[..., 0].min(axis=(1, 2)))) + take.skeleton.height_m * 0.9
        middle = (take.samples - 1) / 2
        return [(b, np.array([(b - middle) * spread, 0.0, 0.0])) for b in range(take.samples)]

    # --- painting -----------------------------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), color("stage"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.take is None:
            painter.setPen(color("quiet"))
            painter.drawText(self.rect().adjusted(20, 10, -20, -10), _CENTRE, self.hint)
        else:
            self._paint_take(painter, self.take)
        if self.hasFocus():
            painter.setPen(QPen(color("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _paint_take(self, painter: QPainter, take: Take) -> None:
        self._paint_grid(painter)
        frame = min(self.frame, take.frames - 1)
        for number, (b, shift) in enumerate(self._shifts()):
            paint = QColor(look().samples[b % len(look().samples)])
            if self.take is not None and take.path_m is not None:
                self.line(painter, take.path_m + shift, color("accent", 150), 2.0, dashed=True)
            if self.root_trail:
                trail = _on_floor(take.positions_m[b, :, take.skeleton.root]) + shift
                self.line(painter, trail, _thin(paint, 130), 1.4)
            self._paint_contacts(painter, take, b, frame, shift)
            if self.ghosts:
                for ghost in take.keyed[:MOST_GHOSTS]:
                    if ghost < take.frames and ghost != frame:
                        self.bones(painter, take, take.positions_m[b, ghost] + shift, _thin(paint, 55), 0.7)
            if self.trails:
                self._paint_trails(painter, take, b, shift, paint)
            alpha = 255 if number == 0 or self.arrangement is not Arrangement.OVERLAY else 150
            self.bones(painter, take, take.positions_m[b, frame] + shift, _thin(paint, alpha), 1.0)
            self._paint_goals(painter, take, b, frame, shift)

    def pixels(self, points_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.camera.project(points_m, self.width(), self.height())

    def _paint_grid(self, painter: QPainter) -> None:
        centre = np.round(self.camera.target_m[[0, 2]])
        reach = float(np.clip(np.ceil(self.camera.distance_m * 1.2), 3, 12))
        marks = np.arange(-reach, reach + 1)
        fixed = np.stack([np.full_like(marks, -reach), np.full_like(marks, reach)], axis=1)
        moving = np.repeat(marks[:, None], 2, axis=1)
        for x, z in ((moving, fixed), (fixed, moving)):
            ends = np.stack([x + centre[0], np.zeros_like(x), z + centre[1]], axis=-1)
            pixels, depth = self._clipped(ends)
            lines = [
                QLineF(float(a[0]), float(a[1]), float(b[0]), float(b[1]))
                for (a, b), d in zip(pixels, depth, strict=True)
                if d.max() > NEAR_M
            ]
            painter.setPen(QPen(color("grid"), 1))
            painter.drawLines(lines)

    def _clipped(self, ends_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pixels of lines (N, 2, 3), shortened to what is before the camera."""
        back = self.camera.axes()[2]
        depth = self.camera.distance_m - (ends_m - self.camera.target_m) @ back
        near = NEAR_M * 4
        out = ends_m.copy()
        for end in (0, 1):
            behind = (depth[:, end] < near) & (depth[:, 1 - end] > near)
            share = (near - depth[behind, end]) / (depth[behind, 1 - end] - depth[behind, end])
            out[behind, end] += share[:, None] * (ends_m[behind, 1 - end] - ends_m[behind, end])
        return self.pixels(out)

    def bones(self, painter: QPainter, take: Take, positions_m: FloatArray, paint: QColor, weight: float) -> None:
        pixels, depth = self.pixels(positions_m)
        scale = self.camera.focal * self.height() / 2 / np.maximum(depth, NEAR_M)
        thick = np.clip(scale * 0.03 * take.skeleton.height_m, 1.4, 12.0) * weight
        for joint in np.argsort(-depth):
            parent = int(take.parents[joint])
            if parent < 0:
                continue
            painter.setPen(QPen(paint, float(thick[joint]), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(point(pixels[parent]), point(pixels[joint]))
        if weight >= 1.0:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(paint.lighter(125))
            for joint, at in enumerate(pixels):
                size = float(thick[joint]) * 0.62
                painter.drawEllipse(point(at), size, size)

    def _paint_contacts(self, painter: QPainter, take: Take, b: int, frame: int, shift: FloatArray) -> None:
        standing = np.flatnonzero(take.standing[b, frame])
        if not len(standing):
            return
        angle = np.linspace(0, 2 * np.pi, 17)
        ring = np.stack([np.cos(angle), np.zeros_like(angle), np.sin(angle)], axis=-1)
        for joint in standing:
            at = _on_floor(take.positions_m[b, frame, joint][None]) + shift
            pixels, _ = self.pixels(at + ring * 0.055 * take.skeleton.height_m)
            painter.setPen(QPen(color("good"), 1.6))
            painter.setBrush(color("good", 60))
            painter.drawPolygon(QPolygonF([point(p) for p in pixels]))

    def _paint_trails(self, painter: QPainter, take: Take, b: int, shift: FloatArray, paint: QColor) -> None:
        ends = [j for j, c in enumerate(take.skeleton.children) if not c][:8]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_thin(paint, 120))
        step = max(1, take.frames // 200)
        pixels, _ = self.pixels(take.positions_m[b, ::step][:, ends].reshape(-1, 3) + shift)
        for at in pixels:
            painter.drawEllipse(point(at), 1.3, 1.3)

    def _paint_goals(self, painter: QPainter, take: Take, b: int, frame: int, shift: FloatArray) -> None:
        for goal in take.goals:
            off = goal.miss_cm is not None and goal.miss_cm > NOTABLE_CM
            paint = color("off" if off else "accent", 255 if goal.frame == frame else 150)
            pixels, _ = self.pixels(goal.position_m + shift)
            x, y = float(pixels[0]), float(pixels[1])
            painter.setPen(QPen(paint, 1.8))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawLine(QPointF(x - 6, y), QPointF(x + 6, y))
            painter.drawLine(QPointF(x, y - 6), QPointF(x, y + 6))
            painter.drawEllipse(QPointF(x, y), 4.5, 4.5)
            joint = take.skeleton.index.get(goal.joint)
            if off and joint is not None and goal.frame < take.frames:
                reached, _ = self.pixels(take.positions_m[b, goal.frame, joint] + shift)
                painter.setPen(QPen(paint, 1.4, Qt.PenStyle.DotLine))
                painter.drawLine(point(reached), QPointF(x, y))
            if goal.miss_cm is not None:
                painter.setPen(paint)
                painter.drawText(QPointF(x + 9, y - 5), say("motion.miss", miss=f"{goal.miss_cm:.1f}"))

    def line(
        self, painter: QPainter, points_m: FloatArray, paint: QColor, width: float, *, dashed: bool = False
    ) -> None:
        if len(points_m) < 2:
            return
        pixels, depth = self._clipped(np.stack([points_m[:-1], points_m[1:]], axis=1))
        painter.setPen(QPen(paint, width, Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine))
        painter.drawLines(
            [QLineF(point(a), point(b)) for (a, b), d in zip(pixels, depth, strict=True) if d.min() > NEAR_M]
        )

    # --- hands --------------------------------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.grabbed = event.position()
        self.setFocus(Qt.FocusReason.MouseFocusReason)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.grabbed is None:
            return
        d = event.position() - self.grabbed
        self.grabbed = event.position()
        held = event.buttons()
        if held & Qt.MouseButton.MiddleButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.camera.pan(d.x(), d.y(), self.height())
        elif held & Qt.MouseButton.RightButton:
            self.camera.zoom(-d.y() * 0.05)
        else:
            self.camera.orbit(d.x(), d.y())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.grabbed = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.camera.zoom(event.angleDelta().y() / 120)
        self.update()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        turns = {
            Qt.Key.Key_Left: (-12.0, 0.0), Qt.Key.Key_Right: (12.0, 0.0),
            Qt.Key.Key_Up: (0.0, 12.0), Qt.Key.Key_Down: (0.0, -12.0),
        }  # fmt: skip
        key = Qt.Key(event.key())
        if key in turns:
            self.camera.orbit(*turns[key])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.camera.zoom(-1 if key == Qt.Key.Key_Minus else 1)
        else:
            super().keyPressEvent(event)
            return
        self.update()


_CENTRE = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)


def point(xy: FloatArray) -> QPointF:
    return QPointF(float(xy[0]), float(xy[1]))


def _thin(paint: QColor, alpha: int) -> QColor:
    out = QColor(paint)
    out.setAlpha(alpha)
    return out


def _on_floor(points_m: FloatArray) -> FloatArray:
    out = np.array(points_m, float)
    out[..., 1] = 0.0
    return out
