# SPDX-License-Identifier: GPL-3.0-or-later
"""Constraints that were muted so that a take shows: remembered with the armature, and back once no take plays."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from . import blockers, identity
from .blockers import BoneConstraint

_MUTED = "kineograph_muted"


def mute(armature: Any, found: Iterable[BoneConstraint]) -> list[BoneConstraint]:
    """Mute these and remember them; returns those that were at work."""
    done = blockers.mute(armature, found)
    rows = {*_remembered(armature), *((item.bone, item.name) for item in done)}
    if rows:
        armature[_MUTED] = json.dumps(sorted(rows))
    return done


def put_back(armature: Any) -> None:
    """What was muted for takes is at work again."""
    rows = _remembered(armature)
    now = identity.renamed(armature, {bone for bone, _ in rows})
    for bone, name in rows:
        found = armature.pose.bones.get(now.get(bone, bone))
        constraint = None if found is None else found.constraints.get(name)
        if constraint is not None:
            constraint.mute = False
    if _MUTED in armature:
        del armature[_MUTED]


def _remembered(armature: Any) -> list[tuple[str, str]]:
    try:
        return [(str(bone), str(name)) for bone, name in json.loads(armature.get(_MUTED) or "[]")]
    except (ValueError, TypeError):
        return []
