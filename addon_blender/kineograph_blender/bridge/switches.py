# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties that a take on controls needs at a value: IK or FK, what follows what.

They are keyed in the take's own action and never set by hand; what they were is remembered with it, because Blender
leaves an animated property at its last value when the action goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from . import action as actions
from . import merge
from .action import Channels
from .datapath import Channel

_BEFORE = "kineograph_switches"

Hold = Mapping[tuple[str, str], float]


def channel(bone: str, prop: str) -> Channel:
    """The channel of a bone's own property."""
    return Channel(bone, f'["{bpy.utils.escape_identifier(prop)}"]')


def keys(armature: Any, hold: Hold, first: float, last: float, *, over: bool) -> list[Channels]:
    """What holds the properties; with ``over`` only from ``first`` to ``last``, and before and after as now."""
    playing = actions.shown(armature)
    found = merge.curves_by_channel(*playing, every=True) if over else {}
    out = []
    for (bone, prop), value in hold.items():
        name, is_set = channel(bone, prop)
        ends = np.array([first, last] if over and last > first else [first], np.float32)
        item = Channels(name, is_set, ends, np.full((len(ends), 1), value))
        if over:
            now = [float(armature.pose.bones[bone][prop])]
            item = merge.joined(item, merge.outside(found.get(Channel(name, is_set), {}), now, first, last))
        out.append(item)
    return out


def remember(action: Any, armature: Any, hold: Hold) -> None:
    """With a new take: what the properties were before any take of ours."""
    if hold:
        known = _remembered(actions.shown(armature)[0])
        now = [[bone, prop, armature.pose.bones[bone][prop]] for bone, prop in hold]
        action[_BEFORE] = json.dumps([[b, p, known.get((b, p), v)] for b, p, v in now])


@contextmanager
def as_before(armature: Any) -> Iterator[None]:
    """For a moment the properties are what they were before the take that plays."""
    before = _remembered(actions.shown(armature)[0])
    bones = armature.pose.bones
    now = {(b, p): bones[b][p] for b, p in before if b in bones and p in bones[b]}
    _set(armature, before)
    try:
        yield
    finally:
        _set(armature, now)


def put_back(armature: Any, action: Any) -> None:
    """Before ``action`` goes: the properties are what they were."""
    _set(armature, _remembered(action))


def _set(armature: Any, values: Hold) -> None:
    for (bone, prop), value in values.items():
        found = armature.pose.bones.get(bone)
        if found is not None and prop in found:
            found[prop] = type(found[prop])(value)
    if values:
        armature.update_tag(refresh={"OBJECT", "DATA"})


def _remembered(action: Any) -> dict[tuple[str, str], float]:
    try:
        rows = json.loads((action.get(_BEFORE) if action is not None else None) or "[]")
        return {(str(bone), str(prop)): float(value) for bone, prop, value in rows}
    except (ValueError, TypeError):
        return {}
