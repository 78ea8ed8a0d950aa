# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own keys, bone by bone: a key on one bone constrains one bone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    # The curves of one bone mostly share their keys: they are merged before anything is looked at one by one.
    stands: dict[tuple[frozenset[str], bool], list[NDArray[np.float64]]] = {}
    for curve in compat.curves(action, slot):
        channel = datapath.parse(curve.data_path)
        if channel is None or channel.bone not in parents or not len(curve.keyframe_points):
            continue
        turned, placed, why = _meaning(armature, channel, rig, sent, above_root)
        if mode is KeyMode.FRAMES:
            turned, placed, why = frozenset(sent), True, ""
        if why:
            keys.unsent[f"{channel.bone}.{channel.prop}"] = why
        if turned or placed:
            stands.setdefault((turned, placed), []).append(_times(curve))
    for (turned, placed), times in stands.items():
        for at in np.unique(np.concatenate(times)).tolist():
            _add(keys, at, span, turned, placed)
    return keys


def keyed_span(curves: Iterable[Any]) -> tuple[float, float] | None:
    """First and last key of some curves; None when nothing is keyed."""
    ends = [p.co[0] for c in curves if len(c.keyframe_points) for p in (c.keyframe_points[0], c.keyframe_points[-1])]
    return (min(ends), max(ends)) if ends else None


def _meaning(
    armature: Any, channel: datapath.Channel, rig: Rig, sent: set[str], above_root: set[str]
) -> tuple[frozenset[str], bool, str]:
    """Which joints a keyed channel turns, whether it places the root, and why it cannot be sent."""
    bone, prop = channel
    if bone in above_root and prop in datapath.TRANSFORM_PROPS:
        return frozenset({rig.names[0]}), True, "" if prop != "scale" else "a scale has no word in a request"
    if bone not in sent:
        return frozenset(), False, "this bone is not sent; what it drives is not known"
    if prop in datapath.ROTATION_PROPS:
        # A curve of another rotation mode than the bone's own moves nothing.
        at_work = datapath.rotation_prop(armature.pose.bones[bone].rotation_mode)[0]
        return (frozenset({bone}) if prop == at_work else frozenset()), False, ""
    if prop == "location":
        if bone == rig.names[0]:
            return frozenset(), True, ""
        connected = armature.data.bones[bone].use_connect
        return frozenset(), False, "" if connected else "a moved bone below the root has no word in a request"
    return frozenset(), False, "a scale has no word in a request" if prop == "scale" else ""


def _add(keys: Keys, at: float, span: tuple[int, int], turned: frozenset[str], placed: bool) -> None:
    whole = _whole(at)
    if not span[0] <= whole <= span[1]:
        keys.outside.add(at)
        return
    frame = keys.frames.setdefault(whole - span[0], KeyedFrame(at))
    if abs(at - whole) < abs(frame.at - whole):
        frame.at = at
    frame.turned |= turned
    frame.root_placed |= placed


def _times(curve: Any) -> NDArray[np.float64]:
    co = np.empty(len(curve.keyframe_points) * 2, np.float32)
    curve.keyframe_points.foreach_get("co", co)
    # Rounded where float32 ends: a key set at 10.4 is at 10.4.
    return co[::2].astype(np.float64).round(4)


def _whole(at: float) -> int:
    return math.floor(at + 0.5)
