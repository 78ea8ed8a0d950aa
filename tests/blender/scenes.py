# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs, keys, paths and pins for tests: made from scratch, the same in every Blender version."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector
from tests.blender import package

from kineograph_blender import compat
from kineograph_blender.bridge import datapath, marks

KEY_FRAMES = (1, 38, 75, 112, 150)

# name, parent, head, tail: y forward is -Y as Blender's characters face, metres
BODY = (
    ("Hips", None, (0, 0, 1.0), (0, 0, 1.1)),
    ("Spine", "Hips", (0, 0, 1.1), (0, 0.01, 1.25)),
    ("Spine1", "Spine", (0, 0.01, 1.25), (0, 0.02, 1.4)),
    ("Neck", "Spine1", (0, 0.02, 1.5), (0, 0.0, 1.6)),
    ("Head", "Neck", (0, 0.0, 1.6), (0, 0.0, 1.8)),
    ("LeftShoulder", "Spine1", (0.04, 0.02, 1.45), (0.15, 0.02, 1.45)),
    ("LeftArm", "LeftShoulder", (0.18, 0.02, 1.45), (0.45, 0.03, 1.45)),
    ("LeftForeArm", "LeftArm", (0.45, 0.03, 1.45), (0.7, 0.02, 1.45)),
    ("LeftHand", "LeftForeArm", (0.7, 0.02, 1.45), (0.8, 0.02, 1.45)),
    ("RightShoulder", "Spine1", (-0.04, 0.02, 1.45), (-0.15, 0.02, 1.45)),
    ("RightArm", "RightShoulder", (-0.18, 0.02, 1.45), (-0.45, 0.03, 1.45)),
    ("RightForeArm", "RightArm", (-0.45, 0.03, 1.45), (-0.7, 0.02, 1.45)),
    ("RightHand", "RightForeArm", (-0.7, 0.02, 1.45), (-0.8, 0.02, 1.45)),
    ("LeftUpLeg", "Hips", (0.1, 0, 0.95), (0.1, -0.01, 0.5)),
    ("LeftLeg", "LeftUpLeg", (0.1, -0.01, 0.5), (0.1, 0.02, 0.08)),
    ("LeftFoot", "LeftLeg", (0.1, 0.02, 0.08), (0.1, -0.1, 0.02)),
    ("LeftToeBase", "LeftFoot", (0.1, -0.1, 0.02), (0.1, -0.17, 0.02)),
    ("RightUpLeg", "Hips", (-0.1, 0, 0.95), (-0.1, -0.01, 0.5)),
    ("RightLeg", "RightUpLeg", (-0.1, -0.01, 0.5), (-0.1, 0.02, 0.08)),
    ("RightFoot", "RightLeg", (-0.1, 0.02, 0.08), (-0.1, -0.1, 0.02)),
    ("RightToeBase", "RightFoot", (-0.1, -0.1, 0.02), (-0.1, -0.17, 0.02)),
)


def fresh() -> Any:
    """Empty the file; returns the scene, 24 fps, frames 1 to 150.

    Preferences stay: with the factory's the extension would be off, and Blender would remove the wheels it brought.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 150
    scene.render.fps, scene.render.fps_base = 24, 1.0
    return scene


def add(thing: Any, name: str = "") -> Any:
    """A new object in the scene."""
    new = bpy.data.objects.new(name or (thing.name if thing else "Empty"), thing)
    bpy.context.scene.collection.objects.link(new)
    return new


def armature(name: str, bones: Any, *, prefix: str = "", axes: Matrix | None = None, size: float = 1.0) -> Any:
    """An armature from (name, parent, head, tail) rows; ``axes`` and ``size`` are baked into the rest pose."""
    data = bpy.data.armatures.new(name)
    rig = add(data, name)
    activate(rig)
    bpy.ops.object.mode_set(mode="EDIT")
    turn = axes or Matrix.Identity(3)
    for bone_name, parent, head, tail in bones:
        bone = data.edit_bones.new(prefix + bone_name)
        bone.head, bone.tail = turn @ Vector(head) * size, turn @ Vector(tail) * size
        if parent is not None:
            up = data.edit_bones[prefix + parent]
            bone.parent = up
            bone.use_connect = (up.tail - bone.head).length < 1e-5 * size
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def simple(name: str = "Hero") -> Any:
    """A 21-bone figure."""
    return armature(name, BODY)


def mixamo(name: str = "Mixamo") -> Any:
    """As an FBX import leaves it: centimetres, y up, the object scaled 0.01 and turned 90 degrees about X."""
    turn = Matrix.Rotation(math.radians(-90), 3, "X")
    rig = armature(name, BODY, prefix="mixamorig:", axes=turn, size=100.0)
    rig.scale = (0.01, 0.01, 0.01)
    rig.rotation_euler = (math.radians(90), 0, 0)
    bpy.context.view_layer.update()
    return rig


@cache
def rigify_file() -> str:
    """A file with Rigify's rigs, made once a run in a process of its own."""
    folder = Path(mkdtemp(prefix="kg-rigify-"))
    made = folder / "rigs.blend"
    script = str(Path(__file__).with_name("make_rigify.py"))
    command = [sys.executable, script, str(made)]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=package.apart())
    return str(made)


def clean_up() -> None:
    """Remove the file again; the process ends without Python's own clean-up."""
    if rigify_file.cache_info().currsize:
        shutil.rmtree(Path(rigify_file()).parent, ignore_errors=True)


def rigify(which: str, name: str) -> Any:
    """One of Rigify's rigs: 'human', 'quadruped', 'basic', or generated: 'generated' (a person), 'animal' (a dog)."""
    with bpy.data.libraries.load(rigify_file(), link=False) as (_, data):
        data.objects = [which]
    rig = data.objects[0]
    rig.name = name
    bpy.context.scene.collection.objects.link(rig)
    activate(rig)
    bpy.context.view_layer.update()
    return rig


def metarig(kind: str, name: str = "Meta") -> Any:
    """One of Rigify's metarigs."""
    return rigify(kind, name)


def generated_rigify(name: str = "Small") -> Any:
    """The rig that Rigify generates from its basic human."""
    return rigify("generated", name)


RIGS = {
    "human": lambda: metarig("human"),
    "quadruped": lambda: metarig("quadruped"),
    "mixamo": mixamo,
}


def activate(thing: Any) -> None:
    """The active and only selected object."""
    for other in bpy.context.view_layer.objects:
        other.select_set(other == thing)
    bpy.context.view_layer.objects.active = thing


def key(rig: Any, bone: str, prop: str, frame: float, value: Any) -> None:
    """Key one property of one bone by hand."""
    action, slot = own(rig)
    group = compat.ensure_curve_list(action, slot)
    path = datapath.path(bone, prop)
    for index, x in enumerate(value):
        curve = group.find(path, index=index) or compat.new_curve(group, action, slot, path, index, bone)
        curve.keyframe_points.insert(frame, float(x))
        curve.update()


def own(rig: Any) -> tuple[Any, Any]:
    """The rig's action and slot, made when missing."""
    data = rig.animation_data_create()
    if data.action is None:
        action = bpy.data.actions.new(f"{rig.name} by hand")
        compat.bind(data, action, compat.new_slot(action, rig))
    return data.action, compat.slot_of(data)


def turn_value(rig: Any, bone: str, turn: Quaternion) -> tuple[str, list[float]]:
    """A rotation in the bone's own mode."""
    mode = rig.pose.bones[bone].rotation_mode
    if mode == "QUATERNION":
        return "rotation_quaternion", list(turn)
    if mode == "AXIS_ANGLE":
        axis, angle = turn.to_axis_angle()
        return "rotation_axis_angle", [angle, *axis]
    return "rotation_euler", list(turn.to_euler(mode))


def about_x(rig: Any, bone: str, frame: float, angle_rad: float) -> tuple[str, float, list[float]]:
    """Arguments of ``key``: a turn about the bone's own X axis."""
    prop, value = turn_value(rig, bone, Quaternion((1, 0, 0), angle_rad))
    return prop, frame, value


def key_poses(
    rig: Any, bones: list[str], root: str, frames: Any = KEY_FRAMES, seed: int = 3, travel: float = 2.0
) -> None:
    """Random but plausible keys: each bone turned up to 35 degrees, the root moved forward."""
    rng = np.random.default_rng(seed)
    span = max(frames[-1] - frames[0], 1)
    for n, frame in enumerate(frames):
        for bone in bones:
            turn = Euler(rng.uniform(-0.6, 0.6, 3) * (0.3 if bone == root else 1.0)).to_quaternion()
            prop, value = turn_value(rig, bone, turn)
            key(rig, bone, prop, frame, value)
        scale = rig.matrix_world.to_scale()[0]
        rest = (rig.matrix_world @ rig.data.bones[root].matrix_local).to_3x3().normalized()
        gone = travel * (frame - frames[0]) / span
        world = Vector((0.2 * gone, -gone, -0.02 * (n % 2)))
        key(rig, root, "location", frame, rest.transposed() @ world / scale)
    bpy.context.scene.frame_set(int(frames[0]))
    bpy.context.view_layer.update()


def curve_path(points: Any, name: str = "WalkPath") -> Any:
    """A Bezier curve through points."""
    data = bpy.data.curves.new(name, "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("BEZIER")
    spline.bezier_points.add(len(points) - 1)
    for point, co in zip(spline.bezier_points, points, strict=True):
        point.co = co
        point.handle_left_type = point.handle_right_type = "AUTO"
    return add(data, name)


def empty(place: Any, name: str = "Grab") -> Any:
    """An empty at a place."""
    new = add(None, name)
    new.location = place
    bpy.context.view_layer.update()
    return new


def dump(action: Any) -> list[Any]:
    """Everything an action says, for comparing before and after, bit by bit."""
    bags = [("flat", action.fcurves)] if not compat.HAS_SLOTS else []
    if compat.HAS_SLOTS:
        for layer in action.layers:
            for strip in layer.strips:
                bags += [(bag.slot.identifier, bag.fcurves) for bag in strip.channelbags]
    out: list[Any] = [action.name, action.use_fake_user, sorted(action.keys()), tuple(action.frame_range)]
    for owner, curves in bags:
        for curve in curves:
            out.append((owner, curve.data_path, curve.array_index, curve.mute, curve.select, curve.extrapolation))
            points = curve.keyframe_points
            for attribute, width in (("co", 2), ("handle_left", 2), ("handle_right", 2)):
                values = np.empty(len(points) * width, np.float32)
                points.foreach_get(attribute, values)
                out.append(values.tobytes())
            out.append([(p.interpolation, p.type, p.select_control_point, p.handle_left_type) for p in points])
            out.append([m.type for m in curve.modifiers])
    return out


def keyed_path(rig: Any, start: Any, travel: float, heading: str = "free") -> Any:
    """A straight path under the way that ``key_poses`` moves the root, marked as the rig's."""
    x, y, _ = start
    rows = [(x + 0.2 * t * travel, y - t * travel, 0.0) for t in (0.0, 0.3, 1.0)]
    curve = curve_path(rows)
    marks.mark_path(curve, rig, heading=heading)
    return curve
