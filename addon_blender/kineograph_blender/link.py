# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting as the preferences say; in the interface, once by itself when the add-on is switched on."""

from __future__ import annotations

import bpy

from kineograph.errors import KineographError

from . import preferences, session

_LOOK_AFTER_S = 0.5
"""Blender is not to wait for the add-on while it starts."""


def attach() -> None:
    """Look for a daemon that runs; without an interface, nothing happens by itself."""
    if not bpy.app.background:
        bpy.app.timers.register(look, first_interval=_LOOK_AFTER_S, persistent=True)
    bpy.app.handlers.load_post.append(bpy.app.handlers.persistent(_loaded))


def detach() -> None:
    """Forget it."""
    if bpy.app.timers.is_registered(look):
        bpy.app.timers.unregister(look)
    if _loaded in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_loaded)


def look() -> None:
    """Find the daemon that runs and stay connected; none is started here, and none that is missing is an error."""
    current = session.current()
    if current.is_watching:
        return
    try:
        _as_wished(current)
        current.start_daemon = False
        current.connect()
    except KineographError as e:
        current.troubles.add(e)
        session.redraw()


def connect(*, start: bool = False, own: bool = False) -> None:
    """Look for the daemon anew and stay connected; returns at once. ``start``: start it where none runs. ``own``: this
    user's own on this computer, whatever address was given.

    Raises ``connection_failed`` for another computer while Blender is set to stay offline.
    """
    current = session.current()
    current.disconnect()
    wishes = _as_wished(current)
    if own:
        current.address = None
    current.start_daemon = start or wishes.start_by_itself
    current.connect()


def ensure() -> None:
    """What a job needs: the connection there or on its way, and a daemon started where the preferences say so."""
    current = session.current()
    wishes = preferences.wishes()
    if current.is_watching and wishes.start_by_itself and current.standing.can_start:
        connect(start=True)
        return
    if not current.is_watching:
        _as_wished(current)
        current.start_daemon = current.start_daemon or wishes.start_by_itself
    current.connect()


def _as_wished(current: session.Session) -> preferences.Wishes:
    wishes = preferences.wishes()
    current.address = wishes.address or current.address
    current.ends_with_blender = wishes.ends_with_blender
    return wishes


def _loaded(*_: object) -> None:
    """Another file came: its characters may have sent jobs that no Blender saw the end of."""
    session.look_again()
