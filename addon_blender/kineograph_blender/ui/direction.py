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
        """The one prompt, and what counts."""
        wishes = plan.character_of(context).kineograph
        if not len(plan.character_of(context).kineograph_direction.blocks):
            self.layout.prop(wishes, "prompt", text="", placeholder="What the character does")
        column = self.layout.column()
        column.prop(wishes, "keys")
        row = column.row(align=True)
        row.prop(wishes, "use_paths", toggle=True)
        row.prop(wishes, "use_pins", toggle=True)


CLASSES = (KINEOGRAPH_PT_direction,)
