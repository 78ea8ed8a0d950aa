# SPDX-License-Identifier: Apache-2.0
"""A body as a figure: a dot a role, calm when sure, marked when guessed, hollow when missing. It faces us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from kineograph_gui.model.mending import RoleLine
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import color

# The character's left is at our right. Units: body heights, the floor at 1.
_MIDDLE = {
    "head": (0.0, 0.08), "neck": (0.0, 0.18), "chest": (0.0, 0.28), "spine": (0.0, 0.38), "hips": (0.0, 0.50),
    "root": (0.0, 1.02),
}  # fmt: skip
_SIDE = {
    "clavicle": (0.06, 0.21), "upper_arm": (0.13, 0.23), "forearm": (0.19, 0.37), "hand": (0.24, 0.50),
    "thigh": (0.07, 0.54), "calf": (0.09, 0.74), "foot": (0.10, 0.94), "toe": (0.15, 0.98),
}  # fmt: skip
_BONES = (
    ("head", "neck"), ("neck", "chest"), ("chest", "spine"), ("spine", "hips"), ("chest", "clavicle"),
    ("clavicle", "upper_arm"), ("upper_arm", "forearm"), ("forearm", "hand"), ("hips", "thigh"), ("thigh", "calf"),
    ("calf", "foot"), ("foot", "toe"),
)  # fmt: skip
PLACES: Mapping[str, tuple[float, float]] = {
    **_MIDDLE,
    **{f"left_{part}": at for part, at in _SIDE.items()},
    **{f"right_{part}": (-x, y) for part, (x, y) in _SIDE.items()},
}
REACH_PX = 12


class Figure(QWidget):
    """A click chooses a role."""

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: dict[str, RoleLine] = {}
        self._chosen = ""
        self.setMinimumSize(160, 260)
        self.setAccessibleName(say("map.figure"))

    def show_lines(self, lines: Sequence[RoleLine]) -> None:
        """How the roles are filled."""
        self._lines = {str(line.role): line for line in lines}
        self.update()

    def choose(self, role: str) -> None:
        """Mark a role."""
        self._chosen = role
        self.update()

    def place(self, role: str) -> QPointF:
        """Where a role is drawn."""
        x, y = PLACES[role]
        size = min(self.height() / 1.15, self.width() / 0.62)
        return QPointF(self.width() / 2 + x * size, self.height() * 0.03 + y * size)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), color("stage"))
        painter.setPen(QPen(color("quiet"), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        for a, b in _BONES:
            for side in ("left_", "right_"):
                one, two = a if a in _MIDDLE else side + a, b if b in _MIDDLE else side + b
                painter.drawLine(self.place(one), self.place(two))
        for role in PLACES:
            self._dot(painter, role)
        painter.end()

    def _dot(self, painter: QPainter, role: str) -> None:
        line = self._lines.get(role)
        filled = line is not None and bool(line.joint)
        unsure = line is not None and bool(line.tone)
        paint = color("off") if unsure else color("good") if filled else color("quiet")
        painter.setPen(QPen(color("accent") if role == self._chosen else paint, 3 if role == self._chosen else 1.6))
        painter.setBrush(paint if filled else color("stage"))
        painter.drawEllipse(self.place(role), 6, 6)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        near = min(PLACES, key=lambda role: (self.place(role) - at).manhattanLength())
        if (self.place(near) - at).manhattanLength() <= REACH_PX * 1.5:
            self.picked.emit(near)
