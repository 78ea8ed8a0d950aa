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

_PUSHED = "kineograph_pushed"
"""On a take's action: what played when it was laid."""


@dataclass(frozen=True)
class Part:
    """One strip: scene frames ``first`` to ``last`` of the take's action, both included."""

    name: str
    first: float
    last: float


def lay(armature: Any, action: Any, slot: Any, name: str, parts: Sequence[Part]) -> list[str]:
    """Strips on a new track on top; returns their names. What played before is pushed down first, below them."""
    data = armature.animation_data_create()
    if data.action is not None:
        action[_PUSHED] = data.action
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
    """Remove a take's tracks: its action, which is returned, plays as if it had been laid over what is below; not
    where another one plays, which covers all strips."""
    data = armature.animation_data
    action = tracks[0].strips[0].action
    for track in tracks:
        data.nla_tracks.remove(track)
    if data.action is None:
        compat.bind(data, action, actions.slot_in(action))
    return action


def below(armature: Any, action: Any) -> tuple[Any, Any]:
    """What plays again when a take's ``action`` goes, and its slot: what was pushed down for it; nothing, where other
    takes show as strips, which it would cover; else the user's own action, taken up from its strip."""
    data = armature.animation_data
    tracks, pushed = list(data.nla_tracks), action.get(_PUSHED)
    if pushed is not None and tracks and _is_pushed_down(tracks[-1], pushed):
        return _take_up(data, tracks[-1])
    if actions.laid(armature):
        return None, None
    own, slot = stamps.own_action(armature)
    laid = [t for t in tracks if _is_pushed_down(t, own)]
    if len(laid) == 1:
        return _take_up(data, laid[0])
    made_of = own is not None and own == pushed  # the user made something of the strip: it stays one
    return (None, None) if made_of else (own, slot)


def _take_up(data: Any, track: Any) -> tuple[Any, Any]:
    strip = track.strips[0]
    found = strip.action, strip.action_slot if compat.HAS_SLOTS else None
    data.nla_tracks.remove(track)
    return found


def _is_of(action: Any, take: str) -> bool:
    return stamps.origin_of(action).partition(":")[0] == take


def _is_pushed_down(track: Any, own: Any) -> bool:
    """Whether a track is as ``push_down`` makes it: the whole action at its own frames, untouched."""
    if own is None or len(track.strips) != 1:
        return False
    strip = track.strips[0]
    if strip.action != own or strip.mute or track.mute:
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
