# SPDX-License-Identifier: GPL-3.0-or-later
"""What would be sent, before it is sent; and how a take met what was asked."""

from typing import Any

import bpy

from .. import plan
from ..draw.state import drawn
from ..draw.verdicts import Grade
from ..mend import advised
from .base import CharacterPanel, grey, lines_of

MOST = 12
_ICONS = {Grade.MET: "CHECKMARK", Grade.NEAR: "DOT", Grade.MISSED: "ERROR"}


class KINEOGRAPH_PT_preview(CharacterPanel, bpy.types.Panel):
    """What would be sent, what is left out and why."""

    bl_label = "Preview"
    bl_parent_id = "KINEOGRAPH_PT_generate"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Shown while there is one to show."""
        return drawn.preview is not None and plan.character_of(context) is not None

    def draw(self, context: Any) -> None:
        """The sentence, the advice, what is left out."""
        layout, shown = self.layout, drawn.preview
        if shown is None:
            return
        row = layout.row(align=True)
        row.operator("kineograph.preview", icon="HIDE_OFF", text="Look again")
        row.operator("kineograph.hide", text="", icon="X")
        if shown.character != plan.character_of(context).name:
            grey(layout, f"This is about {shown.character}.", "INFO")
        grey(layout, f"Would send {shown.title}.")
        for n, note in enumerate(shown.notes[:MOST]):
            grey(layout, note.text, "INFO")
            for fix in filter(advised.is_offered, note.fixes):
                button = layout.operator("kineograph.advice", text=fix.label)
                button.note, button.fix = n, fix.id
        if shown.lines:
            layout.label(text="Left out or changed:")
        for text in shown.lines[:MOST]:
            grey(layout, text, "REMOVE")
        if len(shown.lines) > MOST:
            grey(layout, f"and {len(shown.lines) - MOST} more")


class KINEOGRAPH_PT_verdicts(CharacterPanel, bpy.types.Panel):
    """How far the shown take misses what was asked; a click goes to the frame."""

    bl_label = "Verdicts"
    bl_parent_id = "KINEOGRAPH_PT_takes"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Shown while there are verdicts to show."""
        return drawn.verdicts is not None and plan.character_of(context) is not None

    def draw(self, context: Any) -> None:
        """The worst first, then what was changed or ignored."""
        layout, shown = self.layout, drawn.verdicts
        if shown is None:
            return
        row = layout.row(align=True)
        lines_of(row.column(align=True), _count(shown))
        row.operator("kineograph.hide", text="", icon="X")
        if shown.held:
            count = len(shown.held)
            names = ", ".join(shown.held[:3]) + (f" and {count - 3} more" if count > 3 else "")
            text = f"{count} bone{'s' if count > 1 else ''} with constraints may not show the take: {names}."
            grey(layout, text, "CONSTRAINT_BONE")
            layout.operator("kineograph.mute_constraints")
        column = layout.column(align=True)
        for verdict in shown.verdicts[:MOST]:
            line = column.split(factor=0.62, align=True)
            what = line.row(align=True)
            what.alignment = "LEFT"
            what.operator(
                "kineograph.go_to", text=verdict.what, icon=_ICONS[verdict.grade], emboss=False
            ).frame = verdict.frame
            line.label(text=verdict.short)
        if len(shown.verdicts) > MOST:
            grey(layout, f"and {len(shown.verdicts) - MOST} more")
        for text in shown.lines[:MOST]:
            grey(layout, text, "INFO")


def _count(shown: Any) -> str:
    counts = {g: sum(v.grade is g for v in shown.verdicts) for g in Grade}
    return ", ".join(f"{n} {g}" for g, n in counts.items() if n) or "Nothing was asked by keys, pins or paths"


CLASSES = (KINEOGRAPH_PT_preview, KINEOGRAPH_PT_verdicts)
