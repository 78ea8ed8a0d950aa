# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes that are being read in turns, one after the other, and what is to be done with what was read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kineograph.errors import KineographError

from ..bridge.looking import Looking
from ..bridge.pace import work
from ..bridge.request import Outgoing

Then = Callable[[Outgoing], Iterator[None]]


@dataclass(eq=False)
class _Reading:
    looking: Looking
    then: Then
    over: Callable[[], None]
    facts: Mapping[str, Any] = field(default_factory=dict)
    left: Iterator[None] | None = None


class Readers:
    """``failed`` hears of what cannot be read, with the facts that were told when it was added."""

    def __init__(self, failed: Callable[..., Any]) -> None:
        self._failed = failed
        self._all: deque[_Reading] = deque()

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def every(self) -> list[Looking]:
        """What is being read, first in line first."""
        return [reading.looking for reading in self._all]

    def add(self, looking: Looking, then: Then, over: Callable[[], None], **facts: Any) -> None:
        """One that is not done yet, and what is done ``then``, in pieces; ``over``: that was done, or need not be."""
        self._all.append(_Reading(looking, then, over, facts))

    def clear(self) -> bool:
        """Nothing needs to be read any more; whether anything did."""
        found = bool(self._all)
        while self._all:
            self._end()
        return found

    def abandon(self) -> None:
        """Nothing is read any more, and nobody said that it need not be."""
        for reading in self._all:
            reading.looking.close()
        self._all.clear()

    def step(self, budget_s: float) -> None:
        """Read on, for the first in line: one piece or frame at least. It leaves the line when its request has left."""
        reading = self._all[0]
        try:
            if self._work(reading, budget_s):
                self._end()
        except KineographError as e:
            self._end()
            self._failed(e, **reading.facts)
        except BaseException:
            self._end()  # whatever it is, it would come again each turn
            raise

    def _work(self, reading: _Reading, budget_s: float) -> bool:
        if not reading.looking.is_done:
            reading.looking.step(budget_s)
            return False  # what is done with it has turns of its own
        if reading.left is None:
            reading.left = reading.then(reading.looking.outgoing)
        return work(reading.left, budget_s)

    def _end(self) -> None:
        reading = self._all.popleft()
        reading.looking.close()
        reading.over()
