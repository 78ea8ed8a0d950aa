# SPDX-License-Identifier: GPL-3.0-or-later
"""The shelf: what came back, newest first; one take in full, with how it is written."""

import time
from typing import Any

import bpy

from .. import applying, plan, session
from ..draw.state import drawn
from ..session import Row
from . import words
from .base import CharacterPanel, grey, lines_of, order_of

MOST_ROWS = 8


class KINEOGRAPH_PT_takes(CharacterPanel, bpy.types.Panel):
    """The takes of this character."""

    bl_label = "Takes"
    bl_order = order_of("takes")

    def draw(self, context: Any) -> None:
        """The list, then the chosen one."""
        layout, shelf = self.layout, session.current().shelf
        armature = plan.character_of(context)
        rows = shelf.rows(session.owner_of(armature))
        kept = [r for r in rows if not r.rejected]
        if not kept:
            grey(layout, "Takes land here when they come.")
        shown = applying.shown_origin(armature)
        chosen = shelf.shown(session.owner_of(armature))
        for row in kept[:MOST_ROWS]:
            draw_row(layout, row, row is chosen, shown is not None and shown[0] == row.id)
        if len(kept) > MOST_ROWS:
            grey(layout, f"and {len(kept) - MOST_ROWS} older ones")
        if chosen is not None:
            draw_chosen(layout.box(), context, chosen, shown)
        if len(kept) < len(rows):
            line = layout.row(align=True)
            line.operator("kineograph.take_restore", text=f"Bring {len(rows) - len(kept)} back")
            line.operator("kineograph.take_clear", text="", icon="TRASH")


def draw_row(layout: Any, row: Row, is_chosen: bool, is_shown: bool) -> None:
    """One line of the list."""
    line = layout.row(align=True)
    line.operator("kineograph.take_star", text="", icon="SOLO_ON" if row.star else "SOLO_OFF").take = row.id
    icon = "CHECKMARK" if is_shown else "BLANK1"
    line.operator("kineograph.take_choose", text=row.name, icon=icon, depress=is_chosen).take = row.id
    if row.seed is not None:  # in its own column: of two takes of one long prompt it is all that tells them apart
        seed = line.row(align=True)
        seed.ui_units_x = 2.3
        seed.label(text=f"s{row.seed}")
    if row.worst_cm is not None:
        score = line.row(align=True)
        score.ui_units_x = 3.0
        score.label(text=words.centimetres(row.worst_cm))
    end = line.row(align=True)
    end.ui_units_x = 2.6
    end.operator("kineograph.take_apply", text="Apply").take = row.id


def draw_chosen(box: Any, context: Any, row: Row, shown: tuple[str, int] | None) -> None:
    """The chosen take: what it is, its samples, and how it is written."""
    about = box.column(align=True)
    about.active = False
    for line in details(row):
        lines_of(about, line)
    if row.samples > 1:
        steps = box.row(align=True)
        for icon, step in (("TRIA_LEFT", -1), ("TRIA_RIGHT", 1)):
            button = steps.operator("kineograph.take_sample", text="", icon=icon)
            button.take, button.step = row.id, step
        steps.operator("kineograph.take_browse", text=f"Sample {row.sample + 1} of {row.samples}").take = row.id
    buttons = box.row(align=True)
    for text, way in (("Apply", "ACTION"), ("As strip", "STRIP")):
        button = buttons.operator("kineograph.take_apply", text=text)
        button.take, button.way = row.id, way
    more = box.row(align=True)
    more.operator("kineograph.take_note", text="Notes", icon="TEXT").take = row.id
    if shown is not None and shown[0] != row.id:
        more.operator("kineograph.take_flip", text="Compare", icon="UV_SYNC_SELECT").take = row.id
    more.operator("kineograph.take_reject", text="Reject", icon="X").take = row.id
    if shown is not None:
        box.operator("kineograph.regenerate", icon="FILE_REFRESH")
    if shown is not None and shown[0] == row.id and drawn.verdicts is None:
        button = box.operator("kineograph.verdicts", icon="HIDE_OFF")
        button.take, button.sample = row.id, shown[1]


class KINEOGRAPH_PT_writing(CharacterPanel, bpy.types.Panel):
    """How a take is written when it is applied."""

    bl_label = "How It Is Written"
    bl_parent_id = "KINEOGRAPH_PT_takes"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Shown while there is a take that could be written."""
        armature = plan.character_of(context)
        return armature is not None and session.current().shelf.shown(session.owner_of(armature)) is not None

    def draw(self, context: Any) -> None:
        """When, where, which bones; then what is seldom wanted."""
        layout, wishes = self.layout, context.scene.kineograph.apply
        column = layout.column(align=True)
        column.prop(wishes, "place")
        column.prop(wishes, "travel")
        line = layout.row(align=True)
        line.prop(wishes, "blend_in")
        line.prop(wishes, "blend_out")
        column = layout.column(align=True)
        column.prop(wishes, "only_selected")
        row = session.current().shelf.shown(session.owner_of(plan.character_of(context)))
        if row is not None and row.thin_cm is not None:
            column.prop(wishes, "every_frame")
        column.prop(wishes, "strip_per_prompt")
        column.prop(wishes, "mute_constraints")
        column.prop(wishes, "ignore_locks")


def details(row: Row) -> list[str]:
    """What there is to know of a take."""
    lines = [f"{row.frames} frames ({row.frames / row.fps_hz:.1f} s) from {row.start}, {row.model}"]
    made = [] if row.seed is None else [f"seed {row.seed}"]
    lines.append(", ".join([*made, words.ago(time.time() - row.created_s)]))
    if row.prompt and row.prompt != row.name:
        lines.append(row.prompt)
    if row.score:
        lines.append(row.score)
    if row.thin_cm is not None:
        lines.append(f"fewer keys, within {row.thin_cm:g} cm")
    if row.notes:
        lines.append(row.notes)
    why = session.current().shelf.unsaved.get(row.id)
    if why:
        lines.append(f"In memory only: {why}")
    return lines


CLASSES = (KINEOGRAPH_PT_takes, KINEOGRAPH_PT_writing)
