# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: View3D > N > Kineograph, small panels in the order of work; and a line in the status bar."""

from __future__ import annotations

import bpy

from . import character, connection, direction, generate, model, problems, prompts, shown, takes

_PARTS = (connection, character, model, direction, prompts, generate, takes, shown, problems)
CLASSES = tuple(cls for part in _PARTS for cls in part.CLASSES)


def attach() -> None:
    """The status bar shows what runs."""
    bpy.types.STATUSBAR_HT_header.prepend(generate.draw_status_bar)


def detach() -> None:
    """And no longer."""
    bpy.types.STATUSBAR_HT_header.remove(generate.draw_status_bar)
