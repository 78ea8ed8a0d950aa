# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene's settings: the model and its options, the range, samples and seed, and how takes are written.

Saved in the file. Only what the user chose stands here; what is alive stays in the session.
"""

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

SPANS = (
    ("SCENE", "Scene range", "From the scene's first to its last frame (or the preview range, where it is in use)"),
    ("BLOCKS", "Blocks", "What the prompt blocks that are not locked cover"),
    (
        "ACTIVE",
        "Active block",
        "Only the block that is active in the list, with the gaps beside it; its neighbours keep their motion",
    ),
    ("OWN", "Own range", "From the first to the last frame given here"),
)
WAYS = (
    ("ACTION", "New action", "As a new action; your own action stays as it is"),
    ("STRIP", "NLA strip", "As a strip on a new NLA track above what is there"),
)
TRAVELS = (
    ("TRAVEL", "With travel", "The character goes where the motion goes"),
    ("PLACE", "In place", "The character stays where it starts; height and turns stay"),
)
PLACES = (
    ("OWN", "Own frames", "At the frames it was generated for"),
    ("PLAYHEAD", "At the playhead", "Starting at the current frame"),
)


KINDS = (
    ("NUMBER", "Number", "Any number"),
    ("INTEGER", "Whole number", "A number without a fraction"),
    ("BOOLEAN", "On or off", "Yes or no"),
    ("ENUM", "Choice", "One of the model's words"),
    ("STRING", "Text", "Any text"),
)


class KINEOGRAPH_PG_option(bpy.types.PropertyGroup):
    """One option of a model that the user set; ``kind`` says which value counts."""

    kind: EnumProperty(items=KINDS, name="Kind", description="Which kind of value the model takes here")
    number: FloatProperty(name="Value", description="The option's value", precision=3)
    whole: IntProperty(name="Value", description="The option's value")
    flag: BoolProperty(name="Value", description="The option's value")
    text: StringProperty(name="Value", description="The option's value")

    def value(self) -> Any:
        """The value as it is sent."""
        return {
            "NUMBER": self.number,
            "INTEGER": self.whole,
            "BOOLEAN": self.flag,
            "ENUM": self.text,
            "STRING": self.text,
        }[self.kind]


class KINEOGRAPH_PG_apply(bpy.types.PropertyGroup):
    """How takes are written."""

    way: EnumProperty(items=WAYS, name="Write as", description="Where the motion goes")
    only_selected: BoolProperty(
        name="Selected bones only",
        description="Write to the bones that are selected in pose mode, and leave all others as they are",
    )
    travel: EnumProperty(items=TRAVELS, name="Travel", description="Whether the character leaves its place")
    place: EnumProperty(items=PLACES, name="When", description="At which frames the motion starts")
    blend_in: IntProperty(
        name="Blend in", description="Over so many frames the motion comes out of what was there", min=0, soft_max=48
    )
    blend_out: IntProperty(
        name="Blend out", description="Over so many frames the motion goes back into what was there", min=0, soft_max=48
    )
    strip_per_prompt: BoolProperty(
        name="A strip for each prompt", description="Lay one strip for each prompt instead of one for the whole take"
    )
    mute_constraints: BoolProperty(
        name="Mute constraints", description="Mute constraints on the bones that are written, so that the take shows"
    )
    ignore_locks: BoolProperty(name="Write locked channels", description="Write to locked channels too")
    every_frame: BoolProperty(
        name="A key on every frame", description="Write all keys of a take that was made with fewer"
    )


class KINEOGRAPH_PG_scene(bpy.types.PropertyGroup):
    """A scene's settings; ``version`` is 0 until they are first used."""

    version: IntProperty(name="Version of these settings", options={"HIDDEN"})
    is_pinned: BoolProperty(name="Pin", description="Keep this character here, whatever is selected", default=False)
    character: PointerProperty(
        type=bpy.types.Object,
        name="Character",
        description="The armature that is directed",
        poll=lambda self, object: object.type == "ARMATURE",
    )
    model: StringProperty(name="Model", description="The model that moves the character; empty takes the daemon's own")
    span: EnumProperty(items=SPANS, name="Range", description="Which frames are generated")
    start: IntProperty(name="First", description="First frame of the own range", default=1)
    end: IntProperty(name="Last", description="Last frame of the own range", default=150)
    samples: IntProperty(
        name="Samples", description="How many variants to make in one go", default=1, min=1, soft_max=8, max=64
    )
    seed: IntProperty(name="Seed", description="The same seed gives the same motion on the same device", min=0)
    new_seed: BoolProperty(name="New seed each time", description="Throw the dice before each generation", default=True)
    thin: BoolProperty(
        name="Fewer keys",
        description="Keys only where the motion needs them, for takes that are to be edited by hand; your own keys stay"
        " where they are, exactly",
    )
    thin_cm: FloatProperty(
        name="Within cm",
        description="How far any point of the body may be from the full motion, at most, in centimetres",
        default=0.5,
        min=0.01,
        soft_max=5.0,
        max=100.0,
        precision=2,
    )
    options: CollectionProperty(
        type=KINEOGRAPH_PG_option, name="Options", description="What you set of the model's own options"
    )
    apply: PointerProperty(type=KINEOGRAPH_PG_apply, name="Writing", description="How takes are written")


CLASSES = (KINEOGRAPH_PG_option, KINEOGRAPH_PG_apply, KINEOGRAPH_PG_scene)
