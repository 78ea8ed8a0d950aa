# SPDX-License-Identifier: GPL-3.0-or-later
"""Range, samples, seed, the button, and the jobs under way."""

from typing import Any

import bpy

from .. import plan
from .base import CharacterPanel, order_of


class KINEOGRAPH_PT_generate(CharacterPanel, bpy.types.Panel):
    """Make motion for this character."""

    bl_label = "Generate"
    bl_order = order_of("generate")

    def draw(self, context: Any) -> None:
        """Settings and the button."""
        layout, settings = self.layout, context.scene.kineograph
        layout.prop(settings, "span")
        if settings.span == "OWN":
            row = layout.row(align=True)
            row.prop(settings, "start")
            row.prop(settings, "end")
        row = layout.row(align=True)
        row.prop(settings, "samples")
        row.prop(settings, "seed")
        row.prop(settings, "new_seed", text="", icon="FILE_REFRESH")
        first, last = plan.span_of(plan.character_of(context), context.scene)
        big = layout.row()
        big.scale_y = 1.4
        big.operator("kineograph.generate", text=f"Generate {first}-{last}", icon="PLAY")


CLASSES = (KINEOGRAPH_PT_generate,)
