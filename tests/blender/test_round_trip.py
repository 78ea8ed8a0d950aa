# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes out and comes back is what Blender shows: within 1e-5 m and 1e-5 rad, whatever the rig and its object."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix
from tests.blender import measure, scenes

from kineograph_blender.bridge import guard
from kineograph_blender.bridge import rig as rigs
from kineograph_blender.bridge.bones import Which

FRAMES = range(1, 31)
TOLERANCE_M = TOLERANCE_RAD = 1e-5


def comes_back(armature: Any, frames: range = FRAMES, **options: Any) -> None:
    """Bake a wild clip; Blender's evaluated pose is the clip at every frame."""
    rig = rigs.read(armature, bpy.context.scene)
    clip = measure.wander(rig, len(frames))
    report = measure.baked(rig, clip, frames[0], **options)
    assert not report.missed_m
    far, turned = measure.miss(rig, measure.shown(armature, rig, frames), measure.of_clip(clip))
    assert far < TOLERANCE_M, f"{far} m"
    assert turned < TOLERANCE_RAD, f"{turned} rad"


@pytest.mark.parametrize("kind", scenes.RIGS)
def test_evaluated_poses_of_a_hand_keyed_rig_come_back(scene: Any, kind: str) -> None:
    armature = scenes.RIGS[kind]()
    names = [b.name for b in armature.data.bones][:30]
    scenes.key_poses(armature, names, names[0])
    source = armature.animation_data.action
    before = scenes.dump(source)
    out = measure.gather(armature)
    want = measure.shown(armature, out.rig, range(1, 151))
    report = measure.baked(out.rig, measure.clip_of(out.rig, want))
    far, turned = measure.miss(out.rig, measure.shown(armature, out.rig, range(1, 151)), want)
    assert far < TOLERANCE_M
    assert turned < TOLERANCE_RAD
    assert armature.animation_data.action != source
    assert armature.animation_data.action.name == report.action
    assert scenes.dump(source) == before


@pytest.mark.parametrize("kind", scenes.RIGS)
def test_any_motion_comes_back(scene: Any, kind: str) -> None:
    comes_back(scenes.RIGS[kind]())


def test_any_motion_comes_back_on_the_fk_controls_of_a_generated_rig(scene: Any) -> None:
    armature = scenes.generated_rigify()
    rig = rigs.read(armature, scene, Which.CONTROLS)
    assert {"spine_fk", "neck", "upper_arm_fk.L", "foot_fk.R"} <= set(rig.names)
    clip = measure.wander(rig, len(FRAMES))
    report = measure.baked(rig, clip, FRAMES[0])
    assert not report.missed_m
    shown = measure.shown(armature, rig, FRAMES)
    far, turned = measure.miss(rig, shown, measure.of_clip(clip))
    assert far < TOLERANCE_M, f"{far} m"
    assert turned < TOLERANCE_RAD, f"{turned} rad"


def test_any_motion_comes_back_on_the_deform_bones_of_a_generated_animal(scene: Any) -> None:
    """No profile knows its controls: its mesh bones travel, and what holds them makes way of itself."""
    armature = scenes.rigify("animal", "Dog")
    rig = rigs.read(armature, scene)
    assert rig.skeleton.names[rig.skeleton.root] == "DEF-spine.004"
    assert {"DEF-spine", "DEF-thigh.L", "DEF-front_thigh.R", "DEF-spine.011"} <= set(rig.names)
    comes_back(armature)


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_each_rotation_mode_is_kept_and_exact(scene: Any, mode: str) -> None:
    armature = scenes.simple()
    for bone in armature.pose.bones:
        bone.rotation_mode = mode
    comes_back(armature)
    assert {b.rotation_mode for b in armature.pose.bones} == {mode}


@pytest.mark.parametrize(("mode", "step"), [("QUATERNION", 0.3), ("AXIS_ANGLE", 2.6), ("XYZ", 2.6), ("ZXY", 2.6)])
def test_channels_do_not_jump_between_frames(scene: Any, mode: str, step: float) -> None:
    armature = scenes.simple()
    for bone in armature.pose.bones:
        bone.rotation_mode = mode
    rig = rigs.read(armature, scene)
    clip = measure.wander(rig, 200)
    # q and -q are one rotation: a model may answer either, frame by frame.
    signs = np.random.default_rng(1).choice([-1.0, 1.0], clip.rotations_xyzw.shape[:2])
    measure.baked(rig, replace(clip, rotations_xyzw=clip.rotations_xyzw * signs[..., None]))
    action, slot = scenes.own(armature)
    for curve in scenes.compat.curves(action, slot):
        if "rotation" in curve.data_path and len(curve.keyframe_points) > 1:
            values = np.array([p.co[1] for p in curve.keyframe_points])
            # Beside a pole an angle may turn fast, but never by the half or whole turn of a wrong branch.
            assert np.abs(np.diff(values)).max() < step, (curve.data_path, curve.array_index)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 174.29, 180.0])
@pytest.mark.parametrize("kind", ["simple", "mixamo"])
def test_turned_and_moved_objects(scene: Any, degrees: float, kind: str) -> None:
    armature = getattr(scenes, kind)()
    turn = Euler((0, 0, math.radians(degrees))).to_matrix().to_4x4()
    armature.matrix_world = Matrix.Translation((3.0, -7.0, 0.4)) @ turn @ armature.matrix_world
    bpy.context.view_layer.update()
    comes_back(armature)


@pytest.mark.parametrize("degrees", [30.0, 174.29, 180.0])
def test_a_turned_character_is_sent_as_the_unturned_one(scene: Any, degrees: float) -> None:
    armature = scenes.simple()
    straight = rigs.read(armature, scene).skeleton
    armature.rotation_euler.z = math.radians(degrees)
    armature.location = (12.0, -3.0, 0.0)
    bpy.context.view_layer.update()
    turned = rigs.read(armature, scene).skeleton
    assert np.abs(turned.rest_translations_m - straight.rest_translations_m).max() < 1e-6


def test_an_object_tilted_and_far_from_the_origin(scene: Any) -> None:
    armature = scenes.simple()
    armature.rotation_euler = (0.4, -0.7, 2.0)
    armature.location = (40.0, 25.0, 3.0)
    bpy.context.view_layer.update()
    rig = rigs.read(armature, scene)
    clip = measure.wander(rig, 20)
    measure.baked(rig, clip)
    far, turned = measure.miss(rig, measure.shown(armature, rig, range(1, 21)), measure.of_clip(clip))
    # Blender's own float32 matrices end at 4e-6 m this far out.
    assert far < 2e-5
    assert turned < TOLERANCE_RAD


def test_a_parented_and_scaled_object(scene: Any) -> None:
    armature = scenes.simple()
    parent = scenes.empty((1.0, 2.0, 0.5), "Stage")
    parent.rotation_euler = (0.2, 0.1, 1.0)
    parent.scale = (1.7, 1.7, 1.7)
    armature.parent = parent
    bpy.context.view_layer.update()
    comes_back(armature)


def test_an_animated_object_is_sampled_at_every_frame(scene: Any) -> None:
    armature = scenes.simple()
    action, slot = scenes.own(armature)
    owner = scenes.compat.ensure_curve_list(action, slot)
    for index, last in ((0, 2.0), (1, -1.0)):
        curve = scenes.compat.new_curve(owner, action, slot, "location", index, "Object")
        curve.keyframe_points.insert(1, 0.0)
        curve.keyframe_points.insert(30, last)
    curve = scenes.compat.new_curve(owner, action, slot, "rotation_euler", 2, "Object")
    curve.keyframe_points.insert(1, 0.0)
    curve.keyframe_points.insert(30, 1.5)
    scene.frame_set(1)
    rig = rigs.read(armature, scene)
    before = guard.visits()
    measure.baked(rig, measure.wander(rig, 5))
    assert guard.visits() == before, "its own curves say where it stands"
    comes_back(armature)
    assert armature.animation_data.action != action
    scene.frame_set(30)
    assert abs(armature.matrix_world.translation.x - 2.0) < 1e-6, "the object's own animation is carried on"


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "YZX"])
def test_an_animated_object_in_every_rotation_mode_below_a_still_parent(scene: Any, mode: str) -> None:
    armature = scenes.simple()
    armature.parent = scenes.empty((1.0, 2.0, 0.5), "Stage")
    armature.parent.rotation_euler = (0.2, 0.1, 1.0)
    armature.rotation_mode = mode
    for frame, turn in ((1, 0.1), (30, 1.2)):
        armature.location = (turn, 2.0 * turn, 0.0)
        armature.rotation_quaternion = armature.rotation_axis_angle = (0.9, 0.3 * turn, 0.1, 0.2)
        armature.rotation_euler = (0.2, turn, 0.4)
        for prop in ("location", scenes.datapath.rotation_prop(mode)[0]):
            armature.keyframe_insert(prop, frame=frame)
    scene.frame_set(1)
    comes_back(armature)


def test_a_parent_that_is_animated(scene: Any) -> None:
    armature = scenes.simple()
    parent = scenes.empty((0, 0, 0), "Cart")
    parent.keyframe_insert("location", frame=1)
    parent.location.x = 4.0
    parent.keyframe_insert("location", frame=30)
    armature.parent = parent
    scene.frame_set(1)
    comes_back(armature)


@pytest.mark.parametrize("flag", ["use_inherit_rotation", "use_local_location"])
def test_bones_that_do_not_inherit(scene: Any, flag: str) -> None:
    armature = scenes.simple()
    for name in ("LeftArm", "Head", "RightUpLeg", "Hips"):
        setattr(armature.data.bones[name], flag, False)
    comes_back(armature)


@pytest.mark.parametrize("inherit", ["FULL", "FIX_SHEAR", "ALIGNED", "AVERAGE", "NONE"])
def test_every_way_of_inheriting_scale(scene: Any, inherit: str) -> None:
    armature = scenes.simple()
    for bone in armature.data.bones:
        bone.inherit_scale = inherit
    comes_back(armature)


def test_a_control_bone_above_the_sent_root_stays_where_it_is(scene: Any) -> None:
    armature = scenes.armature("Hero", (("root", None, (0, 0, 0), (0, 0.3, 0)), *_under_root()))
    armature.data.bones["root"].use_deform = False
    root = armature.pose.bones["root"]
    root.location = (0.5, 1.0, 0.2)
    root.rotation_quaternion = Euler((0.1, 0.2, 0.6)).to_quaternion()
    bpy.context.view_layer.update()
    rig = rigs.read(armature, scene)
    assert rig.names[0] == "Hips"
    comes_back(armature)
    assert tuple(root.location) == pytest.approx((0.5, 1.0, 0.2))


def test_a_keyed_control_bone_above_the_root_is_held(scene: Any) -> None:
    armature = scenes.armature("Hero", (("root", None, (0, 0, 0), (0, 0.3, 0)), *_under_root()))
    armature.data.bones["root"].use_deform = False
    scenes.key(armature, "root", "location", 1, (0.0, 0.0, 0.0))
    scenes.key(armature, "root", "location", 30, (0.0, 3.0, 0.0))
    comes_back(armature)
    action, slot = scenes.own(armature)
    held = [c for c in scenes.compat.curves(action, slot) if '"root"' in c.data_path]
    assert [len(c.keyframe_points) for c in held] == [1, 1, 1]


def test_an_offset_control_bone_between_two_deform_bones_is_sent(scene: Any) -> None:
    rows = [
        ("a", None, (0, 0, 1), (0, 0, 1.2)),
        ("ctl", "a", (0.1, 0, 1.2), (0.1, 0, 1.4)),
        ("b", "ctl", (0.2, 0, 1.5), (0.2, 0, 1.8)),
    ]
    armature = scenes.armature("Chain", rows)
    armature.data.bones["ctl"].use_deform = False
    assert rigs.read(armature, scene).names == ("a", "ctl", "b")
    comes_back(armature)


def test_unit_scale(scene: Any) -> None:
    scene.unit_settings.scale_length = 0.01
    armature = scenes.armature("Hero", scenes.BODY, size=100.0)
    rig = rigs.read(armature, scene)
    assert rig.skeleton.rest_positions_m[0][1] == pytest.approx(1.0)
    comes_back(armature)


def test_names_with_quotes_backslashes_and_63_bytes(scene: Any) -> None:
    longest = "ü" * 31 + "x"
    rows = [
        ('it\'s "root"', None, (0, 0, 1), (0, 0, 1.2)),
        ("back\\slash]", 'it\'s "root"', (0, 0, 1.2), (0, 0, 1.4)),
        (longest, "back\\slash]", (0, 0, 1.4), (0, 0, 1.6)),
        ("bone.001", longest, (0, 0, 1.6), (0, 0, 1.8)),
    ]
    armature = scenes.armature('Her"o', rows)
    assert len(longest.encode()) == 63
    assert set(rigs.read(armature, scene).names) == {r[0] for r in rows}
    comes_back(armature)


def _under_root() -> list[Any]:
    return [(n, p or "root", h, t) for n, p, h, t in scenes.BODY]
