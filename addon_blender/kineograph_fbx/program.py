# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by a Python that has ``bpy``, or by Blender itself: reads and writes FBX for a program that has neither.

Stands alone: nothing of Kineograph is imported here. One JSON object a line comes in ({"do": "read" | "write", ...}),
one line that begins with ``MARK`` goes out for each; everything else on standard output is Blender's own talk. World
matrices and positions are Blender's: z up, metres, acting on columns.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion

MARK = "@kineograph "
_FACTORS = {"location": 0.0, "rotation_quaternion": 0.0, "rotation_euler": 0.0, "scale": 1.0}


def main() -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        try:
            ask = json.loads(line)
            what = ask.pop("do")
            answer = read(**ask) if what == "read" else write(**ask)
        except Exception as problem:  # noqa: BLE001 - told to whoever asked
            answer = {"error": f"{type(problem).__name__}: {problem}".strip()[:500], "trace": traceback.format_exc()}
        print(f"\n{MARK}{json.dumps(answer)}", flush=True)


# ---- reading ---------------------------------------------------------------------------------------------------------


def read(path: str, out: str) -> dict[str, Any]:
    """World matrices of all joints at rest and in every take, into the .npz file ``out``."""
    _import(path)
    armature, others = _armature()
    bones = list(armature.data.bones)
    names = [bone.name for bone in bones]
    index = {name: i for i, name in enumerate(names)}
    parents = [-1 if bone.parent is None else index[bone.parent.name] for bone in bones]
    world = np.array(armature.matrix_world)
    rest = world @ np.array([bone.matrix_local for bone in bones])
    arrays: dict[str, Any] = {"parents": np.array(parents, np.int32), "rest": rest}
    takes: list[str] = []
    for action in bpy.data.actions:
        frames = _take(armature, action, parents)
        if frames is not None:
            arrays[f"take_{len(takes)}"] = frames
            takes.append(_take_name(action.name, armature.name))
    np.savez(out, **arrays)
    render = bpy.context.scene.render
    return {"names": names, "takes": takes, "fps_hz": render.fps / render.fps_base, "others": others}


def _import(path: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if path.lower().endswith((".glb", ".gltf")):
        bpy.ops.import_scene.gltf(filepath=path, disable_bone_shape=True)
        return
    _enable()
    if hasattr(bpy.ops.import_scene, "fbx") and "fbx" in dir(bpy.ops.import_scene):
        bpy.ops.import_scene.fbx(filepath=path, anim_offset=0.0, ignore_leaf_bones=False)
    else:
        bpy.ops.wm.fbx_import(filepath=path)


def _enable() -> None:
    with contextlib.suppress(Exception):  # built in, or gone: the call that follows tells
        bpy.ops.preferences.addon_enable(module="io_scene_fbx")


def _armature() -> tuple[Any, int]:
    """The armature with the most bones, and how many others there are."""
    found = [o for o in bpy.context.scene.objects if o.type == "ARMATURE" and len(o.data.bones)]
    if not found:
        raise ValueError("it holds no skeleton")
    found.sort(key=lambda o: -len(o.data.bones))
    return found[0], len(found) - 1


def _take_name(name: str, armature: str) -> str:
    """The importer says OBJECT|STACK|LAYER (no layer where it is called as the stack); the exporter OBJECT|ACTION."""
    parts = name.removeprefix(f"{armature}|").split("|")
    if len(parts) > 1 and re.fullmatch(r"(Base|Anim)?_?Layer_?\d*", parts[-1]):
        parts.pop()
    return parts[-1]


def _take(armature: Any, action: Any, parents: list[int]) -> Any:
    """World matrices (T, J, 4, 4) of an action that moves the armature's bones; None for any other."""
    curves = [(c, place) for c in _curves(action, armature) if (place := _place(c.data_path)) is not None]
    ends = [k.co[0] for c, _ in curves if len(c.keyframe_points) for k in (c.keyframe_points[0], c.keyframe_points[-1])]
    if not ends:
        return None
    start, count = min(ends), round(max(ends) - min(ends)) + 1
    values: dict[tuple[str, str], Any] = {}
    for curve, place in curves:
        width = 4 if place[1] == "rotation_quaternion" else 3
        held = values.setdefault(place, np.full((count, width), _FACTORS[place[1]]))
        held[:, curve.array_index] = [curve.evaluate(start + f) for f in range(count)]
    bones = list(armature.data.bones)
    out = np.zeros((count, len(bones), 4, 4))
    above = _object_world(armature, values, count)
    for j, bone in enumerate(bones):
        parent = parents[j]
        local = bone.matrix_local if parent < 0 else bones[parent].matrix_local.inverted() @ bone.matrix_local
        basis = _basis(values, bone.name, armature.pose.bones[bone.name].rotation_mode, count)
        up = above if parent < 0 else out[:, parent]
        out[:, j] = up @ np.array(local) @ basis
    return out


def _object_world(armature: Any, values: dict[tuple[str, str], Any], count: int) -> Any:
    still = np.broadcast_to(np.array(armature.matrix_world), (count, 4, 4))
    if not any(bone == "" for bone, _ in values):
        return still
    if ("", "scale") not in values:
        values["", "scale"] = np.tile(np.array(armature.scale), (count, 1))
    if ("", "location") not in values:
        values["", "location"] = np.tile(np.array(armature.location), (count, 1))
    if not {("", "rotation_euler"), ("", "rotation_quaternion")} & values.keys():
        mode = armature.rotation_mode
        turn = armature.rotation_quaternion if mode == "QUATERNION" else armature.rotation_euler.to_quaternion()
        values["", "rotation_quaternion"] = np.tile(np.array(turn), (count, 1))
    parent = armature.parent.matrix_world if armature.parent else Matrix()
    return np.array(parent @ armature.matrix_parent_inverse) @ _basis(values, "", armature.rotation_mode, count)


def _basis(values: dict[tuple[str, str], Any], name: str, mode: str, count: int) -> Any:
    """Matrices (T, 4, 4) of location, rotation and scale."""
    out = np.tile(np.eye(4), (count, 1, 1))
    turns = values.get((name, "rotation_quaternion"))
    if turns is not None:
        turns = [Quaternion(q if any(q) else (1, 0, 0, 0)).normalized() for q in turns]
    elif (name, "rotation_euler") in values:
        order = mode if len(mode) == 3 else "XYZ"
        turns = [Euler(e, order).to_quaternion() for e in values[name, "rotation_euler"]]
    if turns is not None:
        out[:, :3, :3] = [q.to_matrix() for q in turns]
    if (name, "scale") in values:
        out[:, :3, :3] *= values[name, "scale"][:, None, :]
    if (name, "location") in values:
        out[:, :3, 3] = values[name, "location"]
    return out


def _place(path: str) -> tuple[str, str] | None:
    """A curve's bone ("" for the object) and property."""
    head, _, what = path.rpartition(".")
    if what not in _FACTORS:
        return None
    if not head:
        return "", what
    return (head[len('pose.bones["') : -2], what) if head.startswith('pose.bones["') else None


def _curves(action: Any, armature: Any) -> list[Any]:
    """The curves of an action that are for this armature; where actions have slots, those of its slot."""
    if not getattr(action, "layers", None):
        return list(action.fcurves) if hasattr(action, "fcurves") else []
    best: list[Any] = []
    for bag in _bags(action):
        slot = getattr(bag, "slot", None)
        curves = list(bag.fcurves)
        named = slot is not None and slot.identifier == f"OB{armature.name}"
        bones = sum(c.data_path.startswith("pose.bones") for c in curves)
        if named and curves:
            return curves
        if bones > sum(c.data_path.startswith("pose.bones") for c in best):
            best = curves
    return best


def _bags(action: Any) -> Iterator[Any]:
    for layer in action.layers:
        for strip in layer.strips:
            yield from strip.channelbags


# ---- writing ---------------------------------------------------------------------------------------------------------


def write(data: str, out: str, names: list[str], takes: list[str], fps_hz: float, character: str) -> dict[str, Any]:
    """Write takes from ``data`` (.npz): ``parents``, ``rest`` (J, 4, 4), and of each take ``move_N`` (T, J, 3), world
    positions, and ``turn_N`` (T, J, 4) xyzw, world rotations measured from rest. ``character`` is a file whose mesh
    and skin are kept, or "".
    """
    arrays = np.load(data)
    if character:
        _import(character)
        armature, _ = _armature()
        _forget_actions()
    else:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        armature = _build(names, arrays["parents"], arrays["rest"])
    missing = [name for name in names if name not in armature.data.bones]
    if missing:
        raise ValueError(f"the character has no bone {missing[0]!r}")
    render = bpy.context.scene.render
    render.fps = max(1, round(fps_hz))
    render.fps_base = render.fps / fps_hz
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    for i, take in enumerate(takes):
        _animate(armature, names, take, arrays[f"move_{i}"], arrays[f"turn_{i}"])
    _rest(armature)
    _enable()
    bpy.ops.export_scene.fbx(
        filepath=out, object_types={"ARMATURE", "MESH", "EMPTY"}, add_leaf_bones=False, bake_anim=bool(takes),
        bake_anim_use_all_actions=True, bake_anim_use_nla_strips=False, bake_anim_simplify_factor=0.0,
        bake_anim_force_startend_keying=True, path_mode="COPY", embed_textures=True,
    )  # fmt: skip
    return {"bytes": os.path.getsize(out)}


def _rest(armature: Any) -> None:
    """What the exporter writes beside the takes is the pose as it stands: a reader takes it for the rest pose."""
    if armature.animation_data is not None:
        armature.animation_data.action = None
    for bone in armature.pose.bones:
        bone.matrix_basis = Matrix()
    bpy.context.view_layer.update()


def _forget_actions() -> None:
    for item in bpy.context.scene.objects:
        item.animation_data_clear()
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)


def _build(names: list[str], parents: Any, rest: Any) -> Any:
    """An armature whose bones stand as the joints do."""
    data = bpy.data.armatures.new("Armature")
    armature = bpy.data.objects.new("Armature", data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    heads = rest[:, :3, 3]
    for j, name in enumerate(names):
        bone = data.edit_bones.new(name)
        below = [float(np.linalg.norm(heads[k] - heads[j])) for k in np.flatnonzero(parents == j)]
        length = max(below, default=0.0)
        if length < 1e-3:
            length = max(0.02, 0.3 * float(np.linalg.norm(heads[j] - heads[parents[j]])) if parents[j] >= 0 else 0.1)
        bone.head, bone.tail = (0.0, 0.0, 0.0), (0.0, length, 0.0)
        bone.matrix = Matrix(rest[j].tolist())
        if parents[j] >= 0:
            bone.parent = data.edit_bones[names[int(parents[j])]]
    bpy.ops.object.mode_set(mode="OBJECT")
    if list(data.bones.keys()) and len(data.bones) != len(names):
        raise ValueError("bones lie on top of each other or have no length")
    return armature


def _animate(armature: Any, names: list[str], take: str, moves: Any, turns: Any) -> None:
    """A new action in which every named bone stands at ``moves`` and is turned by ``turns`` from its rest."""
    count = len(moves)
    index = {name: j for j, name in enumerate(names)}
    world = np.array(armature.matrix_world)
    back = np.linalg.inv(world)
    plain = world[:3, :3] / np.linalg.norm(world[:3, :3], axis=0)
    bones = list(armature.data.bones)
    at = {bone.name: i for i, bone in enumerate(bones)}
    pose = np.zeros((count, len(bones), 4, 4))
    channels: list[tuple[str, int, Any]] = []
    for i, bone in enumerate(bones):
        rest = np.array(bone.matrix_local)
        up_rest = np.eye(4) if bone.parent is None else np.array(bone.parent.matrix_local)
        up = np.eye(4) if bone.parent is None else pose[:, at[bone.parent.name]]
        still = up @ np.linalg.inv(up_rest) @ rest
        j = index.get(bone.name)
        if j is None:
            pose[:, i] = still
            continue
        pose[:, i] = np.eye(4)
        pose[:, i, :3, :3] = plain.T @ _matrices(turns[:, j]) @ plain @ rest[:3, :3]
        pose[:, i, :3, 3] = moves[:, j] @ back[:3, :3].T + back[:3, 3]
        basis = np.linalg.inv(still) @ pose[:, i]
        path = f'pose.bones["{bone.name}"].'
        channels += [(f"{path}rotation_quaternion", k, v) for k, v in enumerate(_wxyz(basis[:, :3, :3]).T)]
        if np.abs(basis[:, :3, 3]).max() > 1e-5 * max(1.0, 1.0 / abs(np.cbrt(np.linalg.det(world[:3, :3])))):
            channels += [(f"{path}location", k, v) for k, v in enumerate(basis[:, :3, 3].T)]
    action = bpy.data.actions.new(take)
    curves = _new_curves(armature, action)
    flat = np.empty(2 * count, np.float32)
    flat[0::2] = np.arange(1, count + 1)
    for path, k, values in channels:
        curve = curves.new(path, index=k)
        curve.keyframe_points.add(count)
        flat[1::2] = values
        curve.keyframe_points.foreach_set("co", flat)
        curve.keyframe_points.foreach_set("interpolation", np.ones(count, np.int32))  # linear
        curve.update()


def _new_curves(armature: Any, action: Any) -> Any:
    """The empty collection of an action's curves, the action assigned to the armature."""
    holder = armature.animation_data or armature.animation_data_create()
    holder.action = action
    if not hasattr(action, "slots"):
        return action.fcurves
    slot = action.slots.new("OBJECT", armature.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    holder.action_slot = slot
    return strip.channelbag(slot, ensure=True).fcurves


def _matrices(xyzw: Any) -> Any:
    x, y, z, w = np.asarray(xyzw, np.float64).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _wxyz(matrices: Any) -> Any:
    """Quaternions (T, 4) of rotation matrices, each on the side of the one before."""
    out = np.array([Matrix(m.tolist()).to_quaternion() for m in matrices])
    flip = np.cumprod(np.where((out[1:] * out[:-1]).sum(-1) < 0, -1.0, 1.0))
    out[1:] *= flip[:, None]
    return out


if __name__ == "__main__":
    main()
