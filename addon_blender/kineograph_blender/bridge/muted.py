# SPDX-License-Identifier: GPL-3.0-or-later
"""Constraints that were muted so that a take shows: remembered with the armature, and back once no take plays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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


@contextmanager
def as_before(armature: Any) -> Iterator[None]:
    """For a moment they are at work: the user's own animation is what it was with them."""
    found = [c for _, c in _there(armature) if c.mute]
    for constraint in found:
        constraint.mute = False
    try:
        yield
    finally:
        for constraint in found:
            constraint.mute = True


def put_back(armature: Any) -> None:
    """What was muted for takes is at work again."""
    for _, constraint in _there(armature):
        constraint.mute = False
    if _MUTED in armature:
        del armature[_MUTED]


def _there(armature: Any) -> Iterator[tuple[str, Any]]:
    """The remembered constraints that are still there, with their bones' names of now."""
    rows = _remembered(armature)
    now = identity.renamed(armature, {bone for bone, _ in rows}) if rows else {}
    for bone, name in rows:
        found = armature.pose.bones.get(now.get(bone, bone))
        constraint = None if found is None else found.constraints.get(name)
        if constraint is not None:
            yield found.name, constraint


def _remembered(armature: Any) -> list[tuple[str, str]]:
    try:
        return [(str(bone), str(name)) for bone, name in json.loads(armature.get(_MUTED) or "[]")]
    except (ValueError, TypeError):
        return []
