# SPDX-License-Identifier: GPL-3.0-or-later
"""The thin end at the GPU: pictures in the 3D view, strips in the timeline. What to draw is decided elsewhere.

A picture's buffers are made once and kept as long as the picture is shown; strips share one square that is moved and
stretched. A redraw makes no new buffer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import blf
import bpy
import gpu
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix

from .. import plan
from ..direction import props as saved
from . import shapes, strips
from .shapes import Color, Label, Picture
from .state import drawn

log = logging.getLogger(__name__)

_batches: WeakKeyDictionary[Picture, list[tuple[Any, Color, float]]] = WeakKeyDictionary()
_square: list[Any] = []
_failed: set[str] = set()


def clear() -> None:
    """Let all buffers go."""
    _batches.clear()
    _square.clear()
    _failed.clear()


def guarded(name: str, draw: Callable[[], None]) -> Callable[[], None]:
    """A draw call that raises would fill the console on every redraw: it is told once."""

    def call() -> None:
        try:
            draw()
        except Exception:
            if name not in _failed:
                _failed.add(name)
                log.exception("drawing %s failed", name)

    return call


def scene() -> None:
    """Lines in the 3D view."""
    pictures = _seen()
    if not pictures:
        return
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    for picture in pictures:
        for batch, color, width in _of(picture, shader):
            shader.uniform_float("lineWidth", width)
            shader.uniform_float("color", color)
            batch.draw(shader)
    gpu.state.blend_set("NONE")


def labels() -> None:
    """Texts in the 3D view."""
    for label, x, y, _, _ in texts(bpy.context.region, bpy.context.region_data):
        _write(label.text, x, y, label.color, 11)


def texts(region: Any, view: Any) -> list[tuple[Label, float, float, float, float]]:
    """The labels of what is shown as they stand in a region, none on another: left, bottom, width and height."""
    found = _placed(region, view)
    _sized(11)
    sizes = [blf.dimensions(0, label.text) for label, _, _ in found]
    widths, height = [float(w) for w, _ in sizes], max((float(h) for _, h in sizes), default=0.0)
    spots = shapes.apart([(x, y) for _, x, y in found], widths, 1.3 * height)
    return [(found[n][0], x + 6.0, y + 4.0, widths[n], height) for n, (x, y) in enumerate(spots)]


def _placed(region: Any, view: Any) -> list[tuple[Label, float, float]]:
    out = []
    for picture in _seen():
        for label in picture.labels:
            at = location_3d_to_region_2d(region, view, label.place)
            if at is not None:
                out.append((label, float(at.x), float(at.y)))
    return out


def _seen() -> list[Picture]:
    """What stands in the view that is drawn: nothing without overlays, or of a character of another scene."""
    space = bpy.context.space_data
    if space is None or space.type != "VIEW_3D" or not space.overlay.show_overlays:
        return []
    return [shown.picture for shown in drawn.shown if shown.character in bpy.context.scene.objects]


def timeline() -> None:
    """Strips in the Dope Sheet and the Timeline."""
    context = bpy.context
    armature = plan.character_of(context)
    if armature is None or not len(armature.kineograph_direction.blocks):
        return
    view = view_of(context.region)
    _sized(11)
    for strip in shown_strips(armature, view):
        _box(strip.left, strip.bottom, strip.right, strip.top, strip.edge)
        _box(strip.left + 1, strip.bottom + 1, strip.right - 1, strip.top - 1, strip.fill)
        for x in strip.keys:
            _box(x - 1, strip.bottom, x + 1, strip.top, (1.0, 0.85, 0.3, 1.0))
        if strip.text:
            x = max(strip.left, 0.0) + 6 * view.scale
            _write(strip.text, x, strip.bottom + 5 * view.scale, (1, 1, 1, 0.95), 11)


def shown_strips(armature: Any, view: strips.View) -> list[strips.Strip]:
    """The strips of a character in a region, as they are or as a drag would leave them."""
    drag = drawn.drag
    blocks = tuple(drawn.dragged) if drag is not None else saved.read(armature)
    active = int(armature.kineograph_direction.active)
    return strips.layout(blocks, view, active, lambda text: float(blf.dimensions(0, text)[0]), drag)


def view_of(region: Any) -> strips.View:
    """How frames lie in a timeline's region."""
    zero = float(region.view2d.view_to_region(0.0, 0.0, clip=False)[0])
    far = float(region.view2d.view_to_region(1000.0, 0.0, clip=False)[0])
    return strips.View(zero, (far - zero) / 1000.0, float(region.width), float(region.height), _scale())


def _of(picture: Picture, shader: Any) -> list[tuple[Any, Color, float]]:
    found = _batches.get(picture)
    if found is None:
        found = _batches[picture] = [
            (batch_for_shader(shader, "LINES", {"pos": lines.points.tolist()}), lines.color, lines.width_px)
            for lines in picture.lines
            if len(lines.points)
        ]
    return found


def _box(left: float, bottom: float, right: float, top: float, color: Color) -> None:
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    if not _square:
        corners = {"pos": [(0, 0), (1, 0), (0, 1), (1, 1)]}
        _square.append(batch_for_shader(shader, "TRI_STRIP", corners))
    gpu.state.blend_set("ALPHA")
    with gpu.matrix.push_pop():
        gpu.matrix.translate((left, bottom))
        gpu.matrix.multiply_matrix(Matrix.Diagonal((max(right - left, 0.0), top - bottom, 1.0, 1.0)))
        shader.bind()
        shader.uniform_float("color", color)
        _square[0].draw(shader)
    gpu.state.blend_set("NONE")


def _scale() -> float:
    # Blender without a window has none yet.
    return float(bpy.context.preferences.system.ui_scale) or 1.0


def _sized(points: int) -> None:
    blf.size(0, points * _scale())


def _write(text: str, x: float, y: float, color: Color, points: int) -> None:
    _sized(points)
    blf.color(0, *color)
    blf.position(0, x, y, 0)
    blf.draw(0, text)
