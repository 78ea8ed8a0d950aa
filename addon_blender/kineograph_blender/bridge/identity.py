# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones known again after they were renamed.

Blender renames the paths of actions that are in use; what stands aside (the user's own action behind a take, our
records) keeps the old names. So each bone of a take carries the names that it ever had, as a custom property of its
pose bone: that follows a rename.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy

from .. import compat
from . import datapath

_NAMES = "kineograph_names"
_MOST = 32


def tag(armature: Any, names: Iterable[str]) -> None:
    """Remember what these bones are called now, beside what they were called before."""
    for name in names:
        bone = armature.pose.bones[name]
        known = _known(bone)
        if name not in known:
            bone[_NAMES] = json.dumps([*known, name][-_MOST:])


def also(armature: Any, now: Mapping[str, str]) -> None:
    """Remember that bones were called otherwise once: their names by those."""
    for old, new in now.items():
        bone = armature.pose.bones[new]
        known = _known(bone)
        if old not in known:
            bone[_NAMES] = json.dumps([old, *known][-_MOST:])


def renamed(armature: Any, names: Iterable[str]) -> dict[str, str]:
    """Of ``names``, those that no bone has any more, and what the bone is called now; without any trace: left out."""
    bones = armature.pose.bones
    lost = {n for n in names if n not in bones}
    if not lost:
        return {}
    claims: dict[str, list[str]] = {}
    for bone in bones:
        for old in _known(bone):
            claims.setdefault(old, []).append(bone.name)
    return {old: claims[old][0] for old in lost if len(claims.get(old, ())) == 1}


def _known(bone: Any) -> list[str]:
    try:
        return [str(n) for n in json.loads(bone.get(_NAMES) or "[]")]
    except (ValueError, TypeError):
        return []


@contextmanager
def up_to_date(armature: Any, action: Any, slot: Any) -> Iterator[tuple[Any, Any]]:
    """An action under the names that the bones have now: itself, or for a moment a copy. It is only read."""
    now = renamed_in(armature, action, slot)
    if not now:
        yield action, slot
        return
    copy = action.copy()
    same = compat.same_slot(copy, slot)
    try:
        bring_up(copy, same, now)
        yield copy, same
    finally:
        bpy.data.actions.remove(copy)


def renamed_in(armature: Any, action: Any, slot: Any) -> dict[str, str]:
    """Bones that an action names otherwise than they are called now."""
    found = (datapath.parse(c.data_path) for c in compat.curves(action, slot))
    return renamed(armature, {c.bone for c in found if c is not None})


def bring_up(action: Any, slot: Any, now: Mapping[str, str]) -> None:
    """Rename bones in an action of ours."""
    for curve in compat.curves(action, slot) if now else ():
        channel = datapath.parse(curve.data_path)
        if channel is not None and channel.bone in now:
            curve.data_path = datapath.path(now[channel.bone], channel.prop)
