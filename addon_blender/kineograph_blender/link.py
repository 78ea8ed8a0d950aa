# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting as the preferences say."""

from __future__ import annotations

from . import preferences, session


def connect(*, start: bool = False) -> None:
    """Look for the daemon anew and stay connected; returns at once. ``start``: start it where none runs.

    Raises ``connection_failed`` for another computer while Blender is set to stay offline.
    """
    wishes = preferences.wishes()
    current = session.current()
    current.disconnect()
    current.address = wishes.address or current.address
    current.start_daemon = start or wishes.start_by_itself
    current.connect()
