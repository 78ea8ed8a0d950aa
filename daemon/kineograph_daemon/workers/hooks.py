# SPDX-License-Identifier: Apache-2.0
"""How a running job hears "stop" and tells how far it is.

Cancels arrive on the heartbeat thread while the backbone has the main thread: a flag a job carries them over. What
a backbone asks every step is cheap: two flags and a clock.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

from kineograph_daemon.pipeline import Stopped
from kineograph_daemon.workers.link import TaskProgress

PROGRESS_EVERY_S = 0.1
_REMEMBERED = 4096

Send = Callable[[TaskProgress], None]


class Why(StrEnum):
    """Why a job has to stop."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    STOPPING = "stopping"


class Flag:
    """Set by one thread, asked by another: an Event that nobody waits for."""

    __slots__ = ("_is_set",)

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """From now on it is set."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._is_set


class Cancels:
    """Which jobs are to stop. A cancel may come before its job starts or after it ended; both are harmless."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Flag] = {}
        self._early: dict[str, None] = {}
        self._ended: dict[str, None] = {}

    def begin(self, job: str) -> Flag:
        """The job's flag, already set when its cancel came first."""
        with self._lock:
            flag = Flag()
            if job in self._early:
                del self._early[job]
                flag.set()
            self._ended.pop(job, None)
            self._running[job] = flag
            return flag

    def end(self, job: str) -> None:
        """The job has been answered; a cancel that comes now is too late."""
        with self._lock:
            self._running.pop(job, None)
            _remember(self._ended, job)

    def cancel(self, job: str) -> None:
        """Stop this job and no other."""
        with self._lock:
            flag = self._running.get(job)
            if flag is not None:
                flag.set()
            elif job not in self._ended:
                _remember(self._early, job)


def _remember(jobs: dict[str, None], job: str) -> None:
    jobs[job] = None
    if len(jobs) > _REMEMBERED:
        del jobs[next(iter(jobs))]  # the oldest


class Hooks:
    """One job's hooks: ``pipeline.JobHooks``. ``deadline_at_s`` is on ``time.monotonic``'s clock."""

    def __init__(
        self,
        job: str,
        cancelled: Flag | threading.Event,
        stopping: Flag | threading.Event,
        send: Send,
        deadline_at_s: float = math.inf,
    ) -> None:
        self.job = job
        self.step = 0
        self.steps = 0
        self._cancelled = cancelled
        self._stopping = stopping
        self._send = send
        self.deadline_at_s = deadline_at_s
        self._sent_s = -math.inf
        self._unsent: TaskProgress | None = None

    def why(self) -> Why | None:
        """Why the job has to stop, or None. A cancel goes before a deadline: it is what a person asked for."""
        if self._cancelled.is_set():
            return Why.CANCELLED
        if self._stopping.is_set():
            return Why.STOPPING
        if time.monotonic() >= self.deadline_at_s:
            return Why.DEADLINE
        return None

    def should_stop(self) -> bool:
        """Whether to give up: cancelled, past the deadline, or the worker ends."""
        if self._cancelled.is_set() or self._stopping.is_set():
            return True
        return self.deadline_at_s != math.inf and time.monotonic() >= self.deadline_at_s

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """Tell how far the job is; sent at most ten times a second.

        Raises ``Stopped`` when the job has to stop, so that a backbone which only tells stops as well.
        """
        self.note(fraction, step, steps, stage)
        if self.should_stop():
            raise Stopped(self.step, self.steps)

    def note(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """``progress`` without the stop."""
        fraction = float(fraction)
        self.step, self.steps = int(step) or self.step, int(steps) or self.steps
        told = TaskProgress(
            self.job, min(max(fraction, 0.0), 1.0) if fraction == fraction else 0.0, self.step, self.steps, str(stage)
        )
        now_s = time.monotonic()
        if now_s - self._sent_s < PROGRESS_EVERY_S:
            self._unsent = told
            return
        self._sent_s, self._unsent = now_s, None
        self._send(told)

    def flush(self) -> None:
        """Send the last progress if it was held back."""
        if self._unsent is not None:
            self._send(self._unsent)
            self._unsent = None


class GroupHooks:
    """Hooks of several jobs that run in one pass: it stops when none is left to run for.

    ``on_stop`` hears of each job that has to stop as soon as the backbone takes a step, so that one cancelled job is
    answered at once while the others go on.
    """

    def __init__(self, members: Sequence[Hooks], on_stop: Callable[[Hooks, Why], None]) -> None:
        self.alive = list(members)
        self._on_stop = on_stop

    @property
    def deadline_at_s(self) -> float:
        """The first deadline of those it still runs for."""
        return min((hooks.deadline_at_s for hooks in self.alive), default=math.inf)

    def should_stop(self) -> bool:
        """Whether no job of the pass is wanted any more."""
        for hooks in list(self.alive):
            why = hooks.why()
            if why is not None:
                self.alive.remove(hooks)
                self._on_stop(hooks, why)
        return not self.alive

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """Progress of the whole pass, told for each job of it."""
        for hooks in self.alive:
            hooks.note(fraction, step, steps, stage)
        if self.should_stop():
            raise Stopped(step, steps)
