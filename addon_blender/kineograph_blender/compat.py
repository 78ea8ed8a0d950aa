# SPDX-License-Identifier: GPL-3.0-or-later
"""Every difference between Blender 4.2, 4.4, 4.5, 5.0 and 5.2 that the add-on meets, and nothing else.

Since 4.4 an action holds slots, layers and channelbags, and an owner is bound to one slot; 5.0 removed the flat
``Action.fcurves``. Before 4.4 an action is one flat list of curves that moves whoever it is given to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

HAS_SLOTS = bpy.app.version >= (4, 4, 0)
POSE_BONE_SELECT = bpy.app.version >= (5, 0, 0)
"""Selection in pose mode: on the pose bone since 5.0, on its bone before."""


def slot_of(animation_data: Any) -> Any:
    """The slot that an owner is bound to; None where Blender has no slots, or none is bound."""
    return animation_data.action_slot if HAS_SLOTS else None


def curve_list(action: Any, slot: Any) -> Any:
    """The collection of F-curves of one slot, or None when the slot has no curves yet."""
    if action is None:
        return None
    if not HAS_SLOTS:
        return action.fcurves
    if slot is None:
        return None
    for strip in _strips(action):
        bag = strip.channelbag(slot)
        if bag is not None:
            return bag.fcurves
    return None


def curves(action: Any, slot: Any) -> list[Any]:
    """The F-curves of one slot as a plain list."""
    found = curve_list(action, slot)
    return [] if found is None else list(found)


def some_curves(action: Any, slot: Any, first: int, count: int) -> list[Any]:
    """So many F-curves of one slot, from the ``first``."""
    found = curve_list(action, slot)
    return [] if found is None else list(found[first : first + count])


def groups(action: Any, slot: Any) -> list[Any]:
    """The groups of curves of one slot."""
    if action is None or (HAS_SLOTS and slot is None):
        return []
    if not HAS_SLOTS:
        return list(action.groups)
    bags = (strip.channelbag(slot) for strip in _strips(action))
    return [group for bag in bags if bag is not None for group in bag.groups]


def ensure_curve_list(action: Any, slot: Any) -> Any:
    """The collection of F-curves of one slot, made when missing."""
    if not HAS_SLOTS:
        return action.fcurves
    strip = next(iter(_strips(action)), None)
    if strip is None:
        layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
        strip = layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True).fcurves


def new_slot(action: Any, owner: Any) -> Any:
    """A slot for an object; None where Blender has no slots."""
    return action.slots.new(id_type="OBJECT", name=owner.name) if HAS_SLOTS else None


def same_slot(action: Any, slot: Any) -> Any:
    """In a copy of an action, the slot that stands for ``slot`` of the original."""
    if slot is None:
        return None
    return next((s for s in action.slots if s.handle == slot.handle), None)


def drop_other_slots(action: Any, keep: Any) -> None:
    """Only ``keep`` stays in the action."""
    if HAS_SLOTS and keep is not None:
        for slot in [s for s in action.slots if s.handle != keep.handle]:
            action.slots.remove(slot)


def bind(animation_data: Any, action: Any, slot: Any) -> None:
    """Give an owner an action, and since 4.4 the slot with it: an unbound action moves nothing."""
    animation_data.action = action
    if HAS_SLOTS and action is not None:
        animation_data.action_slot = slot


def new_curve(curve_collection: Any, action: Any, slot: Any, path: str, index: int, group: str) -> Any:
    """A new F-curve in a group of that name. Raises RuntimeError when the channel exists."""
    if bpy.app.version >= (5, 0, 0):
        return curve_collection.new(path, index=index, group_name=group)
    if not HAS_SLOTS:
        return curve_collection.new(path, index=index, action_group=group)
    curve = curve_collection.new(path, index=index)
    groups = next(strip.channelbag(slot).groups for strip in _strips(action))
    curve.group = groups.get(group) or groups.new(group)
    return curve


def is_bone_selected(pose_bone: Any) -> bool:
    """Whether a bone is selected in pose mode."""
    return bool(pose_bone.select if POSE_BONE_SELECT else pose_bone.bone.select)


def _strips(action: Any) -> Iterator[Any]:
    for layer in action.layers:
        for strip in layer.strips:
            if strip.type == "KEYFRAME":
                yield strip
