# SPDX-License-Identifier: GPL-3.0-or-later
"""The shelf's verbs: write a take, step through its samples, star, note, reject, compare."""

from dataclasses import replace
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from kineograph.errors import ErrorCode, error

from .. import applying, plan, session
from ..bridge import action, muted, stamps, strips, switches, unkeyed, unlocked, written
from ..bridge.places import where
from ..draw import show
from ..draw.state import drawn
from ..props.scene import WAYS
from ..session import Row
from ..session.writer import push_undo
from .base import CANCELLED, FINISHED, Outcome, pressed, told

TAKE = {"name": "Take", "description": "The take's id; empty means the one that the panel shows"}


class TakeOperator:
    """One that is about a take of the character in view."""

    bl_options = {"REGISTER", "INTERNAL"}
    take: str

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a character."""
        return plan.character_of(context) is not None

    def row(self, context: Any) -> Row | None:
        """The row that is meant."""
        shelf = session.current().shelf
        if self.take:
            return shelf.get(self.take)
        return shelf.shown(session.owner_of(plan.character_of(context)))

    def about(self, context: Any, verb: Any) -> Outcome:
        """Run ``verb`` with the row; say so when there is none."""
        row = self.row(context)
        if row is None:
            self.report({"WARNING"}, "There is no take here")  # type: ignore[attr-defined]
            return CANCELLED
        return told(self, lambda: verb(row), context)


class KINEOGRAPH_OT_take_apply(TakeOperator, bpy.types.Operator):
    """Show this take on the character. Your own action stays as it is"""

    bl_idname = "kineograph.take_apply"
    bl_label = "Apply"

    take: StringProperty(**TAKE)
    way: EnumProperty(
        items=(("SETTINGS", "As the settings say", "New action or strip, as the scene's settings say"), *WAYS),
        name="As",
        description="Where the motion goes",
        options={"SKIP_SAVE"},
    )
    again: BoolProperty(
        name="Anew", description="Make a new action even where you edited the one that shows", options={"SKIP_SAVE"}
    )
    armature: StringProperty(
        name="Armature", description="Another armature with the same bones; empty means the character in view"
    )

    def execute(self, context: Any) -> Outcome:
        """Bake it; with an interface in slices, as the pump turns."""
        return self.about(context, lambda row: self._write(context, row))

    def _write(self, context: Any, row: Row) -> None:
        armature = bpy.data.objects.get(self.armature) if self.armature else plan.character_of(context)
        session.current().shelf.active[row.owner] = row.id
        if not self.again:
            check_edits(armature, row)
        applying.write(armature, context.scene, row, way="" if self.way == "SETTINGS" else self.way)


class KINEOGRAPH_OT_take_sample(TakeOperator, bpy.types.Operator):
    """Look at the take's next or previous sample; one that is applied follows"""

    bl_idname = "kineograph.take_sample"
    bl_label = "Next Sample"

    take: StringProperty(**TAKE)
    step: IntProperty(name="Step", description="How many samples further", default=1)

    def execute(self, context: Any) -> Outcome:
        """Step, around the end."""
        return self.about(context, lambda row: self._step(context, row))

    def _step(self, context: Any, row: Row) -> None:
        armature = plan.character_of(context)
        shown = applying.shown_origin(armature)
        if shown is not None and shown[0] == row.id:
            check_edits(armature, row)
        row.sample = (row.sample + self.step) % row.samples
        session.current().shelf.changed(row)
        if shown is not None and shown[0] == row.id:
            applying.write(armature, context.scene, row)


class KINEOGRAPH_OT_take_browse(TakeOperator, bpy.types.Operator):
    """Step through the samples with the arrow keys: left and right to look, Enter to keep, Esc to go back"""

    bl_idname = "kineograph.take_browse"
    bl_label = "Browse Samples"

    take: StringProperty(**TAKE)

    def invoke(self, context: Any, event: Any) -> Outcome:
        """Wait for arrow keys."""
        row = self.row(context)
        if row is None or row.samples < 2:
            self.report({"INFO"}, "This take has one sample")
            return CANCELLED
        self.take, self._before = row.id, row.sample
        drawn.browsed = row.id
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> Outcome:
        """Keys of this mode; everything else goes on to Blender."""
        row = session.current().shelf.get(self.take)
        if row is None or drawn.browsed != row.id or session.owner_of(plan.character_of(context)) != row.owner:
            return self._ended(CANCELLED)  # a file was loaded, or another character is looked at
        step = {"LEFT_ARROW": -1, "RIGHT_ARROW": 1}.get(event.type, 0)
        if event.value == "PRESS" and step:
            bpy.ops.kineograph.take_sample(take=self.take, step=step)
            return {"RUNNING_MODAL"}
        if event.type in ("RET", "NUMPAD_ENTER") and event.value == "PRESS":
            return self._ended(FINISHED)
        if event.type == "ESC" and event.value == "PRESS":
            bpy.ops.kineograph.take_sample(take=self.take, step=self._before - row.sample)
            return self._ended(CANCELLED)
        return {"PASS_THROUGH"}

    def cancel(self, context: Any) -> None:
        """Blender ends it: another file, another screen."""
        self._ended(CANCELLED)

    def _ended(self, outcome: Outcome) -> Outcome:
        drawn.browsed = ""
        return outcome

    def execute(self, context: Any) -> Outcome:
        """Without a window there are no keys: the next sample."""
        return set(bpy.ops.kineograph.take_sample(take=self.take, step=1))


class KINEOGRAPH_OT_take_choose(TakeOperator, bpy.types.Operator):
    """Show this take's details"""

    bl_idname = "kineograph.take_choose"
    bl_label = "Show the Take"

    take: StringProperty(**TAKE)

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        """All that the list has no room for."""
        row = session.current().shelf.get(properties.take)
        said = "" if row is None else row.prompt or row.name
        return f"Show this take's details: {said}".rstrip(": ")

    def execute(self, context: Any) -> Outcome:
        """Make it the one that the panel shows in full."""

        def choose(row: Row) -> None:
            session.current().shelf.active[row.owner] = row.id

        return self.about(context, choose)


class KINEOGRAPH_OT_take_star(TakeOperator, bpy.types.Operator):
    """Mark this take as a good one, or take the mark away"""

    bl_idname = "kineograph.take_star"
    bl_label = "Star"

    take: StringProperty(**TAKE)

    def execute(self, context: Any) -> Outcome:
        """Turn the star over."""

        def turn(row: Row) -> None:
            row.star = not row.star
            session.current().shelf.changed(row)

        return self.about(context, turn)


class KINEOGRAPH_OT_take_note(TakeOperator, bpy.types.Operator):
    """Name this take, and write down what you think of it"""

    bl_idname = "kineograph.take_note"
    bl_label = "Name and Notes"

    take: StringProperty(**TAKE)
    name: StringProperty(name="Name", description="The take's name")
    notes: StringProperty(name="Notes", description="Whatever you want to remember")

    def invoke(self, context: Any, event: Any) -> Outcome:
        """Ask for both."""
        row = self.row(context)
        if row is not None:
            self.name, self.notes = row.name, row.notes
        return set(context.window_manager.invoke_props_dialog(self))

    def draw(self, context: Any) -> None:
        """Both, and not which take: that was clicked."""
        self.layout.prop(self, "name")
        self.layout.prop(self, "notes")

    def execute(self, context: Any) -> Outcome:
        """Remember both."""

        def write(row: Row) -> None:
            row.name, row.notes = self.name.strip() or row.name, self.notes
            session.current().shelf.changed(row)

        return self.about(context, write)


class KINEOGRAPH_OT_take_reject(TakeOperator, bpy.types.Operator):
    """Put this take aside. Where it shows unedited, your own action comes back; nothing else changes"""

    bl_idname = "kineograph.take_reject"
    bl_label = "Reject"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    take: StringProperty(**TAKE)

    def execute(self, context: Any) -> Outcome:
        """Hide it; it can be brought back until the shelf is cleared."""
        return self.about(context, lambda row: reject(plan.character_of(context), row))


class KINEOGRAPH_OT_take_restore(TakeOperator, bpy.types.Operator):
    """Bring the rejected takes of this character back"""

    bl_idname = "kineograph.take_restore"
    bl_label = "Bring Rejected Ones Back"

    def execute(self, context: Any) -> Outcome:
        """All of them."""
        shelf = session.current().shelf
        for row in shelf.rows(session.owner_of(plan.character_of(context))):
            if row.rejected:
                row.rejected = False
                shelf.changed(row)
        return FINISHED


class KINEOGRAPH_OT_take_clear(TakeOperator, bpy.types.Operator):
    """Delete the rejected takes of this character for good. Starred ones and actions stay"""

    bl_idname = "kineograph.take_clear"
    bl_label = "Delete Rejected Ones"

    def execute(self, context: Any) -> Outcome:
        """Only what was rejected and has no star."""
        shelf = session.current().shelf
        for row in shelf.rows(session.owner_of(plan.character_of(context))):
            if row.rejected and not row.star:
                shelf.drop(row)
        return FINISHED


class KINEOGRAPH_OT_take_flip(TakeOperator, bpy.types.Operator):
    """Compare two takes: show the one that was applied before this one, and back again"""

    bl_idname = "kineograph.take_flip"
    bl_label = "Flip to the Other"

    take: StringProperty(name="Other", description="The take to compare with", options={"SKIP_SAVE"})

    def execute(self, context: Any) -> Outcome:
        """Bind the other take's newest action; bake it where there is none."""
        return self.about(context, lambda row: flip(context, plan.character_of(context), row))


class KINEOGRAPH_OT_mute_constraints(TakeOperator, bpy.types.Operator):
    """Mute the constraints of the bones that this take writes, so that it shows. Reject turns them on again"""

    bl_idname = "kineograph.mute_constraints"
    bl_label = "Mute Their Constraints"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    take: StringProperty(**TAKE)

    def execute(self, context: Any) -> Outcome:
        """Mute and remember them."""
        return self.about(context, lambda row: self._mute(plan.character_of(context), row))

    def _mute(self, armature: Any, row: Row) -> None:
        muted.mute(armature, show.held_by(armature, session.current().shelf.take(row.id)))
        if drawn.verdicts is not None:
            drawn.verdicts = replace(drawn.verdicts, held=())
        show.redraw()


class KINEOGRAPH_OT_regenerate(bpy.types.Operator):
    """Make a range of what the character shows anew; before and after it all stays as it is, and the ends meet"""

    bl_idname = "kineograph.regenerate"
    bl_label = "Regenerate a Range"
    bl_options = {"REGISTER", "INTERNAL"}

    first: IntProperty(name="First", description="First frame to make anew")
    last: IntProperty(name="Last", description="Last frame to make anew")
    lead: IntProperty(
        name="Lead",
        description="So many frames before and after go along as they are, to run out of and into",
        default=8,
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a character."""
        return plan.character_of(context) is not None

    def invoke(self, context: Any, event: Any) -> Outcome:
        """Ask for the range; the preview range is a good guess."""
        self.first, self.last = plan.span_of(plan.character_of(context), context.scene)
        return set(context.window_manager.invoke_props_dialog(self))

    def execute(self, context: Any) -> Outcome:
        """Send it; the result is written over the range when it comes."""
        return told(self, lambda: self._regenerate(context), context)

    def _regenerate(self, context: Any) -> None:
        plan.regenerate(context, (self.first, self.last), self.lead, pressed(self))


def check_edits(armature: Any, row: Row) -> None:
    """Raises ``take_edited`` when the armature shows this take with edits: writing it again would hide them."""
    shown = applying.shown_origin(armature)
    if shown is None or shown[0] != row.id:
        return
    bones = applying.edited_bones(armature)
    if bones:
        raise error(
            ErrorCode.TAKE_EDITED,
            f"{len(bones)} bones of this take were changed since it was applied",
            {"where": where("character", armature.name, armature.name), "bones": bones, "take": row.id},
        )


def reject(armature: Any, row: Row) -> None:
    """Put a take aside; where it shows as it was written, the user's own action plays again."""
    shelf = session.current().shelf
    row.rejected = True
    shelf.changed(row)
    made = _unedited(armature, row)
    if made is None:
        return
    if armature.animation_data.action == made:
        unkeyed.step_to(armature, *strips.below(armature, made))
        switches.put_back(armature, made)
        muted.put_back(armature)
        unlocked.put_back(armature)
    else:
        unkeyed.give_back(armature, made)
    stamps.remove_unused(str(stamps.take_of(made)))
    if drawn.verdicts is not None and drawn.verdicts.character == armature.name:
        drawn.verdicts = None
        show.redraw()


def _unedited(armature: Any, row: Row) -> Any:
    """The action by which a take shows, strips taken off; None where it does not, or where it was edited."""
    tracks = strips.of_take(armature, row.id)
    if tracks and not armature.animation_data.use_tweak_mode:
        made = tracks[0].strips[0].action
        if written.edits(made, action.slot_in(made), armature).bones:
            return None
        return strips.take_off(armature, tracks)
    shown = applying.shown_origin(armature)
    if shown is None or shown[0] != row.id or applying.edited_bones(armature):
        return None
    return armature.animation_data.action


def flip(context: Any, armature: Any, row: Row) -> None:
    """Show a take by the action that it was written to last, edits included; write it where there is none."""
    found = applying.actions_of(armature, row.id)
    session.current().shelf.active[row.owner] = row.id
    if not found:
        applying.write(armature, context.scene, row)
        return
    shown = armature.animation_data_create()
    if shown.action is not None:
        stamps.keep(armature, shown.action)
        switches.put_back(armature, shown.action)
    unkeyed.step_to(armature, found[-1], action.slot_in(found[-1]))
    take = session.current().shelf.take(row.id)
    _, _, sample = stamps.origin_of(found[-1]).partition(":")
    start = applying.starts_at(found[-1], take)
    how = {"armature": armature.name, "sample": int(sample or 0), "start": start}
    show.applied(take, how | {"in_place": stamps.is_in_place(found[-1])})
    push_undo(f"Compare with {take.label}".strip())  # a take that has to be written brings its own step


CLASSES = (
    KINEOGRAPH_OT_take_apply,
    KINEOGRAPH_OT_take_sample,
    KINEOGRAPH_OT_take_browse,
    KINEOGRAPH_OT_take_choose,
    KINEOGRAPH_OT_take_star,
    KINEOGRAPH_OT_take_note,
    KINEOGRAPH_OT_take_reject,
    KINEOGRAPH_OT_take_restore,
    KINEOGRAPH_OT_take_clear,
    KINEOGRAPH_OT_take_flip,
    KINEOGRAPH_OT_mute_constraints,
    KINEOGRAPH_OT_regenerate,
)
