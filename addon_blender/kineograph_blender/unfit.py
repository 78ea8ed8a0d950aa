# SPDX-License-Identifier: GPL-3.0-or-later
"""All there is of the add-on while its requirements are not met: a panel that says why. Imports nothing of ours."""

import textwrap
from typing import Any

import bpy

_LETTERS = 31
"""So many fit beside an icon in a sidebar of the usual width: labels do not wrap."""
_HELP = "Start Blender again. Where this stays, update the other add-on, or switch it off."


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
            for n, line in enumerate(textwrap.wrap(said, _LETTERS)):
                column.label(text=line, icon="ERROR" if n == 0 else "BLANK1")
        for line in textwrap.wrap(_HELP, _LETTERS):
            column.label(text=line, icon="BLANK1")


def register(troubles: list[str]) -> None:
    """Show the panel."""
    KINEOGRAPH_PT_unfit.troubles = troubles
    bpy.utils.register_class(KINEOGRAPH_PT_unfit)


def unregister() -> None:
    """And no longer."""
    if KINEOGRAPH_PT_unfit.is_registered:
        bpy.utils.unregister_class(KINEOGRAPH_PT_unfit)
