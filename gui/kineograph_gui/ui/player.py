# SPDX-License-Identifier: Apache-2.0
"""The preview with its controls: play at true speed, scrub, loop, samples, export."""

from __future__ import annotations

import time

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from kineograph_gui.model.take import Take
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import color
from kineograph_gui.ui.parts import button, label, toggle
from kineograph_gui.ui.preview import NOTABLE_CM, Arrangement, Preview


class Timeline(QWidget):
    """Frames left to right: a dot a key, a diamond a pin, the playhead; click and drag scrub."""

    scrubbed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.take: Take | None = None
        self.frame = 0
        self.setFixedHeight(26)
        self.setMinimumWidth(80)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(say("motion.timeline"))

    def show_take(self, take: Take | None) -> None:
        """Another take."""
        self.take, self.frame = take, 0
        self.update()

    def show_frame(self, frame: int) -> None:
        """Another frame."""
        self.frame = frame
        self.update()

    def _x(self, frame: float) -> float:
        last = max((self.take.frames if self.take else 1) - 1, 1)
        return 8 + (self.width() - 16) * frame / last

    def _seek(self, x: float) -> None:
        if self.take is not None:
            last = self.take.frames - 1
            share = (x - 8) / max(self.width() - 16, 1)
            self.scrubbed.emit(int(min(max(round(share * last), 0), last)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._seek(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._seek(event.position().x())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageDown: 10, Qt.Key.Key_PageUp: -10}
        if self.take is None or Qt.Key(event.key()) not in steps:
            super().keyPressEvent(event)
            return
        frame = self.frame + steps[Qt.Key(event.key())]
        self.scrubbed.emit(min(max(frame, 0), self.take.frames - 1))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        painter.setPen(QPen(color("line"), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(8, middle), QPointF(self.width() - 8, middle))
        if self.take is not None:
            painter.setPen(QPen(color("accent"), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(8, middle), QPointF(self._x(self.frame), middle))
            painter.setPen(Qt.PenStyle.NoPen)
            for key in self.take.keyed:
                _dot(painter, self._x(key), middle, color("text"))
            for goal in self.take.goals:
                _diamond(painter, self._x(goal.frame), middle, color("off"))
            painter.setBrush(color("accent"))
            painter.drawRoundedRect(QRectF(self._x(self.frame) - 2.5, 3, 5, self.height() - 6), 2, 2)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(color("accent"), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.end()


class Player(QWidget):
    """Preview, timeline, buttons."""

    wants_export = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preview = Preview()
        self.timeline = Timeline()
        self._count = label(wrap=False)
        self._play = button(say("motion.play"), self.toggle)
        self._loop = toggle(say("motion.loop"), on=True)
        self.ghosts = toggle(say("motion.ghosts"))
        self.trails = toggle(say("motion.trails"))
        self._sample = QComboBox()
        self._sample.setAccessibleName(say("motion.sample", number=""))
        self.how = QComboBox()
        self.how.setAccessibleName(say("motion.side"))
        for how, key in zip(Arrangement, ("motion.one", "motion.side", "motion.overlay"), strict=True):
            self.how.addItem(say(key), how)
        self._export = button(say("do.export"), lambda: self.wants_export.emit(max(self._sample.currentIndex(), 0)))
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._started_s = 0.0
        self._started_at = 0
        self._lay_out()
        self._wire()
        self.show_take(None)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self._play)
        row.addWidget(self.timeline, 1)
        row.addWidget(self._count)
        more = QHBoxLayout()
        more.setSpacing(6)
        for switch in (self._loop, self.ghosts, self.trails):
            more.addWidget(switch)
        more.addStretch(1)
        for part in (self._sample, self.how, self._export):
            more.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.preview, 1)
        layout.addLayout(row)
        layout.addLayout(more)
        self._play.setFixedWidth(self._play.fontMetrics().horizontalAdvance(say("motion.pause")) + 34)

    def _wire(self) -> None:
        self.timeline.scrubbed.connect(self.seek)
        self.ghosts.toggled.connect(lambda on: self._set("ghosts", on))
        self.trails.toggled.connect(lambda on: self._set("trails", on))
        self._sample.currentIndexChanged.connect(lambda i: self._set("sample", max(i, 0)))
        self.how.currentIndexChanged.connect(lambda i: self._arrange())

    # --- what is shown ------------------------------------------------------------------------------------------------
    def show_take(self, take: Take | None, hint: str = "") -> None:
        """Another take, at its first frame, standing still."""
        self.stop()
        self.preview.show_take(take, hint)
        self.timeline.show_take(take)
        self._sample.blockSignals(True)
        self._sample.clear()
        for b in range(take.samples if take else 0):
            self._sample.addItem(say("motion.sample", number=b + 1))
        self._sample.blockSignals(False)
        several = take is not None and take.samples > 1
        self._sample.setVisible(several)
        self.how.setVisible(several)
        moving = take is not None and take.frames > 1
        for part in (self._play, self.timeline, self._loop, self.trails, self._export):
            part.setEnabled(moving)
        self.ghosts.setEnabled(moving and bool(take and take.keyed))
        self._show_count()

    @property
    def is_playing(self) -> bool:
        """Whether it plays."""
        return self._timer.isActive()

    def seek(self, frame: int) -> None:
        """Show a frame; playing goes on from there."""
        self.preview.show_frame(frame)
        self.timeline.show_frame(frame)
        self._started_s, self._started_at = time.perf_counter(), frame
        self._show_count()

    def show_middle(self) -> None:
        """The worst miss, else the middle, with the keys as ghosts: what a still picture shows best."""
        take = self.preview.take
        if take is None or take.frames < 2:
            return
        missed = [goal for goal in take.goals if (goal.miss_cm or 0.0) > NOTABLE_CM and goal.frame < take.frames]
        worst = max(missed, key=lambda goal: goal.miss_cm or 0.0, default=None)
        self.ghosts.setChecked(bool(take.keyed))
        self.seek(take.frames // 2 if worst is None else worst.frame)

    def toggle(self) -> None:
        """Play or pause."""
        self.stop() if self.is_playing else self.play()

    def play(self) -> None:
        """Play at true speed; frames are left out when painting is slower than the motion."""
        take = self.preview.take
        if take is None or take.frames < 2:
            return
        start = 0 if self.preview.frame >= take.frames - 1 else self.preview.frame
        self.seek(start)
        self._timer.start(max(8, round(500 / take.fps_hz)))
        self._play.setText(say("motion.pause"))

    def stop(self) -> None:
        """Pause."""
        self._timer.stop()
        self._play.setText(say("motion.play"))

    def _tick(self) -> None:
        take = self.preview.take
        if take is None:
            return
        frame = self._started_at + int((time.perf_counter() - self._started_s) * take.fps_hz)
        if frame > take.frames - 1 and not self._loop.isChecked():
            self.stop()
            frame = take.frames - 1
        frame %= take.frames
        if frame != self.preview.frame:
            self.preview.show_frame(frame)
            self.timeline.show_frame(frame)
            self._show_count()

    def _show_count(self) -> None:
        take = self.preview.take
        last = take.frames - 1 if take else 0
        self._count.setText(say("motion.frame", frame=self.preview.frame, last=last) if take else "")
        self._count.setMinimumWidth(self._count.fontMetrics().horizontalAdvance(f"{last} / {last} "))

    def _set(self, name: str, value: bool | int) -> None:
        setattr(self.preview, name, value)
        self.preview.update()

    def _arrange(self) -> None:
        self.preview.arrangement = self.how.currentData()
        self.preview.frame_view()


def _dot(painter: QPainter, x: float, y: float, paint: QColor) -> None:
    painter.setBrush(paint)
    painter.drawEllipse(QPointF(x, y), 2.6, 2.6)


def _diamond(painter: QPainter, x: float, y: float, paint: QColor) -> None:
    painter.setBrush(paint)
    painter.drawPolygon(QPolygonF([QPointF(x, y - 5), QPointF(x + 5, y), QPointF(x, y + 5), QPointF(x - 5, y)]))
