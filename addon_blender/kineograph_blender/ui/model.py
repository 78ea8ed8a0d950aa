# SPDX-License-Identifier: GPL-3.0-or-later
"""The model: what it can do, in words; and its options."""

from typing import Any

import bpy

from .. import plan, session
from .base import CharacterPanel, grey, lines_of, order_of


class KINEOGRAPH_PT_model(CharacterPanel, bpy.types.Panel):
    """Which model moves the character, and what it can do."""

    bl_label = "Model"
    bl_order = order_of("model")

    def draw(self, context: Any) -> None:
        """Name and abilities."""
        layout, wanted = self.layout, context.scene.kineograph.model
        models = session.current().models
        model = models.get(wanted)
        text = model.label if model is not None else (wanted or "The daemon's own choice")
        layout.operator("kineograph.choose_model", text=text, icon="DOWNARROW_HLT")
        if model is not None:
            grey(layout, model.words()[0].partition(",")[0])
        elif models.every:
            layout.label(text=f"'{wanted}' is not here", icon="ERROR")
        else:
            grey(layout, "What it can do is known once Kineograph is connected.")


class KINEOGRAPH_PT_abilities(CharacterPanel, bpy.types.Panel):
    """What the model can do, and how much of it."""

    bl_label = "What It Can Do"
    bl_parent_id = "KINEOGRAPH_PT_model"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Shown while the model is known."""
        return super().poll(context) and session.current().models.get(context.scene.kineograph.model) is not None

    def draw(self, context: Any) -> None:
        """A line each."""
        model = session.current().models.get(context.scene.kineograph.model)
        column = self.layout.column(align=True)
        column.active = False
        for line in model.words() if model is not None else ():
            lines_of(column, line)


class KINEOGRAPH_PT_options(CharacterPanel, bpy.types.Panel):
    """The model's own settings; what you leave alone is the model's choice."""

    bl_label = "Options"
    bl_order = order_of("options")
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """One line an option: set ones first have a field, the others a plus."""
        layout, settings = self.layout, context.scene.kineograph
        model = session.current().models.get(settings.model)
        row = layout.row(align=True)
        row.prop(settings, "thin")
        if settings.thin:
            row.prop(settings, "thin_cm")
            if not plan.can_thin(context.scene):
                grey(layout, "This model cannot: there will be a key on every frame.", "INFO")
        dials = {d.name: d for d in model.dials} if model is not None else {}
        own = {item.name for item in settings.options}
        for item in settings.options:
            row = layout.row(align=True)
            dial = dials.get(item.name)
            title = dial.title if dial is not None else f"{item.name} (not of this model)"
            draw_option(row, item, title, dial)
            row.operator("kineograph.reset_option", text="", icon="LOOP_BACK").option = item.name
            if dial is not None and dial.about:
                grey(layout, dial.about)
        for dial in dials.values():
            if dial.name not in own:
                row = layout.row(align=True)
                row.active = False
                row.label(text=f"{dial.title}: {dial.default}")
                row.operator("kineograph.set_option", text="", icon="ADD").option = dial.name
        if not dials and not own:
            grey(layout, "This model has no options of its own." if model else "Connect to see the model's options.")


def draw_option(row: Any, item: Any, title: str, dial: Any) -> None:
    """The field that holds an option's value."""
    if item.kind == "ENUM" and dial is not None:
        column = row.column(align=True)
        column.label(text=title)
        choices = column.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for value in dial.values:
            choice = choices.operator("kineograph.set_option", text=value.replace("_", " "), depress=value == item.text)
            choice.option, choice.value = item.name, value
        return
    field = {"NUMBER": "number", "INTEGER": "whole", "BOOLEAN": "flag"}.get(item.kind, "text")
    row.prop(item, field, text=title)


CLASSES = (KINEOGRAPH_PT_model, KINEOGRAPH_PT_abilities, KINEOGRAPH_PT_options)
