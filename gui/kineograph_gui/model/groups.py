# SPDX-License-Identifier: Apache-2.0
"""Jobs counted by their sender: what a group's head says, and which groups there are. No Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kineograph.wire.messages import JobStatus

_MARK = "\0"


def head_of(client: str) -> str:
    """The id that a group's head has among the ids of jobs; no job has one like it."""
    return _MARK + client


def client_of(row: str) -> str | None:
    """The client of a head's id; None for a job's."""
    return row[1:] if row.startswith(_MARK) else None


@dataclass
class Group:
    """How many jobs of one sender are shown or folded away, and how many of them have not ended."""

    jobs: int = 0
    active: int = 0


class Groups:
    """``put`` and ``drop`` keep the counts; ``folded`` is the user's."""

    def __init__(self) -> None:
        self.by_client: dict[str, Group] = {}
        self.folded: set[str] = set()
        self._counted: dict[str, tuple[str, bool]] = {}

    @property
    def total(self) -> int:
        """All jobs that are counted."""
        return len(self._counted)

    def count(self, jobs: Iterable[JobStatus]) -> None:
        """Count these and no others. What is folded stays folded."""
        self.by_client, self._counted = {}, {}
        for job in jobs:
            self.put(job)

    def put(self, job: JobStatus) -> None:
        """A job is new or has changed."""
        active = not job.state.is_final
        if self._counted.get(job.job) == (job.client, active):
            return
        self.drop(job.job)
        self._counted[job.job] = (job.client, active)
        group = self.by_client.setdefault(job.client, Group())
        group.jobs += 1
        group.active += active

    def drop(self, job: str) -> str | None:
        """A job is gone; whose it was."""
        found = self._counted.pop(job, None)
        if found is None:
            return None
        client, active = found
        group = self.by_client[client]
        group.jobs -= 1
        group.active -= active
        if not group.jobs:
            del self.by_client[client]
        return client
