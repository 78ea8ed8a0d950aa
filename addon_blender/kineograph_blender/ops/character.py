# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing the character."""

from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from kineograph.rigs import Role

from .. import plan, props, reading, session
from .base import CANCELLED, FINISHED, Outcome, told


def in_words(role: Role) -> str:
    """A part of the body as people call it."""
    return str(role.value).replace("_", " ")


class KINEOGRAPH_OT_pin_character(bpy.types.Operator):
    """Keep this character in the panels whatever is selected, or follow the selection again"""

    bl_idname = "kineograph.pin_character"
    bl_label = "Pin the Character"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> Outcome:
        """Pin or unpin."""
        settings = props.of_scene(context.scene)
        if settings.is_pinned:
            settings.is_pinned = False
            return FINISHED
        found = plan.character_of(context)
        if found is None:
            self.report({"WARNING"}, "Select an armature to pin it")
            return CANCELLED
        settings.character, settings.is_pinned = found, True
        return FINISHED


class KINEOGRAPH_OT_read_rig(bpy.types.Operator):
    """Look at the bones' names and find out which part of the body each one is"""

    bl_idname = "kineograph.read_rig"
    bl_label = "Read the Bones"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a character."""
        return plan.character_of(context) is not None

    def execute(self, context: Any) -> Outcome:
        """Work it out anew."""
        reading.forget()
        reading.read(plan.character_of(context))
        session.redraw()
        return FINISHED


class KINEOGRAPH_OT_map_bone(bpy.types.Operator):
    """Say which bone this part of the body is. The other side is set along; kept in a rig profile of your own"""

    bl_idname = "kineograph.map_bone"
    bl_label = "Map a Bone"

    role: EnumProperty(
        items=[(r.value, in_words(r).capitalize(), f"The bone that is the {in_words(r)}") for r in Role],
        name="Part",
        description="The part of the body",
    )
    bone: StringProperty(name="Bone", description="The bone that it is; empty means that the rig has none")

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a character."""
        return plan.character_of(context) is not None

    def invoke(self, context: Any, event: Any) -> Outcome:
        """Ask for the bone; the one in use stands there already."""
        found = reading.read(plan.character_of(context)).map.matches.get(Role(self.role))
        self.bone = found.name if found is not None else ""
        return set(context.window_manager.invoke_props_dialog(self))

    def draw(self, context: Any) -> None:
        """Part and bone."""
        self.layout.prop(self, "role")
        self.layout.prop_search(self, "bone", plan.character_of(context).data, "bones")

    def execute(self, context: Any) -> Outcome:
        """Write the profile."""
        armature = plan.character_of(context)
        done = told(self, lambda: reading.assign(armature, Role(self.role), self.bone), context)
        reading.read(armature)
        session.redraw()
        return done


CLASSES = (KINEOGRAPH_OT_pin_character, KINEOGRAPH_OT_read_rig, KINEOGRAPH_OT_map_bone)
