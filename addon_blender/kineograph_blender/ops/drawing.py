# SPDX-License-Identifier: GPL-3.0-or-later
"""Preview, verdicts, and blocks dragged in the timeline."""

from collections.abc import Generator, Sequence
from typing import Any

import bpy
from bpy.props import IntProperty, StringProperty

from .. import applying, plan, session
from ..bridge import gathering, request, stamps
from ..bridge.pace import whole
from ..direction import along
from ..direction import props as saved
from ..draw import paint, show, strips
from ..draw.state import drawn
from ..mend import advised
from ..mend.work import CannotMend
from ..takes import Take
from .base import CANCELLED, FINISHED, Outcome, pressed, told
from .blocks import apply_edit

PASS: Outcome = {"PASS_THROUGH"}
RUNNING: Outcome = {"RUNNING_MODAL"}
_CLICK_PX = 6.0


class KINEOGRAPH_OT_preview(bpy.types.Operator):
    """Show what would be sent, what is left out and why, before anything is sent. Again: look at the scene afresh"""

    bl_idname = "kineograph.preview"
    bl_label = "Preview"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a character."""
        return plan.character_of(context) is not None

    def execute(self, context: Any) -> Outcome:
        """Read the scene; nothing leaves this computer, or even Blender."""
        return told(self, lambda: _preview(self, plan.character_of(context), context.scene))


class KINEOGRAPH_OT_advice(bpy.types.Operator):
    """Do this in the scene, and look at it afresh"""

    bl_idname = "kineograph.advice"
    bl_label = "Take the Advice"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    note: IntProperty(name="Note", description="Which note of the preview, counted from 0", min=0)
    fix: StringProperty(name="Fix", description="Which way")

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        """What the button reads."""
        fix = _advised(properties.note, properties.fix)[1]
        return "Take the advice" if fix is None else f"{fix.label}, and look again"

    def execute(self, context: Any) -> Outcome:
        """Carry it out in the scene."""
        found, fix = _advised(self.note, self.fix)
        armature = None if drawn.preview is None else context.scene.objects.get(drawn.preview.character)
        if found is None or fix is None or armature is None:
            self.report({"INFO"}, "This is settled already")
            return CANCELLED
        try:
            self.report({"INFO"}, advised.carry_out(context, armature, found, fix))
        except CannotMend as e:
            self.report({"WARNING"}, str(e))
            return CANCELLED
        return told(self, lambda: _preview(self, armature, context.scene))


class KINEOGRAPH_OT_hide(bpy.types.Operator):
    """Show neither preview nor verdicts"""

    bl_idname = "kineograph.hide"
    bl_label = "Hide"

    def execute(self, context: Any) -> Outcome:
        """Clear the drawing."""
        drawn.preview = drawn.verdicts = None
        show.redraw()
        return FINISHED


class KINEOGRAPH_OT_go_to(bpy.types.Operator):
    """Go to this frame"""

    bl_idname = "kineograph.go_to"
    bl_label = "Go to Frame"

    frame: IntProperty(name="Frame", description="The scene's frame")

    def execute(self, context: Any) -> Outcome:
        """Set the current frame."""
        context.scene.frame_set(self.frame)
        return FINISHED


class KINEOGRAPH_OT_verdict_click(bpy.types.Operator):
    """A click on a number goes to its frame"""

    bl_idname = "kineograph.verdict_click"
    bl_label = "Go to the Verdict's Frame"

    def invoke(self, context: Any, event: Any) -> Outcome:
        """The nearest label with a frame under the mouse; other clicks are none of ours."""
        if not drawn.shown or context.region is None or context.region.type != "WINDOW":
            return PASS
        places = [(text[0].frame, *text[1:]) for text in paint.texts(context.region, context.region_data)]
        frame = nearest(places, event.mouse_region_x, event.mouse_region_y, _CLICK_PX)
        if frame is None:
            return PASS
        context.scene.frame_set(frame)
        return FINISHED


class KINEOGRAPH_OT_strip_drag(bpy.types.Operator):
    """Drag a block, or one of its ends; a click makes it the active one"""

    bl_idname = "kineograph.strip_drag"
    bl_label = "Drag Block"
    bl_options = {"UNDO", "BLOCKING"}

    def invoke(self, context: Any, event: Any) -> Outcome:
        """Take hold of the strip under the mouse; other clicks are none of ours."""
        armature = plan.character_of(context)
        if armature is None or context.region is None or context.region.type != "WINDOW":
            return PASS
        view = paint.view_of(context.region)
        found = strips.hit(paint.shown_strips(armature, view), event.mouse_region_x, event.mouse_region_y, view.scale)
        if found is None:
            return PASS
        self._take_hold(context, armature, *found, view.frame(event.mouse_region_x))
        context.window_manager.modal_handler_add(self)
        return RUNNING

    def _take_hold(self, context: Any, armature: Any, index: int, grip: strips.Grip, frame: float) -> None:
        blocks = saved.read(armature)
        saved.touch(armature).active = index
        asked = armature.kineograph_direction.take_along
        keys = tuple(along.frames_inside(armature, context.scene, blocks[index])) if asked else ()
        drawn.drag = strips.Drag(blocks, index, grip, frame, keys)
        drawn.dragged = blocks

    def modal(self, context: Any, event: Any) -> Outcome:
        """Follow the mouse; let go to keep, right click or Esc to leave everything as it was."""
        drag = drawn.drag
        if drag is None or plan.character_of(context) is None:  # a file was loaded, or the character is gone
            return self._ended(context, CANCELLED)
        if event.type in {"RIGHTMOUSE", "ESC"}:
            return self._ended(context, CANCELLED)
        if event.type == "MOUSEMOVE":
            self._follow(context, event, drag)
            context.area.header_text_set(strips.said(drag, drawn.dragged))
            context.area.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._follow(context, event, drag)  # a busy Blender leaves moves out: where it is let go counts
            edited = drawn.dragged
            if tuple(edited) == drag.blocks:
                return self._ended(context, CANCELLED)
            apply_edit(self, context, drag.index, drag.blocks, edited)
            return self._ended(context, FINISHED)
        return RUNNING

    def _follow(self, context: Any, event: Any, drag: strips.Drag) -> None:
        view = paint.view_of(context.region)
        near = 0.0 if event.ctrl else strips.snap_frames(view)
        drawn.dragged = strips.dragged(drag, view.frame(event.mouse_region_x), near)

    def cancel(self, context: Any) -> None:
        """Blender ends it: another file, another screen."""
        self._ended(context, CANCELLED)

    def _ended(self, context: Any, outcome: Outcome) -> Outcome:
        drawn.drag, drawn.dragged = None, ()
        if context.area is not None:
            context.area.header_text_set(None)
            context.area.tag_redraw()
        return outcome


class KINEOGRAPH_OT_verdicts(bpy.types.Operator):
    """Show how far the take misses each key, pin, path and waypoint"""

    bl_idname = "kineograph.verdicts"
    bl_label = "Show Verdicts"

    take: StringProperty(name="Take", description="Its id")
    sample: IntProperty(name="Sample", description="Which variant", min=0)

    def execute(self, context: Any) -> Outcome:
        """Draw them; nothing is computed again, the daemon measured them."""
        shelf = session.current().shelf
        if shelf.get(self.take) is None:
            self.report({"WARNING"}, "This take is not here")
            return CANCELLED
        return told(self, lambda: self._show(plan.character_of(context), shelf.take(self.take)))

    def _show(self, armature: Any, take: Take) -> None:
        data = None if armature is None else armature.animation_data
        plays = None if data is None or stamps.origin_of(data.action).partition(":")[0] != take.id else data.action
        start = None if plays is None else applying.starts_at(plays, take)
        how = {"armature": "" if armature is None else armature.name, "sample": self.sample, "start": start}
        how["in_place"] = stamps.is_in_place(plays)
        show.applied(take, how)


def _preview(operator: Any, armature: Any, scene: Any) -> None:
    asked = plan.directions_of(armature, scene, _model(scene))
    name, at, facts = armature.name, scene.name, _facts(scene)
    parts: list[request.Outgoing] = []

    def stray(frames: Sequence[int]) -> tuple[int, ...]:
        character, here = bpy.data.objects.get(name), bpy.data.scenes.get(at)
        return () if character is None or here is None else plan.stray(character, here, frames)

    def take_in(part: request.Outgoing) -> Generator[None, None, None]:
        parts.append(part)
        if len(parts) == len(asked):
            yield from show.previewing(name, parts, facts, stray)

    for direction in asked:
        if not session.turns():
            whole(take_in(gathering.gather(armature, scene, direction)))
        else:
            session.current().read_soon(armature, scene, direction, take_in, pressed(operator))
    if not asked:
        show.preview(name, parts, facts)


def nearest(places: Sequence[tuple[int | None, float, float, float, float]], x: float, y: float, within: float) -> Any:
    """The frame of the text (frame, left, bottom, width, height) nearest to the mouse; None for none in reach."""
    best: tuple[float, int] | None = None
    for frame, left, bottom, width, height in places:
        dx, dy = max(left - x, 0.0, x - left - width), max(bottom - y, 0.0, y - bottom - height)
        off = (dx * dx + dy * dy) ** 0.5
        if frame is not None and off <= within and (best is None or off < best[0]):
            best = (off, frame)
    return None if best is None else best[1]


def _advised(note: int, fix: str) -> tuple[Any, Any]:
    notes = () if drawn.preview is None else drawn.preview.notes
    found = notes[note] if note < len(notes) else None
    return found, found and next((f for f in found.fixes if f.id == fix), None)


def _model(scene: Any) -> str:
    return str(scene.kineograph.model) or session.current().models.default


def _facts(scene: Any) -> dict[str, Any]:
    model = session.current().models.get(str(scene.kineograph.model))
    if model is None:
        return {}
    known = ("text", "any_fps", "phrases", "words", "label")
    return {**model.facts, **{k: model.extras[k] for k in known if k in model.extras}}


CLASSES = (
    KINEOGRAPH_OT_preview,
    KINEOGRAPH_OT_advice,
    KINEOGRAPH_OT_hide,
    KINEOGRAPH_OT_go_to,
    KINEOGRAPH_OT_verdicts,
    KINEOGRAPH_OT_verdict_click,
    KINEOGRAPH_OT_strip_drag,
)
