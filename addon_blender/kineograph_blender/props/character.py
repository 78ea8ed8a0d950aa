# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's settings, on its armature object: which bones are sent, its profile, and what is asked of it."""

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

BONES = (
    ("auto", "As the rig wants", "The FK controls of a generated rig that a profile knows, else the deform bones", 3),
    ("deform", "Deform bones", "The bones that deform, and the controls between them", 0),
    ("all", "All bones", "Every bone of the armature", 1),
    ("controls", "FK controls", "The FK controls of a generated rig: a take is keyed on them, its limbs set to FK", 2),
)
"""With the numbers that files hold: these stay."""
KEYS = (
    ("bones", "Bone by bone", "A key on one bone asks something of that bone alone"),
    ("frames", "Whole poses", "Wherever anything is keyed, the whole pose is meant"),
    ("none", "None", "No keys are sent"),
)


class KINEOGRAPH_PG_character(bpy.types.PropertyGroup):
    """A character's settings; ``version`` is 0 until they are first used.

    ``uid`` ties takes to the character through renaming, saving and appending; a copy of the object shares them.
    """

    version: IntProperty(name="Version of these settings", options={"HIDDEN"})
    uid: StringProperty(name="Id", options={"HIDDEN"})
    bones: EnumProperty(
        items=BONES, name="Bones", description="Which bones travel to the model and back", default="auto"
    )
    root: StringProperty(
        name="Root", description="Send only this bone and what hangs below it; empty sends all of the chosen bones"
    )
    prompt: StringProperty(
        name="Prompt", description="What the character does over the whole range, where there are no blocks"
    )
    keys: EnumProperty(items=KEYS, name="Keys", description="What a key of your own action asks for")
    use_paths: BoolProperty(name="Paths", description="Follow the curves that are this character's paths", default=True)
    use_pins: BoolProperty(name="Pins", description="Hold the bones that are pinned to empties", default=True)


CLASSES = (KINEOGRAPH_PG_character,)
