# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender itself leaves behind when a bone is renamed: pins, actions that stand aside, paths inside drivers.

Blender carries a rename into vertex groups, constraints, modifiers, bone parents and the actions that play. The user's
own action behind an applied take does not play, a driver's path names the bone in a string, and our pins' names are
ours, in every scene of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import bpy

from .. import compat
from ..bridge import datapath, marks, stamps


def rename(armature: Any, names: Mapping[str, str]) -> None:
    """Rename bones, old name to new, with every reference. The old ones must be there, the new ones free."""
    for old, new in names.items():
        armature.data.bones[old].name = new
    for action, slot in _aside(armature):
        _in_action(action, slot, names)
    _in_drivers(armature, names)
    for scene in bpy.data.scenes:
        for pin in marks.pins_of(armature, scene):
            marks.set_joint(pin, names.get(marks.joint_of(pin), marks.joint_of(pin)))
    armature.kineograph.root = names.get(armature.kineograph.root, armature.kineograph.root)


def _aside(armature: Any) -> Iterator[tuple[Any, Any]]:
    """Actions of the armature that do not play now: the user's own, and edited takes that were kept."""
    playing = None if armature.animation_data is None else armature.animation_data.action
    own, own_slot = stamps.own_action(armature)
    if own is not None and own != playing:
        yield own, own_slot
    for action in stamps.kept(armature):
        if action not in (own, playing):
            yield from ((action, slot) for slot in (action.slots if compat.HAS_SLOTS else (None,)))


def _in_action(action: Any, slot: Any, names: Mapping[str, str]) -> None:
    if not action.is_editable:
        return
    for curve in compat.curves(action, slot):
        channel = datapath.parse(curve.data_path)
        if channel is not None and channel.bone in names:
            curve.data_path = datapath.path(names[channel.bone], channel.prop)
    for group in compat.groups(action, slot):
        group.name = names.get(group.name, group.name)


def _in_drivers(armature: Any, names: Mapping[str, str]) -> None:
    words = {
        f'bones["{bpy.utils.escape_identifier(old)}"]': f'bones["{bpy.utils.escape_identifier(new)}"]'
        for old, new in names.items()
    }
    for target in _targets():
        if target.id in (armature, armature.data):
            path = target.data_path
            for old, new in words.items():
                path = path.replace(old, new)
            if path != target.data_path:
                target.data_path = path


def _targets() -> Iterator[Any]:
    """The single-property targets of every driver in the file."""
    for owner in _animated():
        for curve in owner.animation_data.drivers:
            for variable in curve.driver.variables:
                if variable.type == "SINGLE_PROP":
                    yield from variable.targets


def _animated() -> Iterator[Any]:
    for prop in bpy.data.bl_rna.properties:
        if prop.type != "COLLECTION":
            continue
        for owner in getattr(bpy.data, prop.identifier):
            for one in (owner, getattr(owner, "node_tree", None)):  # a material's nodes have drivers of their own
                if getattr(owner, "is_editable", False) and getattr(one, "animation_data", None) is not None:
                    yield one
