# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kineograph made is known by a uuid in a custom property, never by its name or its key types."""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat

_TAKE = "kineograph_take"
_SOURCE = "kineograph_source"
_SOURCE_SLOT = "kineograph_source_slot"
_ORIGIN = "kineograph_origin"
_IN_PLACE = "kineograph_in_place"
_KEPT = "kineograph_kept_actions"
_OWN = "kineograph_own"
_OWN_SLOT = "kineograph_own_slot"


def stamp(action: Any, take: str, source: Any, source_slot: Any, origin: str = "") -> None:
    """Mark an action as ours: ``take`` names this bake, ``origin`` what it was baked from. The pointer to the user's
    own action also keeps that one from being purged."""
    action[_TAKE] = take
    if origin:
        action[_ORIGIN] = origin
    if source is not None:
        action[_SOURCE] = source
    if source_slot is not None:
        action[_SOURCE_SLOT] = source_slot.identifier


def clear(action: Any) -> None:
    """In a copy of a take's action: it is nobody's yet."""
    for key in [k for k in action.keys() if k.startswith("kineograph_")]:  # noqa: SIM118  # an ID, not a dict
        del action[key]


def take_of(action: Any) -> str | None:
    """The take that an action was baked from; None for the user's own actions."""
    found = None if action is None else action.get(_TAKE)
    return None if found is None else str(found)


def origin_of(action: Any) -> str:
    """What an action was baked from, as its maker said; empty for the user's own actions."""
    return "" if action is None else str(action.get(_ORIGIN) or "")


def put_in_place(action: Any) -> None:
    """Remember with a take's action that it was written without its way over the floor."""
    action[_IN_PLACE] = True


def is_in_place(action: Any) -> bool:
    """Whether an action holds a take without its way over the floor."""
    return action is not None and bool(action.get(_IN_PLACE, False))


def own_action(owner: Any) -> tuple[Any, Any]:
    """The user's own action on an owner, and its slot: what it plays, what stands behind the take it plays, or what
    was pushed down below a take's strips."""
    data = owner.animation_data
    action = None if data is None else data.action
    if action is None:
        return _named(owner, _OWN, _OWN_SLOT)
    if take_of(action) is None:
        return action, compat.slot_of(data)
    return _named(action, _SOURCE, _SOURCE_SLOT)


def remember_own(owner: Any) -> None:
    """Before nothing plays any more: which action is the user's own."""
    source, slot = own_action(owner)
    if source is None:
        return
    owner[_OWN] = source
    if slot is not None:
        owner[_OWN_SLOT] = slot.identifier


def _named(holder: Any, key: str, slot_key: str) -> tuple[Any, Any]:
    source = holder.get(key)
    if source is None or not compat.HAS_SLOTS:
        return source, None
    wanted = holder.get(slot_key)
    return source, next((s for s in source.slots if s.identifier == wanted), None)


def find_action(take: str) -> Any:
    """The action of a take that is being baked or was applied last; None when it is gone."""
    return next((a for a in reversed(bpy.data.actions[:]) if take_of(a) == take), None)


def remove_unused(take: str) -> int:
    """Delete actions of this take that nothing uses. Returns how many."""
    unused = [a for a in bpy.data.actions if take_of(a) == take and a.users == 0]
    for action in unused:
        bpy.data.actions.remove(action)
    return len(unused)


def keep(owner: Any, action: Any) -> None:
    """Hold the user's own action by a pointer on its owner: an action that nothing uses is not saved."""
    if _KEPT not in owner:
        owner[_KEPT] = {}
    kept = owner[_KEPT]
    if not any(held == action for held in kept.values()):
        kept[str(len(kept))] = action


def kept(owner: Any) -> list[Any]:
    """The actions that ``keep`` holds for an owner."""
    held = owner.get(_KEPT)
    return [] if held is None else [action for action in held.values() if action is not None]
