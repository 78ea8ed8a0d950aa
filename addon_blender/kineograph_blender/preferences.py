# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: which daemon, and how it is started. Kept by Blender, not in a file of the user's.

Here and wherever classes have Blender properties, annotations must stay real objects: no ``from __future__``.
"""

from dataclasses import dataclass
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

PACKAGE = str(__package__)


@dataclass(frozen=True)
class Wishes:
    """What the preferences say; the defaults where there are none (scripts, tests, a half-installed add-on)."""

    address: str = ""
    start_by_itself: bool = False
    ends_with_blender: bool = False


class KineographPreferences(bpy.types.AddonPreferences):
    """Shown under Edit > Preferences > Add-ons."""

    bl_idname = PACKAGE

    address: StringProperty(
        name="Address",
        description="Where the daemon listens; empty finds your own on this computer."
        " Another computer needs Blender's online access",
        default="",
    )
    start_by_itself: BoolProperty(
        name="Start Kineograph when it is needed",
        description="Start the daemon without asking when you press Generate and none runs",
        default=False,
    )
    ends_with_blender: BoolProperty(
        name="End it with Blender",
        description="A daemon that this Blender starts from now on ends when this Blender does, also after a crash;"
        " later where another program still has jobs. Your own waiting jobs go on after the next start",
        default=False,
    )

    def draw(self, context: Any) -> None:
        """The settings, one a line."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "address", placeholder="this computer")
        column.prop(self, "start_by_itself")
        column.prop(self, "ends_with_blender")


CLASSES = (KineographPreferences,)


def wishes() -> Wishes:
    """What the user wishes for, read anew each time."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    found = None if addon is None else addon.preferences
    if found is None:
        return Wishes()
    return Wishes(found.address.strip(), bool(found.start_by_itself), bool(found.ends_with_blender))
