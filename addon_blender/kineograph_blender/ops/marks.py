# SPDX-License-Identifier: GPL-3.0-or-later
"""Key marks, paths, pins and waypoints: what of the scene belongs to a character's direction."""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from .. import compat, plan, props
from ..bridge import keymarks, marks
from ..bridge.marks import Heading, Role, Timing
from ..direction import convert
from .base import CANCELLED, FINISHED, Outcome, told

_WORDS = (
    ("MARK", "Mark as key pose", "What is shown at this frame is a key of these bones, keyed or not"),
    ("UNMARK", "Unmark", "No key of these bones counts at this frame"),
    ("CLEAR", "As keyed", "Back to what the keys themselves say"),
)
_HEADINGS = (
    ("tangent", "Along the path", "The character looks where it goes"),
    ("free", "Free", "The model decides where the character looks"),
    ("tilt", "By the curve's tilt", "Along the path, turned by the tilt of the curve's points"),
)
_TIMINGS = (
    ("even", "Even", "In equal steps from end to end"),
    ("curve", "The curve's own", "By the keys of the curve's evaluation time"),
)


class _OnCharacter:
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a character."""
        return plan.character_of(context) is not None


class KINEOGRAPH_OT_key_mark(_OnCharacter, bpy.types.Operator):
    """Say whether the current frame is a key pose: of the selected bones, or of all"""

    bl_idname = "kineograph.key_mark"
    bl_label = "Mark as Key Pose"

    word: EnumProperty(items=_WORDS, name="Mark", description="What is said about the bones at the current frame")
    every: BoolProperty(name="All bones", description="All bones, not just the selected ones", options={"SKIP_SAVE"})

    def execute(self, context: Any) -> Outcome:
        """Mark the bones; without a selection all of them."""
        armature, frame = plan.character_of(context), int(context.scene.frame_current)
        bones = list(armature.pose.bones)
        if not self.every:
            bones = [b for b in bones if compat.is_bone_selected(b)] or bones
        verb = {"MARK": keymarks.mark, "UNMARK": keymarks.unmark, "CLEAR": keymarks.clear}[self.word]
        for bone in bones:
            verb(bone, [frame])
        return FINISHED


class KINEOGRAPH_OT_path_add(_OnCharacter, bpy.types.Operator):
    """Make a curve this character's path"""

    bl_idname = "kineograph.path_add"
    bl_label = "Add Path"

    curve: StringProperty(name="Curve", description="A curve object; empty takes the selected ones")
    heading: EnumProperty(items=_HEADINGS, name="Heading", description="Where the character looks")
    timing: EnumProperty(items=_TIMINGS, name="Timing", description="When the character is where")
    use_frames: BoolProperty(name="Own frames", description="The path covers only some frames")
    start: IntProperty(name="Start", description="First frame on the path", default=1)
    end: IntProperty(name="End", description="Last frame on the path", default=150)

    def execute(self, context: Any) -> Outcome:
        """Mark the curves."""
        armature = plan.character_of(context)
        named = bpy.data.objects.get(self.curve)
        found = [named] if self.curve else list(context.selected_objects)
        curves = [o for o in found if o is not None and o.type == "CURVE"]
        if not curves:
            self.report({"WARNING"}, "Select a curve that the character is to follow")
            return CANCELLED
        props.of_character(armature)
        frames = (self.start, max(self.end, self.start)) if self.use_frames else None
        for curve in curves:
            marks.mark_path(curve, armature, frames=frames, heading=Heading(self.heading), timing=Timing(self.timing))
        return FINISHED


class KINEOGRAPH_OT_pin_add(_OnCharacter, bpy.types.Operator):
    """Hold a bone at an object: the selected empties, or a new one where the bone is now"""

    bl_idname = "kineograph.pin_add"
    bl_label = "Add Pin"

    joint: StringProperty(name="Bone", description="The bone that is held; empty takes the active one")
    turn: BoolProperty(name="Rotation too", description="The bone takes the object's orientation as well")
    use_frames: BoolProperty(name="Own frames", description="Hold it over these frames, not over the pin's own keys")
    start: IntProperty(name="Start", description="First frame", default=1)
    end: IntProperty(name="End", description="Last frame", default=1)

    def execute(self, context: Any) -> Outcome:
        """Mark or make the pin."""
        armature = plan.character_of(context)
        active = armature.data.bones.active
        joint = self.joint or (active.name if active is not None else "")
        if joint not in armature.pose.bones:
            self.report({"WARNING"}, f"'{joint}' is not a bone of {armature.name}" if joint else "Choose a bone")
            return CANCELLED
        props.of_character(armature)
        empties = [o for o in context.selected_objects if o.type == "EMPTY" and marks.role_of(o) is None]
        frames = (self.start, max(self.end, self.start)) if self.use_frames else None
        if not empties:
            empties = [self._new(context, armature, joint)]
            frame = int(context.scene.frame_current)
            frames = frames or (frame, frame)
        for empty in empties:
            marks.mark_pin(empty, armature, joint, frames=frames, turn=self.turn)
        return FINISHED

    def _new(self, context: Any, armature: Any, joint: str) -> Any:
        empty = bpy.data.objects.new(f"{armature.name} {joint}", None)
        empty.empty_display_size = 0.1
        empty.matrix_world = armature.matrix_world @ armature.pose.bones[joint].matrix
        empty.scale = (1.0, 1.0, 1.0)
        context.scene.collection.objects.link(empty)
        return empty


class KINEOGRAPH_OT_waypoint_add(_OnCharacter, bpy.types.Operator):
    """Be at the 3D cursor at the current frame; the way there is the model's"""

    bl_idname = "kineograph.waypoint_add"
    bl_label = "Add Waypoint"

    facing: BoolProperty(name="Facing", description="Look where the cursor looks (its -Y), too")

    def execute(self, context: Any) -> Outcome:
        """A marker on the floor under the cursor."""
        armature, scene = plan.character_of(context), context.scene
        props.of_character(armature)
        x, y, _ = scene.cursor.location
        ahead = tuple(-scene.cursor.matrix.col[1].to_3d()) if self.facing else None
        convert.add_waypoint(armature, scene, (x, y, 0.0), int(scene.frame_current), ahead)
        return FINISHED


class KINEOGRAPH_OT_mark_remove(bpy.types.Operator):
    """This object is no path, pin or waypoint any more; the object stays"""

    bl_idname = "kineograph.mark_remove"
    bl_label = "Remove from Direction"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Object", description="The object's name; empty takes the selected ones")

    def execute(self, context: Any) -> Outcome:
        """Unmark it."""
        named = bpy.data.objects.get(self.name)
        for marked in [named] if self.name else list(context.selected_objects):
            if marked is not None:
                marks.unmark(marked)
        return FINISHED


class KINEOGRAPH_OT_mark_edit(bpy.types.Operator):
    """Change how this path, pin or waypoint is meant: heading and timing, bone and rotation, frames"""

    bl_idname = "kineograph.mark_edit"
    bl_label = "Edit"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    name: StringProperty(name="Object", description="The object's name; empty takes the active one")
    heading: EnumProperty(items=_HEADINGS, name="Heading", description="Where the character looks")
    timing: EnumProperty(items=_TIMINGS, name="Timing", description="When the character is where")
    joint: StringProperty(name="Bone", description="The bone that is held")
    turn: BoolProperty(name="Rotation too", description="The bone takes the object's orientation as well")
    facing: BoolProperty(name="Facing", description="Look along the marker's -Y, too")
    use_frames: BoolProperty(name="Own frames", description="It counts over these frames only")
    start: IntProperty(name="Start", description="First frame; a waypoint's only one", default=1)
    end: IntProperty(name="End", description="Last frame", default=1)

    def invoke(self, context: Any, event: Any) -> Outcome:
        """Ask, beginning with what is said now."""
        if not self._fill(context):
            return self._nothing()
        return set(context.window_manager.invoke_props_dialog(self))

    def _fill(self, context: Any) -> bool:
        marked = self._marked(context)
        if marked is None:
            return False
        span = marks.frames_of(marked) or plan.span_of(marks.character_of(marked), context.scene)
        self.heading, self.timing = str(marks.heading_of(marked)), str(marks.timing_of(marked))
        self.joint, self.turn, self.facing = marks.joint_of(marked), marks.turns(marked), marks.turns(marked)
        self.use_frames, self.start, self.end = marks.frames_of(marked) is not None, *span
        return True

    def draw(self, context: Any) -> None:
        """The fields of its kind."""
        layout, marked = self.layout, self._marked(context)
        if marked is None:
            return
        role = marks.role_of(marked)
        if role is Role.PATH:
            layout.prop(self, "heading")
            layout.prop(self, "timing")
        elif role is Role.PIN:
            layout.prop_search(self, "joint", marks.character_of(marked).data, "bones")
            layout.prop(self, "turn")
        else:
            layout.prop(self, "start", text="Frame")
            layout.prop(self, "facing")
            return
        layout.prop(self, "use_frames")
        if self.use_frames:
            row = layout.row(align=True)
            row.prop(self, "start")
            row.prop(self, "end")

    def execute(self, context: Any) -> Outcome:
        """Mark it anew; what was not named stays as it is."""
        asked = {name: getattr(self, name) for name in self._ASKED if self.properties.is_property_set(name)}
        if not self._fill(context):
            return self._nothing()
        for name, value in asked.items():
            setattr(self, name, value)
        marked = self._marked(context)
        armature, frames = marks.character_of(marked), (self.start, max(self.end, self.start))
        own = frames if self.use_frames else None
        match marks.role_of(marked):
            case Role.PATH:
                heading, timing = Heading(self.heading), Timing(self.timing)
                marks.mark_path(marked, armature, frames=own, heading=heading, timing=timing)
            case Role.PIN:
                if self.joint not in armature.pose.bones:
                    self.report({"WARNING"}, f"'{self.joint}' is not a bone of {armature.name}")
                    return CANCELLED
                marks.mark_pin(marked, armature, self.joint, frames=own, turn=self.turn)
            case _:
                marks.mark_waypoint(marked, armature, self.start, facing=self.facing)
        return FINISHED

    _ASKED = ("heading", "timing", "joint", "turn", "facing", "use_frames", "start", "end")

    def _marked(self, context: Any) -> Any:
        found = bpy.data.objects.get(self.name) if self.name else context.active_object
        is_mark = found is not None and marks.role_of(found) is not None and marks.character_of(found) is not None
        return found if is_mark else None

    def _nothing(self) -> Outcome:
        self.report({"WARNING"}, "This is no path, pin or waypoint")
        return CANCELLED


class KINEOGRAPH_OT_to_waypoints(_OnCharacter, bpy.types.Operator):
    """Turn a path into waypoints at the same places and frames; the curve stays"""

    bl_idname = "kineograph.to_waypoints"
    bl_label = "Path to Waypoints"

    curve: StringProperty(name="Path", description="The curve; empty takes the character's first path")
    count: IntProperty(name="Waypoints", description="How many", default=4, min=2, soft_max=20, max=1000)

    def execute(self, context: Any) -> Outcome:
        """Make them, evenly over the path's frames."""
        armature, scene = plan.character_of(context), context.scene
        found = [c for c in marks.paths_of(armature, scene) if self.curve in ("", c.name)]
        if not found:
            self.report({"WARNING"}, f"{armature.name} has no path")
            return CANCELLED
        first, last = marks.frames_of(found[0]) or plan.span_of(armature, scene)
        count = max(min(self.count, last - first + 1), 1)
        frames = [round(first + (last - first) * n / max(count - 1, 1)) for n in range(count)]

        return told(self, lambda: convert.to_waypoints(found[0], scene, frames))


class KINEOGRAPH_OT_to_path(_OnCharacter, bpy.types.Operator):
    """Turn this character's waypoints into a curve with the same places and frames; the markers stay"""

    bl_idname = "kineograph.to_path"
    bl_label = "Waypoints to Path"

    def execute(self, context: Any) -> Outcome:
        """Make the curve."""
        armature, scene = plan.character_of(context), context.scene
        facings = [marks.turns(marker) for marker in marks.waypoints_of(armature, scene)]
        done = told(self, lambda: convert.to_path(armature, scene))
        if done == FINISHED and any(facings) and not all(facings):
            self.report({"INFO"}, f"{sum(facings)} of {len(facings)} waypoints had a facing: the path leaves it free")
        return done


CLASSES = (
    KINEOGRAPH_OT_key_mark,
    KINEOGRAPH_OT_path_add,
    KINEOGRAPH_OT_pin_add,
    KINEOGRAPH_OT_waypoint_add,
    KINEOGRAPH_OT_mark_edit,
    KINEOGRAPH_OT_mark_remove,
    KINEOGRAPH_OT_to_waypoints,
    KINEOGRAPH_OT_to_path,
)
