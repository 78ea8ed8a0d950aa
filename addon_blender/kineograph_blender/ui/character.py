# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is directed."""

from typing import Any

import bpy

from .. import plan
from .base import Panel, grey, order_of


class KINEOGRAPH_PT_character(Panel, bpy.types.Panel):
    """The armature that is directed: the active one, or the pinned one."""

    bl_label = "Character"
    bl_order = order_of("character")

    def draw(self, context: Any) -> None:
        """Name, pin, and which of its bones travel."""
        layout, scene = self.layout, context.scene
        armature = plan.character_of(context)
        row = layout.row(align=True)
        if scene.kineograph.is_pinned:
            row.prop(scene.kineograph, "character", text="")
        elif armature is not None:
            row.label(text=armature.name, icon="ARMATURE_DATA")
        else:
            row.label(text="Select an armature", icon="ARMATURE_DATA")
        row.operator("kineograph.pin_character", text="", icon="PINNED" if scene.kineograph.is_pinned else "UNPINNED")
        if armature is None:
            grey(layout, "A character is an armature object. Select one, or pin one here.")
            return
        column = layout.column()
        column.prop(armature.kineograph, "bones", text="Bones")
        column.prop_search(armature.kineograph, "root", armature.data, "bones", text="Below")


CLASSES = (KINEOGRAPH_PT_character,)
