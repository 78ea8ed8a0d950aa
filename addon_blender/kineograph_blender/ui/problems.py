# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong: the sentence first, then the buttons that mend it, the best one first."""

from typing import Any

import bpy

from .. import mend, session
from ..session import Trouble
from .base import Panel, grey, lines_of, order_of

ICONS = {"problem": "ERROR", "warning": "ERROR", "waiting": "TIME", "note": "INFO", "quiet": "INFO"}


class KINEOGRAPH_PT_problems(Panel, bpy.types.Panel):
    """What went wrong, and what to do about it."""

    bl_label = "Problems"
    bl_order = order_of("problems")

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Shown while there is one."""
        return bool(to_show(context))

    def draw_header_preset(self, context: Any) -> None:
        """How many there are."""
        self.layout.label(text=str(len(to_show(context))))

    def draw(self, context: Any) -> None:
        """One card each."""
        for trouble in to_show(context):
            draw_card(self.layout.box(), trouble)


def to_show(context: Any) -> list[Trouble]:
    """All but what is quiet: that stands where it happened."""
    troubles = session.current().troubles
    return [t for t in troubles if troubles.problem(t).severity != "quiet"]


def draw_card(box: Any, trouble: Trouble) -> None:
    """Sentence, fixes, why, and a way to put it away."""
    problem = session.current().troubles.problem(trouble)
    column = box.column(align=True)
    lines_of(column, problem.text, ICONS[problem.severity])
    if trouble.said:
        grey(box, trouble.said, icon="CANCEL" if trouble.refused else "CHECKMARK")
    for fix in problem.fixes:
        if not mend.is_offered(fix, trouble) or fix.id == "copy_report":  # that one stands on every card
            continue
        button = box.operator("kineograph.fix", text=fix.label)
        button.trouble, button.fix = trouble.id, fix.id
    if trouble.can_go_on:
        box.operator("kineograph.send_again", text="Send again", icon="PLAY").trouble = trouble.id
    if trouble.explained:
        grey(box, problem.cause)
        grey(box, f"Code {problem.code}" + (f", request {problem.request_id}" if problem.request_id else ""))
    row = box.row(align=True)
    row.operator("kineograph.explain", text="Why", icon="QUESTION").trouble = trouble.id
    row.operator("kineograph.copy_report", text="Copy report", icon="COPYDOWN").trouble = trouble.id
    row.operator("kineograph.dismiss", text="", icon="X").trouble = trouble.id


CLASSES = (KINEOGRAPH_PT_problems,)
