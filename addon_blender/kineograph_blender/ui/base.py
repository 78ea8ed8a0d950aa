# SPDX-License-Identifier: GPL-3.0-or-later
"""What all panels share. Panels only show: no writes, no files, no questions to the daemon."""

from typing import Any

import bpy

from .. import plan

_ICON_LETTERS = 3
"""An icon takes the room of so many letters."""
ORDER = ("connection", "character", "model", "direction", "options", "generate", "takes", "problems")
"""The order of work, top to bottom; panel ids are ``KINEOGRAPH_PT_<name>``."""


class Panel:
    """A panel in the sidebar of the 3D view."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Kineograph"
    layout: Any


class CharacterPanel(Panel):
    """One that needs a character."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Shown while there is a character."""
        return plan.character_of(context) is not None


def order_of(name: str) -> int:
    """A panel's place."""
    return ORDER.index(name)


def grey(layout: Any, text: str, icon: str = "NONE") -> None:
    """A line that explains; long ones are broken at blanks."""
    column = layout.column(align=True)
    column.active = False
    lines_of(column, text, icon)


def lines_of(column: Any, text: str, icon: str = "NONE") -> None:
    """Text in as many lines as the sidebar's width asks for: Blender's labels do not wrap."""
    for n, line in enumerate(broken(text, room() - (_ICON_LETTERS if icon != "NONE" else 0))):
        column.label(text=line, icon=icon if n == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


def room() -> int:
    """How many letters fit beside each other in the region that is drawn."""
    region = bpy.context.region
    if region is None or region.type != "UI":
        return 34
    return max(16, int(region.width / (bpy.context.preferences.system.ui_scale * 6.8)) - 4)


def broken(text: str, width: int = 34) -> list[str]:
    """Text in lines of about ``width`` letters."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line] if line else lines
