# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks, which keys count, how the motion begins and ends, and what belongs to the character's direction."""

from typing import Any

import bpy

from .. import compat, plan
from ..bridge import blocks as algebra
from ..bridge import keymarks, marks
from ..bridge.blocks import Kind
from ..bridge.marks import Heading, Role
from ..direction import props as saved
from .base import CharacterPanel, grey


class KINEOGRAPH_UL_blocks(bpy.types.UIList):
    """The blocks, a line each."""

    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: int, active_data: Any, active_property: str
    ) -> None:
        """Frames, prompt, off and lock."""
        row = layout.row(align=True)
        row.active = item.is_enabled
        parts = row.split(factor=0.38, align=True)
        parts.label(text=f"{item.start}-{item.end}")
        parts.prop(item, "name", text="", emboss=False, placeholder="(free)")
        row.prop(
            item, "is_enabled", text="", icon="CHECKBOX_HLT" if item.is_enabled else "CHECKBOX_DEHLT", emboss=False
        )
        row.prop(item, "is_locked", text="", icon="LOCKED" if item.is_locked else "UNLOCKED", emboss=False)


class KINEOGRAPH_PT_prompts(CharacterPanel, bpy.types.Panel):
    """Prompts on the timeline."""

    bl_label = "Blocks"
    bl_parent_id = "KINEOGRAPH_PT_direction"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Shown once there is a block: until then the prompt holds over the whole range."""
        return super().poll(context) and len(plan.character_of(context).kineograph_direction.blocks) > 0

    def draw(self, context: Any) -> None:
        """The list, the active block, and what overlaps or is left free."""
        armature = plan.character_of(context)
        wishes, layout = armature.kineograph_direction, self.layout
        row = layout.row()
        row.template_list(
            "KINEOGRAPH_UL_blocks", "", wishes, "blocks", wishes, "active", rows=min(max(len(wishes.blocks), 2), 6)
        )
        column = row.column(align=True)
        column.operator("kineograph.block_add", text="", icon="ADD")
        column.operator("kineograph.block_remove", text="", icon="REMOVE")
        column.operator("kineograph.block_split", text="", icon="MOD_EDGESPLIT")
        self._active(wishes)
        for line in self._lines(armature, context.scene):
            grey(layout, line, "INFO")

    def _active(self, wishes: Any) -> None:
        if not 0 <= wishes.active < len(wishes.blocks):
            return
        block, layout = wishes.blocks[wishes.active], self.layout
        row = layout.row(align=True)
        row.prop(block, "start")
        row.prop(block, "end")
        row = layout.row(align=True)
        for side, text in (("start", "Trim Start"), ("end", "Trim End")):
            row.operator("kineograph.block_trim", text=text).side = side
        row = layout.row()
        row.prop(wishes, "take_along")
        row.prop(block, "use_seed")
        if block.use_seed:
            layout.prop(block, "seed")

    def _lines(self, armature: Any, scene: Any) -> list[str]:
        blocks = saved.read(armature)
        span = algebra.hull(blocks) or plan.span_of(armature, scene)
        said = [f"{_name(blocks[i])}: {why}." for i, why in algebra.left_out(blocks, plan.span_of(armature, scene))]
        said += [f"{first}-{last} is free: the model decides." for first, last in algebra.gaps(blocks, span)]
        locked = [s for s in algebra.spans(blocks, span) if s.kind is Kind.LOCKED]
        return said + [f"{s.first}-{s.last} is locked: its motion stays." for s in locked]


class KINEOGRAPH_PT_keys(CharacterPanel, bpy.types.Panel):
    """Which keys count, and how the motion begins and ends."""

    bl_label = "Keys and Ends"
    bl_parent_id = "KINEOGRAPH_PT_direction"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Choices, and the current frame's marks."""
        armature, layout = plan.character_of(context), self.layout
        wishes = armature.kineograph_direction
        layout.prop(armature.kineograph, "keys")
        layout.prop(wishes, "pick")
        row = layout.row(align=True)
        row.label(text="Key pose")
        for word, text in (("MARK", "Mark"), ("UNMARK", "Unmark"), ("CLEAR", "As Keyed")):
            row.operator("kineograph.key_mark", text=text).word = word
        grey(layout, self._marked(armature, int(context.scene.frame_current)))
        layout.prop(wishes, "begin")
        row = layout.row(align=True)
        row.prop(wishes, "use_end")
        if wishes.use_end:
            row.prop(wishes, "end_frame", text="")
            row.prop(wishes, "end_place", text="", icon="CON_LOCLIKE")

    def _marked(self, armature: Any, frame: int) -> str:
        bones = armature.pose.bones
        yes = sum(frame in keymarks.marked(b) for b in bones)
        no = sum(frame in keymarks.unmarked(b) for b in bones)
        chosen = sum(compat.is_bone_selected(b) for b in bones)
        about = f"{chosen} selected bones" if chosen else f"all {len(bones)} bones"
        return f"Frame {frame}: {yes} bones marked, {no} unmarked. The buttons are about {about}."


class KINEOGRAPH_PT_ways(CharacterPanel, bpy.types.Panel):
    """Paths, waypoints and pins of this character."""

    bl_label = "Paths, Waypoints, Pins"
    bl_parent_id = "KINEOGRAPH_PT_direction"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: Any) -> None:
        """How many there are."""
        found = sum(1 for _ in marks.all_of(plan.character_of(context), context.scene))
        if found:
            self.layout.label(text=str(found))

    def draw(self, context: Any) -> None:
        """A line each, and the buttons that add one."""
        armature, scene, layout = plan.character_of(context), context.scene, self.layout
        row = layout.row(align=True)
        row.prop(armature.kineograph, "use_paths", toggle=True)
        row.prop(armature.kineograph_direction, "use_waypoints", toggle=True)
        row.prop(armature.kineograph, "use_pins", toggle=True)
        column = layout.column(align=True)
        entries = _entries(armature, scene)
        for text, icon, marked in entries:
            row = column.row(align=True)
            row.label(text=text, icon=icon)
            row.operator("kineograph.mark_edit", text="", icon="GREASEPENCIL", emboss=False).name = marked.name
            row.operator("kineograph.mark_remove", text="", icon="X", emboss=False).name = marked.name
        parts = layout.split(factor=0.16, align=True)
        parts.label(text="Add")
        row = parts.row(align=True)
        row.operator("kineograph.path_add", text="Path")
        row.operator("kineograph.waypoint_add", text="Waypoint")
        row.operator("kineograph.pin_add", text="Pin")
        icons = [icon for _, icon, _ in entries]
        if "CURVE_DATA" in icons:
            layout.operator("kineograph.to_waypoints")
        if icons.count("EMPTY_ARROWS") > 1:
            layout.operator("kineograph.to_path")


_FACING = {Heading.TANGENT: "facing along it", Heading.FREE: "facing freely", Heading.TILT: "facing by its tilt"}


def _entries(armature: Any, scene: Any) -> list[tuple[str, str, Any]]:
    """Paths, waypoints by frame, pins: a text, an icon and the object. One pass, because it is drawn often."""
    out = []
    for role, marked in marks.all_of(armature, scene):
        span = marks.frames_of(marked)
        when = f" {span[0]}-{span[1]}" if span else ""
        match role:
            case Role.PATH:
                out.append((0, 0, f"{marked.name}{when}, {_FACING[marks.heading_of(marked)]}", "CURVE_DATA", marked))
            case Role.WAYPOINT:
                faces = ", facing" if marks.turns(marked) else ""
                frame = marks.waypoint_frame(marked)
                out.append((1, frame, f"{marked.name} at {frame}{faces}", "EMPTY_ARROWS", marked))
            case Role.PIN:
                out.append((2, 0, f"{marked.name}: {marks.joint_of(marked)}{when}", "PINNED", marked))
    return [(text, icon, marked) for _, _, text, icon, marked in sorted(out, key=lambda row: row[:3])]


def _name(block: Any) -> str:
    return repr(block.prompt.strip()) if block.prompt.strip() else f"The block at {block.start}"


CLASSES = (KINEOGRAPH_UL_blocks, KINEOGRAPH_PT_prompts, KINEOGRAPH_PT_keys, KINEOGRAPH_PT_ways)
