# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixes in the scene: what a hand would do in Blender, done by Blender's own means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import bpy

from .. import applying, props, reading, session
from ..bridge import datapath, marks, unlocked
from ..direction import props as direction
from .alone import alone
from .rename import rename
from .requests import called_now
from .work import Work


def _select(work: Work) -> str:
    ref = work.args.get("ref") or work.ref
    thing = work.thing(str(ref.get("object") or ""))
    if ref.get("kind") in ("key", "character", "root"):
        thing = work.character()
    for other in work.context.view_layer.objects:
        other.select_set(other == thing)
    work.context.view_layer.objects.active = thing
    work.can_go_on = False
    return f"'{thing.name}' is selected."


def _rename_bones(work: Work) -> str:
    armature = work.character()
    bones = armature.data.bones
    names = {str(old): str(new) for old, new in work.args["pairs"]}
    if armature.data.library is not None:
        raise work.cannot(f"the bones of {armature.name!r} are linked from another file")
    for old, new in names.items():
        if old not in bones:
            raise work.cannot(f"{armature.name!r} has no bone {old!r}")
        if new in bones:
            raise work.cannot(f"{armature.name!r} has a bone {new!r} already")
    rename(armature, names)
    if len(names) == 1:
        old, new = next(iter(names.items()))
        return f"Bone '{old}' is called '{new}' now."
    return f"{len(names)} bones are renamed."


def _choose_joint(work: Work) -> str:
    armature = work.character()
    if work.value not in armature.data.bones:
        raise work.cannot(f"{armature.name!r} has no bone {work.value!r}")
    if work.trouble.take:
        return called_now(work, work.value)
    if work.ref.get("kind") == "root":
        props.of_character(armature).root = work.value
        return f"Only '{work.value}' and what hangs below it are sent now."
    pin = work.thing()
    marks.set_joint(pin, work.value)
    return f"Pin '{pin.name}' holds '{work.value}' now."


def _choose_root(work: Work) -> str:
    armature = work.character()
    if work.value not in armature.data.bones:
        raise work.cannot(f"{armature.name!r} has no bone {work.value!r}")
    props.of_character(armature).root = work.value
    return f"Only '{work.value}' and what hangs below it are sent now."


def _edit_map(work: Work) -> str:
    found = reading.read(work.character())
    work.can_go_on = False
    lost = ", ".join(r.value.replace("_", " ") for r in found.missing) or "nothing"
    return f"The Bones panel below Character shows the map. Missing: {lost}."


def _use_deform_bones(work: Work) -> str:
    props.of_character(work.character()).bones = "deform"
    return "Only deform bones, and the controls between them, are sent now."


def _turn_range(work: Work) -> str:
    settings = props.of_scene(work.context.scene)
    settings.span, settings.start, settings.end = "OWN", int(work.args["first"]), int(work.args["last"])
    return f"The range is {settings.start} to {settings.end} now."


def _edit_prompt(work: Work) -> str:
    """In the request, and in the scene wherever the same words stand."""
    armature, old = work.character(), _prompt_of(work)
    if not work.value.strip():
        raise work.cannot("there is no new prompt")
    blocks = direction.read(armature)
    if any(b.prompt == old for b in blocks):
        direction.write(armature, [replace(b, prompt=work.value) if b.prompt == old else b for b in blocks])
    else:
        props.of_character(armature).prompt = work.value
    if work.trouble.request is not None:
        request = work.trouble.changed or work.trouble.request
        segments = [{**s, "prompt": work.value} if s.get("prompt") == old else s for s in request["segments"]]
        work.trouble.changed = {**request, "segments": segments}
    return "The prompt is changed."


def _prompt_of(work: Work) -> str:
    """The prompt that was refused: the one that the error points at, else the first."""
    segments = (work.trouble.request or {}).get("segments") or []
    path = work.where.get("path") or []
    at = path[1] if path[:1] == ["segments"] and len(path) > 1 else None
    named = segments[at : at + 1] if isinstance(at, int) else segments
    return next((str(s["prompt"]) for s in named if s.get("prompt")), "")


def _restore_take(work: Work) -> str:
    armature = work.character()
    rows = [r for r in session.current().shelf.rows(work.trouble.owner) if not r.rejected]
    if not rows:
        raise work.cannot("there is no earlier take of this character")
    applying.write(armature, work.context.scene, rows[0])
    work.can_go_on = False
    return f"'{rows[0].name}' shows again."


def _apply_to(work: Work) -> str:
    armature = bpy.data.objects.get(work.value)
    if armature is None or armature.type != "ARMATURE":
        raise work.cannot(f"there is no armature {work.value!r}")
    row = session.current().shelf.get(work.trouble.take)
    if row is None:
        raise work.cannot("the take is gone")
    applying.write(armature, work.context.scene, row)
    work.can_go_on = False
    return f"The take shows on '{armature.name}'."


def _keep_on_shelf(work: Work) -> str:
    session.current().troubles.settle(work.trouble)
    work.can_go_on = False
    return "It stays on the shelf."


def _make_override(work: Work) -> str:
    armature = work.character()
    made = armature.override_hierarchy_create(work.context.scene, work.context.view_layer, do_fully_editable=True)
    if made is None:
        raise work.cannot(f"Blender cannot override {armature.name!r}")
    work.trouble.character = made.name
    return f"'{made.name}' is an override of its own now."


def _unlock(work: Work) -> str:
    armature = work.character()
    names = [n for n in work.args["bones"] if n in armature.pose.bones]
    unlocked.unlock(armature, names)
    many = "1 bone is" if len(names) == 1 else f"{len(names)} bones are"
    return f"{many} unlocked until the take is rejected."


def _leave_tweak_mode(work: Work) -> str:
    work.character().animation_data.use_tweak_mode = False
    return "Tweak mode is left."


def _show_pose(work: Work) -> str:
    work.character().data.pose_position = "POSE"
    return "The pose shows."


def _mute_drivers(work: Work) -> str:
    armature, muted = work.character(), 0
    wanted = set(work.args["bones"])
    for curve in armature.animation_data.drivers:
        channel = datapath.parse(curve.data_path)
        if channel is not None and channel.bone in wanted and channel.prop in datapath.TRANSFORM_PROPS:
            curve.mute, muted = True, muted + 1
    return f"{muted} drivers are muted."


def _apply_scale(work: Work) -> str:
    """As Object > Apply > Scale does; the bones get the size, what hangs on the armature keeps its own."""
    armature = work.character()
    _only_object_mode(work.context)
    with alone(work.context.view_layer, work.context.scene, armature):
        # With bones of its own: another object with the same ones keeps them as they are.
        done = bpy.ops.object.transform_apply(location=False, rotation=False, scale=True, isolate_users=True)
    if "FINISHED" not in done:  # in a view of its own, where Blender sees other objects only
        raise work.cannot(f"Blender does not reach {armature.name!r} here: show it in this view")
    work.context.view_layer.update()
    return f"The scale of '{armature.name}' is applied."


def _keep_edits(work: Work) -> str:
    session.current().troubles.settle(work.trouble)
    work.can_go_on = False
    return "Your edits stay as they are."


def _new_action(work: Work) -> str:
    row = session.current().shelf.get(work.trouble.take)
    if row is None:
        raise work.cannot("the take is gone")
    applying.write(work.character(), work.context.scene, row)
    work.can_go_on = False
    return "The take shows as a new action; the edited one is kept."


def _only_object_mode(context: Any) -> None:
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


ACTIONS: Mapping[str, Callable[[Work], str]] = {
    "select": _select,
    "rename_bones": _rename_bones,
    "choose_joint": _choose_joint,
    "choose_root": _choose_root,
    "use_deform_bones": _use_deform_bones,
    "edit_map": _edit_map,
    "edit_profile": _edit_map,
    "edit_prompt": _edit_prompt,
    "turn_range": _turn_range,
    "restore_take": _restore_take,
    "apply_to": _apply_to,
    "keep_on_shelf": _keep_on_shelf,
    "make_override": _make_override,
    "unlock_channels": _unlock,
    "leave_tweak_mode": _leave_tweak_mode,
    "show_pose_position": _show_pose,
    "mute_drivers": _mute_drivers,
    "apply_scale": _apply_scale,
    "keep_edits": _keep_edits,
    "new_action": _new_action,
}
