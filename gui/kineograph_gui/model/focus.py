# SPDX-License-Identifier: Apache-2.0
"""The job that is looked at: its request, its result, fetched when they are there and kept while it is looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal

from kineograph.client import Result
from kineograph.errors import ErrorCode, KineographError
from kineograph.wire import messages as m
from kineograph.wire.messages import JobState, JobStatus, Method, ResultFormat
from kineograph_gui.model.desk import Desk, fields_of
from kineograph_gui.model.take import Take

KEPT_TAKES = 6


class Focus(QObject):
    """``look_at`` a job; the signals tell when more of it is known."""

    changed = Signal()  # another job, or its status
    request_changed = Signal()
    take_changed = Signal()

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.job = ""
        self.sent: m.JobRequestReply | None = None
        self.take: Take | None = None
        self.take_error: KineographError | None = None
        self._asked_result = False
        self._takes: OrderedDict[str, Take] = OrderedDict()
        desk.jobs.changed.connect(self._jobs_changed)
        desk.jobs.removed.connect(self._jobs_removed)
        desk.link_changed.connect(self._fetch)

    @property
    def status(self) -> JobStatus | None:
        """Where the job stands."""
        return self._desk.jobs.get(self.job) if self.job else None

    @property
    def address(self) -> str:
        """The daemon's address; empty: this computer's own."""
        return self._desk.link.address or ""

    @property
    def request(self) -> Mapping[str, Any] | None:
        """The MMCP request, once it is known."""
        return self.sent.request if self.sent is not None and isinstance(self.sent.request, Mapping) else None

    @property
    def fields(self) -> dict[str, Any]:
        """How it was submitted."""
        return fields_of(self.sent) if self.sent is not None else {}

    @property
    def refs(self) -> Mapping[str, Any]:
        """The sender's names for parts of the request."""
        refs = self.fields.get("refs")
        return refs if isinstance(refs, Mapping) else {}

    def look_at(self, job: str) -> None:
        """Another job; the empty text: none."""
        if job == self.job:
            return
        self.job, self.sent, self.take_error = job, None, None
        self.take = self._takes.get(job)
        self._asked_result = self.take is not None
        self.changed.emit()
        self.request_changed.emit()
        self.take_changed.emit()
        self._fetch()

    def _jobs_changed(self, jobs: Sequence[JobStatus]) -> None:
        if any(status.job == self.job for status in jobs):
            self.changed.emit()
            self._fetch()

    def _jobs_removed(self, jobs: Sequence[str]) -> None:
        for job in jobs:
            self._takes.pop(job, None)
        if self.job in jobs:
            self.look_at("")

    def _fetch(self) -> None:
        status, job = self.status, self.job
        if status is None or not self._desk.is_ready:
            return
        if self.sent is None:
            self._desk.link.ask(
                Method.JOB_REQUEST, m.JobRef(job), lambda reply: self._got_request(job, reply), lambda e: None
            )
        elif status.state is JobState.SUCCEEDED and not self._asked_result:
            self._asked_result = True
            message = m.JobResult(job, ResultFormat.ARRAYS)
            self._desk.link.ask(
                Method.JOB_RESULT,
                message,
                lambda reply: self._got_result(job, reply),
                lambda e: self._no_result(job, e),
            )

    def _got_request(self, job: str, reply: m.JobRequestReply) -> None:
        if job == self.job and self.sent is None:
            self.sent = reply
            self.request_changed.emit()
            self._fetch()

    def _got_result(self, job: str, reply: m.JobResultReply) -> None:
        if job != self.job or self.request is None:
            return
        if reply.result is None:
            self._asked_result = False
            return
        try:
            take = Take.of(Result.from_body(reply.job, reply.result), self.request)
        except (KineographError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as e:
            known = e if isinstance(e, KineographError) else KineographError(ErrorCode.BAD_RESPONSE, str(e))
            self._no_result(job, known)
            return
        self._takes[job] = take
        while len(self._takes) > KEPT_TAKES:
            self._takes.popitem(last=False)
        self.take = take
        self.take_changed.emit()

    def _no_result(self, job: str, error: KineographError) -> None:
        if job == self.job:
            self._asked_result = error.code not in (ErrorCode.DAEMON_UNREACHABLE, ErrorCode.CONNECTION_FAILED)
            self.take_error = error
            self.take_changed.emit()
