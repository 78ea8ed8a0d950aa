# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own keys, bone by bone: a key on one bone constrains one bone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .. import compat
from . import datapath
from .bones import ancestors
from .rig import Rig


class KeyMode(StrEnum):
    """What a key constrains."""

    BONES = "bones"
    """Each keyed bone, at its own keys."""
    FRAMES = "frames"
    """The whole pose, at every frame where anything of the armature is keyed."""
    NONE = "none"


@dataclass
class KeyedFrame:
    """What is keyed at one frame of the request. ``at`` is where the user's key stands, whole or not."""

    at: float
    turned: set[str] = field(default_factory=set)
    root_placed: bool = False


@dataclass
class Keys:
    """Keys by request frame; ``unsent`` names what was keyed and has no word in a request, with the reason."""

    frames: dict[int, KeyedFrame] = field(default_factory=dict)
    unsent: dict[str, str] = field(default_factory=dict)
    outside: set[float] = field(default_factory=set)


def collect(armature: Any, action: Any, slot: Any, rig: Rig, span: tuple[int, int], mode: KeyMode) -> Keys:
    """The keys of an action between the first and last frame of ``span``."""
    keys = Keys()
    if mode is KeyMode.NONE or action is None:
        return keys
    bones = armature.data.bones
    parents = {b.name: b.parent.name if b.parent else None for b in bones}
    above_root = set(ancestors(parents, rig.names[0]))
    sent = set(rig.names)
    for curve in compat.curves(action, slot):
        channel = datapath.parse(curve.data_path)
        if channel is None or channel.bone not in parents or not len(curve.keyframe_points):
            continue
        turned, placed, why = _meaning(armature, channel, rig, sent, above_root)
        if why and mode is KeyMode.BONES:
            keys.unsent[f"{channel.bone}.{channel.prop}"] = why
        if mode is KeyMode.BONES and not turned and not placed:
            continue
        for at in (float(point.co[0]) for point in curve.keyframe_points):
            if _add(keys, at, span, turned, placed) and mode is KeyMode.FRAMES:
                frame = keys.frames[_whole(at) - span[0]]
                frame.turned |= sent
                frame.root_placed = True
    return keys


def keyed_span(curves: Iterable[Any]) -> tuple[float, float] | None:
    """First and last key of some curves; None when nothing is keyed."""
    ends = [p.co[0] for c in curves if len(c.keyframe_points) for p in (c.keyframe_points[0], c.keyframe_points[-1])]
    return (min(ends), max(ends)) if ends else None


def _meaning(
    armature: Any, channel: datapath.Channel, rig: Rig, sent: set[str], above_root: set[str]
) -> tuple[set[str], bool, str]:
    """Which joints a keyed channel turns, whether it places the root, and why it cannot be sent."""
    bone, prop = channel
    if bone in above_root and prop in datapath.TRANSFORM_PROPS:
        return {rig.names[0]}, True, "" if prop != "scale" else "a scale has no word in a request"
    if bone not in sent:
        return set(), False, "this bone is not sent; what it drives is not known"
    if prop in datapath.ROTATION_PROPS:
        # A curve of another rotation mode than the bone's own moves nothing.
        at_work = datapath.rotation_prop(armature.pose.bones[bone].rotation_mode)[0]
        return ({bone} if prop == at_work else set()), False, ""
    if prop == "location":
        if bone == rig.names[0]:
            return set(), True, ""
        connected = armature.data.bones[bone].use_connect
        return set(), False, "" if connected else "a moved bone below the root has no word in a request"
    return set(), False, "a scale has no word in a request" if prop == "scale" else ""


def _add(keys: Keys, at: float, span: tuple[int, int], turned: set[str], placed: bool) -> bool:
    whole = _whole(at)
    if not span[0] <= whole <= span[1]:
        keys.outside.add(at)
        return False
    frame = keys.frames.setdefault(whole - span[0], KeyedFrame(at))
    if abs(at - whole) < abs(frame.at - whole):
        frame.at = at
    frame.turned |= turned
    frame.root_placed |= placed
    return True


def _whole(at: float) -> int:
    return math.floor(at + 0.5)
