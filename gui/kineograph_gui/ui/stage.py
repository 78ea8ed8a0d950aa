# SPDX-License-Identifier: Apache-2.0
"""The preview as a place to work: waypoints on the floor, pins in the air, joints turned by hand.

The stage knows no draft: it shows what it is given and says what the hand did.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from kineograph.motion import quat
from kineograph_gui.model.draft import Waypoint, headings_rad
from kineograph_gui.model.pins import Pin
from kineograph_gui.model.take import Take
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import color
from kineograph_gui.ui.preview import FloatArray, Preview, point

REACH_PX = 14.0
LABEL_PX = 26.0
TURN_RAD = 0.01  # a pixel
STEP_RAD = float(np.deg2rad(5.0))
ARROW_M = 0.35
AXIS_M = 0.12


class Tool(StrEnum):
    """What a drag does."""

    LOOK = "look"
    WAY = "way"
    PIN = "pin"
    POSE = "pose"


class Stage(Preview):
    """Signals carry what the hand did: metres, radians, indices."""

    way_added = Signal(float, float)
    way_moved = Signal(int, float, float)
    way_turned = Signal(int, float)
    pin_added = Signal(int)
    pin_moved = Signal(int, object)
    joint_picked = Signal(int)
    joint_turned = Signal(int, object, float)
    released = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tool = Tool.LOOK
        self.ghosts = True
        self.root_trail = False
        self.joint = -1
        self.chosen: tuple[str, int] = ("", -1)
        self._ways: Sequence[Waypoint] = ()
        self._pins: Sequence[Pin] = ()
        self._held: tuple[str, int] | None = None
        self._framed_rig: object = None
        self.setAccessibleName(say("stage.view"))
        self.setMouseTracking(True)

    # --- what is shown ------------------------------------------------------------------------------------------------
    def show_draft(self, take: Take | None, ways: Sequence[Waypoint] = (), pins: Sequence[Pin] = ()) -> None:
        """Another pose, path or pins. The view stays, unless the rig is another one or something lies outside of a view
        that nobody has turned."""
        self._ways, self._pins = ways, pins
        self.hint = say("new.no_rig")
        self.take, self.frame = take, 0
        rig = take.skeleton if take is not None else None
        if rig is not self._framed_rig:
            self._framed_rig, self.joint = rig, -1
            self.frame_view()
        elif self._held is None and self.camera.place == self._framed_eye and not self._sees_all():
            self.frame_view()
        self.update()

    def frame_view(self) -> None:
        """The figure, wherever its path takes it, and all pins in view."""
        if self.take is not None:
            self.camera.frame(self._whole(self.take), self.width() / max(self.height(), 1))
            self._framed_eye = self.camera.place
        self.update()

    def _whole(self, take: Take) -> FloatArray:
        """Everything there is to see: (N, 3) metres."""
        ways = [[way.x_m, y_m, way.z_m] for way in self._ways for y_m in (0.0, take.skeleton.height_m)]
        pins = [point.position_m for pin in self._pins for point in pin.points]
        return np.concatenate([take.positions_m.reshape(-1, 3), np.array([*ways, *pins], float).reshape(-1, 3)])

    def _sees_all(self) -> bool:
        if self.take is None:
            return True
        pixels, _ = self.pixels(self._whole(self.take))
        inside = (pixels >= 0) & (pixels <= [self.width(), self.height()])
        return bool(inside.all())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.take is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ways(painter)
        self._paint_pins(painter)
        if self.tool in (Tool.POSE, Tool.PIN):
            self._paint_joints(painter, self.take)
        painter.end()

    def _paint_ways(self, painter: QPainter) -> None:
        last: QPointF | None = None
        for i, (way, heading) in enumerate(zip(self._ways, headings_rad(self._ways), strict=True)):
            paint = color("accent")
            at, tip = self._way_pixels(way, heading)
            painter.setPen(QPen(paint, 2.0))
            painter.setBrush(color("accent") if self.chosen == ("way", i) else color("stage"))
            painter.drawEllipse(at, 6, 6)
            painter.drawLine(at, tip)
            painter.setBrush(paint if way.heading_rad is not None else color("stage"))
            painter.drawEllipse(tip, 3.5, 3.5)
            if last is None or not _near(at, last, LABEL_PX):
                last = at
                painter.setPen(color("quiet"))
                painter.drawText(at + QPointF(9, 14), str(way.frame))

    def _way_pixels(self, way: Waypoint, heading_rad: float) -> tuple[QPointF, QPointF]:
        foot = np.array([way.x_m, 0.0, way.z_m])
        ahead = foot + ARROW_M * np.array([np.sin(heading_rad), 0.0, np.cos(heading_rad)])
        pixels, _ = self.pixels(np.stack([foot, ahead]))
        return point(pixels[0]), point(pixels[1])

    def _paint_pins(self, painter: QPainter) -> None:
        for i, pin in enumerate(self._pins):
            pixels, _ = self.pixels(np.asarray(pin.position_m, float))
            if self.chosen == ("pin", i):
                painter.setPen(QPen(color("off"), 2.5))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(point(pixels), 9, 9)
            self._paint_direction(painter, pin)
            painter.setPen(color("quiet"))
            span = f"{pin.frame}-{pin.last}" if pin.last > pin.frame else str(pin.frame)
            painter.drawText(point(pixels) + QPointF(11, 14), f"{pin.joint} {span}")

    def _paint_direction(self, painter: QPainter, pin: Pin) -> None:
        """The joint's own axes where it is to be turned; a line where a pin moves along."""
        places = np.array([p.position_m for p in pin.points], float)
        if len(places) > 1:
            along, _ = self.pixels(places)
            painter.setPen(QPen(color("off"), 1.5, Qt.PenStyle.DotLine))
            painter.drawPolyline([point(p) for p in along])
        if pin.rotation_xyzw is None:
            return
        axes = places[0] + AXIS_M * quat.to_matrix(np.asarray(pin.rotation_xyzw)).T
        tips, _ = self.pixels(np.concatenate([places[:1], axes]))
        for tip, name in zip(tips[1:], ("off", "text", "accent"), strict=True):
            painter.setPen(QPen(color(name), 2.0))
            painter.drawLine(point(tips[0]), point(tip))

    def _paint_joints(self, painter: QPainter, take: Take) -> None:
        pixels, _ = self.pixels(take.positions_m[0, 0])
        for joint, at in enumerate(pixels):
            chosen = joint == self.joint
            painter.setPen(QPen(color("off") if chosen else color("accent"), 1.6))
            painter.setBrush(color("off") if chosen else QColor(color("stage")))
            painter.drawEllipse(point(at), 5.5 if chosen else 3.2, 5.5 if chosen else 3.2)
        if 0 <= self.joint < len(pixels):
            painter.setPen(color("text"))
            painter.drawText(point(pixels[self.joint]) + QPointF(10, -8), take.skeleton.names[self.joint])

    # --- hands --------------------------------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self._held = None
        plain = event.button() == Qt.MouseButton.LeftButton and not event.modifiers() & _SHIFT
        if self.take is not None and plain and self.tool is not Tool.LOOK:
            self._held = self._take_hold(event.position(), self.take)

    def _take_hold(self, at: QPointF, take: Take) -> tuple[str, int] | None:
        match self.tool:
            case Tool.WAY:
                return self._hold_way(at)
            case Tool.PIN:
                return self._hold_pin(at, take)
            case _:
                joint = self.joint_at(at, take)
                if joint >= 0:
                    self.joint = joint
                    self.joint_picked.emit(joint)
                    self.update()
                return ("joint", self.joint) if joint >= 0 else None

    def _hold_way(self, at: QPointF) -> tuple[str, int] | None:
        for i, (way, heading) in enumerate(zip(self._ways, headings_rad(self._ways), strict=True)):
            foot, tip = self._way_pixels(way, heading)
            if _near(at, foot):
                return "way", i
            if _near(at, tip):
                return "heading", i
        return None

    def _hold_pin(self, at: QPointF, take: Take) -> tuple[str, int] | None:
        for i, pin in enumerate(self._pins):
            pixels, _ = self.pixels(np.asarray(pin.position_m, float))
            if _near(at, point(pixels)):
                return "pin", i
        joint = self.joint_at(at, take)
        if joint >= 0:
            self.pin_added.emit(joint)
            return "pin", len(self._pins) - 1
        return None

    def joint_at(self, at: QPointF, take: Take) -> int:
        """The joint under a pixel, or -1."""
        pixels, depth = self.pixels(take.positions_m[0, 0])
        far = np.hypot(pixels[:, 0] - at.x(), pixels[:, 1] - at.y())
        best = int(np.argmin(far + depth * 0.01))
        return best if far[best] <= REACH_PX else -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None or self.grabbed is None:
            super().mouseMoveEvent(event)
            return
        d = event.position() - self.grabbed
        self.grabbed = event.position()
        kind, index = self._held
        if kind == "joint":
            self._turn_by_drag(index, d.x(), d.y(), roll=bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))
        elif kind == "pin":
            place = np.asarray(self._pins[index].position_m, float)
            self.pin_moved.emit(index, self.camera.shift(place, d.x(), d.y(), self.width(), self.height()))
        else:
            self._drag_on_floor(kind, index, event.position())

    def _drag_on_floor(self, kind: str, index: int, at: QPointF) -> None:
        hit = self.camera.on_floor(at.x(), at.y(), self.width(), self.height())
        if hit is None or index >= len(self._ways):
            return
        if kind == "way":
            self.way_moved.emit(index, *hit)
            return
        way = self._ways[index]
        self.way_turned.emit(index, float(np.arctan2(hit[0] - way.x_m, hit[1] - way.z_m)))

    def _turn_by_drag(self, joint: int, dx: float, dy: float, *, roll: bool) -> None:
        right, up, back = self.camera.axes()
        if roll:
            self.joint_turned.emit(joint, back, -dx * TURN_RAD)
            return
        axis: FloatArray = up * dx + right * dy
        size = float(np.linalg.norm(axis))
        if size > 0:
            self.joint_turned.emit(joint, axis / size, size * TURN_RAD)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if self._held is not None:
            self._held = None
            self.released.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        hit = self.camera.on_floor(event.position().x(), event.position().y(), self.width(), self.height())
        if self.tool is Tool.WAY and hit is not None and self.take is not None:
            self.way_added.emit(*hit)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        right, up, _ = self.camera.axes()
        steps = {
            Qt.Key.Key_Left: (up, -STEP_RAD), Qt.Key.Key_Right: (up, STEP_RAD),
            Qt.Key.Key_Up: (right, -STEP_RAD), Qt.Key.Key_Down: (right, STEP_RAD),
        }  # fmt: skip
        key = Qt.Key(event.key())
        if self.tool is Tool.POSE and self.take is not None and key in (Qt.Key.Key_N, Qt.Key.Key_P):
            self.joint = (self.joint + (1 if key == Qt.Key.Key_N else -1)) % len(self.take.skeleton)
            self.joint_picked.emit(self.joint)
            self.update()
        elif self.tool is Tool.POSE and self.joint >= 0 and key in steps:
            axis, angle = steps[key]
            self.joint_turned.emit(self.joint, axis, angle)
            self.released.emit()
        else:
            super().keyPressEvent(event)


_SHIFT = Qt.KeyboardModifier.ShiftModifier


def _near(a: QPointF, b: QPointF, reach_px: float = REACH_PX) -> bool:
    return float(np.hypot(a.x() - b.x(), a.y() - b.y())) <= reach_px
