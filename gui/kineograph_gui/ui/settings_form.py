# SPDX-License-Identifier: Apache-2.0
"""The daemon's settings as a form made from its table: a field a row, with what it takes and what it means."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from kineograph_gui.model.daemon_settings import DaemonSettings, Row
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.words import say
from kineograph_gui.ui.parts import button, card, label


class SettingsForm(QWidget):
    """Loaded when it is shown first. What does not fit is said by the daemon's own check, and nothing is written."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.model = DaemonSettings(self)
        self.fields: dict[str, QLineEdit | QCheckBox] = {}
        self.words = label(quiet=True)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(say("settings.filter"))
        self.filter.setAccessibleName(say("settings.filter"))
        self.filter.setClearButtonEnabled(True)
        self.apply = button(say("settings.apply"), self.write, primary=True)
        self.restart = button(say("settings.restart"), desk.restart_daemon)
        self.restart.hide()
        self._form = QFormLayout()
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._lay_out()
        self.model.loaded.connect(self._fill)
        self.model.changed.connect(self._written)
        self.model.failed.connect(self.words.setText)
        self.filter.textChanged.connect(self._narrow)

    def _lay_out(self) -> None:
        frame, layout = card(label(say("settings.daemon"), heading=True), self.words)
        row = QHBoxLayout()
        row.addWidget(self.filter, 1)
        row.addWidget(self.apply)
        row.addWidget(self.restart)
        layout.addLayout(row)
        layout.addLayout(self._form)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
        self.words.setText(say("settings.loading"))

    def ensure(self) -> None:
        """Load the table unless it is there."""
        if not self.model.rows:
            self.model.load()

    def show_setting(self, name: str) -> None:
        """Look at one setting."""
        self.ensure()
        self.filter.setText(name)
        if name in self.fields:
            self.fields[name].setFocus()

    # --- fields -------------------------------------------------------------------------------------------------------
    def _fill(self) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        self.fields = {row.name: self._field(row) for row in self.model.rows}
        self.words.setText(say("settings.file", file=self.model.file))
        for row in self.model.rows:
            name = label(_name(row), wrap=False)
            name.setMinimumHeight(28 if row.type != "bool" else 0)  # centred beside its field
            self._form.addRow(name, self._line(row))
        self._narrow(self.filter.text())

    def _field(self, row: Row) -> QLineEdit | QCheckBox:
        field: QLineEdit | QCheckBox
        if row.type == "bool":
            field = QCheckBox()
            field.setChecked(bool(row.value))
        else:
            field = QLineEdit(_text(row.value))
            field.setPlaceholderText(_text(row.default) or say("settings.empty"))
            field.setMaximumWidth(260)
        field.setAccessibleName(row.name.replace("_", " "))
        field.setEnabled(row.source != "environment")
        field.setToolTip(row.allowed if row.source != "environment" else say("settings.from_environment"))
        return field

    def _line(self, row: Row) -> QWidget:
        out = QWidget()
        layout = QHBoxLayout(out)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fields[row.name])
        if row.unit:
            layout.addWidget(label(row.unit, quiet=True, wrap=False))
        words = label(row.help.replace("`", "'"), quiet=True)
        words.setToolTip(
            say("settings.takes", allowed=row.allowed, default=_text(row.default) or say("settings.empty"))
        )
        layout.addWidget(words, 1, Qt.AlignmentFlag.AlignVCenter)
        return out

    def _narrow(self, text: str) -> None:
        words = text.casefold().replace("_", " ").split()
        for number, row in enumerate(self.model.rows):
            hay = f"{row.name.replace('_', ' ')} {row.help}".casefold()
            self._form.setRowVisible(number, all(word in hay for word in words))

    # --- writing ------------------------------------------------------------------------------------------------------
    @property
    def changes(self) -> dict[str, str | None]:
        """What differs from the table, as texts; None: back to the default."""
        out: dict[str, str | None] = {}
        for row in self.model.rows:
            field = self.fields[row.name]
            now = str(field.isChecked()).lower() if isinstance(field, QCheckBox) else field.text().strip()
            before = str(row.value).lower() if row.type == "bool" else _text(row.value)
            if now != before and row.source != "environment":
                out[row.name] = None if now == "" and row.type not in ("str", "list") else now
        return out

    def write(self) -> None:
        """Write what was changed."""
        changes = self.changes
        if changes:
            self.model.change(changes)
        else:
            self.words.setText(say("settings.no_changes"))

    def _written(self, names: list[str]) -> None:
        rows = {row.name: row for row in self.model.rows}
        needs = [name for name in names if rows[name].restart]
        self.words.setText(say("settings.written", names=", ".join(names)))
        if needs and self._desk.is_ready:
            self.words.setText(say("settings.needs_restart", names=", ".join(needs)))
        self.restart.setVisible(bool(needs) and self._desk.is_ready and not self._desk.link.address)


def _name(row: Row) -> str:
    """A setting's name in words; its unit stands beside the field."""
    return row.name.removesuffix(f"_{row.unit}").replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
