# SPDX-License-Identifier: GPL-3.0-or-later
"""Bakes in line: one at a time, a slice each time the pump turns, one undo step each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import bpy

from kineograph.errors import ErrorCode, KineographError, error

from ..bridge.bake import Bake
from ..bridge.pace import work
from ..takes import Take

OnDone = Callable[[KineographError | None], None]


@dataclass(eq=False)
class Order:
    """One bake to be done; ``after`` is what follows when it is, in pieces; then ``on_done`` hears how it went.

    ``replaces``: the bake that shows until then; ``left``: what is left to do when it shows no more, and ``after``;
    ``wants_undo``: it is on, and Blender has no undo step of that yet; ``is_over``: all is done, and nobody has heard.
    """

    take: Take
    bake: Bake
    on_done: OnDone
    after: Callable[[], Iterator[None]] = lambda: iter(())
    replaces: str | None = None
    left: Iterator[None] | None = None
    wants_undo: bool = False
    is_over: bool = False


class Writer:
    """Feed it orders; ``step`` works on the first."""

    def __init__(self) -> None:
        self._orders: deque[Order] = deque()
        self.longest_slice_s = 0.0

    def __len__(self) -> int:
        return len(self._orders)

    @property
    def is_urgent(self) -> bool:
        """Whether the next turn is to come at once: nothing of the user's should come before the undo step."""
        return bool(self._orders) and self._orders[0].wants_undo

    def add(self, order: Order) -> None:
        """Behind the others."""
        self._orders.append(order)

    def step(self, budget_s: float) -> None:
        """One turn of about ``budget_s``; a bake that failed or ended leaves the line in a turn of its own."""
        if not self._orders:
            return
        current = self._orders[0]
        failed: KineographError | None = None
        if not current.is_over:
            try:
                self._turn(current, budget_s)
                return
            except KineographError as e:
                failed = e
            except ReferenceError as e:  # RNA that went away inside one slice
                failed = error(ErrorCode.RIG_CHANGED, f"the scene changed while the take was being written: {e}")
            finally:
                self.longest_slice_s = max(self.longest_slice_s, current.bake.report.longest_slice_s)
        self._orders.popleft()
        current.on_done(failed)

    def _turn(self, order: Order, budget_s: float) -> None:
        """A slice of the bake; when it is on, Blender's own undo step, alone; then what is left, in slices too."""
        if order.left is not None:
            if order.wants_undo:
                _have_undo(order)
            else:
                order.is_over = work(order.left, budget_s)
            return
        if not order.bake.is_begun:
            order.replaces = order.bake.shown_take
        if order.bake.step(budget_s):
            order.take.applied.append(order.bake.report)
            order.left = chain(order.bake.tidying(order.replaces or ""), order.after())
            order.wants_undo = True

    def abandon(self) -> None:
        """Give everything up; half-written actions are removed."""
        while self._orders:
            order = self._orders.popleft()
            if order.wants_undo:
                _have_undo(order)
            order.bake.abandon()


def _have_undo(order: Order) -> None:
    order.wants_undo = False
    if not order.bake.is_there:  # undone, or another file came
        return
    if bpy.app.background:
        evaluate()
    push_undo(f"Apply {order.take.label}".strip())


def evaluate() -> None:
    """What drawing does where there is a window: Blender's own work, and all of it in one go."""
    bpy.context.view_layer.update()


def push_undo(message: str) -> None:
    """One undo step for what the pump did; operators have their own."""
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=message)
