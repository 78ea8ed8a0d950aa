# SPDX-License-Identifier: Apache-2.0
"""The bar above (pages, what goes on) and the bar below (the daemon in words, what to do about it)."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from kineograph.client import LinkState
from kineograph.wire.messages import JobState, ModelState
from kineograph_gui.model.desk import Desk, link_words
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import look
from kineograph_gui.ui.parts import button, label

SAID_MS = 6000


class Lamp(QWidget):
    """A dot whose colour only repeats the word beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._paint = "quiet"
        self.setFixedSize(12, 12)

    def show_state(self, state: LinkState) -> None:
        """Another state."""
        self._paint = {LinkState.READY: "good", LinkState.LOST: "off"}.get(state, "quiet")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(getattr(look(), self._paint)))
        painter.drawEllipse(2, 2, 8, 8)
        painter.end()


class TopBar(QFrame):
    """Pages at the left, the state at the right."""

    turned = Signal(str)

    def __init__(self, desk: Desk, pages: list[str]) -> None:
        super().__init__()
        self._desk = desk
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 6, 14, 2)
        layout.setSpacing(2)
        name = label(say("app"), heading=True, wrap=False)
        layout.addWidget(name)
        layout.addSpacing(14)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        for page in pages:
            self.buttons[page] = self._page_button(page)
            layout.addWidget(self.buttons[page])
        layout.addStretch(1)
        self._lamp = Lamp()
        self._words = label(wrap=False)
        layout.addWidget(self._lamp)
        layout.addWidget(self._words)
        desk.link_changed.connect(self.refresh)
        desk.jobs.changed.connect(lambda jobs: self.refresh())
        desk.jobs.removed.connect(lambda jobs: self.refresh())
        self.refresh()

    def _page_button(self, page: str) -> QToolButton:
        out = QToolButton()
        out.setText(say(f"page.{page}"))
        out.setAccessibleName(say(f"page.{page}"))
        out.setCheckable(True)
        out.setProperty("page", True)
        out.clicked.connect(lambda: self.turned.emit(page))
        self._group.addButton(out)
        return out

    def show_page(self, page: str) -> None:
        """Mark a page; none, when it has no button."""
        self._group.setExclusive(page in self.buttons)
        for name, part in self.buttons.items():
            part.setChecked(name == page)

    @property
    def words(self) -> str:
        """What stands there."""
        return self._words.text()

    def refresh(self) -> None:
        """The state in words."""
        desk = self._desk
        parts = [link_words(desk.link.state, desk.link.error)]
        if desk.is_ready:
            if desk.paused:
                parts = [say("link.paused")]
            running = desk.jobs.count(JobState.RUNNING, JobState.CANCELLING)
            waiting = desk.jobs.count(JobState.QUEUED)
            parts += [say("link.running", count=running)] if running else []
            parts += [say("link.ahead", count=waiting)] if waiting else []
        self._lamp.show_state(desk.link.state)
        self._words.setText(" \u00b7 ".join(parts))


class BottomBar(QFrame):
    """The daemon in words, a button for what can be done, the last thing that was said."""

    said = Signal(str)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 0, 14, 6)
        layout.setSpacing(8)
        self.words = label(quiet=True, wrap=False)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.start = button(say("link.start"), desk.start_daemon, primary=True)
        self.retry = button(say("link.retry"), desk.reconnect)
        self.address = button(say("link.address"))
        self.log = button(say("bar.log"), flat=True)
        self.report = button(say("bar.report"), flat=True)
        layout.addWidget(self.words, 1)
        for part in (self.start, self.retry, self.address, self.log, self.report):
            layout.addWidget(part)
        self._said = ""
        self._clear = QTimer(self)
        self._clear.setSingleShot(True)
        self._clear.setInterval(SAID_MS)
        self._clear.timeout.connect(lambda: self.say(""))
        desk.said.connect(self.say)
        for signal in (desk.link_changed, desk.models_changed, desk.stats_changed):
            signal.connect(self.refresh)
        self.refresh()

    def say(self, text: str) -> None:
        """Say something for a while."""
        self._said = text
        self._clear.stop()
        if text:
            self._clear.start()
            self.said.emit(text)
        self.refresh()

    def refresh(self) -> None:
        """What is known of the daemon, and the buttons that help now."""
        state = self._desk.link.state
        lost = state in (LinkState.LOST, LinkState.CLOSED)
        self.start.setVisible(lost and not self._desk.link.address)
        self.retry.setVisible(lost)
        self.address.setVisible(lost)
        self.words.setText(self._said or self._daemon_words())
        self.words.setToolTip(self.words.text())

    def _daemon_words(self) -> str:
        desk = self._desk
        hello = desk.link.hello
        if not desk.is_ready or hello is None:
            error = desk.link.error
            words = link_words(desk.link.state, error)
            return f"{words}: {error.message}" if error is not None and desk.link.state is LinkState.LOST else words
        parts = [say("bar.daemon", version=hello.daemon_version)]
        if desk.stats is not None:
            parts.append(", ".join(sorted({str(w.get("device", "")) for w in desk.stats.workers if w})) or "-")
        loaded = [i for i in desk.model_ids if desk.state_of(i) == ModelState.READY]
        parts += [f"{i} {say('models.state_ready')}" for i in loaded[:3]]
        return " \u00b7 ".join(p for p in parts if p)
