# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's action as strips of the NLA, above what is there.

The user's own action goes into a strip below, unchanged: an action that plays covers every strip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import compat
from . import action as actions
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


def of_take(armature: Any, take: str) -> list[Any]:
    """Tracks that hold nothing but strips of what was baked from a take."""
    data = armature.animation_data
    tracks = [] if data is None else list(data.nla_tracks)
    return [t for t in tracks if len(t.strips) and all(_is_of(s.action, take) for s in t.strips)]


def take_off(armature: Any, tracks: Sequence[Any]) -> Any:
    """Remove a take's tracks, and the one that the user's own action was pushed down to: the action plays again as if
    it had been laid over it. Returns it."""
    data = armature.animation_data
    action = tracks[0].strips[0].action
    for track in tracks:
        data.nla_tracks.remove(track)
    own, _ = stamps.own_action(armature)
    pushed = [t for t in data.nla_tracks if len(t.strips) == 1 and _is_pushed_down(t.strips[0], own)]
    if len(pushed) == 1:
        data.nla_tracks.remove(pushed[0])
    compat.bind(data, action, actions.slot_in(action))
    return action


def _is_of(action: Any, take: str) -> bool:
    return stamps.origin_of(action).partition(":")[0] == take


def _is_pushed_down(strip: Any, own: Any) -> bool:
    """Whether a strip is as ``push_down`` makes it: the whole action at its own frames, untouched."""
    if own is None or strip.action != own or strip.mute:
        return False
    first, last = (float(x) for x in own.frame_range)
    return bool(abs(strip.frame_start - first) < 1e-3 and abs(strip.frame_end - max(last, first + 1e-3)) < 1e-2)


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
