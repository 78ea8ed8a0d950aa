# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, pins, waypoints and paths inside a block that move with it, when the user asks for that.

The keys are those of the user's own action, and those that were set on the take that plays: taking them along is the
user's edit of both. Where a key was set on a take, the take's own motion shows again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import compat
from ..bridge import datapath, keymarks, marks, paths, shifted, stamps, written
from ..bridge.blocks import Block, carried
from ..bridge.datapath import Channel


@dataclass
class Moved:
    """How many things went along: ``keys`` are frames with keys, ``marks`` pins, waypoints, paths and key marks;
    ``stayed`` keys on a take that is linked from another file."""

    keys: int = 0
    marks: int = 0
    stayed: int = 0


def take_along(armature: Any, scene: Any, before: Block, after: Block, *, keys_only: bool = False) -> Moved:
    """Move everything of the character inside ``before`` to where it belongs in ``after``.

    ``keys_only``: not its paths, pins and waypoints.
    """
    moved = Moved()
    if (before.start, before.end) == (after.start, after.end):
        return moved
    edited = edited_keys(armature, before)
    frames = {f for at in edited.values() for f in at}
    if edited and not shifted.can_move(armature):
        moved.stayed, frames = len(frames), set()
    elif edited:
        shifted.move(armature, {c: {f: carried(before, after, f) for f in at} for c, at in edited.items()})
    action, slot = stamps.own_action(armature)
    if action is not None and action.is_editable:
        frames |= _shift([c for c in compat.curves(action, slot) if _is_bones(c)], before, after)
    moved.keys = len(frames)
    whole = {f: round(carried(before, after, f)) for f in range(before.start, before.end + 1)}
    for bone in armature.pose.bones:
        moved.marks += bool((keymarks.marked(bone) | keymarks.unmarked(bone)) & whole.keys())
        keymarks.moved(bone, whole)
    for marked in () if keys_only else _marks(armature, scene):
        moved.marks += _move_mark(marked, before, after)
    return moved


def frames_inside(armature: Any, scene: Any, block: Block) -> list[float]:
    """Frames inside a block at which something would go along: for showing it while it is dragged."""
    found: set[float] = set()
    action, slot = stamps.own_action(armature)
    for curve in compat.curves(action, slot):
        if _is_bones(curve):
            found |= {float(f) for f in _times(curve).round(4) if _inside(f, block)}
    if shifted.can_move(armature):
        found |= {f for at in edited_keys(armature, block).values() for f in at}
    for bone in armature.pose.bones:
        found |= {float(f) for f in keymarks.marked(bone) if _inside(f, block)}
    for marked in _marks(armature, scene):
        span = marks.frames_of(marked)
        found |= {float(f) for f in span or () if _inside(f, block)}
    return sorted(found)


def keys_at(armature: Any, frame: int) -> set[tuple[str, int]]:
    """Which curves have a key of the user's at a scene frame."""
    here = Block(frame, frame)
    action, slot = stamps.own_action(armature)
    found = [c for c in compat.curves(action, slot) if _is_bones(c)]
    out = {(c.data_path, c.array_index) for c in found if any(_inside(float(f), here) for f in _times(c))}
    for channel in edited_keys(armature, here):
        out |= {(datapath.path(channel.bone, channel.prop), n) for n in range(4)}
    return out


def edited_keys(armature: Any, block: Block) -> dict[Channel, set[float]]:
    """Keys inside a block that the user set on the take that plays: frames by channel."""
    data = armature.animation_data
    action = None if data is None else data.action
    if action is None or stamps.take_of(action) is None:
        return {}
    found = written.edits(action, compat.slot_of(data), armature).keys
    inside = {channel: {f for f in frames if _inside(f, block)} for channel, frames in found.items()}
    return {channel: frames for channel, frames in inside.items() if frames}


def _marks(armature: Any, scene: Any) -> Iterable[Any]:
    yield from marks.paths_of(armature, scene)
    yield from marks.pins_of(armature, scene)
    yield from marks.waypoints_of(armature, scene)


def _move_mark(marked: Any, before: Block, after: Block) -> int:
    span = marks.frames_of(marked)
    if span is not None:
        if not (_inside(span[0], before) and _inside(span[1], before)):
            return 0
        marks.set_frames(marked, (round(carried(before, after, span[0])), round(carried(before, after, span[1]))))
        return 1
    data = marked.animation_data
    curves = [] if data is None else list(compat.curves(data.action, compat.slot_of(data)))
    if marks.role_of(marked) is marks.Role.PATH:
        keyed = paths.evaluation_curve(marked)
        curves = [] if keyed is None else [keyed]
    return int(bool(_shift(curves, before, after)))


def _shift(curves: Iterable[Any], before: Block, after: Block) -> set[float]:
    """Move the keys inside ``before``; one that stood where another arrives gives way. Returns the frames moved."""
    frames: set[float] = set()
    for curve in curves:
        points = curve.keyframe_points
        times = _times(curve)
        inside = [i for i, f in enumerate(times) if _inside(float(f), before)]
        if not inside:
            continue
        goals = {i: carried(before, after, float(times[i].round(4))) for i in inside}
        taken = {round(g, 4) for g in goals.values()}
        gone = [i for i, f in enumerate(times) if i not in goals and round(float(f), 4) in taken]
        for i in inside:
            by = goals[i] - points[i].co[0]
            for handle in (points[i].handle_left, points[i].handle_right):
                handle[0] += by
            points[i].co[0] = goals[i]
        for i in reversed(gone):
            points.remove(points[i], fast=True)
        curve.update()
        frames |= {float(times[i].round(4)) for i in inside}
    return frames


def _is_bones(curve: Any) -> bool:
    return datapath.parse(curve.data_path) is not None


def _times(curve: Any) -> Any:
    flat = np.empty(len(curve.keyframe_points) * 2, np.float32)
    curve.keyframe_points.foreach_get("co", flat)
    return flat[::2].astype(float)


def _inside(frame: float, block: Block) -> bool:
    return bool(block.start - 1e-3 <= frame <= block.end + 1e-3)
