# SPDX-License-Identifier: Apache-2.0
"""Requests on their way: what was asked, until when, and whether it may be asked twice. No I/O."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from kineograph.errors import KineographError, from_envelope
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import Method

SENT_ONCE = frozenset({Method.JOB_MOVE, Method.JOB_FORGET, Method.DAEMON_DRAIN, Method.DAEMON_STOP})
"""Methods that another daemon must not see again. All others are idempotent; a submit is, by its job id and body."""


class Slot:
    """A ``Future`` for whoever turns the loop that fills it: no lock is made and nobody woken, as long as it does."""

    __slots__ = ("_error", "_event", "_is_done", "_value")

    def __init__(self) -> None:
        self._is_done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._event: threading.Event | None = None

    def done(self) -> bool:
        """Whether there is an answer."""
        return self._is_done

    def result(self) -> Any:
        """The answer, or its error raised; waits where another thread has to give it."""
        if not self._is_done:
            event = self._event = threading.Event()
            if not self._is_done:  # asked once more: who fills it looks for the event afterwards
                event.wait()
        if self._error is not None:
            raise self._error
        return self._value

    def fill(self, value: Any, error: BaseException | None = None) -> None:
        """The answer is there."""
        self._value, self._error = value, error
        self._is_done = True
        if self._event is not None:
            self._event.set()


@dataclass(eq=False)
class Pending:
    """One request. ``body`` is packed already: a repeat is the same bytes."""

    request_id: str
    method: Method
    body: list[Buffer]
    future: Future[Any] | Slot
    deadline_s: float
    was_sent: bool = False


class PendingTable:
    """All requests without an answer, by id, and the next deadline."""

    def __init__(self) -> None:
        self._by_id: dict[str, Pending] = {}
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Pending]:
        return iter(list(self._by_id.values()))

    def add(self, request: Pending) -> None:
        """Remember a request."""
        self._by_id[request.request_id] = request
        heapq.heappush(self._deadlines, (request.deadline_s, request.request_id))

    def get(self, request_id: str) -> Pending | None:
        """A request; None for an unknown id (a late or foreign answer)."""
        return self._by_id.get(request_id)

    def take(self, request_id: str) -> Pending | None:
        """Forget and return a request; None for an unknown id (a late or foreign answer)."""
        return self._by_id.pop(request_id, None)

    def expired(self, now_s: float) -> list[Pending]:
        """Forget and return the requests whose deadline has passed."""
        out = []
        while self._deadlines and self._deadlines[0][0] <= now_s:
            request = self.take(heapq.heappop(self._deadlines)[1])
            if request is not None:
                out.append(request)
        return out

    def next_deadline_s(self) -> float | None:
        """When ``expired`` will have something to return."""
        while self._deadlines and self._deadlines[0][1] not in self._by_id:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def fail(self, error: KineographError, sent_once_only: bool) -> None:
        """Fail everything, or only what was sent and must not be sent to another daemon."""
        for request in self:
            if not sent_once_only or (request.was_sent and request.method in SENT_ONCE):
                del self._by_id[request.request_id]
                settle_error(request.future, from_envelope(error.to_envelope()))  # each raiser its own traceback


def settle(future: Future[Any] | Slot, value: Any) -> None:
    """Give a future its value, unless its owner has cancelled it meanwhile."""
    if isinstance(future, Slot):
        future.fill(value)
    elif future.set_running_or_notify_cancel():
        future.set_result(value)


def settle_error(future: Future[Any] | Slot, error: BaseException) -> None:
    """Give a future its error, unless its owner has cancelled it meanwhile."""
    if isinstance(future, Slot):
        future.fill(None, error)
    elif future.set_running_or_notify_cancel():
        future.set_exception(error)
