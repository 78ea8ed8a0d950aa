# SPDX-License-Identifier: Apache-2.0
"""The one client of the panel: its thread's news and answers, brought into the Qt loop as typed signals.

The client's thread never touches a Qt object but for one wake-up signal. What has come is handed out in the Qt thread,
a few milliseconds at a time, job statuses in lumps: only the newest of a job counts.
"""

from __future__ import annotations

import getpass
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, assert_never

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from kineograph.client import (
    ClientEvent,
    DaemonEvent,
    JobEvent,
    JobPage,
    LinkChanged,
    LinkSettings,
    LinkState,
    ModelEvent,
    Snapshot,
)
from kineograph.client.engine import DEFAULT_DEADLINE_S, Engine
from kineograph.client.sync import build_engine
from kineograph.errors import ErrorCode, InternalError, KineographError, LinkError
from kineograph.wire.messages import EventName, HelloReply, JobStatus, Method

log = logging.getLogger(__name__)

TURN_S = 0.004
"""The most time that news may take of one turn of the Qt loop."""

GATHER_MS = 30
"""How long news is gathered before it is shown: 33 pictures a second are enough for a table."""

OnReply = Callable[[Any], None]
OnError = Callable[[KineographError], None]


class Link(QObject):
    """``open`` connects, ``ask`` asks; signals tell the rest. All in the Qt thread, none of it waits."""

    state_changed = Signal(object)  # LinkChanged
    jobs_changed = Signal(list)  # list[JobStatus], the newest of each job
    job_forgotten = Signal(str)
    snapshot_ended = Signal(object)  # frozenset[str]: all jobs that the daemon knows
    model_changed = Signal(object)  # ModelReply
    daemon_news = Signal(object)  # DaemonEvent
    _woken = Signal()

    def __init__(self, address: str | None = None, *, start_daemon: bool = False, parent: QObject | None = None):
        super().__init__(parent)
        self.address = address
        self.start_daemon = start_daemon
        self.name = f"panel:{_user()}"
        self._settings: LinkSettings | None = None
        self._engine: Engine | None = None
        self._stop_watching: Callable[[], None] | None = None
        self._generation = 0
        self._news: deque[tuple[int, ClientEvent]] = deque()
        self._answers: deque[tuple[int, Callable[[], None]]] = deque()
        self._jobs: dict[str, JobStatus] = {}
        self._snapshot: Iterator[JobStatus] | None = None
        self._in_snapshot: set[str] = set()
        self._awake = False
        self._woken.connect(self._gather, Qt.ConnectionType.QueuedConnection)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._turn)

    # --- life ---------------------------------------------------------------------------------------------------------
    @property
    def state(self) -> LinkState:
        """Where the connection stands."""
        return self._engine.state if self._engine is not None else LinkState.CLOSED

    @property
    def error(self) -> KineographError | None:
        """Why there is no connection, while there is none."""
        return self._engine.error if self._engine is not None else None

    @property
    def hello(self) -> HelloReply | None:
        """What the daemon last met said of itself."""
        return self._engine.hello if self._engine is not None else None

    def open(self, settings: LinkSettings | None = None) -> None:
        """Connect; a connection that is open is dropped first."""
        self.close()
        self._settings = settings or self._settings
        self._generation += 1
        number = self._generation
        self._engine = build_engine(self.address, self.name, "panel", self.start_daemon, settings=self._settings)
        self._stop_watching = self._engine.watch(lambda event: self._heard(number, event))

    def reopen(self, address: str | None, *, start_daemon: bool) -> None:
        """Connect to another address, or again to the same one."""
        self.address, self.start_daemon = address, start_daemon
        if self._settings is not None:
            self._settings = None
        self.open()

    def close(self) -> None:
        """End the connection and drop what has not been told."""
        if self._stop_watching is not None:
            self._stop_watching()
        if self._engine is not None:
            self._engine.close()
        self._engine = self._stop_watching = self._snapshot = None
        self._generation += 1
        self._timer.stop()
        self._news.clear()
        self._answers.clear()
        self._jobs.clear()
        self._awake = False

    # --- questions ----------------------------------------------------------------------------------------------------
    def ask(
        self,
        method: Method,
        message: Any,
        on_reply: OnReply | None = None,
        on_error: OnError | None = None,
        deadline_s: float = DEFAULT_DEADLINE_S,
    ) -> None:
        """Ask the daemon; one of the callbacks runs later, in the Qt thread."""
        if self._engine is None:
            if on_error is not None:
                on_error(LinkError(ErrorCode.CONNECTION_FAILED, "the panel is not connected"))
            return
        number = self._generation
        try:
            future = self._engine.call(method, message, deadline_s)
        except KineographError as e:
            if on_error is not None:
                on_error(e)
            return
        future.add_done_callback(lambda f: self._answered(number, f, on_reply, on_error))

    def _answered(self, number: int, future: Future[Any], on_reply: OnReply | None, on_error: OnError | None) -> None:
        failed = future.exception()
        if failed is None:
            if on_reply is None:
                return
            value = future.result()
            self._answers.append((number, lambda: on_reply(value)))
        else:
            if on_error is None:
                return
            error = (
                failed if isinstance(failed, KineographError) else InternalError(ErrorCode.INTERNAL_ERROR, repr(failed))
            )
            self._answers.append((number, lambda: on_error(error)))
        self._wake()

    # --- the client's thread ------------------------------------------------------------------------------------------
    def _heard(self, number: int, event: ClientEvent) -> None:
        self._news.append((number, event))
        self._wake()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            try:
                self._woken.emit()
            except RuntimeError:  # the panel is gone, its last news is nobody's
                log.debug("news after the end")

    # --- the Qt thread ------------------------------------------------------------------------------------------------
    def _gather(self) -> None:
        if not self._timer.isActive():
            # An answer is what somebody waits for; news may wait for more of its kind.
            self._timer.start(0 if self._answers else GATHER_MS)

    def _turn(self) -> None:
        self._awake = False
        end_s = time.perf_counter() + TURN_S
        more = True
        while more and time.perf_counter() < end_s:
            more = self._step()
        self._flush()
        if more:
            self._timer.start(0)

    def _step(self) -> bool:
        """One piece of news or one answer; False when nothing is left."""
        if self._answers:
            number, call = self._answers.popleft()
            if number == self._generation:
                self._flush()
                call()
            return True
        if self._snapshot is not None:
            self._take_snapshot_part(self._snapshot)
            return True
        if not self._news:
            return False
        number, event = self._news.popleft()
        if number == self._generation:
            self._tell(event)
        return True

    def _tell(self, event: ClientEvent) -> None:
        match event:
            case JobEvent(EventName.JOB_FORGOTTEN, job):
                self._flush()
                self.job_forgotten.emit(job.job)
            case JobEvent():
                self._jobs[event.job.job] = event.job
            case Snapshot(jobs):
                self._begin_snapshot(jobs)
            case LinkChanged():
                self._flush()
                self.state_changed.emit(event)
            case ModelEvent():
                self.model_changed.emit(event.model)
            case DaemonEvent():
                self.daemon_news.emit(event)
            case _:
                assert_never(event)

    def _begin_snapshot(self, page: JobPage) -> None:
        self._flush()
        self._in_snapshot = set()
        self._snapshot = iter(page)

    def _take_snapshot_part(self, rows: Iterator[JobStatus]) -> None:
        for _ in range(50):
            try:
                status = next(rows, None)
            except KineographError as e:
                log.warning("the list of jobs breaks off: %s", e)
                self._snapshot = None
                return
            if status is None:
                self._snapshot = None
                self._flush()
                self.snapshot_ended.emit(frozenset(self._in_snapshot))
                return
            self._in_snapshot.add(status.job)
            self._jobs[status.job] = status

    def _flush(self) -> None:
        if self._jobs:
            jobs, self._jobs = list(self._jobs.values()), {}
            self.jobs_changed.emit(jobs)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user entry
        return "user"
