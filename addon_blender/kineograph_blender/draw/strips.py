# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks as strips on a timeline: where they stand in a region, what the mouse is over, and what a drag makes of them.

Pixels count from the region's lower left; frames run linearly over its width. No bpy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..bridge import blocks as algebra
from ..bridge.blocks import Block, Side
from .shapes import Color

HANDLE_PX = 6.0
HEIGHT_PX = 18.0
BOTTOM_PX = 24.0
SCRUB_PX = 24.0
"""The numbers at the top of a timeline; a click there is Blender's."""
THIN_PX = 4.0
"""Of a timeline that is no higher than its numbers: strips are lines below them, and the mouse is Blender's."""
_PADDING_PX = 6.0
_SNAP_PX = 8.0


@dataclass(frozen=True)
class View:
    """How frames lie in a region: frame 0 is at ``zero_px``, each frame ``frame_px`` wide; ``scale`` is the UI's."""

    zero_px: float
    frame_px: float
    width_px: float
    height_px: float
    scale: float = 1.0

    def x(self, frame: float) -> float:
        """A frame's place."""
        return self.zero_px + frame * self.frame_px

    def frame(self, x: float) -> float:
        """The frame at a place."""
        return (x - self.zero_px) / self.frame_px if self.frame_px > 0.0 else 0.0


class Grip(StrEnum):
    """What of a strip the mouse holds."""

    START = "start"
    BODY = "body"
    END = "end"


@dataclass(frozen=True)
class Strip:
    """One block in the region; ``keys`` are the places of keys that go along while it is dragged."""

    index: int
    left: float
    right: float
    bottom: float
    top: float
    text: str
    fill: Color
    edge: Color
    keys: tuple[float, ...] = ()


@dataclass(frozen=True)
class Drag:
    """A strip that is being dragged: the blocks as they were, and where it was taken."""

    blocks: tuple[Block, ...]
    index: int
    grip: Grip
    frame: float
    keys: tuple[float, ...] = ()


def layout(
    blocks: Sequence[Block],
    view: View,
    active: int = -1,
    measure: Callable[[str], float] = lambda text: 7.0 * len(text),
    drag: Drag | None = None,
) -> list[Strip]:
    """The strips that can be seen, in drawing order: a block that another one's frames belong to stands above it."""
    lifted = {o.other for o in algebra.overlaps(blocks)}
    base, lift = _levels(view)
    is_thin = view.height_px < (SCRUB_PX + HEIGHT_PX / 2) * view.scale
    height = (THIN_PX if is_thin else HEIGHT_PX) * view.scale
    out = []
    for index, block in enumerate(blocks):
        # A block's last frame lasts until the next begins: two blocks in a row touch.
        left, right = view.x(block.start), view.x(block.end + 1)
        if right < 0.0 or left > view.width_px:
            continue
        bottom = base + (lift if index in lifted else 0.0)
        fill, edge = _colors(block, index == active)
        room = min(right, view.width_px) - max(left, 0.0) - 2 * _PADDING_PX * view.scale
        keys = tuple(view.x(f) for f in _dragged_keys(drag, blocks)) if drag and drag.index == index else ()
        text = "" if is_thin else fitted(_text(block), room, measure)
        out.append(Strip(index, left, right, bottom, bottom + height, text, fill, edge, keys))
    return out


def _levels(view: View) -> tuple[float, float]:
    """Where strips stand, and how much higher those that overlap: a timeline is often no higher than two lines."""
    room = max(view.height_px - (SCRUB_PX + HEIGHT_PX) * view.scale, 0.0)
    base = min(BOTTOM_PX * view.scale, room / 2.0)
    return base, min(0.6 * HEIGHT_PX * view.scale, max(room - base, 3.0 * view.scale))


def hit(strips: Sequence[Strip], x: float, y: float, scale: float = 1.0) -> tuple[int, Grip] | None:
    """The strip under the mouse and what of it; the one drawn last wins. A short strip is held by its body."""
    reach = HANDLE_PX * scale
    # What is under the mouse comes before what is only near it.
    for near in (0.0, reach / 2):
        found = _held(strips, x, y, reach, near, scale)
        if found is not None:
            return found
    return None


def _held(
    strips: Sequence[Strip], x: float, y: float, reach: float, near: float, scale: float
) -> tuple[int, Grip] | None:
    for strip in reversed(strips):
        if strip.top - strip.bottom <= THIN_PX * scale:
            continue
        if not (strip.bottom <= y <= strip.top and strip.left - near <= x <= strip.right + near):
            continue
        if strip.right - strip.left > 3 * reach:
            if x <= strip.left + reach:
                return strip.index, Grip.START
            if x >= strip.right - reach:
                return strip.index, Grip.END
        return strip.index, Grip.BODY
    return None


def dragged(drag: Drag, frame: float, snap_frames: float = 0.0) -> tuple[Block, ...]:
    """The blocks with the strip dragged to a mouse at ``frame``: whole frames, and edges of other blocks hold it."""
    by = round(frame - drag.frame)
    block = drag.blocks[drag.index]
    edges = [e for i, b in enumerate(drag.blocks) if i != drag.index for e in (b.start, b.end + 1)]
    match drag.grip:
        case Grip.START:
            to = _snapped(block.start + by, edges, snap_frames)
            return algebra.resize(drag.blocks, drag.index, Side.START, to)
        case Grip.END:
            to = _snapped(block.end + 1 + by, edges, snap_frames) - 1
            return algebra.resize(drag.blocks, drag.index, Side.END, to)
        case Grip.BODY:
            start = _snapped(block.start + by, edges, snap_frames)
            if start == block.start + by:
                start = _snapped(block.end + 1 + by, edges, snap_frames) - block.frames
            return algebra.move(drag.blocks, drag.index, start - block.start)


def snap_frames(view: View) -> float:
    """How near an edge has to be to hold."""
    return _SNAP_PX * view.scale / view.frame_px if view.frame_px > 0.0 else 0.0


def said(drag: Drag, blocks: Sequence[Block]) -> str:
    """What a drag does, for the header: '41-90 (50 frames), overlaps 'walks' by 10'."""
    block = blocks[drag.index]
    text = f"{block.start}-{block.end} ({block.frames} frames)"
    for overlap in algebra.overlaps(blocks):
        if drag.index in (overlap.one, overlap.other):
            other = blocks[overlap.other if overlap.one == drag.index else overlap.one]
            text += f", overlaps {other.prompt.strip() or 'a free block'!r} by {overlap.last - overlap.first + 1}"
    if drag.keys:
        text += f", {len(drag.keys)} keys go along"
    return text


def fitted(text: str, room: float, measure: Callable[[str], float]) -> str:
    """As much of a text as fits."""
    if measure(text) <= room:
        return text
    for size in range(len(text) - 1, 0, -1):
        if measure(text[:size] + "…") <= room:
            return text[:size].rstrip() + "…"
    return ""


def _text(block: Block) -> str:
    words = block.prompt.strip() or "(free)"
    marks = ("locked  " if block.locked else "") + ("off  " if not block.enabled else "")
    return f"{marks}{words}"


def _colors(block: Block, is_active: bool) -> tuple[Color, Color]:
    alpha = 0.9 if block.enabled else 0.35
    if block.locked:
        fill: Color = (0.32, 0.34, 0.38, alpha)
    elif block.prompt.strip():
        fill = (0.20, 0.42, 0.66, alpha)
    else:
        fill = (0.36, 0.33, 0.48, alpha)
    return fill, (1.0, 1.0, 1.0, 0.9) if is_active else (0.0, 0.0, 0.0, 0.6)


def _dragged_keys(drag: Drag, blocks: Sequence[Block]) -> list[float]:
    before, after = drag.blocks[drag.index], blocks[drag.index]
    return [algebra.carried(before, after, f) for f in drag.keys]


def _snapped(frame: int, edges: Sequence[int], within: float) -> int:
    near = min(edges, key=lambda e: abs(e - frame), default=frame)
    return near if abs(near - frame) <= within else frame
