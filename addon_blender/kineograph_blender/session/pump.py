# SPDX-License-Identifier: GPL-3.0-or-later
"""The pump: an app timer that turns the session's ``poll`` while there is something to wait for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import bpy

log = logging.getLogger(__name__)

POLL_BUDGET_S = 0.002
"""So long at most, and one more piece of a millisecond or two: together they stay below four."""
BUSY_INTERVAL_S = 0.015
IDLE_INTERVAL_S = 0.5

_turn: Callable[[], float | None] | None = None


def attach(turn: Callable[[], float | None]) -> None:
    """``turn`` is what one tick does: it returns when to come again, or None."""
    global _turn
    _turn = turn


def detach() -> None:
    """Stop the timer."""
    global _turn
    _turn = None
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)


def turns() -> bool:
    """Whether Blender itself turns the pump, by a timer: with an interface, where nothing may wait. Else, whoever waits
    polls."""
    return not bpy.app.background


def wake() -> None:
    """Start the pump. Without an interface there are no timers: whoever waits polls."""
    if turns() and _turn is not None and not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0, persistent=True)


def tick() -> float | None:
    """One turn of the pump; the timer ends itself when nothing is left to wait for."""
    if _turn is None:
        return None
    try:
        return _turn()
    except Exception:
        # A timer that raises is dropped by Blender, and every later result with it.
        log.exception("the pump stumbled")
        return IDLE_INTERVAL_S


def redraw() -> None:
    """Show what changed: the sidebars of all 3D views and the status bars. Draws nothing by itself."""
    for window in _windows():
        # Status bars are in no list of areas: setting their workspace's text has them drawn. A modal operator may have
        # a text of its own there, which is left alone.
        if not len(getattr(window, "modal_operators", ())):
            # In its own context: Blender writes to the context's window whatever it is asked, and ends where a timer
            # (ours, another add-on's before it) has none.
            with bpy.context.temp_override(window=window):
                window.workspace.status_text_set(None)
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _windows() -> list[Any]:
    manager = bpy.context.window_manager
    return [] if manager is None else [w for w in manager.windows if w.screen is not None]
