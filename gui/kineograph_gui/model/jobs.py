# SPDX-License-Identifier: Apache-2.0
"""All jobs that are known, by id. A daemon that goes away takes no row with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QObject, Signal

from kineograph.wire.messages import JobState, JobStatus


class JobStore(QObject):
    """The newest status of each job, and counts by state."""

    changed = Signal(list)  # list[JobStatus]: new or changed
    removed = Signal(list)  # list[str]

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[str, JobStatus] = {}
        self._counts: dict[JobState, int] = dict.fromkeys(JobState, 0)
        self.clients: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[JobStatus]:
        return iter(self._jobs.values())

    def get(self, job: str) -> JobStatus | None:
        """A job's status, or None."""
        return self._jobs.get(job)

    def count(self, *states: JobState) -> int:
        """How many jobs are in these states."""
        return sum(self._counts[s] for s in states)

    def update(self, statuses: Sequence[JobStatus]) -> None:
        """Take newer statuses; what says nothing new is dropped."""
        news = []
        for status in statuses:
            old = self._jobs.get(status.job)
            if old == status:
                continue
            self._count(old, -1)
            self._count(status, 1)
            self._jobs[status.job] = status
            news.append(status)
        if news:
            self.changed.emit(news)

    def keep(self, known: frozenset[str]) -> None:
        """Drop what the daemon does not know any more: it was forgotten while nobody listened."""
        self.forget([job for job in self._jobs if job not in known])

    def forget(self, jobs: Sequence[str]) -> None:
        """Drop jobs."""
        gone = [job for job in jobs if job in self._jobs]
        for job in gone:
            self._count(self._jobs.pop(job), -1)
        if gone:
            self.removed.emit(gone)

    def _count(self, status: JobStatus | None, by: int) -> None:
        if status is not None:
            self._counts[status.state] += by
            self.clients[status.client] = self.clients.get(status.client, 0) + by
