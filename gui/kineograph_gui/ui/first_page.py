# SPDX-License-Identifier: Apache-2.0
"""The first run: what runs, what is missing, what to do; three lines and the buttons for them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from kineograph_gui.model.desk import Desk
from kineograph_gui.model.draft import rig_kinds
from kineograph_gui.model.words import say
from kineograph_gui.ui.parts import button, card, label


class FirstPage(QWidget):
    """Says what to do next, from the connection's state."""

    turned = Signal(str)
    opened_rig = Signal(object)  # Path
    demo = Signal()

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.lines = {name: label() for name in ("runs", "missing", "next")}
        self.start = button(say("link.start"), desk.start_daemon, primary=True)
        self.run_demo = button(say("first.demo"), self.demo.emit, primary=True)
        self.rig = button(say("first.rig"), self._ask_rig)
        self.queue = button(say("first.queue"), lambda: self.turned.emit("queue"))
        self._lay_out()
        for signal in (desk.link_changed, desk.models_changed):
            signal.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        frame, inside = card()
        inside.setContentsMargins(28, 22, 28, 22)
        inside.setSpacing(10)
        title = label(say("first.title"), heading=True)
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.5)
        title.setFont(font)
        inside.addWidget(title)
        for name, line in self.lines.items():
            inside.addSpacing(6)
            inside.addWidget(label(say(f"first.{name}"), heading=True))
            inside.addWidget(line)
        buttons = QHBoxLayout()
        for part in (self.start, self.run_demo, self.rig, self.queue):
            buttons.addWidget(part)
        buttons.addStretch(1)
        inside.addSpacing(10)
        inside.addLayout(buttons)
        frame.setMaximumWidth(760)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(frame, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)
        frame.setMinimumWidth(620)

    def refresh(self) -> None:
        """Say what is so now."""
        desk = self._desk
        ready, models = desk.is_ready, desk.model_ids
        if ready and desk.link.hello is not None:
            version = desk.link.hello.daemon_version
            known = ", ".join(models) or say("first.no_models_yet")
            self.lines["runs"].setText(say("first.runs_yes", version=version, models=known))
        else:
            self.lines["runs"].setText(say("first.runs_no"))
        gone = (
            "missing_daemon"
            if not ready
            else "missing_none"
            if models or desk.capabilities is None
            else "missing_models"
        )
        self.lines["missing"].setText(say(f"first.{gone}"))
        self.lines["next"].setText(say("first.do" if ready else "first.do_start"))
        self.start.setVisible(not ready)
        self.run_demo.setVisible(ready)

    def _ask_rig(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, say("new.open_rig"), "", rig_kinds())
        if chosen:
            self.opened_rig.emit(Path(chosen))
