# SPDX-License-Identifier: Apache-2.0
"""A letter box between the engine's thread and a main thread that must never wait (Blender, Qt).

Any thread posts; the main thread calls ``poll`` from a timer and runs what has come, within a budget of time.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable

log = logging.getLogger(__name__)

Job = Callable[[], None]


class Inbox:
    """``post`` from any thread, ``poll`` from one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._posted: deque[Job] = deque()  # append and popleft are atomic
        self._timers: list[tuple[float, int, Job]] = []
        self._order = itertools.count()

    def post(self, job: Job) -> None:
        """Run ``job`` at the next ``poll``."""
        self._posted.append(job)

    def post_later(self, delay_s: float, job: Job) -> None:
        """Run ``job`` at the first ``poll`` after ``delay_s``. Only from the polling thread."""
        heapq.heappush(self._timers, (self._clock() + delay_s, next(self._order), job))

    def poll(self, budget_s: float = 0.004) -> int:
        """Run what has come, starting nothing after ``budget_s``; never waits. Returns how many ran.

        A job that raises is logged and does not stop the others.
        """
        end_s = self._clock() + budget_s
        ran = 0
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:
                log.exception("a callback failed")
            ran += 1
            if self._clock() >= end_s:
                break
        return ran

    def __len__(self) -> int:
        return len(self._posted) + len(self._timers)

    def _next(self) -> Job | None:
        if self._timers and self._timers[0][0] <= self._clock():
            return heapq.heappop(self._timers)[2]
        return self._posted.popleft() if self._posted else None
