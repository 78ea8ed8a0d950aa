# SPDX-License-Identifier: Apache-2.0
"""Whose thread turns the engine's loop: the engine's own, or for a moment that of a caller who would wait anyway.

A question that is asked and answered on one thread wakes no other. The engine's thread stands by while callers come
one after another, and takes the loop up again when none has come for ``GRACE_S``, or when something is left to do.
Whoever turns holds the lock; sockets may go from thread to thread that way.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

GRACE_S = 0.1
"""How long the engine's thread stands by after a caller; nobody listens to the socket meanwhile."""
_HAND_OVER_S = 0.25
"""How long a caller waits for the engine's thread to step back."""


class Turns:
    """``take`` and ``give`` are for callers, ``stand_by`` and ``mine`` for the engine's own thread."""

    def __init__(self) -> None:
        # A re-entrant lock knows its owner: a caller that Ctrl-C hits anywhere can tell whether to give it back.
        self._lock = threading.RLock()
        self._resume = threading.Event()
        self._home = 0
        self._driver = 0
        self._wanted_by = 0
        self._drove_s = -math.inf

    @property
    def is_wanted(self) -> bool:
        """Whether a caller wants to turn; the engine's thread then steps back."""
        return self._wanted_by != 0

    def nudge(self) -> None:
        """There is something to do: if nobody turns, the engine's thread shall."""
        if threading.get_ident() not in (self._driver, self._home):
            self._let_go()  # what a Ctrl-C in ``give`` has kept from being given
        self._resume.set()

    def take(self, wake: Callable[[], None]) -> bool:
        """Whether the calling thread turns from now on. ``wake`` ends the wait of whoever turns now."""
        me = threading.get_ident()
        if self._driver or self._wanted_by or me == self._home:
            return False
        if not self._lock.acquire(blocking=False):
            self._wanted_by = me
            wake()
            if not self._lock.acquire(timeout=_HAND_OVER_S):
                self._wanted_by = 0
                return False
        self._driver = me
        self._wanted_by = 0  # only now: who comes in between must see one or the other
        return True

    def give(self, has_work: Callable[[], bool]) -> None:
        """The caller turns no more; does nothing on a thread that did not."""
        me = threading.get_ident()
        if me == self._home:
            return
        if self._wanted_by == me:
            self._wanted_by = 0
        if self._driver == me:
            self._drove_s = time.monotonic()
            self._driver = 0
        if not self._let_go():
            return
        if has_work():
            self._drove_s = -math.inf
            self._resume.set()

    def _let_go(self) -> bool:
        """Release the lock as often as this thread holds it; whether it did."""
        held = False
        while self._lock._is_owned():  # type: ignore[attr-defined]
            self._lock.release()
            held = True
        return held

    def stand_by(self, has_work: Callable[[], bool]) -> None:
        """Return when it is the engine's thread's turn: nobody else turns, and somebody has to."""
        while True:
            self._resume.clear()
            if not (self._driver or self._wanted_by):
                left_s = self._drove_s + GRACE_S - time.monotonic()
                if left_s <= 0.0 or has_work():
                    return
                self._resume.wait(left_s)
            else:
                self._resume.wait(GRACE_S)

    def mine(self) -> threading.RLock:
        """Held while the engine's own thread turns."""
        self._home = threading.get_ident()
        return self._lock
