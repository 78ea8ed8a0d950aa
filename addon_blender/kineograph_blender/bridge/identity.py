# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones known again after they were renamed.

Blender renames the paths of actions that are in use; what stands aside (the user's own action behind a take, our
records) keeps the old names. So each bone of a take carries the name that it had then, as a custom property of its
pose bone: that follows a rename.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

_NAME = "kineograph_name"


def tag(armature: Any, names: Iterable[str]) -> None:
    """Remember what these bones are called now."""
    for name in names:
        bone = armature.pose.bones[name]
        if bone.get(_NAME) != name:
            bone[_NAME] = name


def renamed(armature: Any, names: Iterable[str]) -> dict[str, str]:
    """Of ``names``, those that no bone has any more, and what the bone is called now; without any trace: left out."""
    bones = armature.pose.bones
    lost = {n for n in names if n not in bones}
    if not lost:
        return {}
    tags = [(str(b[_NAME]), b.name) for b in bones if _NAME in b.keys()]  # noqa: SIM118  # an RNA struct
    once = Counter(old for old, _ in tags)
    return {old: new for old, new in tags if old in lost and once[old] == 1}
