# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a drawing up: a take's verdicts, or what would be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import bpy

from ..bridge.request import Outgoing
from ..takes import Take
from . import sent, verdicts
from .state import Shown, drawn


def preview(character: str, parts: Sequence[Outgoing], model: Mapping[str, Any]) -> Shown:
    """What would be sent: its picture, its summary, advice, and what is left out. ``model``: what is known of it."""
    whole = sent.joined([sent.picture(part) for part in parts])
    title = sent.summary(parts) if parts else "nothing: every block in the range is locked or off"
    lines = tuple(sent.left_out(parts)) if parts else ()
    drawn.preview = Shown(character, whole, title, lines, tuple(sent.notes(parts, model)))
    redraw()
    return drawn.preview


def take(found: Take, sample: int = 0, start: float | None = None) -> Shown:
    """A take's verdicts; ``start``: the scene frame that it was written from, where that is not its own."""
    later = 0 if start is None else round(start - found.start)
    seen = [replace(v, frame=v.frame + later) for v in verdicts.of_take(found, sample)]
    picture = verdicts.picture(seen, sent.size_bu(found.rig))
    lines = tuple(verdicts.changed(found))
    drawn.preview = None  # that was sent, and this is what came of it
    drawn.verdicts = Shown(found.rig.armature, picture, found.label, lines, (), tuple(seen))
    redraw()
    return drawn.verdicts


def redraw() -> None:
    """Show what changed."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "DOPESHEET_EDITOR"):
                area.tag_redraw()
