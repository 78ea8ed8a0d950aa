# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work in pieces that take about a millisecond each, on whatever machine and of however large a rig."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

AIM_S = 0.001
"""A slice ends with a piece: it may be longer than it was meant to be by so much."""
_END = object()
T = TypeVar("T")
R = TypeVar("R")


class Pace:
    """How many items to take at a time, from how long the last piece took."""

    def __init__(self, first: int, least: int = 1, most: int = 1 << 20, aim_s: float = AIM_S) -> None:
        self._size, self._least, self._most, self._aim_s = first, least, most, aim_s

    @contextmanager
    def piece(self) -> Iterator[int]:
        """So many items now. What is done inside is measured: it should do no more, and wait for nothing."""
        size, began = self._size, time.perf_counter()
        yield size
        took_s = max(time.perf_counter() - began, self._aim_s / 4)
        # Never much more than before: what comes next may cost more than what was measured.
        wanted = min(size * self._aim_s / took_s, size * 2.0)
        self._size = int(min(max(wanted, self._least), self._most))


def in_pieces(items: Sequence[T], act: Callable[[T], R], first: int = 2) -> Generator[None, None, list[R]]:
    """What ``act`` makes of each item, in pieces."""
    out: list[R] = []
    pace = Pace(first)
    while len(out) < len(items):
        with pace.piece() as count:
            out += [act(item) for item in items[len(out) : len(out) + count]]
        yield
    return out


def whole(pieces: Generator[None, None, T]) -> T:
    """All pieces, one after the other: what comes of them."""
    while True:
        try:
            next(pieces)
        except StopIteration as e:
            found: T = e.value
            return found


def work(pieces: Iterator[None], budget_s: float, until: Callable[[], bool] = lambda: False) -> bool:
    """Work for ``budget_s`` at most, or on one piece where that takes longer; whether all is done. ``until`` says when
    to leave off before."""
    began = now = time.perf_counter()
    while next(pieces, _END) is not _END:
        before, now = now, time.perf_counter()
        # Another piece like this one, or like most, would not fit in.
        if now + max(now - before, AIM_S) >= began + budget_s or until():
            return False
    return True
