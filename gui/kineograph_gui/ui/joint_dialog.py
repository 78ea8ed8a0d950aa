# SPDX-License-Identifier: Apache-2.0
"""Which bone was meant: the rig's tree with the likely one chosen, and how far the answer goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QLineEdit, QRadioButton, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from kineograph_gui.model.words import say
from kineograph_gui.ui.ask import Question
from kineograph_gui.ui.parts import label

NAME = Qt.ItemDataRole.UserRole


class Scope(StrEnum):
    """How far an answer goes."""

    HERE = "here"
    EVERYWHERE = "everywhere"
    PROFILE = "profile"


class JointDialog(Question):
    """``chosen`` and ``scope`` are the answer. ``choices`` are (bone, reason), the likely ones with a reason first."""

    def __init__(
        self, joint: str, joints: Sequence[Any], choices: Sequence[tuple[str, str]], *, has_place: bool, parent: QWidget
    ) -> None:
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName(say("problem.filter_bones"))
        self.filter.setPlaceholderText(say("problem.filter_bones"))
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([say("new.bone"), say("new.why")])
        self.tree.setAccessibleName(say("new.bone"))
        self.scopes = {scope: QRadioButton(say(f"problem.scope_{scope}")) for scope in Scope}
        body = (self.filter, self.tree, self._scope_row(has_place))
        super().__init__(
            parent, say("problem.choose_joint", joint=joint), say("problem.use"), say("problem.cancel"), body
        )
        self._items: dict[str, QTreeWidgetItem] = {}
        self._fill(joints, dict(choices))
        likely = next((name for name, reason in choices if reason), choices[0][0] if choices else "")
        if likely in self._items:
            self.tree.setCurrentItem(self._items[likely])
        self.filter.textChanged.connect(self._narrow)
        self.tree.itemDoubleClicked.connect(lambda item, column: self.accept())
        self.resize(520, 520)
        self.tree.setFocus()

    def _scope_row(self, has_place: bool) -> QWidget:
        out = QWidget()
        row = QVBoxLayout(out)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(label(say("problem.scope"), wrap=False))
        group = QButtonGroup(out)
        for part in self.scopes.values():
            group.addButton(part)
            row.addWidget(part)
        self.scopes[Scope.HERE].setEnabled(has_place)
        self.scopes[Scope.HERE if has_place else Scope.EVERYWHERE].setChecked(True)
        return out

    def _fill(self, joints: Sequence[Any], reasons: Mapping[str, str]) -> None:
        """The tree; a joint whose parent is not there (yet) stands at the top, for the rig may be the problem."""
        for entry in joints:
            name = str(entry.get("name", "")) if isinstance(entry, Mapping) else ""
            if not name or name in self._items:
                continue
            parent = self._items.get(str(entry.get("parent")))
            texts = [name, reasons.get(name, "")]
            item = QTreeWidgetItem(self.tree, texts) if parent is None else QTreeWidgetItem(parent, texts)
            item.setData(0, NAME, name)
            self._items[name] = item
        self.tree.expandAll()
        self.tree.resizeColumnToContents(0)

    @property
    def chosen(self) -> str:
        """The bone; empty when none is chosen."""
        item = self.tree.currentItem()
        return "" if item is None else str(item.data(0, NAME))

    @property
    def scope(self) -> Scope:
        """How far it goes."""
        return next(scope for scope, part in self.scopes.items() if part.isChecked())

    def _narrow(self, text: str) -> None:
        found = {name for name in self._items if text.casefold() in name.casefold()}
        for name, item in self._items.items():
            item.setHidden(name not in found and not self._has_shown(item, found))
        first = next((name for name in self._items if name in found), "")
        if first:
            self.tree.setCurrentItem(self._items[first])

    def _has_shown(self, item: QTreeWidgetItem, found: set[str]) -> bool:
        children = [child for i in range(item.childCount()) if (child := item.child(i)) is not None]
        return any(c.data(0, NAME) in found or self._has_shown(c, found) for c in children)
