# SPDX-License-Identifier: Apache-2.0
"""A folder to watch: from where, to where, onto which rigs, by which rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from kineograph import formats
from kineograph_gui.model.draft import rig_kinds
from kineograph_gui.model.watching import Folder
from kineograph_gui.model.words import say
from kineograph_gui.ui.ask import Question
from kineograph_gui.ui.parts import button, label


class WatchDialog(Question):
    """``folder`` is the answer once ``problem`` is empty."""

    def __init__(self, parent: QWidget) -> None:
        self.source, self.out, self.to = QLineEdit(), QLineEdit(), QLineEdit()
        self.rules = QPlainTextEdit()
        self.rules.setFixedHeight(64)
        self.rules.setPlaceholderText(say("watch.rules_hint"))
        self.format = QComboBox()
        self.format.addItem(say("watch.as_rig"), "")
        for ending in formats.WRITTEN:
            self.format.addItem(ending[1:], ending[1:])
        self.network = QCheckBox(say("watch.network"))
        self.said = label()
        super().__init__(
            parent, say("watch.add"), say("watch.watch_it"), say("problem.cancel"), (self._form(), self.said)
        )
        self.setMinimumWidth(620)
        for part in (self.source, self.out, self.to):
            part.textChanged.connect(lambda text: self.refresh())
        self.rules.textChanged.connect(self.refresh)
        self.refresh()

    def _form(self) -> QWidget:
        out = QWidget()
        form = QFormLayout(out)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(say("watch.source"), self._place("watch.source", self.source, self._choose_folder))
        form.addRow(say("watch.out"), self._place("watch.out", self.out, self._choose_folder))
        form.addRow(say("watch.to"), self._place("watch.to", self.to, self._choose_rigs))
        self.rules.setAccessibleName(say("watch.rules"))
        self.format.setAccessibleName(say("watch.format"))
        form.addRow(label(say("watch.rules"), quiet=True))
        form.addRow(self.rules)
        form.addRow(say("watch.format"), self.format)
        form.addRow(self.network)
        return out

    def _place(self, name: str, part: QLineEdit, choose: Callable[[QLineEdit], None]) -> QHBoxLayout:
        part.setAccessibleName(say(name))
        row = QHBoxLayout()
        row.addWidget(part, 1)
        row.addWidget(button(say("watch.choose"), lambda: choose(part)))
        return row

    def _choose_folder(self, part: QLineEdit) -> None:
        chosen = QFileDialog.getExistingDirectory(self, say("watch.folder"), part.text())
        if chosen:
            part.setText(chosen)

    def _choose_rigs(self, part: QLineEdit) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self, say("watch.to"), "", rig_kinds())
        if chosen:
            part.setText("; ".join(chosen))

    # --- the answer ---------------------------------------------------------------------------------------------------
    @property
    def folder(self) -> Folder:
        """What was written."""
        to = tuple(str(Path(p.strip()).absolute()) for p in self.to.text().split(";") if p.strip())
        pairs = (line.partition("=") for line in self._lines())
        rules = tuple((glob.strip(), str(Path(profile.strip()).absolute())) for glob, _, profile in pairs)
        source, out = (str(Path(part.text().strip()).absolute()) for part in (self.source, self.out))
        return Folder(source, out, to, rules, str(self.format.currentData()), self.network.isChecked())

    def _lines(self) -> list[str]:
        return [line for line in self.rules.toPlainText().splitlines() if line.strip()]

    @property
    def problem(self) -> str:
        """What is missing or wrong; empty when nothing is."""
        if not all(part.text().strip() for part in (self.source, self.out, self.to)):
            return say("watch.needs")
        folder = self.folder
        if Path(folder.out) == Path(folder.source):
            return say("watch.same")
        wrong = next((x for x in self._lines() if not all(p.strip() for p in x.partition("="))), None)
        return "" if wrong is None else say("watch.bad_rule", line=wrong)

    def refresh(self) -> None:
        """Say what is missing."""
        self.said.setText(self.problem)
        self.yes.setEnabled(not self.problem)
