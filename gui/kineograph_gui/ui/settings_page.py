# SPDX-License-Identifier: Apache-2.0
"""Settings of the panel and of the daemon."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from kineograph_gui.model.desk import Desk
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import Theme
from kineograph_gui.ui.parts import button, card, label
from kineograph_gui.ui.settings_form import SettingsForm

FLAGS = ("start_daemon", "retry_itself", "ask_before_stop", "notify")


class SettingsPage(QScrollArea):
    """The panel's settings take effect at once; those of the daemon are written to its file."""

    themed = Signal(str)

    def __init__(self, desk: Desk, settings: PanelSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._settings = settings
        self.address = QLineEdit(settings.address)
        self.address.setPlaceholderText(say("settings.address_hint"))
        self.address.setAccessibleName(say("settings.address"))
        self.theme = QComboBox()
        self.theme.setAccessibleName(say("settings.theme"))
        for theme in Theme:
            self.theme.addItem(say(f"settings.theme_{theme}"), str(theme))
        self.theme.setCurrentIndex(max(self.theme.findData(settings.theme), 0))
        self.form = SettingsForm(desk)
        self.flags = {name: self._flag(name) for name in FLAGS}
        inner = QWidget()
        self.column = QVBoxLayout(inner)
        self.column.setContentsMargins(16, 12, 16, 12)
        self.column.setSpacing(10)
        self._lay_out()
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.theme.currentIndexChanged.connect(lambda i: self._choose_theme())

    def _flag(self, name: str) -> QCheckBox:
        out = QCheckBox(say(f"settings.{name}"))
        out.setChecked(bool(getattr(self._settings, name)))
        out.toggled.connect(lambda on: setattr(self._settings, name, on))
        return out

    def _lay_out(self) -> None:
        frame, layout = card()
        layout.addWidget(label(say("settings.panel"), heading=True))
        form = QFormLayout()
        form.addRow(say("settings.theme"), self.theme)
        row = QHBoxLayout()
        row.addWidget(self.address, 1)
        row.addWidget(button(say("settings.apply"), lambda: self._desk.connect_to(self.address.text())))
        form.addRow(say("settings.address"), row)
        layout.addLayout(form)
        for box in self.flags.values():
            layout.addWidget(box)
        self.column.addWidget(frame)
        self.column.addWidget(self.form)
        self.column.addStretch(1)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.form.ensure()

    def _choose_theme(self) -> None:
        self._settings.theme = str(self.theme.currentData())
        self.themed.emit(self._settings.theme)
