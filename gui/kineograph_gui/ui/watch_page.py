# SPDX-License-Identifier: Apache-2.0
"""Watched folders: each with what it does and its counts; below, the files that need a person, and why."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QBrush, QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from kineograph.errors import KineographError
from kineograph_gui.model.mending import Mending
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.watching import NEEDS_MAP, FileRow, Folder, Folders, Watcher
from kineograph_gui.model.words import TABLE, say
from kineograph_gui.ui.look import color
from kineograph_gui.ui.map_dialog import MapDialog
from kineograph_gui.ui.parts import button, label
from kineograph_gui.ui.watch_dialog import WatchDialog

GATHER_MS = 100
MOST_SHOWN = 500


class WatchPage(QWidget):
    """The list, its verbs, and what is to be looked at."""

    said = Signal(str)

    def __init__(self, settings: PanelSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folders = Folders(settings)
        self.watchers = [self._watch(folder) for folder in self.folders.items]
        self.list = _tree("watch.folder", ("watch.folder", "watch.goes", "watch.doing", "watch.files"), (300, 260, 230))
        self.files = _tree("watch.file", ("watch.file", "watch.outcome", "watch.reason"), (320, 110))
        self.empty = label(say("watch.none"), quiet=True)
        self.words = label(heading=True)
        self.add = button(say("watch.add"), self.ask_folder, primary=True)
        self.switch = button(say("watch.start"), self._switch)
        self.pause = button(say("watch.pause"), self._pause)
        self.results = button(say("watch.results"), self._open_results)
        self.remove = button(say("watch.remove"), self._remove)
        self.mend = button(say("watch.mend"), self._mend)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(GATHER_MS)
        self._later.timeout.connect(self.refresh)
        self._lay_out()
        self.list.currentItemChanged.connect(lambda now, before: self._show_chosen())
        self.files.currentItemChanged.connect(lambda now, before: self._file_chosen())
        self.files.itemDoubleClicked.connect(lambda item, column: self._mend())
        self.refresh()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        for part in (self.add, self.switch, self.pause, self.results, self.remove):
            row.addWidget(part)
        row.addStretch(1)
        below, column = QWidget(), QVBoxLayout()
        below.setLayout(column)
        column.setContentsMargins(0, 0, 0, 0)
        head = QHBoxLayout()
        head.addWidget(self.words, 1)
        head.addWidget(self.mend)
        column.addLayout(head)
        column.addWidget(self.files)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.list)
        split.addWidget(below)
        split.setSizes([240, 320])
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.addLayout(row)
        layout.addWidget(self.empty)
        layout.addWidget(split, 1)

    def _watch(self, folder: Folder) -> Watcher:
        out = Watcher(folder, self)
        out.changed.connect(lambda: self._later.start() if not self._later.isActive() else None)
        return out

    # --- life ---------------------------------------------------------------------------------------------------------
    def resume(self) -> None:
        """Start what was watched when the panel was closed."""
        for watcher in self.watchers:
            if watcher.folder.on:
                watcher.start()

    def close_all(self) -> None:
        """End every watcher in order; their files go on after the next start."""
        for watcher in self.watchers:
            watcher.stop(wait=True)

    # --- what is shown ------------------------------------------------------------------------------------------------
    @property
    def chosen(self) -> Watcher | None:
        """The watcher that is looked at."""
        item = self.list.currentItem()
        row = self.list.indexOfTopLevelItem(item) if item is not None else -1
        return self.watchers[row] if 0 <= row < len(self.watchers) else None

    def refresh(self) -> None:
        """Everything as it is now; what is chosen stays chosen."""
        while self.list.topLevelItemCount() > len(self.watchers):
            self.list.takeTopLevelItem(self.list.topLevelItemCount() - 1)
        for row, watcher in enumerate(self.watchers):
            item = self.list.topLevelItem(row) or QTreeWidgetItem(self.list)
            texts = (watcher.folder.source, watcher.folder.out, watcher.state_words, watcher.count_words)
            for column, text in enumerate(texts):
                item.setText(column, text)
                item.setToolTip(column, text)
        first = self.list.topLevelItem(0)
        if self.list.currentItem() is None and first is not None:
            self.list.setCurrentItem(first)
        self.empty.setVisible(not self.watchers)
        self._show_chosen()

    def _show_chosen(self) -> None:
        watcher = self.chosen
        for part in (self.switch, self.results, self.remove):
            part.setEnabled(watcher is not None)
        running = watcher is not None and watcher.is_running
        self.switch.setText(say("watch.stop" if running else "watch.start"))
        self.pause.setText(say("watch.resume" if watcher is not None and watcher.paused else "watch.pause"))
        self.pause.setEnabled(running)
        self._show_files(watcher.to_look_at if watcher is not None else [])

    def _show_files(self, rows: list[FileRow]) -> None:
        self.words.setText(say("watch.all_well") if not rows and self.chosen is not None else "")
        told = [(row.source, row.state, row.text) for row in rows[:MOST_SHOWN]]
        if told != getattr(self, "_told", None):
            self._told = told
            self.files.clear()
            for row in rows[:MOST_SHOWN]:
                key = f"watch.state_{row.state}"
                item = QTreeWidgetItem(self.files, [row.source, say(key) if key in TABLE else row.state, row.text])
                item.setToolTip(2, row.text)
                item.setForeground(1, QBrush(color("off" if row.state == NEEDS_MAP else "problem")))
                item.setData(0, Qt.ItemDataRole.UserRole, row)
        self._file_chosen()

    def _file_chosen(self) -> None:
        row = self._file
        self.mend.setEnabled(row is not None and row.state == NEEDS_MAP)

    @property
    def _file(self) -> FileRow | None:
        item = self.files.currentItem()
        found = item.data(0, Qt.ItemDataRole.UserRole) if item is not None else None
        return found if isinstance(found, FileRow) else None

    # --- what is done -------------------------------------------------------------------------------------------------
    def ask_folder(self) -> None:
        """Watch another folder."""
        dialog = WatchDialog(self)
        dialog.accepted.connect(lambda: self.watch(dialog.folder))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def watch(self, folder: Folder) -> Watcher:
        """Watch a folder from now on."""
        self.folders.keep([*self.folders.items, folder])
        watcher = self._watch(folder)
        self.watchers.append(watcher)
        watcher.start()
        self.refresh()
        return watcher

    def _switch(self) -> None:
        watcher = self.chosen
        if watcher is not None:
            on = not watcher.is_running
            watcher.start() if on else watcher.stop()
            row = self.watchers.index(watcher)
            watcher.folder = Folder(**{**vars(watcher.folder), "on": on})
            self.folders.keep([watcher.folder if i == row else f for i, f in enumerate(self.folders.items)])
            self.refresh()

    def _pause(self) -> None:
        if self.chosen is not None:
            self.chosen.pause(not self.chosen.paused)

    def pause_all(self) -> int:
        """Begin nothing new in any folder; how many are watched from here."""
        running = [w for w in self.watchers if w.is_running]
        for watcher in running:
            watcher.pause(True)
        return len(running)

    def _remove(self) -> None:
        watcher = self.chosen
        if watcher is not None:
            row = self.watchers.index(watcher)
            watcher.stop(wait=True)
            del self.watchers[row]
            watcher.deleteLater()
            self.folders.keep([f for i, f in enumerate(self.folders.items) if i != row])
            self.refresh()

    def _open_results(self) -> None:
        if self.chosen is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(self.chosen.folder.out))

    def _mend(self) -> None:
        watcher, row = self.chosen, self._file
        if watcher is None or row is None or row.state != NEEDS_MAP:
            return
        try:
            rig, file = watcher.rig_of(row)
        except KineographError as e:
            self.said.emit(e.message)
            return
        dialog = MapDialog(Mending(rig), row.source, self, file)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _tree(name: str, titles: tuple[str, ...], widths: tuple[int, ...]) -> QTreeWidget:
    out = QTreeWidget()
    out.setHeaderLabels([say(title) for title in titles])
    out.setRootIsDecorated(False)
    out.setAccessibleName(say(name))
    for column, width in enumerate(widths):
        out.setColumnWidth(column, width)
    return out
