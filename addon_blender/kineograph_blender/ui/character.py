# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is directed."""

from typing import Any

import bpy

from kineograph.rigs import REQUIRED, Role

from .. import plan, reading
from .base import CharacterPanel, Panel, grey, order_of


class KINEOGRAPH_PT_character(Panel, bpy.types.Panel):
    """The armature that is directed: the active one, or the pinned one."""

    bl_label = "Character"
    bl_order = order_of("character")

    def draw(self, context: Any) -> None:
        """Name, pin, and which of its bones travel."""
        layout, scene = self.layout, context.scene
        armature = plan.character_of(context)
        row = layout.row(align=True)
        is_pinned = scene.kineograph.is_pinned and scene.kineograph.character == armature
        if is_pinned:
            row.prop(scene.kineograph, "character", text="")
        elif armature is not None:
            row.label(text=armature.name, icon="ARMATURE_DATA")
        else:
            row.label(text="Select an armature", icon="ARMATURE_DATA")
        row.operator("kineograph.pin_character", text="", icon="PINNED" if is_pinned else "UNPINNED")
        if armature is None:
            grey(layout, "A character is an armature object. Select one, or pin one here.")
            return
        found = reading.known(armature)
        if found is None:
            reading.soon(armature)
            layout.operator("kineograph.read_rig", icon="BONE_DATA")
        else:
            grey(layout, found.line())


class KINEOGRAPH_PT_bones(CharacterPanel, bpy.types.Panel):
    """How the bones were understood: what is missing first, then what was guessed, then all the rest."""

    bl_label = "Bones"
    bl_parent_id = "KINEOGRAPH_PT_character"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """A line each, with a button to say otherwise."""
        layout, armature = self.layout, plan.character_of(context)
        column = layout.column()
        column.prop(armature.kineograph, "bones", text="Send")
        column.prop_search(armature.kineograph, "root", armature.data, "bones", text="Below")
        found = reading.known(armature)
        if found is None:
            layout.operator("kineograph.read_rig", icon="BONE_DATA")
            return
        if found.failed:
            grey(layout, found.failed, icon="ERROR")
        doubtful = found.doubtful
        for role in found.missing:
            draw_role(layout, role, "not found", "ERROR")
        for role in doubtful:
            draw_role(layout, role, f"{found.map.matches[role].name}: {found.map.matches[role].reason}", "QUESTION")
        for role in REQUIRED:
            if role in found.map.matches and role not in doubtful:
                draw_role(layout, role, found.map.matches[role].name, "CHECKMARK")
        layout.operator("kineograph.read_rig", text="Read again", icon="FILE_REFRESH")


def draw_role(layout: Any, role: Role, text: str, icon: str) -> None:
    """A part of the body and its bone."""
    row = layout.row(align=True)
    row.label(text=f"{role.value.replace('_', ' ')}: {text}", icon=icon)
    row.operator("kineograph.map_bone", text="", icon="GREASEPENCIL").role = role.value


CLASSES = (KINEOGRAPH_PT_character, KINEOGRAPH_PT_bones)
