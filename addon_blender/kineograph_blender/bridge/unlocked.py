# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones that were unlocked so that a take can be written: remembered with the armature, and locked again once no take
plays."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from . import identity

_UNLOCKED = "kineograph_unlocked"
_OPEN = [False] * 10


def unlock(armature: Any, names: Iterable[str]) -> None:
    """Unlock every channel of these bones, and remember how they were."""
    rows = _remembered(armature)
    for name in names:
        bone = armature.pose.bones[name]
        rows.setdefault(name, _locks(bone))
        _lock(bone, _OPEN)
    if rows:
        armature[_UNLOCKED] = json.dumps(rows)


def put_back(armature: Any) -> None:
    """What was unlocked for takes is locked as it was; where somebody locked something since, that stays."""
    rows = _remembered(armature)
    now = identity.renamed(armature, set(rows)) if rows else {}
    for name, locks in rows.items():
        bone = armature.pose.bones.get(now.get(name, name))
        if bone is not None and _locks(bone) == _OPEN:
            _lock(bone, locks)
    if _UNLOCKED in armature:
        del armature[_UNLOCKED]


def _locks(bone: Any) -> list[bool]:
    return [*map(bool, (*bone.lock_location, *bone.lock_rotation, *bone.lock_scale)), bool(bone.lock_rotation_w)]


def _lock(bone: Any, locks: list[bool]) -> None:
    bone.lock_location, bone.lock_rotation, bone.lock_scale = locks[:3], locks[3:6], locks[6:9]
    bone.lock_rotation_w = locks[9]


def _remembered(armature: Any) -> dict[str, list[bool]]:
    try:
        found = json.loads(armature.get(_UNLOCKED) or "{}")
        return {str(n): [bool(x) for x in locks] for n, locks in found.items() if len(locks) == len(_OPEN)}
    except (ValueError, TypeError, AttributeError):
        return {}
