# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that the user set on the take that plays, moved to other frames: to the last bit, but for their time.

Where one stood, the take says again what it wrote there; where one arrives, it stands in the place of what the take
wrote, as a key that is set by hand does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import compat
from . import action as actions
from . import datapath, stamps, written
from .datapath import Channel

_SAME_FRAME = 1e-3
_SHAPE = ("interpolation", "easing", "back", "amplitude", "period", "type", "handle_left_type", "handle_right_type")


class _Key(NamedTuple):
    """One key without its time: ``left`` and ``right`` are its handles, seen from it."""

    value: float
    left: tuple[float, float]
    right: tuple[float, float]
    shape: dict[str, Any]

    @classmethod
    def of(cls, point: Any) -> _Key:
        at, value = point.co
        left, right = ((h[0] - at, h[1]) for h in (point.handle_left, point.handle_right))
        return cls(value, left, right, {name: getattr(point, name) for name in _SHAPE})

    def put(self, points: Any, frame: float) -> None:
        point = points.insert(frame, self.value, options={"FAST"})
        for name, value in self.shape.items():
            setattr(point, name, value)
        point.co = frame, self.value
        point.handle_left = frame + self.left[0], self.left[1]
        point.handle_right = frame + self.right[0], self.right[1]


def can_move(armature: Any) -> bool:
    """Whether a take plays whose keys may be moved."""
    action, _ = actions.shown(armature)
    return action is not None and stamps.take_of(action) is not None and bool(action.is_editable)


def move(armature: Any, goals: Mapping[Channel, Mapping[float, float]]) -> None:
    """Move keys of the take that plays, all parts of a property together: from one frame to another, by channel."""
    action, slot = actions.shown(armature)
    meant: Mapping[written.Place, Any] = written.load(action, armature) or {}
    for curve in compat.curves(action, slot):
        channel = datapath.parse(curve.data_path)
        wanted = {} if channel is None else goals.get(channel, {})
        if channel is not None and wanted:
            frames, values = meant.get((channel, curve.array_index), ((), ()))
            _move(curve, wanted, dict(zip((round(float(f), 4) for f in frames), values, strict=True)))
    written.disown(action, armature, {channel: set(wanted) for channel, wanted in goals.items()})


def _move(curve: Any, goals: Mapping[float, float], meant: Mapping[float, Any]) -> None:
    points = curve.keyframe_points
    held = {}
    for frame in goals:
        at = _index(points, frame)
        if at is not None:
            held[frame] = _Key.of(points[at])
    for frame in held:  # found anew each time: a key that is removed or set moves the others
        at = _index(points, frame)
        if at is None:
            continue
        if frame in meant:
            _say(points[at], float(meant[frame]))
        else:
            points.remove(points[at], fast=True)
    for frame in sorted(held):
        held[frame].put(points, goals[frame])
    curve.update()


def _say(point: Any, value: float) -> None:
    """As a take writes its keys."""
    by = value - point.co[1]
    point.interpolation, point.type = "LINEAR", "KEYFRAME"
    point.co = point.co[0], value
    for handle in (point.handle_left, point.handle_right):
        handle[1] += by


def _index(points: Any, frame: float) -> int | None:
    flat = np.empty(len(points) * 2, np.float32)
    points.foreach_get("co", flat)
    near = np.flatnonzero(np.abs(flat[::2] - frame) < _SAME_FRAME)
    return int(near[0]) if len(near) else None
