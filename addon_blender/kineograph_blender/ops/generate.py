# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending a character's direction, and stopping what was sent."""

from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import StringProperty

from kineograph.errors import ErrorCode, error

from .. import link, plan, props, session
from ..advice import outside
from ..bridge import marked
from ..bridge.request import Direction
from .base import CANCELLED, FINISHED, Outcome, pressed, told


class KINEOGRAPH_OT_generate(bpy.types.Operator):
    """Send the character's prompts, keys, paths and pins; the result comes as a take, Blender stays free meanwhile"""

    bl_idname = "kineograph.generate"
    bl_label = "Generate"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a character."""
        return plan.character_of(context) is not None

    def execute(self, context: Any) -> Outcome:
        """Read the scene and send it; returns at once."""
        if not plan.frames_in_words(plan.character_of(context), context.scene):
            self.report({"WARNING"}, "Every block in the range is locked or off: there is nothing to generate")
            return CANCELLED
        return told(self, lambda: _send(self, context), context)


class KINEOGRAPH_OT_cancel(bpy.types.Operator):
    """Stop this job, and no other"""

    bl_idname = "kineograph.cancel"
    bl_label = "Cancel"

    job: StringProperty(name="Job", description="The job's id; empty stops the newest that runs", options={"SKIP_SAVE"})

    def execute(self, context: Any) -> Outcome:
        """Ask the daemon; the answer comes through the job."""
        current = session.current()
        running = [j for j in current.jobs if not j.is_done and self.job in ("", j.id)]
        if not running and current.stop_reading():
            return FINISHED
        if not running:
            self.report({"INFO"}, "Nothing runs")
            return CANCELLED
        current.cancel(running[-1])
        return FINISHED


def _send(operator: Any, context: Any) -> None:
    scene, armature = context.scene, plan.character_of(context)
    settings = props.of_scene(scene)
    props.of_character(armature)
    if settings.new_seed:
        plan.throw_dice(scene)
    parts = plan.directions_of(armature, scene, settings.model)
    link.ensure()
    current = session.current()
    tell_outside(armature, scene, parts)
    for part in parts:
        if not session.turns():
            current.generate(armature, scene, part)
        else:
            current.generate_soon(armature, scene, part, redo=pressed(operator))


REDO: tuple[str, dict[str, Any]] = ("kineograph.generate", {})


def tell_outside(armature: Any, scene: Any, parts: Sequence[Direction]) -> None:
    """Paths, pins and waypoints that lie past what is generated are told of, with what could be done: a card, and the
    rest goes out. Keys may well wait there for later; the preview names them."""
    owner, troubles = session.owner_of(armature), session.current().troubles
    troubles.settle_notes(owner, armature.name)
    if not parts:
        return
    span = parts[0].start, parts[-1].end
    found = marked.outside(armature, scene, parts[0], span)
    for note in outside(found, span, lambda frames: plan.stray(armature, scene, frames)):
        failed = error(ErrorCode.FRAME_OUT_OF_RANGE, note.text)
        troubles.add(failed, note=note, redo=REDO, owner=owner, character=armature.name)


CLASSES = (KINEOGRAPH_OT_generate, KINEOGRAPH_OT_cancel)
