# SPDX-License-Identifier: Apache-2.0
"""The table of jobs: filtered and sorted by plain Python keys, changed row by row.

Qt's own proxy compares through ``data()``, two calls a comparison; over 10,000 rows that holds the loop for a second.
Here a row's key is made once, when the row is placed, and found again by bisection. A row keeps its place while its
values change (nothing moves under the mouse); it is placed anew when the user sorts again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QByteArray,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from kineograph.wire.messages import JobState, JobStatus
from kineograph_gui.model import rows
from kineograph_gui.model.groups import Groups, client_of, head_of
from kineograph_gui.model.jobs import JobStore
from kineograph_gui.model.rows import Column
from kineograph_gui.model.words import say

Index = QModelIndex | QPersistentModelIndex
STATUS_ROLE = Qt.ItemDataRole.UserRole
NOWHERE = QModelIndex()
JOB_MIME = "application/x-kineograph-job"
MANY = 200
"""So many new rows at once are cheaper as a fresh table than one by one."""


@dataclass(frozen=True)
class Filter:
    """What is shown. ``words`` must all occur; no states or no client: all of them."""

    words: tuple[str, ...] = ()
    states: frozenset[JobState] = frozenset()
    client: str | None = None

    @classmethod
    def of(cls, text: str, states: Iterable[JobState] = (), client: str | None = None) -> Filter:
        """From what was typed and chosen."""
        return cls(tuple(text.casefold().split()), frozenset(states), client)

    @property
    def is_open(self) -> bool:
        """Whether everything passes."""
        return not self.words and not self.states and self.client is None

    def passes(self, job: JobStatus, haystack: str) -> bool:
        """Whether a job is shown."""
        if self.states and job.state not in self.states:
            return False
        if self.client is not None and job.client != self.client:
            return False
        return all(word in haystack for word in self.words)


class QueueModel(QAbstractTableModel):
    """Jobs of a store as a table."""

    reordered = Signal(str, str)  # a waiting job, and the waiting job that it is to stand before
    refilled = Signal()  # after a filter, a sort or very many new rows: the selection is to be made again

    def __init__(self, store: JobStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._filter = Filter()
        self._column = Column.WHEN
        self._descending = False
        self._grouped = False
        self._groups = Groups()
        self._heads: set[str] = set()  # of groups that have a row
        self._keys: list[Any] = []
        self._ids: list[str] = []
        self._key_of: dict[str, Any] = {}
        self._hay: dict[str, str] = {}
        store.changed.connect(self._changed)
        store.removed.connect(self._removed)
        self._refill()

    # --- Qt's side ----------------------------------------------------------------------------------------------------
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._ids)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(Column)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        job = self.status_at(index.row()) if index.isValid() else None
        if job is None:
            return self._head_data(index, role) if index.isValid() else None
        column = Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return rows.cell(job, column)
        if role == STATUS_ROLE:
            return job
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tooltip(job, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{rows.name_of(job)}, {rows.state_words(job)}"
        return None

    def _head_data(self, index: Index, role: int) -> Any:
        client = self.group_at(index.row())
        group = self._groups.by_client.get(client) if client is not None else None
        if client is None or group is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return rows.head_cell(client, group, Column(index.column()), self.is_folded(client))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return rows.head_words(client, group, self.is_folded(client))
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return say(f"col.{rows.TITLES[section]}")
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._column = Column(column) if column >= 0 else Column.WHEN
        self._descending = order == Qt.SortOrder.DescendingOrder
        self._refill()

    def flags(self, index: Index) -> Qt.ItemFlag:
        out = super().flags(index)
        job = self.status_at(index.row()) if index.isValid() else None
        if job is not None and job.state is JobState.QUEUED:
            out |= Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemIsDropEnabled
        return out

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [JOB_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        out = QMimeData()
        job = self.status_at(indexes[0].row()) if indexes else None
        out.setData(JOB_MIME, QByteArray((job.job if job is not None else "").encode()))
        return out

    def dropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        """The daemon puts the job elsewhere; its answer changes the rows, never the drop itself."""
        dragged = bytes(data.data(JOB_MIME).data()).decode("ascii", "replace")
        target = self.status_at(parent.row() if parent.isValid() else row)
        if dragged and target is not None and target.state is JobState.QUEUED and target.job != dragged:
            self.reordered.emit(dragged, target.job)
        return False

    # --- the panel's side ---------------------------------------------------------------------------------------------
    @property
    def filter(self) -> Filter:
        """What is shown."""
        return self._filter

    def set_filter(self, wanted: Filter) -> None:
        """Show something else."""
        if wanted != self._filter:
            self._filter = wanted
            self._refill()

    @property
    def is_grouped(self) -> bool:
        """Whether the jobs of one sender stand together."""
        return self._grouped

    def set_grouped(self, on: bool) -> None:
        """The jobs of one sender together, or not."""
        if on != self._grouped:
            self._grouped = on
            self._refill()

    def group_at(self, row: int) -> str | None:
        """The sender whose jobs' head a row is; None for a job's row."""
        return client_of(self._ids[row]) if 0 <= row < len(self._ids) else None

    def group_row(self, client: str) -> int | None:
        """The row of a sender's head."""
        return self.row_of(head_of(client))

    def is_folded(self, client: str) -> bool:
        """Whether a sender's jobs are folded away."""
        return client in self._groups.folded

    def fold(self, client: str, on: bool) -> None:
        """Fold a sender's jobs away, or show them."""
        if on != self.is_folded(client):
            self._groups.folded ^= {client}
            self._refill()

    def fold_all(self) -> None:
        """Fold every group; when all are, unfold them."""
        clients = set(self._groups.by_client)
        self._groups.folded = set() if clients <= self._groups.folded else clients
        self._refill()

    def reveal(self, job: str) -> None:
        """Unfold the group of a job."""
        status = self._store.get(job)
        if status is not None and self._grouped:
            self.fold(status.client, False)

    @property
    def shown(self) -> int:
        """How many jobs pass the filter, those that are folded away too."""
        return self._groups.total if self._grouped else len(self._ids)

    def status_at(self, row: int) -> JobStatus | None:
        """The job of a row."""
        return self._store.get(self._ids[row]) if 0 <= row < len(self._ids) else None

    def row_of(self, job: str) -> int | None:
        """The row of a job, or None when it is not shown."""
        key = self._key_of.get(job)
        return None if key is None else bisect_left(self._keys, key)

    # --- inside -------------------------------------------------------------------------------------------------------
    def _key(self, job: JobStatus) -> Any:
        key = rows.key_of(job, self._column)
        sortable = _Reversed(key) if self._descending else key
        return (job.client.casefold(), job.client, 1, sortable) if self._grouped else sortable

    def _is_placed(self, job: JobStatus) -> bool:
        """Whether a job has a row; a group counts what is folded away, too."""
        if not self._grouped:
            return self._passes(job)
        if self._passes(job):
            self._groups.put(job)
            return job.client not in self._groups.folded
        self._groups.drop(job.job)
        return False

    def _passes(self, job: JobStatus) -> bool:
        hay = self._hay.get(job.job) if self._filter.words else ""
        if hay is None:
            hay = self._hay[job.job] = rows.haystack(job)
        return self._filter.passes(job, hay)

    def _refill(self) -> None:
        self.beginResetModel()
        self._groups.count(())
        pairs = [(self._key(job), job.job) for job in self._store if self._is_placed(job)]
        pairs = sorted([*pairs, *((_head_key(c), head_of(c)) for c in self._groups.by_client)])
        self._heads = set(self._groups.by_client)
        self._keys = [key for key, _ in pairs]
        self._ids = [job for _, job in pairs]
        self._key_of = {job: key for key, job in pairs}
        self.endResetModel()
        self.refilled.emit()

    def _merge(self, new: Sequence[JobStatus]) -> None:
        """Very many new rows at once: their keys alone are made, and two sorted runs become one."""
        if self._grouped:
            self._refill()
            return
        fresh = sorted((self._key(job), job.job) for job in new if self._is_placed(job))
        self.beginResetModel()
        pairs = sorted([*zip(self._keys, self._ids, strict=True), *fresh])
        self._keys, self._ids = [key for key, _ in pairs], [job for _, job in pairs]
        self._key_of.update({job: key for key, job in fresh})
        self.endResetModel()
        self.refilled.emit()

    def _changed(self, jobs: Sequence[JobStatus]) -> None:
        for job in jobs:
            self._hay.pop(job.job, None)
        new = [job for job in jobs if job.job not in self._key_of]
        if len(new) > MANY:
            self._merge(new)
            known = {job.job for job in new}
            jobs = [job for job in jobs if job.job not in known]
        for job in jobs:
            row, placed = self.row_of(job.job), self._is_placed(job)
            if row is None and placed:
                self._insert(self._key(job), job.job)
            elif row is not None and not placed:
                self._remove(row)
            elif row is not None:
                self._touch(row)
        if self._grouped:
            self._heads_changed()

    def _heads_changed(self) -> None:
        """Heads come and go with their jobs, and count them."""
        clients = self._groups.by_client.keys()
        for client in self._heads - clients:
            self._remove(bisect_left(self._keys, _head_key(client)))
        for client in clients - self._heads:
            self._insert(_head_key(client), head_of(client))
        for client in clients & self._heads:
            self._touch(bisect_left(self._keys, _head_key(client)))
        self._heads = set(clients)

    def _touch(self, row: int) -> None:
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(Column) - 1))

    def _insert(self, key: Any, job: str) -> None:
        row = bisect_left(self._keys, key)
        self.beginInsertRows(QModelIndex(), row, row)
        self._keys.insert(row, key)
        self._ids.insert(row, job)
        self._key_of[job] = key
        self.endInsertRows()

    def _remove(self, row: int) -> None:
        self.beginRemoveRows(QModelIndex(), row, row)
        job = self._ids.pop(row)
        del self._keys[row], self._key_of[job]
        self.endRemoveRows()

    def _removed(self, jobs: Sequence[str]) -> None:
        for job in jobs:
            self._hay.pop(job, None)
        if len(jobs) > MANY:
            self._refill()
            return
        for job in jobs:
            self._groups.drop(job)
            row = self.row_of(job)
            if row is not None:
                self._remove(row)
        if self._grouped:
            self._heads_changed()


def _head_key(client: str) -> tuple[Any, ...]:
    return (client.casefold(), client, 0)


class _Reversed:
    """A key that sorts the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: tuple[Any, ...]) -> None:
        self.key = key

    def __lt__(self, other: _Reversed) -> bool:
        return other.key < self.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


def _tooltip(job: JobStatus, column: Column) -> str | None:
    match column:
        case Column.WHEN:
            return rows.exact(job.created_s)
        case Column.JOB:
            return "\n".join(x for x in (job.label, job.prompt, job.job) if x)
        case Column.STATE | Column.PROGRESS if job.state is JobState.FAILED:
            return rows.problem_of(job).text
        case Column.STATE if job.note:
            return job.note
        case _:
            return None
