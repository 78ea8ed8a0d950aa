# SPDX-License-Identifier: GPL-3.0-or-later
"""What the character does: the parent of the panels of prompts, keys, paths and pins."""

from typing import Any

import bpy

from .. import plan
from .base import CharacterPanel, order_of


class KINEOGRAPH_PT_direction(CharacterPanel, bpy.types.Panel):
    """Prompts, keys, paths and pins of this character."""

    bl_label = "Direction"
    bl_order = order_of("direction")

    def draw(self, context: Any) -> None:
        """The one prompt, where there are no blocks."""
        armature = plan.character_of(context)
        if not len(armature.kineograph_direction.blocks):
            row = self.layout.row(align=True)
            row.prop(armature.kineograph, "prompt", text="", placeholder="What the character does")
            row.operator("kineograph.block_add", text="", icon="ADD")


CLASSES = (KINEOGRAPH_PT_direction,)
