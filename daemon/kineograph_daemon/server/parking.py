# SPDX-License-Identifier: Apache-2.0
"""Submits that came before the models did: they wait a moment instead of being told that their model is unknown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from kineograph.errors import DEFAULT_RETRY_AFTER_S, ErrorCode, UnavailableError
from kineograph_daemon.server.call import Call, Outbox
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.models import ModelTable
from kineograph_daemon.workers.supervisor import Supervisor

_MOST = 1000


class Parking:
    """A call waits until every worker has reported its models, or for ``wait_s``."""

    def __init__(self, models: ModelTable, clock: Clock, outbox: Outbox, supervisor: Supervisor, wait_s: float) -> None:
        self._models = models
        self._clock = clock
        self._outbox = outbox
        self._supervisor = supervisor
        self._wait_s = wait_s
        self._parked: deque[tuple[float, Call]] = deque()

    def must_wait(self, call: Call, *models: str | None) -> bool:
        """Whether the call was parked, because a model it names may still come.

        Raises ``model_unavailable`` when too many wait already, or when waiting has been in vain.
        """
        if self._supervisor.is_settled or (
            self._models.ids and all(m is None or m in self._models.ids for m in models)
        ):
            return False
        if self._wait_s <= 0.0 or len(self._parked) >= _MOST:
            raise self._unavailable()
        self._parked.append((self._clock.now_s() + self._wait_s, call))
        return True

    def release(self, handle: Callable[[Call], None]) -> None:
        """The models have changed: let everybody try again."""
        parked, self._parked = self._parked, deque()
        for until_s, call in parked:
            before = len(self._parked)
            handle(call)
            if len(self._parked) > before:  # it waits on, but not longer than it was to wait
                self._parked[-1] = (until_s, call)

    def expire(self) -> None:
        """Refuse those whose time is over."""
        while self._parked and self._parked[0][0] <= self._clock.now_s():
            self._outbox.fail(self._parked.popleft()[1].sender, self._unavailable())

    def next_s(self) -> float | None:
        """When ``expire`` has something to do."""
        return self._parked[0][0] if self._parked else None

    def _unavailable(self) -> UnavailableError:
        last = [s.last for s in self._supervisor.slots if s.last]
        details = {"waited_s": self._wait_s, "available": self._models.ids, "workers": self._supervisor.facts()}
        message = "the models are still starting" + (f" (a worker failed: {last[0]})" if last else "")
        return UnavailableError(ErrorCode.MODEL_UNAVAILABLE, message, details, retry_after_s=DEFAULT_RETRY_AFTER_S)
