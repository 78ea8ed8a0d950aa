# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pose says where nothing keys it: kept with a take's action before it shows, and put back when it goes.

Blender leaves an animated value at what it was last when its animation goes, so a pose that was set by hand and never
keyed would be lost by looking at a take. It is kept in the action, as everything that belongs to a take: saved with
the file, undone with it. A take that shows in another's place carries on what that one kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import compat
from . import action as actions
from . import identity, stamps
from .datapath import AT_REST, ROTATION_PROPS, Channel

_UNKEYED = "kineograph_unkeyed"


class Held(NamedTuple):
    """A property's values, and the rotation mode that its bone had then."""

    mode: str
    values: tuple[float, ...]


Pose = Mapping[Channel, Held]


def before(armature: Any) -> dict[Channel, tuple[float, ...]]:
    """What the channels that the take that plays moves said before any take did; at rest where nobody knows.

    Rotations that were kept in another rotation mode than the bone has now are left out.
    """
    playing, slot = actions.shown(armature)
    if stamps.take_of(playing) is None:
        return {}
    bones = armature.pose.bones
    kept = _kept(playing, armature)
    out = {c: AT_REST[c.prop] for c in actions.channels_of(playing, slot) if c not in kept}
    for channel, held in kept.items():
        bone = bones.get(channel.bone)
        if bone is not None:
            same = channel.prop not in ROTATION_PROPS or bone.rotation_mode == held.mode
            out[channel] = held.values if same else AT_REST[channel.prop]
    return out


def keep(armature: Any, action: Any, channels: Iterable[Channel], *, adds: bool = False) -> None:
    """Before a take's ``action``, which moves ``channels``, takes the place of what plays: what they say without it.

    ``adds``: it goes on with all that plays now. What only the take that plays moves is put back.
    """
    playing, slot = actions.shown(armature)
    known = _kept(playing, armature)
    for laid in reversed(actions.laid(armature)):
        known |= _kept(laid, armature)
    wanted = {*channels, *(known if adds else ())}
    moved = set() if known or stamps.take_of(playing) is None else actions.channels_of(playing, slot)
    bones = armature.pose.bones
    kept = {c: known[c] for c in known if c in wanted}
    for channel in wanted - kept.keys() - moved:
        bone = bones.get(channel.bone)
        if bone is not None:
            kept[channel] = Held(bone.rotation_mode, tuple(getattr(bone, channel.prop)))
    _store(action, kept)
    _put_back(armature, {c: held for c, held in known.items() if c not in kept})


def step_to(armature: Any, action: Any, slot: Any) -> None:
    """Play another take's action, or the user's own or none, in the place of the take that plays."""
    playing, playing_slot = actions.shown(armature)
    if stamps.take_of(action) is not None:
        mine = _kept(action, armature)
        keep(armature, action, mine.keys() or actions.channels_of(action, slot))
    elif playing is not None:
        kept = _kept(playing, armature)
        unknown = actions.channels_of(playing, playing_slot) - kept.keys() - actions.channels_of(action, slot)
        _put_back(armature, kept)
        actions.put_to_rest(armature, unknown)
    compat.bind(armature.animation_data_create(), action, slot)


def give_back(armature: Any, action: Any) -> None:
    """A take's action that another one covers is gone: what was kept with it."""
    _put_back(armature, _kept(action, armature))


def _put_back(armature: Any, pose: Pose) -> None:
    for channel, held in pose.items():
        bone = armature.pose.bones.get(channel.bone)
        if bone is None:
            continue
        mode = bone.rotation_mode
        turns = channel.prop in ROTATION_PROPS and mode != held.mode
        if turns:
            bone.rotation_mode = held.mode
        setattr(bone, channel.prop, held.values)
        if turns:  # Blender says the same turn in the mode that the bone has got since
            bone.rotation_mode = mode


def _store(action: Any, pose: Pose) -> None:
    head = [[c.bone, c.prop, held.mode, len(held.values)] for c, held in pose.items()]
    values = [x for held in pose.values() for x in held.values]
    action[_UNKEYED] = {"head": json.dumps(head), "data": np.array(values, "<f4").tobytes()}


def _kept(action: Any, armature: Any) -> dict[Channel, Held]:
    """What ``keep`` stored, under the names that the bones have now; empty where nothing readable is."""
    found = None if action is None else action.get(_UNKEYED)
    if found is None:
        return {}
    try:
        head, values = json.loads(found["head"]), np.frombuffer(bytes(found["data"]), "<f4").tolist()
        now = identity.renamed(armature, {row[0] for row in head})
        out, at = {}, 0
        for bone, prop, mode, width in head:
            if width != len(AT_REST[prop]) or at + width > len(values):
                return {}
            out[Channel(now.get(bone, bone), prop)] = Held(str(mode), tuple(values[at : at + width]))
            at += width
        return out
    except (ValueError, TypeError, KeyError):
        return {}
