# SPDX-License-Identifier: Apache-2.0
"""A new job: a rig, what it does, which model; what will be sent stands beside the button that sends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from kineograph.errors import KineographError
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.draft import Block, Draft
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import say
from kineograph_gui.ui.parts import button, label


class NewPage(QWidget):
    """Writes a ``Draft`` and sends it."""

    sent = Signal(str)
    failed = Signal(object)  # KineographError

    def __init__(self, desk: Desk, settings: PanelSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._settings = settings
        self.draft = Draft()
        self.last_sent: tuple[dict[str, Any], dict[str, Any]] | None = None
        self.rig_words = label(say("new.no_rig"))
        self.prompt = QLineEdit()
        self.prompt.setPlaceholderText(say("new.prompt_hint"))
        self.prompt.setAccessibleName(say("new.prompts"))
        self.frames = QSpinBox()
        self.frames.setRange(1, 100_000)
        self.frames.setValue(90)
        self.frames.setAccessibleName(say("new.frames"))
        self.model = QComboBox()
        self.model.setAccessibleName(say("new.model"))
        self.summary = label(wrap=False)
        self.send_button = button(say("new.send"), self.send, primary=True)
        self._lay_out()
        self.prompt.textChanged.connect(lambda text: self.refresh())
        self.frames.valueChanged.connect(lambda n: self.refresh())
        self.model.currentIndexChanged.connect(lambda i: self.refresh())
        desk.models_changed.connect(self._models_changed)
        desk.link_changed.connect(self.refresh)
        self._models_changed()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        row = QHBoxLayout()
        row.addWidget(button(say("new.open_rig"), self.ask_rig))
        row.addWidget(button(say("new.demo_rig"), self.use_demo))
        row.addWidget(self.rig_words, 1)
        layout.addLayout(row)
        row = QHBoxLayout()
        row.addWidget(self.prompt, 1)
        row.addWidget(self.frames)
        row.addWidget(self.model)
        layout.addLayout(row)
        layout.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.summary, 1)
        row.addWidget(self.send_button)
        layout.addLayout(row)

    def _models_changed(self) -> None:
        chosen = self.model.currentText()
        self.model.blockSignals(True)
        self.model.clear()
        self.model.addItems(self._desk.model_ids)
        self.model.setCurrentText(chosen or self._settings.model)
        self.model.blockSignals(False)
        self.refresh()

    def refresh(self) -> None:
        """What will be sent."""
        self.draft.blocks = [Block(self.prompt.text(), self.frames.value())]
        self.draft.model = self.model.currentText()
        self.summary.setText(self.draft.summary())
        self.send_button.setEnabled(self.draft.rig is not None and self._desk.is_ready)

    def ask_rig(self) -> None:
        """Choose a file."""
        chosen, _ = QFileDialog.getOpenFileName(self, say("new.open_rig"), "", say("new.files_rig"))
        if chosen:
            self.open_path(Path(chosen))

    def use_demo(self) -> None:
        """The character that comes with Kineograph."""
        self.draft.use_demo()
        self._rig_changed()

    def open_path(self, path: Path) -> bool:
        """A rig or a saved request; whether it could be read."""
        try:
            if path.suffix.lower() == ".json":
                self.take_draft(Draft.load(path))
            else:
                self.draft.open_rig(path)
                self._rig_changed()
        except KineographError as e:
            self.failed.emit(e)
            return False
        return True

    def take_draft(self, draft: Draft) -> None:
        """Go on with another draft."""
        self.draft = draft
        self._rig_changed()

    def _rig_changed(self) -> None:
        rig, roles = self.draft.rig, self.draft.rig_map
        if rig is not None and roles is not None:
            facts = {"name": self.draft.character, "joints": len(rig), "roles": len(roles.matches)}
            self.rig_words.setText(say("new.rig_line", **facts))
        self.refresh()

    def send(self) -> None:
        """Send it."""
        fields = {"character": self.draft.character}
        request = self.draft.request()
        self.last_sent = (request, fields)
        self.sent.emit(self._desk.submit(request, fields))
