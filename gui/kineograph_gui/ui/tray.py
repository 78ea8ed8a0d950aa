# SPDX-License-Identifier: Apache-2.0
"""The icon in the tray with the count of what goes on, and the notices; where the desktop has a tray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon

from kineograph.wire.messages import JobState
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.notices import Notices
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import LIGHT

if TYPE_CHECKING:
    from kineograph_gui.ui.window import MainWindow

SIDE = 64
_BONES = (((32, 12), (32, 34)), ((32, 20), (19, 30)), ((32, 20), (46, 27)), ((32, 34), (22, 54)), ((32, 34), (44, 53)))


def icon(count: int = 0) -> QIcon:
    """A walking figure; with a count when something goes on."""
    picture = QPixmap(SIDE, SIDE)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(LIGHT.accent))
    painter.drawRoundedRect(QRectF(2, 2, 60, 60), 14, 14)
    painter.setPen(QPen(QColor("white"), 5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    for a, b in _BONES:
        painter.drawLine(QPointF(*a), QPointF(*b))
    painter.setBrush(QColor("white"))
    painter.drawEllipse(QPointF(32, 12), 3, 3)
    if count:
        _badge(painter, str(min(count, 99)))
    painter.end()
    return QIcon(picture)


def _badge(painter: QPainter, text: str) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(LIGHT.off))
    painter.drawEllipse(QPointF(46, 46), 17, 17)
    font = painter.font()
    font.setPixelSize(20)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor("white"))
    painter.drawText(QRectF(29, 29, 34, 34), int(Qt.AlignmentFlag.AlignCenter), text)


class Tray(QSystemTrayIcon):
    """Shows itself only where there is a tray."""

    def __init__(self, desk: Desk, notices: Notices, window: MainWindow) -> None:
        super().__init__(icon(), window)
        self._desk = desk
        self._window = window
        self._count = -1
        self._job = ""
        menu = QMenu(window)
        menu.addAction(say("tray.show"), self.show_window)
        self._pause = menu.addAction(say("queue.pause"), lambda: desk.pause(not desk.paused))
        menu.addSeparator()
        menu.addAction(say("tray.quit"), QApplication.quit)
        self.setContextMenu(menu)
        self.activated.connect(self._activated)
        self.messageClicked.connect(self._look)
        notices.told.connect(self._tell)
        for signal in (desk.jobs.changed, desk.jobs.removed):
            signal.connect(lambda jobs: self.refresh())
        desk.link_changed.connect(self.refresh)
        self.refresh()
        if QSystemTrayIcon.isSystemTrayAvailable():
            self.show()

    def refresh(self) -> None:
        """The count and the words."""
        active = self._desk.jobs.count(JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)
        self._pause.setText(say("queue.resume" if self._desk.paused else "queue.pause"))
        self._pause.setEnabled(self._desk.is_ready)
        if active != self._count:
            self._count = active
            self.setIcon(icon(active))
            self.setToolTip(say("tray.tip", count=active))

    def show_window(self) -> None:
        """Bring the window to the front."""
        self._window.showNormal()
        self._window.raise_()
        self._window.activateWindow()

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self.show_window()

    def _tell(self, title: str, text: str, job: str) -> None:
        if not self._window.isActiveWindow():
            self._job = job
            self.showMessage(title, text, icon())

    def _look(self) -> None:
        self.show_window()
        if self._job:
            self._window.show_job(self._job)
