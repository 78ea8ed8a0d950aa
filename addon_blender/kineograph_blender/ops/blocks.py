# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks: add, remove, split, move, resize, trim, lock. Each is one undo step, and moves no block nobody named."""

from collections.abc import Callable, Sequence
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from kineograph.errors import KineographError

from .. import plan
from ..bridge import blocks as algebra
from ..bridge.blocks import Block, Side
from ..bridge.request import scene_span
from ..direction import along
from ..direction import props as saved
from .base import CANCELLED, FINISHED, Outcome

_SIDES = (("start", "Start", "The block's first frame"), ("end", "End", "The block's last frame"))
BLOCK = {
    "name": "Block",
    "description": "The block's place in the list, from 0; below 0 means the active one",
    "default": -1,
    "options": {"SKIP_SAVE"},
}
_SECONDS = 2.5
"""Length of a new block."""


class _OnCharacter:
    """Needs a character."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a character."""
        return plan.character_of(context) is not None


class _OnBlock(_OnCharacter):
    """Needs a block: the one named by ``index``, or the active one."""

    index: int

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a block."""
        armature = plan.character_of(context)
        if armature is None or not len(armature.kineograph_direction.blocks):
            cls.poll_message_set("Add a block first")  # type: ignore[attr-defined]  # every operator has it
            return False
        return True


class KINEOGRAPH_OT_block_add(_OnCharacter, bpy.types.Operator):
    """Add a block in the first gap, or after the last one"""

    bl_idname = "kineograph.block_add"
    bl_label = "Add Block"

    prompt: StringProperty(name="Prompt", description="What the character does", options={"SKIP_SAVE"})
    start: IntProperty(name="Start", description="First frame", options={"SKIP_SAVE"})
    end: IntProperty(name="End", description="Last frame; before the start: two and a half seconds long", default=-1)

    def execute(self, context: Any) -> Outcome:
        """Add it and make it active."""
        armature, scene = plan.character_of(context), context.scene
        blocks = saved.read(armature)
        if self.properties.is_property_set("start"):
            first, last = self.start, self.end
        else:
            frames = max(round(_SECONDS * scene.render.fps / scene.render.fps_base), 1)
            first, last = algebra.place_for(blocks, scene_span(scene), frames)
        prompt = self.prompt
        if not blocks and not prompt:
            prompt = str(armature.kineograph.prompt).strip()

        def add() -> None:
            saved.write(armature, algebra.add(blocks, Block(first, last, prompt)), active=len(blocks))

        return _said(self, add)


class KINEOGRAPH_OT_block_remove(_OnBlock, bpy.types.Operator):
    """Remove the block; its motion, keys and pins stay"""

    bl_idname = "kineograph.block_remove"
    bl_label = "Remove Block"

    index: IntProperty(**BLOCK)

    def execute(self, context: Any) -> Outcome:
        """Remove it."""
        armature, at = _chosen(self, context)
        blocks = saved.read(armature)
        saved.write(armature, [b for i, b in enumerate(blocks) if i != at], active=max(at - 1, 0))
        return FINISHED


class KINEOGRAPH_OT_block_split(_OnBlock, bpy.types.Operator):
    """Split the block at the current frame"""

    bl_idname = "kineograph.block_split"
    bl_label = "Split Block"

    index: IntProperty(**BLOCK)

    def execute(self, context: Any) -> Outcome:
        """The second half begins at the current frame."""
        frame = int(context.scene.frame_current)
        return _edited(self, context, lambda blocks, at: algebra.split(blocks, at, frame))


class KINEOGRAPH_OT_block_move(_OnBlock, bpy.types.Operator):
    """Move the block along the timeline"""

    bl_idname = "kineograph.block_move"
    bl_label = "Move Block"

    index: IntProperty(**BLOCK)
    by: IntProperty(name="Frames", description="So many frames later, or earlier if below 0")

    def execute(self, context: Any) -> Outcome:
        """Move it, and its keys with it if that is asked for."""
        return _edited(self, context, lambda blocks, at: algebra.move(blocks, at, self.by), carries=True)


class KINEOGRAPH_OT_block_resize(_OnBlock, bpy.types.Operator):
    """Move one end of the block"""

    bl_idname = "kineograph.block_resize"
    bl_label = "Resize Block"

    index: IntProperty(**BLOCK)
    side: EnumProperty(items=_SIDES, name="End", description="Which end of the block")
    to: IntProperty(name="Frame", description="Where that end goes")

    def execute(self, context: Any) -> Outcome:
        """Resize it, and spread its keys with it if that is asked for."""
        side = Side(self.side)
        return _edited(self, context, lambda blocks, at: algebra.resize(blocks, at, side, self.to), carries=True)


class KINEOGRAPH_OT_block_trim(_OnBlock, bpy.types.Operator):
    """Cut one end of the block off at the current frame"""

    bl_idname = "kineograph.block_trim"
    bl_label = "Trim to Current Frame"

    index: IntProperty(**BLOCK)
    side: EnumProperty(items=_SIDES, name="End", description="Which end of the block")

    def execute(self, context: Any) -> Outcome:
        """Trim it; its keys stay where they are."""
        frame, side = int(context.scene.frame_current), Side(self.side)
        return _edited(self, context, lambda blocks, at: algebra.trim(blocks, at, side, frame))


class KINEOGRAPH_OT_block_lock(_OnBlock, bpy.types.Operator):
    """Keep the motion of this block: Generate leaves it alone, and its neighbours run into it"""

    bl_idname = "kineograph.block_lock"
    bl_label = "Lock Block"

    index: IntProperty(**BLOCK)
    lock: BoolProperty(name="Lock", description="Off: generate it again", default=True)

    def execute(self, context: Any) -> Outcome:
        """Lock or unlock it."""
        armature, at = _chosen(self, context)
        saved.touch(armature).blocks[at].is_locked = self.lock
        return FINISHED


def apply_edit(operator: Any, context: Any, at: int, blocks: Sequence[Block], edited: Sequence[Block]) -> None:
    """Write edited blocks and take along what is inside the one at ``at``, if the character's settings say so."""
    armature = plan.character_of(context)
    saved.write(armature, edited, active=at)
    if not armature.kineograph_direction.take_along:
        return
    moved = along.take_along(armature, context.scene, blocks[at], edited[at])
    if moved.keys or moved.marks:
        operator.report({"INFO"}, f"Took along keys at {moved.keys} frames and {moved.marks} marks")
    if moved.stayed:
        operator.report(
            {"WARNING"}, f"Keys at {moved.stayed} frames stay: the take they are set on is linked from another file"
        )


def _edited(
    operator: Any, context: Any, edit: Callable[[Sequence[Block], int], Sequence[Block]], carries: bool = False
) -> Outcome:
    armature, at = _chosen(operator, context)
    blocks = saved.read(armature)

    def write() -> None:
        edited = edit(blocks, at)
        if carries:
            apply_edit(operator, context, at, blocks, edited)
        else:
            saved.write(armature, edited, active=at)

    return _said(operator, write)


def _said(operator: Any, verb: Callable[[], None]) -> Outcome:
    # These errors are about one block, not about a request: their own sentence says more than the catalogue's.
    try:
        verb()
    except KineographError as e:
        operator.report({"WARNING"}, f"{e.message[:1].upper()}{e.message[1:]}")
        return CANCELLED
    return FINISHED


def _chosen(operator: Any, context: Any) -> tuple[Any, int]:
    armature = plan.character_of(context)
    wishes = armature.kineograph_direction
    last = len(wishes.blocks) - 1
    return armature, min(operator.index, last) if operator.index >= 0 else max(min(wishes.active, last), 0)


CLASSES = (
    KINEOGRAPH_OT_block_add,
    KINEOGRAPH_OT_block_remove,
    KINEOGRAPH_OT_block_split,
    KINEOGRAPH_OT_block_move,
    KINEOGRAPH_OT_block_resize,
    KINEOGRAPH_OT_block_trim,
    KINEOGRAPH_OT_block_lock,
)
