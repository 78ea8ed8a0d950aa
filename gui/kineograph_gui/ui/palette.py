# SPDX-License-Identifier: Apache-2.0
"""The command palette: every action by its name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from kineograph_gui.model.words import say


class Palette(QDialog):
    """Type, Enter."""

    def __init__(self, actions: Sequence[QAction], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._actions = list(actions)
        self.words = QLineEdit()
        self.words.setPlaceholderText(say("palette.hint"))
        self.words.setAccessibleName(say("do.palette"))
        self.list = QListWidget()
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.words)
        layout.addWidget(self.list)
        self.words.textChanged.connect(self._fill)
        self.words.returnPressed.connect(self._run)
        self.list.itemClicked.connect(lambda item: self._run())
        self.words.installEventFilter(self)
        self.resize(420, 320)
        at = parent.mapToGlobal(parent.rect().center())
        self.move(at.x() - 210, parent.mapToGlobal(parent.rect().topLeft()).y() + 70)
        self._fill("")

    def _fill(self, text: str) -> None:
        self.list.clear()
        words = text.casefold().split()
        found = [a for a in self._actions if a.isEnabled() and all(w in a.text().casefold() for w in words)]
        for action in sorted(found, key=lambda a: not a.text().casefold().startswith(text.casefold())):
            keys = action.shortcut().toString()
            item = QListWidgetItem(f"{action.text()}    {keys}" if keys else action.text())
            item.setData(Qt.ItemDataRole.UserRole, action)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _run(self) -> None:
        item = self.list.currentItem()
        self.accept()
        if item is not None:
            item.data(Qt.ItemDataRole.UserRole).trigger()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            step = {int(Qt.Key.Key_Down): 1, int(Qt.Key.Key_Up): -1}.get(event.key(), 0)
            if step:
                row = self.list.currentRow() + step
                self.list.setCurrentRow(min(max(row, 0), self.list.count() - 1))
                return True
        return False
