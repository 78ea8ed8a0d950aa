# SPDX-License-Identifier: Apache-2.0
"""What a listener hears, and the count of event numbers that shows what it missed. No I/O."""

from __future__ import annotations

import queue
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Any, overload

from kineograph.client.link import LinkState
from kineograph.errors import ErrorCode, KineographError, LinkError, RequestError
from kineograph.wire.codec import Message
from kineograph.wire.messages import EventName, JobListReply, JobStatus, ModelReply, from_body


class JobPage(Sequence[JobStatus]):
    """Jobs of a ``job.list`` reply, newest last; a row becomes a ``JobStatus`` when it is looked at.

    ``columns`` and ``rows`` are the plain table (for 10,000 rows in a view), ``total`` counts the jobs that match the
    filters beyond the page, ``seq`` is the event number at which the page was true.
    """

    def __init__(self, reply: JobListReply) -> None:
        self.columns = reply.columns
        self.rows = reply.rows
        self.total = reply.total
        self.seq = reply.seq

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> JobStatus: ...
    @overload
    def __getitem__(self, index: slice) -> list[JobStatus]: ...
    def __getitem__(self, index: int | slice) -> JobStatus | list[JobStatus]:
        if isinstance(index, slice):
            return [self._status(row) for row in self.rows[index]]
        return self._status(self.rows[index])

    def __iter__(self) -> Iterator[JobStatus]:
        return (self._status(row) for row in self.rows)

    def __repr__(self) -> str:
        return f"JobPage({len(self.rows)} of {self.total} jobs at event {self.seq})"

    def _status(self, row: Sequence[Any]) -> JobStatus:
        try:
            return from_body(JobStatus, dict(zip(self.columns, row, strict=True)))
        except (RequestError, TypeError, ValueError) as e:
            raise LinkError(ErrorCode.BAD_RESPONSE, f"a row of the job list does not fit: {e}") from None


@dataclass(frozen=True)
class JobEvent:
    """A job changed; ``job`` is its whole status."""

    name: EventName
    job: JobStatus
    seq: int
    epoch: str


@dataclass(frozen=True)
class ModelEvent:
    """A model changed."""

    name: EventName
    model: ModelReply
    seq: int
    epoch: str


@dataclass(frozen=True)
class DaemonEvent:
    """The daemon lives, drains or stops; ``body`` as the protocol describes it."""

    name: EventName
    body: dict[str, Any]
    seq: int
    epoch: str


@dataclass(frozen=True)
class Snapshot:
    """All jobs as they stand; replaces what was known. After subscribing, after a gap in the numbers or a restart."""

    jobs: JobPage
    epoch: str


@dataclass(frozen=True)
class LinkChanged:
    """The connection changed. ``restarted``: the daemon is another one than before (``daemon_restarted``)."""

    state: LinkState
    error: KineographError | None = None
    restarted: bool = False


ClientEvent = JobEvent | ModelEvent | DaemonEvent | Snapshot | LinkChanged
Listener = Callable[[ClientEvent], None]


class EventStream(Iterator[ClientEvent]):
    """Events as an iterator; leave the ``with`` block or call ``close`` to stop listening."""

    def __init__(self, watch: Callable[[Listener], Callable[[], None]], timeout_s: float | None) -> None:
        heard: queue.SimpleQueue[ClientEvent] = queue.SimpleQueue()
        self._heard = heard
        self._timeout_s = timeout_s
        # The engine knows the queue only, so that a forgotten stream is collected and stops.
        self.close = weakref.finalize(self, watch(heard.put))

    def __next__(self) -> ClientEvent:
        if not self.close.alive:
            raise StopIteration
        try:
            event = self._heard.get(timeout=self._timeout_s)
        except queue.Empty:
            self.close()
            raise StopIteration from None
        if isinstance(event, LinkChanged) and event.state is LinkState.CLOSED:
            self.close()
        return event

    def __enter__(self) -> EventStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def typed(message: Message) -> JobEvent | ModelEvent | DaemonEvent | None:
    """An event from its message; None for a name that a newer daemon may use, or a body that does not fit."""
    header = message.header
    if header.method not in EventName.__members__.values():
        return None
    name = EventName(header.method)
    try:
        if name.startswith("job."):
            return JobEvent(name, from_body(JobStatus, message.body), header.seq, header.epoch)
        if name.startswith("model."):
            return ModelEvent(name, from_body(ModelReply, message.body), header.seq, header.epoch)
    except RequestError:
        return None
    return DaemonEvent(name, message.body, header.seq, header.epoch)


class Verdict(Enum):
    """What an event's number says."""

    NEXT = auto()
    OLD = auto()
    GAP = auto()
    OTHER_EPOCH = auto()


class EventCount:
    """The last event number known, within one epoch."""

    def __init__(self) -> None:
        self.epoch = ""
        self.seq = 0

    def start(self, epoch: str, seq: int) -> None:
        """Count from ``seq``, which is known already (from ``hello`` or a snapshot)."""
        self.epoch, self.seq = epoch, seq

    def known_up_to(self, seq: int) -> None:
        """A snapshot covers everything up to ``seq``: older events that still arrive are old news."""
        self.seq = max(self.seq, seq)

    def take(self, epoch: str, seq: int) -> Verdict:
        """Count one event."""
        if epoch != self.epoch:
            return Verdict.OTHER_EPOCH
        if seq <= self.seq:
            return Verdict.OLD
        verdict = Verdict.NEXT if seq == self.seq + 1 else Verdict.GAP
        self.seq = seq
        return verdict
