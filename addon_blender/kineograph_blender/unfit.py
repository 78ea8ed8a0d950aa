# SPDX-License-Identifier: GPL-3.0-or-later
"""All there is of the add-on while its requirements are not met: a panel that says why. Imports nothing of ours."""

from typing import Any

import bpy


class KINEOGRAPH_PT_unfit(bpy.types.Panel):
    """Why Kineograph cannot work here."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Kineograph"
    bl_label = "Kineograph cannot start"

    troubles: list[str] = []

    def draw(self, context: Any) -> None:
        """A sentence each, and what helps."""
        column = self.layout.column(align=True)
        for said in self.troubles:
            for n, start in enumerate(range(0, len(said), 44)):
                column.label(text=said[start : start + 44], icon="ERROR" if n == 0 else "BLANK1")
        column.label(text="Update the other add-on, or switch it off,")
        column.label(text="then start Blender again.")


def register(troubles: list[str]) -> None:
    """Show the panel."""
    KINEOGRAPH_PT_unfit.troubles = troubles
    bpy.utils.register_class(KINEOGRAPH_PT_unfit)


def unregister() -> None:
    """And no longer."""
    if KINEOGRAPH_PT_unfit.is_registered:
        bpy.utils.unregister_class(KINEOGRAPH_PT_unfit)
