# SPDX-License-Identifier: Apache-2.0
"""Every turn of the add-on's pump in one user's session, by what it did, and how long Blender's main thread was held.

Nothing of the add-on knows of it: what a turn did is told by the calls inside it. What is Blender's or Python's own and
cannot be divided (an undo step, the evaluation of a scene, a full collection of what nobody needs) is told apart from
what stands beside it in the same turn.
"""

from __future__ import annotations

import functools
import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

UNDO = "Blender: its undo step for a take"
SHOWN = "Blender: evaluating the scene with a take, which drawing does in a window"
VISIT = "Blender: evaluating the scene at a frame, there or back"
MOST_MS = 4.0
COLLECTION = "Python: a full collection"
EDGES_MS = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0, 16.0)


class Turn(NamedTuple):
    """One turn: what was done in it, and what it took of the clock and of the main thread."""

    what: str
    wall_ms: float
    cpu_ms: float


class Trace:
    """``turns`` of the pump in their order, a user's ``clicks``, and what is Blender's and Python's ``own``.

    ``hang_in`` before, ``take_off`` afterwards.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.clicks: list[Turn] = []
        self.own: list[Turn] = []
        self._done: list[str] = []
        self._before: list[tuple[Any, str, Any]] = []
        self._collecting = (0.0, 0.0)

    def hang_in(self) -> None:
        """Listen to what the add-on does."""
        from kineograph_blender.bridge import guard
        from kineograph_blender.bridge.bake import Bake
        from kineograph_blender.session import readers, session, writer

        gc.callbacks.append(self._collected)
        for owner, name, what in (
            (session.Session, "_told", "connection"),
            (session.Session, "_models_came", "list of models"),
            (session.Session, "_heard", "a job's progress"),
            (session.Session, "_arrived", "a result arrives"),
            (session.Session, "_send", "sending"),
            (readers.Readers, "step", "reading the scene"),
            (writer.Writer, "_turn", _of_order),
            (Bake, "_assign", "putting it on"),
        ):
            self._replace(owner, name, self._told(getattr(owner, name), what))
        undone = "the turn of the undo step, without it"
        self._replace(writer, "push_undo", self._apart(writer.push_undo, UNDO, undone))
        self._replace(writer, "evaluate", self._apart(writer.evaluate, SHOWN))
        self._replace(guard, "evaluate", self._apart(guard.evaluate, VISIT))

    def take_off(self) -> None:
        """The add-on is as it was."""
        gc.callbacks.remove(self._collected)
        while self._before:
            owner, name, found = self._before.pop()
            setattr(owner, name, found)

    def forget(self) -> None:
        """What was seen so far was to warm up."""
        for turns in (self.turns, self.clicks, self.own):
            turns.clear()

    def turn(self, work: Callable[[], Any]) -> None:
        """One turn of the pump."""
        self._done.clear()
        spent = self.spent(work)
        self.turns.append(Turn(" + ".join(dict.fromkeys(self._done)) or "nothing to do", *spent))

    def click(self, what: str, work: Callable[[], Any]) -> None:
        """What a user does."""
        self.clicks.append(Turn(what, *self.spent(work)))

    def spent(self, work: Callable[[], Any]) -> tuple[float, float]:
        """What it took, without what is Blender's and Python's own."""
        before = len(self.own)
        began, began_cpu = time.perf_counter(), time.thread_time()
        work()
        wall_ms, cpu_ms = (time.perf_counter() - began) * 1e3, (time.thread_time() - began_cpu) * 1e3
        return wall_ms - sum(t.wall_ms for t in self.own[before:]), cpu_ms - sum(t.cpu_ms for t in self.own[before:])

    def _replace(self, owner: Any, name: str, by: Any) -> None:
        self._before.append((owner, name, getattr(owner, name)))
        setattr(owner, name, by)

    def _told(self, found: Callable[..., Any], what: str | Callable[..., str]) -> Callable[..., Any]:
        @functools.wraps(found)
        def call(*args: Any, **more: Any) -> Any:
            self._done.append(what if isinstance(what, str) else what(*args, **more))
            return found(*args, **more)

        return call

    def _apart(self, act: Callable[..., None], what: str, beside: str = "") -> Callable[..., None]:
        def call(*args: Any, **more: Any) -> None:
            if beside:
                self._done.append(beside)
            spent = self.spent(lambda: act(*args, **more))
            self.own.append(Turn(what, *spent))

        return call

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:
            return
        now = time.perf_counter(), time.thread_time()
        if phase == "start":
            self._collecting = now
        else:
            wall_ms, cpu_ms = ((after - before) * 1e3 for after, before in zip(now, self._collecting, strict=True))
            self.own.append(Turn(COLLECTION, wall_ms, cpu_ms))


def _of_order(_writer: Any, order: Any, _budget_s: float) -> str:
    if order.left is None:
        return "writing a take"
    return "the undo step comes" if order.wants_undo else "tidying up, verdicts"


def kinds(turns: Sequence[Turn]) -> dict[str, dict[str, float]]:
    """By what was done: how many; median and longest by the clock; the longest of the main thread's own time."""
    out: dict[str, dict[str, float]] = {}
    for what in dict.fromkeys(t.what for t in turns):
        some = sorted(t.wall_ms for t in turns if t.what == what)
        cpu = sorted(t.cpu_ms for t in turns if t.what == what)
        out[what] = {
            "turns": len(some),
            "median": some[len(some) // 2],
            "longest": some[-1],
            "cpu_median": cpu[len(cpu) // 2],
            "cpu_longest": cpu[-1],
        }
    return out


def too_long(turns: Sequence[Turn]) -> dict[str, Any]:
    """How many turns took longer than is promised, by the clock and by the main thread's own time: what the clock
    counts beyond that was another thread's, another program's or, on a host that is shared, another machine's."""
    clock = [t for t in turns if t.wall_ms > MOST_MS]
    cpu = [t for t in turns if t.cpu_ms > MOST_MS]
    return {
        "turns": len(turns),
        "clock": len(clock),
        "cpu": len(cpu),
        "clock_share": len(clock) / max(len(turns), 1),
        "cpu_share": len(cpu) / max(len(turns), 1),
        "clock_longest": max((t.wall_ms for t in turns), default=0.0),
        "cpu_longest": max((t.cpu_ms for t in turns), default=0.0),
        "which": [t._asdict() for t in sorted(clock, key=lambda t: -t.wall_ms)],
    }


def histogram(turns: Sequence[Turn]) -> dict[str, dict[str, int]]:
    """How many turns took up to so many milliseconds: of the clock, and of the main thread's own time."""
    out: dict[str, dict[str, int]] = {}
    low = 0.0
    for edge in (*EDGES_MS, float("inf")):
        name = f"to {edge:g} ms" if edge < float("inf") else f"over {low:g} ms"
        out[name] = {
            "clock": sum(low < t.wall_ms <= edge for t in turns),
            "cpu": sum(low < t.cpu_ms <= edge for t in turns),
        }
        low = edge
    return out
