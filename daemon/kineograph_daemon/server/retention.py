# SPDX-License-Identifier: Apache-2.0
"""Results are kept for some days, or up to a size; jobs are remembered longer. Expired is never unknown."""

from __future__ import annotations

from kineograph.wire.messages import JobState
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.settings import Settings

_DAY_S = 86_400.0
_EVERY_S = 30.0


class Retention:
    """Prunes now and then, on the loop's time."""

    def __init__(self, desk: Desk, clock: Clock, settings: Settings) -> None:
        self._desk = desk
        self._clock = clock
        self._settings = settings
        self._last_s = -_EVERY_S

    def run(self) -> None:
        """Prune, if it is time."""
        now_s = self._clock.now_s()
        if now_s - self._last_s >= _EVERY_S:
            self._last_s = now_s
            self.prune(now_s)

    def prune(self, now_s: float) -> None:
        """Let old results expire, then the oldest beyond the total size; forget what is old beyond that."""
        jobs = list(self._desk.machine.jobs.values())
        ended = sorted((j for j in jobs if j.finished_s is not None), key=lambda j: j.finished_s or 0.0)
        kept = sum(j.size_bytes for j in ended if j.state is JobState.SUCCEEDED)
        most = self._settings.keep_gb * 1e9
        for job in ended:
            age_s = now_s - (job.finished_s or 0.0)
            if job.state is JobState.SUCCEEDED and (age_s > self._settings.keep_days * _DAY_S or kept > most):
                kept -= job.size_bytes
                self._desk.feed(s.Expire(job.id, now_s))
            is_over = job.state.is_final and job.state is not JobState.SUCCEEDED
            if is_over and age_s > self._settings.history_days * _DAY_S:
                self._desk.feed(s.Forget(job.id, now_s))
