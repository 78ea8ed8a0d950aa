# SPDX-License-Identifier: Apache-2.0
"""How long jobs take, learned from the last ones: where a job's ETA comes from. Pure."""

from __future__ import annotations

from kineograph.wire.messages import JobState
from kineograph_daemon.jobs.record import Job

_WEIGHT = 0.3
"""Of the newest job in the running mean: a changed habit shows after about three jobs."""


class Pace:
    """Seconds per job of each model, as an exponentially weighted mean."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def learn(self, model: str, elapsed_s: float) -> None:
        """A job of ``model`` took this long."""
        before = self._seconds.get(model, elapsed_s)
        self._seconds[model] = before + _WEIGHT * (elapsed_s - before)

    def of(self, model: str) -> float | None:
        """Seconds that a job of ``model`` takes, if any has ended yet."""
        return self._seconds.get(model)

    def eta_s(self, job: Job, position: int | None, workers: int) -> float | None:
        """Seconds until the job ends; None when nothing is known, or nothing is left to wait for."""
        pace_s = self.of(job.facts.model)
        if pace_s is None:
            return None
        if job.state is JobState.RUNNING:
            return pace_s * (1.0 - job.progress.fraction)
        return None if position is None else pace_s * (1.0 + position / max(1, workers))
