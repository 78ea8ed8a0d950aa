# SPDX-License-Identifier: Apache-2.0
"""The waiting line: interactive before batch, and inside one priority a fair turn for every client. Pure.

Each waiting job has a turn. A client's first job takes the turn being served, its second the next, and so on: sorted
by turn the line is a round robin by client, and whoever comes with one job never waits behind another's thousand
(start-time fair queueing with jobs of equal weight; Goyal, Vin and Cheng, 1996). Ties go to whoever came first.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from kineograph.wire.messages import Priority

Place = tuple[float, Fraction | int]
"""``(turn, order)``: sorts the line. Orders are exact fractions, so that there is always room between two places."""

_ORDER = (Priority.INTERACTIVE, Priority.BATCH)


@dataclass
class _Lane:
    line: list[tuple[Place, str]] = field(default_factory=list)
    served: float = 0.0
    waiting_of: Counter[str] = field(default_factory=Counter)


class WaitingLine:
    """Who is next. Every operation is deterministic; none depends on a clock."""

    def __init__(self) -> None:
        self._lanes = {p: _Lane() for p in _ORDER}
        self._seats: dict[str, tuple[Priority, Place, str]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._seats)

    def __contains__(self, job: str) -> bool:
        return job in self._seats

    def __iter__(self) -> Iterator[str]:
        """All waiting jobs, next first."""
        for lane in self._lanes.values():
            for _, job in lane.line:
                yield job

    def waiting_of(self, client: str) -> int:
        """How many jobs of a client wait, in all priorities."""
        return sum(lane.waiting_of[client] for lane in self._lanes.values())

    def place_of(self, job: str) -> Place:
        """Where a job stands in its lane."""
        return self._seats[job][1]

    def join(self, job: str, client: str, priority: Priority, running: int) -> None:
        """Take the next free turn of a client that has ``running`` tasks at work."""
        lane = self._lanes[priority]
        self._count += 1
        self._sit(job, client, priority, (lane.served + lane.waiting_of[client] + running, self._count))

    def rejoin(self, job: str, client: str, priority: Priority, place: Place) -> None:
        """Take a place that was noted before a restart."""
        self._count = max(self._count, int(place[1])) + 1
        self._sit(job, client, priority, place)
        lane = self._lanes[priority]
        lane.served = lane.line[0][0][0]

    def join_front(self, job: str, client: str, priority: Priority) -> None:
        """Go before everybody of the same priority."""
        self._sit(job, client, priority, self._front(priority))

    def leave(self, job: str, served: bool = False) -> None:
        """Leave the line; ``served`` when the job starts."""
        priority, place, client = self._seats.pop(job)
        lane = self._lanes[priority]
        del lane.line[bisect_left(lane.line, (place, job))]
        lane.waiting_of[client] -= 1
        if not lane.waiting_of[client]:
            del lane.waiting_of[client]
        if served:
            lane.served = max(lane.served, place[0])

    def move(self, job: str, to_front: bool) -> None:
        """Go to the front or the back of the job's priority."""
        priority, _, client = self._seats[job]
        self.leave(job)
        self._sit(job, client, priority, self._front(priority) if to_front else self._back(priority))

    def move_before(self, job: str, other: str) -> bool:
        """Go right before another waiting job; False when that one has another priority."""
        priority, _, client = self._seats[job]
        if self._seats[other][0] is not priority:
            return False
        if job != other:
            self.leave(job)
            self._sit(job, client, priority, self._before(priority, other))
        return True

    def position(self, job: str) -> int:
        """How many jobs start before this one, plus one."""
        priority, place, _ = self._seats[job]
        ahead = 0 if priority is Priority.INTERACTIVE else len(self._lanes[Priority.INTERACTIVE].line)
        return ahead + bisect_left(self._lanes[priority].line, (place, job)) + 1

    def _sit(self, job: str, client: str, priority: Priority, place: Place) -> None:
        lane = self._lanes[priority]
        insort(lane.line, (place, job))
        lane.waiting_of[client] += 1
        self._seats[job] = (priority, place, client)

    def _front(self, priority: Priority) -> Place:
        lane = self._lanes[priority]
        if not lane.line:
            return (lane.served, 0)
        turn, order = lane.line[0][0]
        return (turn, order - 1)

    def _back(self, priority: Priority) -> Place:
        lane = self._lanes[priority]
        if not lane.line:
            return (lane.served, 0)
        turn, order = lane.line[-1][0]
        return (turn, order + 1)

    def _before(self, priority: Priority, other: str) -> Place:
        line = self._lanes[priority].line
        turn, order = place = self._seats[other][1]
        index = bisect_left(line, (place, other))
        previous = line[index - 1][0] if index else None
        if previous is None or previous[0] != turn:
            return (turn, order - 1)
        return (turn, (Fraction(previous[1]) + Fraction(order)) / 2)
