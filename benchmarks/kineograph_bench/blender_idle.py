# SPDX-License-Identifier: Apache-2.0
"""What the add-on takes of Blender's main thread with nothing asked of it: its panels, its drawing, a rig looked at.

The panels' own code runs against a layout that does nothing, for one redraw of a sidebar with all of them open. Of what
is drawn, what is worked out before the GPU is measured: Blender has none of that without a window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy


class Layout:
    """Takes everything, shows nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return (lambda *_, **__: (self, self)) if name in ("panel", "panel_prop") else (lambda *_, **__: self)


class _StandIn:
    """A panel instance: Blender makes real ones only while it draws."""

    def __init__(self, panel: Any) -> None:
        self.layout, self._panel = Layout(), panel

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._panel, name)
        return found.__get__(self) if callable(found) else found


def panels() -> int:
    """Draw all panels that are shown now; how many those were."""
    shown = 0
    for panel in bpy.types.Panel.__subclasses__():
        if not panel.__name__.startswith("KINEOGRAPH_PT_") or not panel.is_registered:
            continue
        if hasattr(panel, "poll") and not panel.poll(bpy.context):
            continue
        shown += 1
        for part in ("draw_header", "draw_header_preset", "draw"):
            if part in panel.__dict__:
                panel.__dict__[part](_StandIn(panel), bpy.context)
    return shown


def buffers() -> int:
    """What the pictures that are shown become before they go to the GPU, once each; how many lines."""
    from kineograph_blender.draw.state import drawn

    return sum(len(lines.points.tolist()) for shown in drawn.shown for lines in shown.picture.lines)


def labels() -> int:
    """Where the texts of what is shown stand, at each redraw; how many."""
    from kineograph_blender.draw import shapes
    from kineograph_blender.draw.state import drawn

    found = [label for shown in drawn.shown for label in shown.picture.labels]
    places = [(float(label.place[0]) * 100.0, float(label.place[2]) * 100.0) for label in found]
    return len(shapes.apart(places, [60.0] * len(found), 14.0))


def rig_read(armature: Any) -> int:
    """A rig that was never looked at is selected; how many of its roles are understood."""
    from kineograph_blender import reading

    reading.forget()
    return reading.read(armature).understood
