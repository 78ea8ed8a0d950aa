# SPDX-License-Identifier: GPL-3.0-or-later
"""Range, samples, seed, the button, and the jobs under way."""

from typing import Any

import bpy

from .. import plan, session
from . import words
from .base import CharacterPanel, grey, order_of

READING = "reading"
"""In a job's stead: what is still being read."""


class KINEOGRAPH_PT_generate(CharacterPanel, bpy.types.Panel):
    """Make motion for this character."""

    bl_label = "Generate"
    bl_order = order_of("generate")

    def draw(self, context: Any) -> None:
        """Settings, the button, and what runs."""
        layout, settings = self.layout, context.scene.kineograph
        armature = plan.character_of(context)
        layout.prop(settings, "span")
        if settings.span == "OWN":
            row = layout.row(align=True)
            row.prop(settings, "start")
            row.prop(settings, "end")
        row = layout.row(align=True)
        row.prop(settings, "samples")
        seed = row.row(align=True)
        seed.active = not settings.new_seed
        seed.prop(settings, "seed")
        row.prop(settings, "new_seed", text="", icon="FILE_REFRESH")
        draw_button(layout, context, armature)
        for reading in session.current().reading:
            draw_reading(layout, reading)
        for job in session.current().jobs:
            if not job.is_done:
                draw_job(layout, job)
        draw_last(layout, armature)


def draw_button(layout: Any, context: Any, armature: Any) -> None:
    """The one big button, and why it is off."""
    frames = plan.frames_in_words(armature, context.scene)
    why = plan.why_not(armature, context.scene)
    row = layout.row(align=True)
    row.scale_y = 1.4
    row.enabled = not why
    row.operator("kineograph.generate", text=f"Generate {frames}".strip(), icon="PLAY")
    row.operator("kineograph.preview", text="", icon="HIDE_OFF")
    if why:
        grey(layout, why)


def draw_reading(layout: Any, reading: Any) -> None:
    """A scene that is being read for a request."""
    box = layout.box()
    row = box.row(align=True)
    done, every = reading.progress
    row.label(text=f"Reading {reading.character}" + (f", {done} of {every} frames" if every else ""))
    stop = row.row()
    stop.ui_units_x = 4.2
    stop.operator("kineograph.cancel", text="Cancel", icon="X").job = READING


def draw_job(layout: Any, job: session.Job) -> None:
    """A job under way, with its own way out."""
    box = layout.box()
    row = box.row(align=True)
    row.label(text=f"{job.label}, {job.armature}")
    stop = row.row()
    stop.ui_units_x = 4.2
    stop.enabled = not job.wants_cancel
    stop.operator("kineograph.cancel", text="Cancel", icon="X").job = job.id
    box.progress(factor=words.fraction(job), text=words.job_line(job))
    if job.retry is not None:
        grey(box, session.problem_of(job.retry[0], job).text)


def draw_last(layout: Any, armature: Any) -> None:
    """How this character's last job ended, when it ended without a take."""
    mine = [j for j in session.current().jobs if j.owner == session.owner_of(armature)]
    if mine and mine[-1].is_done and mine[-1].error is not None:
        trouble = next((t for t in session.current().troubles if t.error is mine[-1].error), None)
        if trouble is not None:
            grey(layout, session.current().troubles.problem(trouble).text, icon="INFO")


def draw_status_bar(self: Any, context: Any) -> None:
    """A line in the status bar while something runs."""
    text = words.status_bar(session.current().jobs)
    if text:
        self.layout.label(text=text)


CLASSES = (KINEOGRAPH_PT_generate,)
