# SPDX-License-Identifier: Apache-2.0
"""Questions with verbs on the buttons."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from kineograph_gui.model.words import say
from kineograph_gui.ui.parts import button, label


class Question(QDialog):
    """A sentence, a body, and two buttons."""

    def __init__(self, parent: QWidget, text: str, yes: str, no: str, body: Sequence[QWidget] = ()) -> None:
        super().__init__(parent)
        self.setWindowTitle(say("app"))
        self.yes = button(yes, self.accept, primary=True)
        self.no = button(no, self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(label(text))
        for part in body:
            layout.addWidget(part)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.no)
        row.addWidget(self.yes)
        layout.addLayout(row)
        self.setMinimumWidth(360)
        self.no.setAutoDefault(True)
        self.yes.setAutoDefault(True)


def confirm(parent: QWidget, text: str, yes: str, no: str) -> bool:
    """Whether the user says yes."""
    question = Question(parent, text, yes, no)
    said = question.exec() == QDialog.DialogCode.Accepted
    question.deleteLater()
    return said


class Choice(Question):
    """One of a list, with a reason beside the likely ones and a filter above."""

    def __init__(self, parent: QWidget, text: str, options: Sequence[tuple[str, str]], yes: str) -> None:
        self.filter = QLineEdit()
        self.list = QListWidget()
        super().__init__(parent, text, yes, say("problem.cancel"), (self.filter, self.list))
        for name, reason in options:
            item = QListWidgetItem(f"{name}    {reason}" if reason else name)
            item.setData(Qt.ItemDataRole.UserRole, name)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.list.itemDoubleClicked.connect(lambda item: self.accept())
        self.filter.textChanged.connect(self._narrow)

    @property
    def chosen(self) -> str:
        """What is chosen."""
        item = self.list.currentItem()
        return "" if item is None or item.isHidden() else str(item.data(Qt.ItemDataRole.UserRole))

    def _narrow(self, text: str) -> None:
        shown = [row for row in range(self.list.count()) if text.casefold() in self.list.item(row).text().casefold()]
        for row in range(self.list.count()):
            self.list.item(row).setHidden(row not in shown)
        if shown:
            self.list.setCurrentRow(shown[0])


def choose(parent: QWidget, text: str, options: Sequence[tuple[str, str]], yes: str) -> str:
    """What the user chose; empty for nothing."""
    question = Choice(parent, text, options, yes)
    said = question.chosen if question.exec() == QDialog.DialogCode.Accepted else ""
    question.deleteLater()
    return said
