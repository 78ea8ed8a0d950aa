# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's action as strips of the NLA, above what is there.

The user's own action goes into a strip below, unchanged: an action that plays covers every strip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import compat
from . import stamps


@dataclass(frozen=True)
class Part:
    """One strip: scene frames ``first`` to ``last`` of the take's action, both included."""

    name: str
    first: float
    last: float


def lay(armature: Any, action: Any, slot: Any, name: str, parts: Sequence[Part]) -> list[str]:
    """Strips on a new track on top; returns their names. What played before is pushed down first, below them."""
    data = armature.animation_data_create()
    push_down(armature)
    track = data.nla_tracks.new()
    track.name = name
    out = []
    for part in parts:
        strip = track.strips.new(part.name or name, round(part.first), action)
        if compat.HAS_SLOTS:
            strip.action_slot = slot
        strip.action_frame_start, strip.action_frame_end = part.first, max(part.last, part.first + 1e-3)
        strip.frame_start, strip.frame_end = part.first, max(part.last, part.first + 1e-3)
        strip.blend_type = "REPLACE"
        # Between the strips of one take nothing is held: what is below shows there.
        strip.extrapolation = "NOTHING"
        out.append(strip.name)
    return out


def push_down(armature: Any) -> str | None:
    """The action that plays goes into a strip of its own, as Blender's Push Down does; None when nothing plays."""
    data = armature.animation_data
    action = None if data is None else data.action
    if action is None:
        return None
    slot = compat.slot_of(data)
    first, last = (float(x) for x in action.frame_range)
    stamps.remember_own(armature)
    track = data.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, round(first), action)
    if compat.HAS_SLOTS and slot is not None:
        strip.action_slot = slot
    strip.action_frame_start, strip.action_frame_end = first, max(last, first + 1e-3)
    strip.frame_start, strip.frame_end = first, max(last, first + 1e-3)
    strip.extrapolation = data.action_extrapolation
    compat.bind(data, None, None)
    return str(strip.name)
