# SPDX-License-Identifier: Apache-2.0
"""The queue: filter, table, and below it what the selected row is about and how it moves."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QSplitter,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from kineograph.wire.messages import JobState
from kineograph_gui.model.desk import ACTIVE, Desk
from kineograph_gui.model.focus import Focus
from kineograph_gui.model.queue import STATUS_ROLE, Filter, QueueModel
from kineograph_gui.model.repair import Repair
from kineograph_gui.model.rows import Column
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import say
from kineograph_gui.ui.details_panel import DetailsPanel
from kineograph_gui.ui.look import color, state_color
from kineograph_gui.ui.parts import button, label, toggle
from kineograph_gui.ui.player import Player

ROW_HEIGHT = 26
AGES_MS = 1000
"""How often times that pass are said anew."""
WIDTHS = {
    Column.JOB: 200, Column.PROMPT: 190, Column.CHARACTER: 100, Column.MODEL: 150, Column.CLIENT: 140,
    Column.STATE: 120, Column.PROGRESS: 170, Column.LEFT: 60, Column.WHEN: 110,
}  # fmt: skip


LEAST_WIDTH = {Column.PROMPT: 1180, Column.MODEL: 1040, Column.CHARACTER: 900}
"""A narrower table leaves these columns out: state and progress stay in sight."""


class RowPainter(QStyledItemDelegate):
    """State words in their colour, the progress as a bar."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        status = index.data(STATUS_ROLE)
        column = Column(index.column())
        if status is None and not option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, color("line", 90))
        super().paint(painter, option, index)
        if column is Column.PROGRESS and status is not None and status.state in (JobState.RUNNING, JobState.CANCELLING):
            selected = bool(option.state & QStyle.StateFlag.State_Selected)
            _bar(painter, QRectF(option.rect), status.progress.fraction, selected=selected)

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.state &= ~QStyle.StateFlag.State_HasFocus
        status = index.data(STATUS_ROLE)
        if status is None:
            option.font.setBold(Column(index.column()) is Column.JOB)
            return
        role = option.palette.ColorRole
        if Column(index.column()) in (Column.STATE, Column.PROGRESS):
            option.palette.setColor(role.Text, state_color(status.state))
        elif Column(index.column()) is not Column.JOB or status.state is JobState.CANCELLED:
            option.palette.setColor(role.Text, color("quiet"))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(WIDTHS[Column(index.column())], ROW_HEIGHT)


class JobTable(QTableView):
    """Whole rows, keyboard first."""

    opened = Signal()
    folded = Signal(str, bool)  # a group, and whether it is to be folded
    deleted = Signal()

    def __init__(self, model: QueueModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setItemDelegate(RowPainter(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDragDropOverwriteMode(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName(say("page.queue"))
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(44)
        for column, width in WIDTHS.items():
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(Column.JOB, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(Column.WHEN, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.clicked.connect(lambda index: self._fold_at(index.row()))
        self._jobs = model

    def _fold_at(self, row: int, on: bool | None = None) -> bool:
        """Fold or unfold the group whose head a row is (None: the other way); whether it is one."""
        client = self._jobs.group_at(row)
        if client is None:
            return False
        self.folded.emit(client, not self._jobs.is_folded(client) if on is None else on)
        return True

    def _step_out(self, row: int) -> bool:
        """From a job to its group's head."""
        status = self._jobs.status_at(row)
        head = self._jobs.group_row(status.client) if status is not None and self._jobs.is_grouped else None
        if head is not None:
            self.selectRow(head)
        return head is not None

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for column, least in LEAST_WIDTH.items():
            self.setColumnHidden(column, self.viewport().width() < least)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.currentIndex().row()
        match Qt.Key(event.key()):
            case Qt.Key.Key_Left if self._fold_at(row, True) or self._step_out(row):
                return
            case Qt.Key.Key_Right if self._fold_at(row, False):
                return
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self._fold_at(row):
                return
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self.opened.emit()
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace:
                self.deleted.emit()
            case _:
                super().keyPressEvent(event)


class QueuePage(QWidget):
    """Filter, table, details, motion."""

    def __init__(
        self, desk: Desk, focus: Focus, repair: Repair, settings: PanelSettings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._focus = focus
        self.model = QueueModel(desk.jobs, self)
        self.table = JobTable(self.model)
        self.details = DetailsPanel(focus, repair)
        self.player = Player()
        self._settings = settings
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(say("queue.filter"))
        self.filter.setAccessibleName(say("do.filter"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setMinimumWidth(180)
        self.states = QComboBox()
        self.states.setAccessibleName(say("col.state"))
        self.clients = QComboBox()
        self.clients.setAccessibleName(say("col.client"))
        self._count = label(quiet=True, wrap=False)
        self.group = toggle(say("queue.group"), tip=say("queue.group_tip"))
        self.pause = button(say("queue.pause"), lambda: desk.pause(not desk.paused))
        self._paused = label(say("queue.paused"))
        self._empty = label(quiet=True)
        self._show_all = button(say("queue.clear_filter"), self.clear_filter)
        self._busy = self._looked = False
        self._fill_states()
        self._lay_out()
        self._wire()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(120)
        self._later.timeout.connect(self._apply_filter)
        self._ages = QTimer(self)
        self._ages.setInterval(AGES_MS)
        self._ages.timeout.connect(self._refresh_ages)
        self._ages.start()
        self.refresh()

    def _fill_states(self) -> None:
        self.states.addItem(say("queue.any_state"), ())
        self.states.addItem(say("queue.active"), ACTIVE)
        for state in JobState:
            self.states.addItem(say(f"state.{state}"), (state,))
        self.clients.addItem(say("queue.any_client"), None)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.filter, 1)
        for part in (self.states, self.clients, self.group, self._count, self.pause):
            top.addWidget(part)
        hint = QHBoxLayout()
        hint.addStretch(1)
        hint.addWidget(self._empty)
        hint.addWidget(self._show_all)
        hint.addStretch(1)
        self._empty.setWordWrap(False)
        upper = QWidget()
        upper_layout = QVBoxLayout(upper)
        upper_layout.setContentsMargins(0, 0, 0, 0)
        upper_layout.setSpacing(6)
        upper_layout.addLayout(top)
        upper_layout.addWidget(self._paused)
        upper_layout.addWidget(self.table, 1)
        upper_layout.addLayout(hint)
        self.below = QSplitter(Qt.Orientation.Horizontal)
        self.below.addWidget(self.details)
        self.below.addWidget(self.player)
        self.below.setSizes([560, 640])
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.addWidget(upper)
        self.split.addWidget(self.below)
        self.split.setSizes([312, 330])
        for split in (self.split, self.below):
            split.setChildrenCollapsible(False)
            split.setHandleWidth(8)
        upper.setMinimumHeight(140)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.addWidget(self.split)

    def _wire(self) -> None:
        self.group.toggled.connect(self.model.set_grouped)
        self.table.folded.connect(self._fold)
        self.filter.textChanged.connect(lambda: self._later.start())
        self.states.currentIndexChanged.connect(lambda: self._apply_filter())
        self.clients.currentIndexChanged.connect(lambda: self._apply_filter())
        self.table.selectionModel().currentRowChanged.connect(self._row_changed)
        self.model.refilled.connect(self._refilled)
        self._desk.jobs.changed.connect(lambda jobs: self._news())
        self._desk.jobs.removed.connect(lambda jobs: self.refresh())
        self._desk.link_changed.connect(self.refresh)
        self._focus.take_changed.connect(self._take_changed)
        self._focus.changed.connect(self._focus_changed)

    # --- filter -------------------------------------------------------------------------------------------------------
    def clear_filter(self) -> None:
        """Show all jobs."""
        self.filter.clear()
        self.states.setCurrentIndex(0)
        self.clients.setCurrentIndex(0)
        self._apply_filter()

    def _apply_filter(self) -> None:
        self._later.stop()
        states = self.states.currentData() or ()
        self.model.set_filter(Filter.of(self.filter.text(), states, self.clients.currentData()))
        self.refresh()

    def _news(self) -> None:
        """A first look at the newest job, when nothing was looked at yet."""
        if not self._focus.job and not self._looked and self.model.rowCount():
            status = self.model.status_at(0)
            self._looked = status is not None and self.select(status.job)
        self.refresh()

    def refresh(self) -> None:
        """Counts, clients, empty states."""
        total, shown = len(self._desk.jobs), self.model.shown
        every = self.model.filter.is_open
        all_of_them = say("queue.count_one") if total == 1 else say("queue.count_all", total=total)
        self._count.setText(all_of_them if every else say("queue.count", shown=shown, total=total))
        self._empty.setVisible(shown == 0)
        self._empty.setText(say("queue.empty" if total == 0 else "queue.none_match"))
        self._show_all.setVisible(shown == 0 and total > 0)
        self.pause.setText(say("queue.resume" if self._desk.paused else "queue.pause"))
        self.pause.setEnabled(self._desk.is_ready)
        self._paused.setVisible(self._desk.paused and self._desk.is_ready)
        known = {self.clients.itemData(i) for i in range(1, self.clients.count())}
        for client in sorted(set(self._desk.jobs.clients) - known - {""}):
            self.clients.addItem(client, client)

    @property
    def hint(self) -> str:
        """What an empty table says."""
        return "" if self._empty.isHidden() else self._empty.text()

    def _refresh_ages(self) -> None:
        if self.model.rowCount() and self.isVisible():
            top = max(self.table.rowAt(0), 0)
            bottom = self.table.rowAt(self.table.viewport().height())
            last = bottom if bottom >= 0 else self.model.rowCount() - 1
            for column in (Column.STATE, Column.WHEN):
                self.model.dataChanged.emit(self.model.index(top, column), self.model.index(last, column))

    # --- selection ----------------------------------------------------------------------------------------------------
    @property
    def selected(self) -> list[str]:
        """Ids of the selected jobs."""
        found = (index.data(STATUS_ROLE) for index in self.table.selectionModel().selectedRows())
        return [status.job for status in found if status is not None]

    def select(self, job: str) -> bool:
        """Look at a job; whether its row is shown. A folded group is unfolded for it."""
        self.model.reveal(job)
        row = self.model.row_of(job)
        if row is None:
            return False
        flags = QItemSelectionModel.SelectionFlag
        index = self.model.index(row, 0)
        self.table.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.table.scrollTo(index)
        return True

    def _fold(self, client: str, on: bool) -> None:
        """Fold a group; its head stays where the user is."""
        self.model.fold(client, on)
        row = self.model.group_row(client)
        if row is not None:
            self._busy = True
            self.table.selectRow(row)
            self._busy = False

    def _row_changed(self, current: QModelIndex, previous: QModelIndex) -> None:
        status = current.data(STATUS_ROLE) if current.isValid() else None
        if status is not None and not self._busy:
            self._focus.look_at(status.job)

    def _refilled(self) -> None:
        self._busy = True
        row = self.model.row_of(self._focus.job) if self._focus.job else None
        if row is not None:
            flags = QItemSelectionModel.SelectionFlag
            self.table.selectionModel().setCurrentIndex(self.model.index(row, 0), flags.ClearAndSelect | flags.Rows)
        self._busy = False

    def _focus_changed(self) -> None:
        status = self._focus.status
        if status is not None and self._focus.take is None and self.player.preview.take is None:
            self._take_changed()

    def _take_changed(self) -> None:
        focus, status = self._focus, self._focus.status
        hint = say("motion.none")
        if focus.take is None and status is not None and status.state is JobState.SUCCEEDED:
            hint = say("motion.reading") if focus.take_error is None else say("details.result_gone")
        if focus.take is not self.player.preview.take or focus.take is None:
            self.player.show_take(focus.take, hint)


class Refocus(QObject):
    """Keeps Space for playing, wherever the focus is but in a text."""

    def __init__(self, player: Player, parent: QObject) -> None:
        super().__init__(parent)
        self._player = player

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Space:
            self._player.toggle()
            return True
        return False


def _bar(painter: QPainter, rect: QRectF, fraction: float, *, selected: bool) -> None:
    box = rect.adjusted(8, rect.height() / 2 - 4, -44, -rect.height() / 2 + 4)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color("line"))
    painter.drawRoundedRect(box, 4, 4)
    painter.setBrush(color("on_accent" if selected else "accent"))
    filled = QRectF(box)
    filled.setWidth(max(box.width() * min(max(fraction, 0.0), 1.0), 4.0))
    painter.drawRoundedRect(filled, 4, 4)
    painter.setPen(color("on_accent" if selected else "text"))
    room = QRectF(box.right() + 4, rect.top(), 38, rect.height())
    painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), f"{fraction:.0%}")
    painter.restore()
