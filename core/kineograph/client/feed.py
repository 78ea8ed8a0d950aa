# SPDX-License-Identifier: Apache-2.0
"""From numbered messages to what listeners hear: in order, without a hole that nobody notices. No I/O.

A gap in the numbers asks for a snapshot. Events that come before the snapshot are held and then told if they are newer
than it, so that what is known never goes backwards. A snapshot that did not come, or came after more events than are
held, is asked for again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future

from kineograph.client import events
from kineograph.client.events import ClientEvent, EventCount, JobPage, Listener, Snapshot, Verdict
from kineograph.wire.codec import Message
from kineograph.wire.messages import JobListReply

log = logging.getLogger(__name__)

_MAX_HELD = 10_000
AskForJobs = Callable[[Callable[[Future[JobListReply]], None]], None]


class EventFeed:
    """``ask_for_jobs`` asks ``job.list`` and calls back with the finished future. One thread only."""

    def __init__(self, ask_for_jobs: AskForJobs) -> None:
        self._ask_for_jobs = ask_for_jobs
        self._count = EventCount()
        self._listeners: dict[int, tuple[Listener, bool]] = {}
        self._held: list[Message] = []
        self._resyncing = 0
        self._asked = 0
        self._is_stale = False

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def add(self, token: int, listener: Listener, snapshots: bool) -> None:
        """A listener; ``snapshots``: it also wants the whole picture whenever that is renewed."""
        self._listeners[token] = (listener, snapshots)

    def remove(self, token: int) -> None:
        """A listener goes."""
        self._listeners.pop(token, None)

    def begin(self, epoch: str, seq: int) -> None:
        """The subscription starts; everything up to ``seq`` is covered by the first snapshot."""
        self._count.start(epoch, seq)
        self.resync()

    def end(self) -> None:
        """The subscription is over; a snapshot under way belongs to it and is dropped."""
        self._resyncing = 0
        self._is_stale = False
        self._held.clear()

    def take(self, message: Message) -> Verdict:
        """One message of the event socket."""
        verdict = self._count.take(message.header.epoch, message.header.seq)
        is_new = verdict in (Verdict.GAP, Verdict.NEXT)
        if verdict is Verdict.GAP or (is_new and self._is_stale):
            self.resync()
        if is_new:
            self._hear(message)
        return verdict

    def resync(self) -> None:
        """Ask for a snapshot, if anybody wants one and none is under way."""
        if self._resyncing or not any(snapshots for _, snapshots in self._listeners.values()):
            return
        self._is_stale = False
        self._asked += 1
        number = self._resyncing = self._asked
        self._ask_for_jobs(lambda future: self._resynced(number, future))

    def tell(self, event: ClientEvent) -> None:
        """Call every listener; one that fails does not keep the others from hearing."""
        for token, (_, snapshots) in list(self._listeners.items()):
            if snapshots or not isinstance(event, Snapshot):
                self.tell_one(token, event)

    def tell_one(self, token: int, event: ClientEvent) -> None:
        """Call one listener, if it is still there."""
        listener, _ = self._listeners.get(token, (None, False))
        if listener is None:
            return
        try:
            listener(event)
        except Exception:
            log.exception("a listener failed on %s", type(event).__name__)

    def _hear(self, message: Message) -> None:
        if self._resyncing:
            if len(self._held) >= _MAX_HELD:
                self._held.clear()
                self._is_stale = True
            self._held.append(message)
            return
        event = events.typed(message)
        if event is not None:
            self.tell(event)

    def _resynced(self, number: int, future: Future[JobListReply]) -> None:
        if number != self._resyncing:
            return
        self._resyncing = 0
        held, self._held = self._held, []
        covered = 0
        if future.exception() is None:
            page = JobPage(future.result())
            covered = page.seq
            self._count.known_up_to(covered)
            self.tell(Snapshot(page, self._count.epoch))
        else:
            self._is_stale = True  # until the next event, a heartbeat at the latest: the line may be bad right now
        for message in held:
            if message.header.seq > covered:
                self._hear(message)
