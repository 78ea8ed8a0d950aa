# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves as paths and empties as pins: read as Blender shows them, and each for its own character."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Euler
from tests.blender import measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph.motion import quat
from kineograph_blender import session
from kineograph_blender.bridge import marks, paths
from kineograph_blender.bridge.marks import Heading


def path_of(armature: Any, **direction: Any) -> dict[str, Any]:
    (only,) = measure.constraints(measure.gather(armature, **direction), "root_path")
    return only


def test_equal_steps_along_the_curve(scene: Any) -> None:
    armature = scenes.simple()
    # The middle point is far off the middle of the curve: equal steps of the parameter would bunch up.
    curve = scenes.curve_path([(0, 0, 0), (0, -0.3, 0), (1, -4, 0)])
    marks.mark_path(curve, armature)
    places = np.array(path_of(armature)["positions_xz"])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    assert len(places) == 150
    assert steps.max() / steps.min() < 1.01
    assert places[0] == pytest.approx((0, 0), abs=1e-6)
    assert places[-1] == pytest.approx((1, 4), abs=1e-5)


@pytest.mark.parametrize(("to", "heading"), [((2, 0), 90), ((0, -2), 0), ((-2, 0), -90)])
def test_heading_zero_faces_plus_z_and_plus_x_is_a_right_handed_quarter_turn(
    scene: Any, to: Any, heading: float
) -> None:
    armature = scenes.simple()
    curve = scenes.curve_path([(0, 0, 0), (to[0], to[1], 0)])
    marks.mark_path(curve, armature)
    headings = np.degrees(path_of(armature)["heading_radians"])
    assert np.abs(headings - heading).max() < 1e-3


def test_a_free_heading_is_not_sent(scene: Any) -> None:
    armature = scenes.simple()
    marks.mark_path(scenes.curve_path([(0, 0, 0), (1, 0, 0)]), armature, heading=Heading.FREE)
    assert "heading_radians" not in path_of(armature)


def test_headings_do_not_jump_on_a_circle(scene: Any) -> None:
    armature = scenes.simple()
    ring = [(math.cos(a), math.sin(a), 0) for a in np.linspace(0, 2 * math.pi, 13)[:-1]]
    curve = scenes.curve_path(ring)
    curve.data.splines[0].use_cyclic_u = True
    marks.mark_path(curve, armature)
    item = path_of(armature)
    turned = np.diff(item["heading_radians"])
    assert np.abs(turned).max() < 0.1
    assert abs(abs(turned.sum()) - 2 * math.pi) < 0.2, "all the way round"
    assert item["positions_xz"][0] == pytest.approx(item["positions_xz"][-1], abs=1e-5)


@pytest.mark.parametrize("kind", ["POLY", "NURBS", "BEZIER"])
def test_every_kind_of_spline_and_all_of_them(scene: Any, kind: str) -> None:
    armature = scenes.simple()
    data = bpy.data.curves.new("Two", "CURVE")
    data.dimensions = "3D"
    for y in (0.0, -2.0):
        spline = data.splines.new(kind)
        rows = [(0, y, 0), (0, y - 0.5, 0), (0, y - 1.0, 0)]
        if kind == "BEZIER":
            spline.bezier_points.add(2)
            for point, co in zip(spline.bezier_points, rows, strict=True):
                point.co = point.handle_left = point.handle_right = co
        else:
            spline.points.add(2)
            for point, co in zip(spline.points, rows, strict=True):
                point.co = (*co, 1.0)
            spline.use_endpoint_u = True
    marks.mark_path(scenes.add(data), armature)
    places = np.array(path_of(armature)["positions_xz"])
    assert places[0] == pytest.approx((0, 0), abs=1e-5)
    assert places[-1] == pytest.approx((0, 3), abs=1e-5)


def test_the_evaluated_curve_with_its_modifiers_and_transform(scene: Any) -> None:
    armature = scenes.simple()
    curve = scenes.curve_path([(0, 0, 0), (0, -2, 0)])
    curve.location = (1, 0, 0)
    hook_target = scenes.empty((1, -2, 0), "Hook")
    hook = curve.modifiers.new("Hook", "HOOK")
    hook.object = hook_target
    hook.vertex_indices_set([3, 4, 5])
    bpy.context.view_layer.update()
    hook_target.location.y = -3.0
    bpy.context.view_layer.update()
    marks.mark_path(curve, armature)
    places = np.array(path_of(armature)["positions_xz"])
    assert places[0] == pytest.approx((1, 0), abs=1e-5)
    assert places[-1] == pytest.approx((1, 3), abs=1e-4)


def test_a_bevelled_curve_is_its_line_and_is_not_written(scene: Any) -> None:
    curve = scenes.curve_path([(0, 0, 0), (0, -2, 0)])
    plain = paths.points_bu(curve)
    curve.data.bevel_depth = 0.1
    curve.data.extrude = 0.05
    objects, curves = len(bpy.data.objects), len(bpy.data.curves)
    assert np.abs(paths.points_bu(curve) - plain).max() < 1e-6
    assert curve.data.bevel_depth == pytest.approx(0.1)
    assert (len(bpy.data.objects), len(bpy.data.curves)) == (objects, curves)


def test_a_path_without_length_is_named(scene: Any) -> None:
    armature = scenes.simple()
    dot = scenes.curve_path([(1, 1, 0), (1, 1, 0)], "Dot")
    for point in dot.data.splines[0].bezier_points:
        point.handle_left_type = point.handle_right_type = "FREE"
        point.handle_left = point.handle_right = point.co
    marks.mark_path(dot, armature)
    with pytest.raises(KineographError) as e:
        measure.gather(armature)
    assert e.value.code is ErrorCode.SCHEMA_VALIDATION
    assert e.value.details["where"]["ref"]["object"] == "Dot"


def test_a_path_over_a_part_of_the_range(scene: Any) -> None:
    armature = scenes.simple()
    marks.mark_path(scenes.curve_path([(0, 0, 0), (1, 0, 0)]), armature, frames=(21, 30))
    item = path_of(armature)
    assert item["frames"] == list(range(20, 30))
    assert item["positions_xz"][-1] == pytest.approx((1, 0), abs=1e-5)


def test_marks_belong_to_one_character(scene: Any) -> None:
    hero, other = scenes.simple("Hero"), scenes.simple("Other")
    marks.mark_path(scenes.curve_path([(0, 0, 0), (1, 0, 0)]), hero)
    marks.mark_pin(scenes.empty((0.5, 0, 1)), other, "LeftHand", frames=(1, 1))
    hero.name = "Renamed"
    assert [c["type"] for c in measure.gather(hero).request["constraints"]] == ["root_path"]
    assert [c["type"] for c in measure.gather(other).request["constraints"]] == ["effector_target"]


def test_marks_survive_save_and_load_and_die_with_their_character(scene: Any, tmp_path: Any) -> None:
    hero = scenes.simple()
    marks.mark_pin(scenes.empty((0.5, 0, 1)), hero, "LeftHand", frames=(1, 1), turn=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    hero = bpy.data.objects["Hero"]
    (pin,) = marks.pins_of(hero, bpy.context.scene)
    assert (marks.joint_of(pin), marks.frames_of(pin), marks.turns(pin)) == ("LeftHand", (1, 1), True)
    bpy.data.objects.remove(hero)
    bpy.context.view_layer.update()
    assert list(marks.pins_of(scenes.simple("Next"), bpy.context.scene)) == []
    marks.unmark(pin)
    assert not [k for k in pin.keys() if k.startswith("kineograph")]  # noqa: SIM118 - an object is no dict


def test_a_pin_over_its_keyed_range_moves_with_its_parent(scene: Any) -> None:
    armature = scenes.simple()
    cart = scenes.empty((0, 0, 0), "Cart")
    cart.keyframe_insert("location", frame=10)
    cart.location.x = 1.0
    cart.keyframe_insert("location", frame=20)
    pin = scenes.empty((0.5, -0.2, 1.0))
    pin.parent = cart
    marks.mark_pin(pin, armature, "LeftHand")
    (item,) = measure.constraints(measure.gather(armature), "effector_target")
    assert item["frames"] == list(range(9, 20))
    assert item["positions"][0] == pytest.approx((0.5, 1.0, 0.2), abs=1e-6)
    assert item["positions"][-1] == pytest.approx((1.5, 1.0, 0.2), abs=1e-6)
    assert item["positions"][5][0] == pytest.approx(1.0, abs=1e-5)


def test_a_driven_pin_is_sampled_over_the_whole_range(scene: Any) -> None:
    armature = scenes.simple()
    pin = scenes.empty((0, 0, 1.0))
    driver = pin.driver_add("location", 0).driver
    driver.expression = "frame / 100"
    marks.mark_pin(pin, armature, "Head")
    (item,) = measure.constraints(measure.gather(armature), "effector_target")
    assert len(item["frames"]) == 150
    assert item["positions"][99][0] == pytest.approx(1.0, abs=1e-5)


def test_a_still_pin_without_keys_holds_all_along(scene: Any) -> None:
    armature = scenes.simple()
    marks.mark_pin(scenes.empty((0.3, 0, 1.0)), armature, "RightFoot")
    (item,) = measure.constraints(measure.gather(armature), "effector_target")
    assert len(item["frames"]) == 150
    assert "rotations" not in item


def test_a_turning_pin_gives_the_bone_its_orientation(scene: Any) -> None:
    armature = scenes.simple()
    armature.rotation_euler.z = 0.8
    armature.location = (1, 2, 0)
    bpy.context.view_layer.update()
    pose_bone = armature.pose.bones["LeftHand"]
    pose_bone.rotation_quaternion = Euler((0.4, -0.2, 0.7)).to_quaternion()
    bpy.context.view_layer.update()
    pin = scenes.empty((0, 0, 0))
    pin.matrix_world = armature.matrix_world @ pose_bone.matrix
    bpy.context.view_layer.update()
    marks.mark_pin(pin, armature, "LeftHand", frames=(1, 1), turn=True)
    out = measure.gather(armature)
    (item,) = measure.constraints(out, "effector_target")
    pose = measure.shown(armature, out.rig, [1])[0]
    i = out.rig.skeleton.index["LeftHand"]
    _, world = measure.kinematics.forward(out.rig.skeleton, pose.local_xyzw, pose.root_m)
    assert float(quat.angle_between_rad(np.array(item["rotations"][0]), world[i])) < 1e-5
    assert item["positions"][0] == pytest.approx(pose.positions_m[i], abs=1e-5)


def test_a_pin_on_a_bone_that_is_not_there_suggests_the_same_side(scene: Any) -> None:
    armature = scenes.simple()
    marks.mark_pin(scenes.empty((0, 0, 1)), armature, "LefHand")
    with pytest.raises(KineographError) as e:
        measure.gather(armature)
    assert e.value.code is ErrorCode.UNKNOWN_JOINT
    problem = session.problem_of(e.value)
    assert problem.text == "Pin 'Grab' points at 'LefHand', which 'Hero' does not have. Did you mean 'LeftHand'?"
    assert "choose_joint" in {f.id for f in problem.fixes}
    assert e.value.details["suggestions"][0] == "LeftHand"
    assert "RightHand" not in e.value.details["suggestions"]


def test_a_pin_without_orientation_is_named(scene: Any) -> None:
    armature = scenes.simple()
    pin = scenes.empty((0, 0, 1))
    pin.scale = (0, 0, 0)
    bpy.context.view_layer.update()
    marks.mark_pin(pin, armature, "LeftHand", turn=True)
    with pytest.raises(KineographError, match="scale 0") as e:
        measure.gather(armature)
    assert e.value.code is ErrorCode.SCHEMA_VALIDATION


def test_a_pin_outside_the_range_is_told(scene: Any) -> None:
    armature = scenes.simple()
    marks.mark_pin(scenes.empty((0, 0, 1)), armature, "LeftHand", frames=(200, 210))
    out = measure.gather(armature)
    assert out.request["constraints"] == []
    assert out.remarks[0].what == "pin 'Grab'"


def test_only_curves_are_paths(scene: Any) -> None:
    with pytest.raises(ValueError, match="no curve"):
        marks.mark_path(scenes.empty((0, 0, 0)), scenes.simple())
