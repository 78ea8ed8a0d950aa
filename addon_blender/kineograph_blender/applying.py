# SPDX-License-Identifier: GPL-3.0-or-later
"""From a scene's settings to how a take is written; and what is known of the takes that an armature shows."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat, props, session
from .bridge import stamps, written
from .bridge.strips import Part
from .session import Row
from .takes import Take


def how_of(armature: Any, scene: Any, take: Take, row: Row, way: str = "") -> dict[str, Any]:
    """Keywords of ``Take.bake`` from the scene's settings; ``way`` overrides theirs."""
    wishes = scene.kineograph.apply
    at_playhead = wishes.place == "PLAYHEAD"
    start = float(scene.frame_current) if at_playhead else float(row.start)
    how: dict[str, Any] = {
        "armature": armature.name,
        "scene": scene.name,
        "sample": row.sample,
        "start": start,
        "in_place": wishes.travel == "PLACE",
        "blend_in": int(wishes.blend_in),
        "blend_out": int(wishes.blend_out),
        "mute_constraints": bool(wishes.mute_constraints),
        "ignore_locks": bool(wishes.ignore_locks),
        "every_frame": bool(wishes.every_frame),
    }
    if wishes.only_selected:
        how["bones"] = frozenset(b.name for b in armature.pose.bones if compat.is_bone_selected(b))
    if (way or wishes.way) == "STRIP":
        how["strips"] = parts_of(take, start) if wishes.strip_per_prompt else ()
    return how


def parts_of(take: Take, start: float) -> tuple[Part, ...]:
    """A strip for each prompt of a take that starts at scene frame ``start``; none where it had no more than one."""
    if len(take.prompts) < 2:
        return ()
    parts, at = [], start
    for prompt, frames in take.prompts:
        parts.append(Part(prompt or "free", at, at + frames - 1))
        at += frames
    return tuple(parts)


def shown_origin(armature: Any) -> tuple[str, int] | None:
    """Take and sample that the armature's action was baked from; None for the user's own action."""
    data = armature.animation_data
    take, _, sample = stamps.origin_of(data.action if data is not None else None).partition(":")
    return (take, int(sample or 0)) if take else None


def edited_bones(armature: Any) -> list[str]:
    """Bones of the take that the armature shows which the user changed since it was written."""
    data = armature.animation_data
    if data is None or data.action is None:
        return []
    return written.edits(data.action, compat.slot_of(data), armature).bones


def starts_at(action: Any, take: Take) -> float | None:
    """The scene frame at which a take starts in an action; None for its own, and where more than the take is in it."""
    first, last = action.frame_range
    return float(first) if round(last - first) + 1 == len(take.clip(0)) else None


def actions_of(armature: Any, take: str) -> list[Any]:
    """Actions that were baked from a take, newest last."""
    return [a for a in bpy.data.actions if stamps.origin_of(a).partition(":")[0] == take]


def find_character(owner: str, name: str) -> Any:
    """The armature object with that id, else that name; None when it is gone."""
    armatures = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    by_id = next((o for o in armatures if owner and props.uid_of(o) == owner), None)
    return by_id or next((o for o in armatures if o.name == name), None)


def write(armature: Any, scene: Any, row: Row, **change: Any) -> None:
    """Write a row's take onto an armature, as the settings say with ``change`` on top.

    With an interface the pump does it in slices; without, it is done on return. A failure becomes a trouble; without
    an interface it is raised too.
    """
    current = session.current()
    take = current.shelf.take(row.id)
    way = change.pop("way", "")
    how = how_of(armature, scene, take, row, way) | change
    failed: list[Any] = []

    current.apply(take, failed.append, **how)
    if not session.turns():
        while not failed:
            current.poll(1.0)
        if failed[0] is not None:
            raise failed[0]
