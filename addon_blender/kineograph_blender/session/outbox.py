# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the click and the wire: a request leaves when its record is on disk, so that no crash loses it. No bpy."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, wait

from .job import Job

PATIENCE_S = 0.002
"""So long a script's call waits for its record; what is not written by then leaves at the next turn of the pump."""


class Outbox:
    """Jobs in the order of their clicks, each with the writing of its record."""

    def __init__(self) -> None:
        self._jobs: deque[tuple[Job, Future[None] | None]] = deque()

    def add(self, job: Job, kept: Future[None] | None) -> None:
        """``kept``: the writing of the record; None where nothing is written."""
        self._jobs.append((job, kept))

    def ready(self, patience_s: float = 0.0) -> list[Job]:
        """Jobs that may leave now. A record that could not be written keeps nobody: that is told in the log."""
        out = []
        while self._jobs:
            job, kept = self._jobs[0]
            if kept is not None and not kept.done():
                wait([kept], patience_s)
                if not kept.done():
                    break
            self._jobs.popleft()
            out.append(job)
        return out

    def drop(self, job: Job) -> bool:
        """A job does not leave; whether it was still here."""
        before = len(self._jobs)
        self._jobs = deque(pair for pair in self._jobs if pair[0] is not job)
        return len(self._jobs) < before

    def clear(self) -> None:
        """None of them leaves; their records stay."""
        self._jobs.clear()
