# SPDX-License-Identifier: GPL-3.0-or-later
"""Waypoints, paths with their own timing and tilt, and one turned into the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import measure, scenes

import kineograph_blender
from kineograph.errors import ErrorCode, KineographError
from kineograph.motion import kinematics, quat
from kineograph_blender import api, compat
from kineograph_blender.bridge import marks, paths
from kineograph_blender.bridge.marks import Heading, Timing
from kineograph_blender.direction import convert

MODEL = "kineograph-interpolate"


@pytest.fixture
def hero(scene: Any) -> Iterator[Any]:
    """The add-on switched on, and a character in view."""
    kineograph_blender.register()
    yield scenes.simple()
    kineograph_blender.unregister()


def place(armature: Any, at: tuple[float, float], frame: int, yaw: float | None = None, name: str = "There") -> Any:
    marker = scenes.empty((*at, 0.3), name)
    if yaw is not None:
        marker.rotation_euler.z = yaw
    bpy.context.view_layer.update()
    marks.mark_waypoint(marker, armature, frame, facing=yaw is not None)
    return marker


def ways(armature: Any, **direction: Any) -> list[dict[str, Any]]:
    return measure.constraints(measure.gather(armature, **direction), "root_path")


def test_a_waypoint_is_one_point_of_the_root_and_no_heading(scene: Any) -> None:
    armature = scenes.simple()
    place(armature, (1, -2), 50)
    place(armature, (0, -1), 20, name="Before")
    (only,) = ways(armature)
    assert only["frames"] == [19, 49]
    assert np.abs(np.array(only["positions_xz"]) - [[0, 1], [1, 2]]).max() < 1e-6
    assert "heading_radians" not in only


@pytest.mark.parametrize(("yaw", "heading"), [(0, 0), (90, 90), (-90, -90), (174.29, 174.29)])
def test_a_marker_that_is_not_turned_faces_as_characters_are_modelled(scene: Any, yaw: float, heading: float) -> None:
    armature = scenes.simple()
    place(armature, (1, -2), 50, np.radians(yaw))
    (only,) = ways(armature)
    off = np.radians(heading) - only["heading_radians"][0]
    assert abs((off + np.pi) % (2 * np.pi) - np.pi) < 1e-5


def test_a_turned_and_moved_character_is_asked_for_the_same_in_its_own_frame(scene: Any) -> None:
    armature = scenes.simple()
    armature.rotation_euler.z, armature.location = 0.7, (3, 4, 0)
    bpy.context.view_layer.update()
    ahead = armature.matrix_world @ scenes.Vector((0, -2, 0))
    place(armature, (ahead.x, ahead.y), 50, 0.7)
    (only,) = ways(armature)
    assert only["positions_xz"][0] == pytest.approx((0, 2), abs=1e-5)
    assert only["heading_radians"][0] == pytest.approx(0, abs=1e-5)


def test_what_cannot_be_sent_is_named(scene: Any) -> None:
    armature = scenes.simple()
    place(armature, (1, 0), 50, name="A")
    place(armature, (2, 0), 50, name="B")
    place(armature, (3, 0), 500, name="C")
    up = place(armature, (4, 0), 60, 0.0, name="D")
    up.rotation_euler = (np.pi / 2, 0, 0)
    bpy.context.view_layer.update()
    out = measure.gather(armature)
    said = {r.what: r.why for r in out.remarks}
    assert "at 'A' at frame 50" in said["waypoint 'B'"]
    assert "outside the range" in said["waypoint 'C'"]
    assert "straight up" in said['waypoint "D\'s facing"']
    assert measure.constraints(out, "root_path")[0]["frames"] == [49, 59]
    assert [r["names"] for r in out.refs["constraints"]] == [["A", "D"]]


def test_waypoints_of_another_and_waypoints_switched_off(scene: Any) -> None:
    one, two = scenes.simple("One"), scenes.simple("Two")
    place(one, (1, -2), 50)
    assert len(ways(one)) == 1
    assert ways(two) == []
    assert ways(one, use_waypoints=False) == []


def test_a_marker_on_a_moving_parent_counts_at_its_own_frame(scene: Any) -> None:
    armature = scenes.simple()
    cart = scenes.empty((0, 0, 0), "Cart")
    for frame, x in ((1, 0.0), (101, 10.0)):
        cart.location.x = x
        cart.keyframe_insert("location", frame=frame)
    action = cart.animation_data.action
    for curve in compat.curves(action, compat.slot_of(cart.animation_data)):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    marker = place(armature, (0, -1), 51)
    marker.parent = cart
    (only,) = ways(armature)
    assert only["positions_xz"][0] == pytest.approx((5, 1), abs=1e-4)


def test_evaluation_time_keys_are_frame_markers(scene: Any) -> None:
    armature = scenes.simple()
    curve = scenes.curve_path([(0, 0, 0), (0, -4, 0)])
    curve.data.path_duration = 100
    for frame, at in ((1, 0.0), (50, 75.0), (100, 75.0), (150, 100.0)):
        curve.data.eval_time = at
        curve.data.keyframe_insert("eval_time", frame=frame)
    for f in compat.curves(curve.data.animation_data.action, compat.slot_of(curve.data.animation_data)):
        for point in f.keyframe_points:
            point.interpolation = "LINEAR"
    marks.mark_path(curve, armature, timing=Timing.CURVE)
    (only,) = ways(armature)
    z = np.array(only["positions_xz"])[:, 1]
    assert z[[0, 49, 99, 149]] == pytest.approx([0, 3, 3, 4], abs=1e-4)
    assert np.ptp(z[49:100]) < 1e-6, "it waits"
    marks.mark_path(curve, armature, timing=Timing.EVEN)
    assert np.array(ways(armature)[0]["positions_xz"])[74, 1] == pytest.approx(4 * 74 / 149, abs=1e-4)


def test_own_timing_without_keys_is_even_and_told(scene: Any) -> None:
    armature = scenes.simple()
    marks.mark_path(scenes.curve_path([(0, 0, 0), (0, -4, 0)]), armature, timing=Timing.CURVE)
    out = measure.gather(armature)
    assert [r.what for r in out.remarks] == ["the timing of path 'WalkPath'"]


@pytest.mark.parametrize("kind", ["POLY", "NURBS", "BEZIER"])
def test_the_curves_tilt_turns_the_character(scene: Any, kind: str) -> None:
    armature = scenes.simple()
    data = bpy.data.curves.new("Tilted", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new(kind)
    rows = [(0, -i, 0) for i in range(5)]
    tilts = [0.0, 0.5, 0.5, 0.5, 1.0]
    if kind == "BEZIER":
        spline.bezier_points.add(4)
        for point, co, tilt in zip(spline.bezier_points, rows, tilts, strict=True):
            point.co = co
            point.handle_left_type = point.handle_right_type = "AUTO"
            point.tilt = tilt
    else:
        spline.points.add(4)
        for point, co, tilt in zip(spline.points, rows, tilts, strict=True):
            point.co, point.tilt = (*co, 1.0), tilt
        spline.use_endpoint_u = True
    curve = scenes.add(data)
    marks.mark_path(curve, armature, heading=Heading.TILT)
    (only,) = ways(armature)
    assert only["heading_radians"][0] == pytest.approx(0, abs=1e-3)
    assert only["heading_radians"][75] == pytest.approx(0.5, abs=0.02)
    assert only["heading_radians"][-1] == pytest.approx(1.0, abs=1e-3)


def test_a_path_becomes_waypoints_and_back(hero: Any, scene: Any) -> None:
    curve = scenes.curve_path([(0, 0, 0), (0.5, -2, 0), (2, -3, 0)])
    marks.mark_path(curve, hero, frames=(10, 100))
    before = ways(hero)[0]
    bpy.ops.kineograph.to_waypoints(count=4)
    assert list(marks.paths_of(hero, scene)) == []
    assert curve.name in bpy.data.objects, "the curve itself stays"
    (points,) = ways(hero)
    assert points["frames"] == [9, 39, 69, 99]
    for frame, xz, heading in zip(points["frames"], points["positions_xz"], points["heading_radians"], strict=True):
        assert xz == pytest.approx(before["positions_xz"][frame - 9], abs=1e-5)
        assert heading == pytest.approx(before["heading_radians"][frame - 9], abs=1e-4)
    bpy.ops.kineograph.to_path()
    assert marks.waypoints_of(hero, scene) == []
    (path,) = ways(hero)
    assert (path["frames"][0], path["frames"][-1]) == (9, 99)
    for frame, xz in zip(points["frames"], points["positions_xz"], strict=True):
        assert path["positions_xz"][frame - 9] == pytest.approx(xz, abs=0.01)


def test_facings_survive_the_way_to_waypoints_and_back(hero: Any, scene: Any) -> None:
    """Walking sideways, then backwards, along a bend."""
    curve = scenes.curve_path([(0, 0, 0), (0.5, -2, 0), (2, -3, 0)])
    for point, tilt in zip(curve.data.splines[0].bezier_points, (0.5, np.pi / 2, 3.5), strict=True):
        point.tilt = tilt
    marks.mark_path(curve, hero, frames=(10, 100), heading=Heading.TILT)
    before = ways(hero)[0]
    bpy.ops.kineograph.to_waypoints(count=4)
    (points,) = ways(hero)
    for frame, heading in zip(points["frames"], points["heading_radians"], strict=True):
        off = heading - before["heading_radians"][frame - 9]
        assert abs((off + np.pi) % (2 * np.pi) - np.pi) < 1e-4
    bpy.ops.kineograph.to_path()
    (path,) = ways(hero)
    for frame, heading in zip(points["frames"], points["heading_radians"], strict=True):
        off = heading - path["heading_radians"][frame - 9]
        assert abs((off + np.pi) % (2 * np.pi) - np.pi) < 0.03
    assert np.abs(np.diff(path["heading_radians"])).max() < 0.3, "no turn round between two of them"


def test_a_path_that_is_no_way_keeps_its_frames(hero: Any, scene: Any) -> None:
    curve = scenes.curve_path([(0, 0, 0), (0, 0, 0)])
    marks.mark_path(curve, hero)
    assert bpy.ops.kineograph.to_waypoints(count=3) == {"CANCELLED"}
    assert marks.frames_of(curve) is None


def test_a_way_that_crosses_itself_keeps_its_order(hero: Any, scene: Any) -> None:
    for n, at in enumerate([(0, 0), (2, -2), (2, 0), (0, -2)]):
        place(hero, at, 1 + 30 * n, name=f"W{n}")
    curve = convert.to_path(hero, scene)
    shares = paths.shares(curve, np.array([1.0, 31.0, 61.0, 91.0]), Timing.CURVE)
    assert (np.diff(shares) > 0.1).all()
    assert shares[0] == 0.0
    assert shares[-1] == pytest.approx(1.0)


def test_one_waypoint_makes_no_path(hero: Any, scene: Any) -> None:
    place(hero, (0, -1), 20)
    with pytest.raises(KineographError) as e:
        convert.to_path(hero, scene)
    assert e.value.code is ErrorCode.SCHEMA_VALIDATION
    assert len(marks.waypoints_of(hero, scene)) == 1


def test_waypoints_are_saved_and_their_character_is_found_again(scene: Any, tmp_path: Any) -> None:
    armature = scenes.simple()
    place(armature, (1, -2), 50, 0.5)
    armature.name = 'He "said" \\'
    before = ways(armature)
    path = str(tmp_path / "ways.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert ways(bpy.data.objects['He "said" \\']) == before


@pytest.mark.daemon
def test_the_character_is_there_then(scene: Any, daemon: Any) -> None:
    armature = scenes.simple()
    place(armature, (1, -2), 50, 0.0, name="A")
    place(armature, (2, -1), 90, np.pi / 2, name="B")
    take = api.generate(armature, model=MODEL, start=1, end=100).wait(timeout_s=60)
    take.apply()
    for at, frame, yaw in (((1, -2), 50, 0.0), ((2, -1), 90, np.pi / 2)):
        pose = measure.shown(armature, take.rig, [frame])[0]
        assert pose.root_m[[0, 2]] == pytest.approx((at[0], -at[1]), abs=1e-4)
        _, world = kinematics.forward(take.rig.skeleton, pose.local_xyzw, pose.root_m)
        ahead = quat.rotate(world[0], np.array([0.0, 0.0, 1.0]))
        assert float(np.arctan2(ahead[0], ahead[2])) == pytest.approx(yaw, abs=np.radians(1.0))
