# SPDX-License-Identifier: GPL-3.0-or-later
"""What is alive: one session for this Blender, and the pump that turns it."""

from __future__ import annotations

from . import pump
from .address import check_address
from .connection import Phase, Standing
from .job import Job, Timings
from .models import Dial, Model, Models
from .pump import BUSY_INTERVAL_S, IDLE_INTERVAL_S, POLL_BUDGET_S, redraw, turns, wake
from .session import Session, on_applied, owner_of, problem_of
from .shelf import Row, Shelf
from .troubles import Trouble, Troubles

__all__ = [
    "BUSY_INTERVAL_S",
    "IDLE_INTERVAL_S",
    "POLL_BUDGET_S",
    "Dial",
    "Job",
    "Model",
    "Models",
    "Phase",
    "Row",
    "Session",
    "Shelf",
    "Standing",
    "Timings",
    "Trouble",
    "Troubles",
    "attach",
    "check_address",
    "current",
    "detach",
    "look_again",
    "on_applied",
    "owner_of",
    "problem_of",
    "redraw",
    "tick",
    "turns",
    "wake",
]

_current: Session | None = None
_shown: tuple[object, ...] = ()


def current() -> Session:
    """The session of this Blender."""
    global _current
    if _current is None:
        _current = Session()
        pump.attach(tick)
    return _current


def tick() -> float | None:
    """One turn: seconds until the next, None when there is nothing to wait for."""
    global _shown
    if _current is None:
        return None
    busy = _current.poll()
    face = _current.face()
    if face != _shown:
        _shown = face
        redraw()
    if busy:
        return 0.0 if _current.is_urgent else BUSY_INTERVAL_S
    return IDLE_INTERVAL_S if _current.is_watching else None


def look_again() -> None:
    """Another file came: go on with what earlier Blenders sent for its characters. Nothing without a connection."""
    if _current is not None and _current.is_watching:
        _current.look_around()
        wake()


def attach() -> None:
    """Nothing runs until something is asked for."""


def detach() -> None:
    """Stop the pump, leave the daemon, forget what is alive."""
    global _current
    pump.detach()
    if _current is not None:
        _current.close()
        _current = None
