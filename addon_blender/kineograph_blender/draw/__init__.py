# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn over the 3D view and the timeline: what would be sent, verdicts on a take, blocks as strips."""

from __future__ import annotations

from typing import Any

import bpy

from .. import session
from . import paint, show
from .state import drawn

_handles: list[tuple[Any, Any]] = []
_keys: list[tuple[Any, Any]] = []


def attach() -> None:
    """Hang the drawing in, and forget what is drawn whenever another file comes."""
    for space, name, draw, when in (
        (bpy.types.SpaceView3D, "the scene", paint.scene, "POST_VIEW"),
        (bpy.types.SpaceView3D, "labels", paint.labels, "POST_PIXEL"),
        (bpy.types.SpaceDopeSheetEditor, "the timeline", paint.timeline, "POST_PIXEL"),
    ):
        handle = space.draw_handler_add(paint.guarded(name, draw), (), "WINDOW", when)
        _handles.append((space, handle))
    bpy.app.handlers.load_pre.append(bpy.app.handlers.persistent(_forget))
    for done in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        done.append(bpy.app.handlers.persistent(_settle))
    _bind_mouse()
    session.on_applied.append(show.hear)


def detach() -> None:
    """Take everything off again."""
    if show.hear in session.on_applied:
        session.on_applied.remove(show.hear)
    while _handles:
        space, handle = _handles.pop()
        space.draw_handler_remove(handle, "WINDOW")
    if _forget in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(_forget)
    for done in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        if _settle in done:
            done.remove(_settle)
    while _keys:
        keymap, item = _keys.pop()
        keymap.keymap_items.remove(item)
    _forget()


def _forget(*_: Any) -> None:
    drawn.clear()
    paint.clear()


def _settle(*_: Any) -> None:
    show.settle()


def _bind_mouse() -> None:
    # Without an interface there are no keymaps of add-ons.
    found = bpy.context.window_manager.keyconfigs.addon
    for name, space, verb in (
        ("Dopesheet", "DOPESHEET_EDITOR", "kineograph.strip_drag"),
        ("3D View", "VIEW_3D", "kineograph.verdict_click"),
    ):
        if found is not None:
            keymap = found.keymaps.new(name=name, space_type=space)
            _keys.append((keymap, keymap.keymap_items.new(verb, "LEFTMOUSE", "PRESS")))
