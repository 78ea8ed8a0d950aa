# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes that are being read in turns, one after the other, and what is to be done with what was read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kineograph.errors import KineographError

from ..bridge.looking import Looking
from ..bridge.request import Outgoing

Then = Callable[[Outgoing], None]


@dataclass(frozen=True, eq=False)
class _Reading:
    looking: Looking
    then: Then
    over: Callable[[], None]
    facts: Mapping[str, Any] = field(default_factory=dict)


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
        """One that is not done yet: something is done ``then``; ``over`` is called when it was read, or need not be."""
        self._all.append(_Reading(looking, then, over, facts))

    def clear(self) -> bool:
        """Nothing needs to be read any more; whether anything did."""
        found = bool(self._all)
        while self._all:
            reading = self._all.popleft()
            reading.looking.close()
            reading.over()
        return found

    def abandon(self) -> None:
        """Nothing is read any more, and nobody said that it need not be."""
        for reading in self._all:
            reading.looking.close()
        self._all.clear()

    def step(self, budget_s: float) -> None:
        """Read on, for the first in line: one piece or frame at least."""
        reading = self._all[0]
        try:
            if not reading.looking.is_done:
                reading.looking.step(budget_s)
                return  # what is done with it has a turn of its own
        except KineographError as e:
            self._failed(e, **reading.facts)
        except BaseException:
            self._end(reading)  # whatever it is, it would come again each turn
            raise
        self._end(reading)

    def _end(self, reading: _Reading) -> None:
        """It was read, or cannot be: it leaves the line when its request has left."""
        try:
            if reading.looking.is_done:
                reading.then(reading.looking.outgoing)
        except KineographError as e:
            self._failed(e, **reading.facts)
        finally:
            self._all.popleft()
            reading.over()
