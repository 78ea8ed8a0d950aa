# SPDX-License-Identifier: Apache-2.0
"""A request as a strip: its spans with their prompts, and a mark for every key, path point and pin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from kineograph.fixes import timeline
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import color

_LEFT = int(Qt.AlignmentFlag.AlignLeft) | int(Qt.AlignmentFlag.AlignVCenter)
_PAINT = {"pose_keyframe": "text", "root_path": "accent"}
MOST_MARKS = 400


class Strip(QWidget):
    """Read-only; empty and hidden without a request."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spans: list[tuple[int, int, str]] = []
        self._marks: list[tuple[int, str]] = []
        self._frames = 1
        self.setFixedHeight(34)
        self.setAccessibleName(say("details.request"))
        self.hide()

    def show_request(self, request: Mapping[str, Any] | None) -> None:
        """Another request."""
        self._spans, self._marks, start = [], [], 0
        for _, segment in timeline.items(request or {}, "segments"):
            frames = timeline.segment_frames(segment)
            self._spans.append((start, start + frames, str(segment.get("prompt") or say("details.free"))))
            start += frames
        for _, constraint in timeline.items(request or {}, "constraints"):
            kind = str(constraint.get("type"))
            self._marks += [(frame, kind) for frame in timeline.frames_of(constraint)]
        del self._marks[MOST_MARKS:]
        self._frames = max(start, 1)
        self.setVisible(bool(self._spans))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        wide = self.width() - 4.0
        for start, stop, text in self._spans:
            box = QRectF(2 + wide * start / self._frames, 1, wide * (stop - start) / self._frames - 2, 20)
            painter.setPen(QPen(color("line"), 1))
            painter.setBrush(color("accent", 40))
            painter.drawRoundedRect(box, 3, 3)
            painter.setPen(color("text"))
            room = box.adjusted(5, 0, -4, 0)
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(int(room.width()), 0))
            painter.drawText(room, _LEFT, shown)
        painter.setPen(Qt.PenStyle.NoPen)
        for frame, kind in self._marks:
            painter.setBrush(color(_PAINT.get(kind, "off")))
            painter.drawEllipse(QPointF(2 + wide * min(max(frame, 0), self._frames) / self._frames, 28), 2.6, 2.6)
        painter.end()
