# SPDX-License-Identifier: GPL-3.0-or-later
"""Mesh bones that a rig's generator moves by its controls: locked against the hand, and held by constraints.

A take that is written onto such bones shows only where their constraints rest, and their locks are nobody's word on
takes: they keep the animator from posing what the controls pose. So both make way for as long as takes show.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def bones(armature: Any, names: Iterable[str]) -> frozenset[str]:
    """Of a take's bones, those of a generated rig's mechanism; none where locks and constraints are a hand's work.

    Told by what a generator does and a hand does not: of at least half of them every channel is locked and constraints
    say where they are. (Shoulders and hips may be locked and just hang on one that is held so.)
    """
    every = [armature.pose.bones[n] for n in names]
    locked = [b for b in every if _is_locked(b)]
    held = sum(bool(len(b.constraints)) for b in locked)
    return frozenset(b.name for b in locked) if every and 2 * held >= len(every) else frozenset()


def _is_locked(bone: Any) -> bool:
    return bool(bone.bone.use_deform and all((*bone.lock_location, *bone.lock_rotation, *bone.lock_scale)))
