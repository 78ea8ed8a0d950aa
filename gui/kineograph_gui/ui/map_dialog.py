# SPDX-License-Identifier: Apache-2.0
"""The map of a rig: left its tree, right the roles of a body; what is missing on top, what is guessed with a reason."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from kineograph.errors import KineographError
from kineograph.rigs.roles import Role
from kineograph_gui.model.mending import Mending, RoleLine
from kineograph_gui.model.words import say
from kineograph_gui.ui.figure import Figure
from kineograph_gui.ui.look import color
from kineograph_gui.ui.parts import button, label

ROLE = Qt.ItemDataRole.UserRole


class MapDialog(QDialog):
    """Choose a role, choose a bone: both sides are set at once. Kept as a profile when asked."""

    def __init__(self, mending: Mending, name: str, parent: QWidget | None = None, file: Path | None = None) -> None:
        super().__init__(parent)
        self.mending = mending
        self._file = file
        self.setWindowTitle(say("map.title", name=name))
        self.resize(1080, 640)
        self.head = label()
        self.tree = QTreeWidget()
        self.roles = QTreeWidget()
        self.figure = Figure()
        self.both = QCheckBox(say("map.both"))
        self.both.setChecked(True)
        self.name = QLineEdit(name)
        self.name.setAccessibleName(say("map.profile_name"))
        self.said = label(quiet=True)
        self.use = button(say("map.use"), self._use, primary=True)
        self.clear = button(say("map.clear"), lambda: self._set(""))
        self.save = button(say("map.save"), self._save)
        self._lay_out()
        self._fill_tree()
        self.refresh()
        self.roles.currentItemChanged.connect(lambda now, before: self._role_changed())
        self.tree.itemDoubleClicked.connect(lambda item, column: self._use())
        self.figure.picked.connect(self._pick_role)

    def _lay_out(self) -> None:
        self.tree.setHeaderLabels([say("new.bone"), say("new.role")])
        self.tree.setAccessibleName(say("new.bone"))
        self.tree.setColumnWidth(0, 300)
        self.tree.setIndentation(12)  # a finger's tip lies twelve deep, and its name is to be read
        self.roles.setHeaderLabels([say("new.role"), say("new.bone"), say("new.why")])
        self.roles.setAccessibleName(say("new.role"))
        self.roles.setRootIsDecorated(False)
        self.roles.setColumnWidth(0, 130)
        self.roles.setColumnWidth(1, 120)
        split = QSplitter(Qt.Orientation.Horizontal)
        for part in (self.tree, self.figure, self.roles):
            split.addWidget(part)
        split.setSizes([450, 190, 440])
        first, last = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.use)
        first.addWidget(self.clear)
        first.addWidget(self.both)
        first.addWidget(self.said, 1)
        last.addWidget(label(say("map.profile_name"), wrap=False))
        last.addWidget(self.name, 1)
        last.addWidget(self.save)
        last.addWidget(button(say("map.close"), self.accept))
        layout = QVBoxLayout(self)
        layout.addWidget(self.head)
        layout.addWidget(split, 1)
        layout.addLayout(first)
        layout.addLayout(last)

    def _fill_tree(self) -> None:
        rig = self.mending.rig
        made: dict[int, QTreeWidgetItem] = {}
        for joint, name in enumerate(rig.names):
            parent = int(rig.parents[joint])
            made[joint] = QTreeWidgetItem(self.tree if parent < 0 else made[parent], [name, ""])
            made[joint].setData(0, ROLE, name)
            made[joint].setToolTip(0, name)
        self.tree.expandAll()
        self._bones = made

    # --- what is shown ------------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Everything as the map is now; the chosen role stays chosen."""
        chosen = self.role
        missing = self.mending.missing
        self.head.setText(say("map.missing_list", roles=", ".join(missing)) if missing else say("map.whole"))
        self.roles.clear()
        for line in self.mending.lines:
            item = QTreeWidgetItem(self.roles, [line.name, line.joint, line.reason])
            item.setData(0, ROLE, str(line.role))
            item.setToolTip(2, line.reason)
            if line.tone:
                item.setForeground(2, QBrush(color("off")))
            if line.role is chosen:
                self.roles.setCurrentItem(item)
        first = self.roles.topLevelItem(0)
        if self.roles.currentItem() is None and first is not None:
            self.roles.setCurrentItem(first)
        reads = {m.name: str(r).replace("_", " ") for r, m in self.mending.map.matches.items()}
        for item in self._bones.values():
            item.setText(1, reads.get(item.text(0), ""))
        self.figure.show_lines(self.mending.lines)
        self._role_changed()

    @property
    def role(self) -> Role | None:
        """The chosen role."""
        item = self.roles.currentItem()
        return None if item is None else Role(item.data(0, ROLE))

    @property
    def bone(self) -> str:
        """The chosen bone."""
        item = self.tree.currentItem()
        return "" if item is None else str(item.data(0, ROLE))

    def choose(self, role: Role, bone: str) -> None:
        """Choose a role and a bone."""
        self._pick_role(str(role))
        for item in self._bones.values():
            if item.text(0) == bone:
                self.tree.setCurrentItem(item)

    def _pick_role(self, role: str) -> None:
        for row in range(self.roles.topLevelItemCount()):
            item = self.roles.topLevelItem(row)
            if item is not None and item.data(0, ROLE) == role:
                self.roles.setCurrentItem(item)

    def _role_changed(self) -> None:
        role = self.role
        line: RoleLine | None = next((x for x in self.mending.lines if x.role is role), None)
        self.figure.choose(str(role) if role is not None else "")
        if line is not None and line.joint:
            item = next((i for i in self._bones.values() if i.text(0) == line.joint), None)
            if item is not None:
                self.tree.setCurrentItem(item)

    # --- what is done -------------------------------------------------------------------------------------------------
    def _use(self) -> None:
        if self.bone:
            self._set(self.bone)

    def _set(self, bone: str) -> None:
        role = self.role
        if role is not None:
            self.said.setText(", ".join(self.mending.set(role, bone, both_sides=self.both.isChecked())))
            self.refresh()

    def _save(self) -> None:
        try:
            path = self.mending.save(self.name.text(), self._file)
        except KineographError as e:
            self.said.setText(e.message)
        else:
            self.said.setText(say("said.saved", file=path))
