# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons of problems: mend, send again, why, copy a report, put away."""

from collections.abc import Callable
from typing import Any

import bpy
from bpy.props import StringProperty

from .. import applying, mend, plan, session
from ..bridge.request import Direction
from ..mend.elsewhere import report_of
from ..mend.work import CannotMend, Work
from ..session import Trouble
from .base import CANCELLED, Outcome, told

TROUBLE = {"name": "Problem", "description": "The problem's id; empty means the newest"}


class TroubleOperator:
    """One that is about a problem."""

    bl_options = {"REGISTER", "INTERNAL"}
    trouble: str

    def found(self) -> Trouble | None:
        """The problem that is meant."""
        troubles = session.current().troubles
        return troubles.get(self.trouble) if self.trouble else next(iter(troubles), None)

    def about(self, context: Any, verb: Callable[[Trouble], None]) -> Outcome:
        """Run ``verb`` with the problem; say so when it is settled already."""
        trouble = self.found()
        if trouble is None:
            self.report({"INFO"}, "This is settled already")  # type: ignore[attr-defined]
            return CANCELLED
        try:
            return told(self, lambda: verb(trouble), context, may_redo=False)
        except CannotMend as e:
            trouble.said, trouble.refused = str(e), True
            self.report({"WARNING"}, trouble.said)  # type: ignore[attr-defined]
            return CANCELLED
        finally:
            session.redraw()


class KINEOGRAPH_OT_fix(TroubleOperator, bpy.types.Operator):
    """Mend it so"""

    bl_idname = "kineograph.fix"
    bl_label = "Mend"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    trouble: StringProperty(**TROUBLE)
    fix: StringProperty(name="Fix", description="Which way of mending it")
    value: StringProperty(name="Choice", description="A bone, an armature or a text, where the fix needs one")

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        """What the button reads."""
        trouble = session.current().troubles.get(properties.trouble)
        fix = trouble and next(
            (f for f in session.current().troubles.problem(trouble).fixes if f.id == properties.fix), None
        )
        return fix.label if fix else "Mend it so"

    def invoke(self, context: Any, event: Any) -> Outcome:
        """Ask for what the fix needs."""
        trouble = self.found()
        fix = self._fix(trouble) if trouble else None
        if fix is None or not mend.asks_for(fix):
            return self.execute(context)
        title = fix.label.rstrip(".")
        return set(context.window_manager.invoke_props_dialog(self, title=title, confirm_text=title))

    def draw(self, context: Any) -> None:
        """The one field of the dialog."""
        trouble = self.found()
        fix = self._fix(trouble) if trouble else None
        if trouble is None or fix is None:
            return
        asked = mend.asks_for(fix)
        armature = applying.find_character(trouble.owner, trouble.character)
        if asked == "bone" and armature is not None:
            self.layout.prop_search(self, "value", armature.data, "bones", text="Bone")
        elif asked == "armature":
            self.layout.prop_search(self, "value", bpy.data, "objects", text="Armature")
        else:
            self.layout.prop(self, "value", text="Text")

    def execute(self, context: Any) -> Outcome:
        """Carry it out; what was done stands in the card."""
        return self.about(context, lambda trouble: self._mend(context, trouble))

    def _mend(self, context: Any, trouble: Trouble) -> None:
        fix = self._fix(trouble)
        if fix is None:
            raise Work(context, trouble, {}).cannot(f"there is no fix {self.fix!r} for this")
        done = mend.carry_out(context, trouble, fix, self.value)
        if done.can_go_on and trouble.job is not None and not trouble.job.is_done:
            session.current().give_up(trouble.job)  # it waited to be tried again as it was
        trouble.said, trouble.refused, trouble.can_go_on = done.said, False, done.can_go_on
        self.report({"INFO"}, done.said)

    def _fix(self, trouble: Trouble) -> Any:
        fixes = session.current().troubles.problem(trouble).fixes
        return next((f for f in fixes if f.id == self.fix and mend.is_offered(f)), None)


class KINEOGRAPH_OT_send_again(TroubleOperator, bpy.types.Operator):
    """Try again what failed, as it is mended now"""

    bl_idname = "kineograph.send_again"
    bl_label = "Send Again"

    trouble: StringProperty(**TROUBLE)

    def execute(self, context: Any) -> Outcome:
        """The request as it was mended; a take that could not be written is written; else the scene is read anew."""
        return self.about(context, lambda trouble: again(context, trouble))


class KINEOGRAPH_OT_explain(TroubleOperator, bpy.types.Operator):
    """Why this happened, in the card; again: fold it up"""

    bl_idname = "kineograph.explain"
    bl_label = "Why"

    trouble: StringProperty(**TROUBLE)

    def execute(self, context: Any) -> Outcome:
        """Show cause, code and request id, or show them no longer."""
        return self.about(context, self._turn)

    def _turn(self, trouble: Trouble) -> None:
        trouble.explained = not trouble.explained


class KINEOGRAPH_OT_copy_report(TroubleOperator, bpy.types.Operator):
    """Copy a report without names and paths, to be sent to somebody who can help"""

    bl_idname = "kineograph.copy_report"
    bl_label = "Copy Report"

    trouble: StringProperty(**TROUBLE)

    def execute(self, context: Any) -> Outcome:
        """Onto the clipboard."""

        def copy(trouble: Trouble) -> None:
            context.window_manager.clipboard = report_of(Work(context, trouble, {}))

        return self.about(context, copy)


class KINEOGRAPH_OT_dismiss(TroubleOperator, bpy.types.Operator):
    """Put this away. Takes stay on the shelf"""

    bl_idname = "kineograph.dismiss"
    bl_label = "Put Away"

    trouble: StringProperty(**TROUBLE)

    def execute(self, context: Any) -> Outcome:
        """It is settled."""
        return self.about(context, session.current().put_away)


def again(context: Any, trouble: Trouble) -> None:
    """Try once more what a trouble stopped."""
    current = session.current()
    current.troubles.settle(trouble)
    if trouble.take and not trouble.how:  # it could not even be read: as the scene's settings say
        bpy.ops.kineograph.take_apply(take=trouble.take)
    elif trouble.take:
        how = dict(trouble.how)
        take = current.shelf.take(trouble.take)
        failed: list[Any] = []
        current.apply(take, failed.append, **how)
        if not session.turns():
            while not failed:
                current.poll(1.0)
    elif trouble.reread and trouble.job is not None and trouble.job.direction is not None:
        send_anew(context, trouble, trouble.job.direction)
    elif trouble.job is not None:
        current.send_again(trouble.job, trouble.changed or trouble.job.outgoing.request, trouble.fields)
    else:
        redo(context, trouble)


def redo(context: Any, trouble: Trouble) -> None:
    """Press once more what failed before there was a job, for the character that it was about."""
    name, values = trouble.redo
    if not trouble.owner and not trouble.character:  # the connection's
        getattr(bpy.ops.kineograph, name.partition(".")[2] or "connect")(**values)
        return
    armature = applying.find_character(trouble.owner, trouble.character)
    if armature is None:
        raise Work(context, trouble, {}).cannot(f"{trouble.character!r} is gone")
    with plan.in_view(context, armature):
        getattr(bpy.ops.kineograph, name.partition(".")[2] or "generate")(**values)


def send_anew(context: Any, trouble: Trouble, asked: Direction) -> None:
    """Read the character again, as it was asked for, and send that."""
    armature = applying.find_character(trouble.owner, trouble.character)
    if armature is None:
        raise Work(context, trouble, {}).cannot(f"{trouble.character!r} is gone")
    job = trouble.job
    assert job is not None
    asked = plan.renewed(armature, asked)
    current = session.current()
    if not session.turns():
        current.generate(armature, context.scene, asked, job.label, job.apply)
    else:
        current.generate_soon(armature, context.scene, asked, job.label, job.apply)


CLASSES = (
    KINEOGRAPH_OT_fix,
    KINEOGRAPH_OT_send_again,
    KINEOGRAPH_OT_explain,
    KINEOGRAPH_OT_copy_report,
    KINEOGRAPH_OT_dismiss,
)
