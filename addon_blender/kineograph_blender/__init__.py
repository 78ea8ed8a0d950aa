# SPDX-License-Identifier: GPL-3.0-or-later
"""Kineograph for Blender: registers what Blender has to know, and nothing else."""

from __future__ import annotations


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import session

    session.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled, and at exit."""
    from . import session

    session.unregister()
