# SPDX-License-Identifier: Apache-2.0
"""Every turn of the add-on's pump in one user's session, by what it did, and how long Blender's main thread was held.

Nothing of the add-on knows of it: what a turn did is told by the calls inside it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Turn(NamedTuple):
    """One turn: what was done in it, and what it took of the clock and of the main thread."""

    what: str
    wall_ms: float
    cpu_ms: float


class Trace:
    """Turns of a session in their order. ``hang_in`` before, ``take_off`` afterwards."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._done: list[str] = []
        self._before: list[tuple[Any, str, Any]] = []

    def hang_in(self) -> None:
        """Listen to what the add-on does."""
        from kineograph_blender.bridge.bake import Bake
        from kineograph_blender.session import readers, session, writer

        for owner, name, what in (
            (session.Session, "_told", "connection"),
            (session.Session, "_models_came", "list of models"),
            (session.Session, "_heard", "a job's progress"),
            (session.Session, "_arrived", "a result arrives"),
            (session.Session, "_send", "sending"),
            (readers.Readers, "step", "reading"),
            (writer.Writer, "_turn", _of_order),
            (Bake, "_assign", "putting it on"),
        ):
            found = getattr(owner, name)
            self._before.append((owner, name, found))
            setattr(owner, name, self._told(found, what))

    def take_off(self) -> None:
        """The add-on is as it was."""
        while self._before:
            owner, name, found = self._before.pop()
            setattr(owner, name, found)

    def turn(self, work: Callable[[], Any], what: str = "") -> Turn:
        """One turn, or ``what`` a user's own click is."""
        self._done.clear()
        began, began_cpu = time.perf_counter(), time.thread_time()
        work()
        wall_ms, cpu_ms = (time.perf_counter() - began) * 1e3, (time.thread_time() - began_cpu) * 1e3
        done = what or " + ".join(dict.fromkeys(self._done)) or "nothing to do"
        self.turns.append(Turn(done, wall_ms, cpu_ms))
        return self.turns[-1]

    def _told(self, found: Callable[..., Any], what: str | Callable[..., str]) -> Callable[..., Any]:
        @functools.wraps(found)
        def call(*args: Any, **more: Any) -> Any:
            self._done.append(what if isinstance(what, str) else what(*args, **more))
            return found(*args, **more)

        return call


UNDO = "Blender's own undo step"
EDGES_MS = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0, 16.0)


def _of_order(_writer: Any, order: Any, _budget_s: float) -> str:
    if order.left is None:
        return "writing a take"
    return UNDO if order.wants_undo else "tidying up, verdicts"


def kinds(turns: list[Turn]) -> dict[str, dict[str, float]]:
    """By what was done: how many turns, the longest and the median by the clock, the longest of the thread's own."""
    out: dict[str, dict[str, float]] = {}
    for what in dict.fromkeys(t.what for t in turns):
        some = sorted(t.wall_ms for t in turns if t.what == what)
        cpu = max(t.cpu_ms for t in turns if t.what == what)
        out[what] = {"turns": len(some), "median": some[len(some) // 2], "longest": some[-1], "cpu_longest": cpu}
    return out


def histogram(turns: list[Turn]) -> dict[str, int]:
    """How many turns took up to so many milliseconds of the clock."""
    out: dict[str, int] = {}
    low = 0.0
    for edge in (*EDGES_MS, float("inf")):
        name = f"to {edge:g} ms" if edge < float("inf") else f"over {low:g} ms"
        out[name] = sum(low < t.wall_ms <= edge for t in turns)
        low = edge
    return out
