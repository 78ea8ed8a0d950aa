# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing the character."""

from typing import Any

import bpy

from .. import plan, props
from .base import CANCELLED, FINISHED, Outcome


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


CLASSES = (KINEOGRAPH_OT_pin_character,)
