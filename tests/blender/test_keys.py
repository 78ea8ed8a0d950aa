# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's keys as constraints: bone by bone, at the frames where they stand, and nothing else."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Euler
from tests.blender import measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph.motion import quat
from kineograph_blender import compat
from kineograph_blender.bridge import guard, request
from kineograph_blender.bridge.bones import Which
from kineograph_blender.bridge.keys import KeyMode
from kineograph_blender.bridge.request import Block

TURN = list(Euler((0.3, 0.2, -0.4)).to_quaternion())


def test_a_key_on_one_bone_constrains_one_bone(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "LeftArm", "rotation_quaternion", 10, TURN)
    out = measure.gather(armature)
    (only,) = out.request["constraints"]
    assert only["type"] == "pose_keyframe"
    assert only["frame"] == 9, "frames of a request count from the start of the range"
    assert list(only["joint_rotations"]) == ["LeftArm"]
    assert "root_position" not in only
    assert out.refs["constraints"] == [{"kind": "key", "object": "frame 10", "character": "Hero", "frame": 10}]


def test_the_value_is_the_turn_from_rest_in_the_requests_axes(scene: Any) -> None:
    armature = scenes.simple()
    # The bone lies along +X at rest; a turn about the world's Z lifts it forward: -Z of Blender's y is +Y here.
    rest = armature.data.bones["LeftArm"].matrix_local.to_quaternion()
    world = Euler((0, 0, 0.5)).to_quaternion()
    scenes.key(armature, "LeftArm", "rotation_quaternion", 1, list(rest.inverted() @ world @ rest))
    scene.frame_set(1)
    (only,) = measure.gather(armature).request["constraints"]
    assert float(quat.angle_between_rad(np.array(only["joint_rotations"]["LeftArm"]), quat.about_y(0.5))) < 1e-6


def test_the_root_is_placed_only_where_it_is_keyed(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "Hips", "rotation_quaternion", 1, TURN)
    scenes.key(armature, "Hips", "rotation_quaternion", 50, TURN)
    scenes.key(armature, "Hips", "location", 50, (0, 0.2, 0.4))
    first, second = measure.constraints(measure.gather(armature), "pose_keyframe")
    assert "root_position" not in first
    assert second["root_position"][1] == pytest.approx(1.2, abs=1e-6)


def test_a_root_that_is_only_moved_is_a_target_for_its_place(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "Hips", "location", 20, (0.5, 0.0, 0.0))
    (only,) = measure.gather(armature).request["constraints"]
    assert (only["type"], only["joint"], only["frames"]) == ("effector_target", "Hips", [19])
    assert only["positions"][0] == pytest.approx((0.5, 1.0, 0.0), abs=1e-6)


def test_curves_of_another_rotation_mode_are_no_keys(scene: Any) -> None:
    armature = scenes.simple()
    armature.pose.bones["Head"].rotation_mode = "XYZ"
    scenes.key(armature, "Head", "rotation_quaternion", 10, TURN)
    assert measure.gather(armature).request["constraints"] == []


def test_moved_and_scaled_bones_are_told(scene: Any) -> None:
    armature = scenes.armature("Hero", [("a", None, (0, 0, 1), (0, 0, 1.2)), ("b", "a", (0, 0, 1.3), (0, 0, 1.6))])
    scenes.key(armature, "b", "location", 10, (0.1, 0, 0))
    scenes.key(armature, "b", "scale", 10, (1, 2, 1))
    scenes.key(armature, "b", "rotation_quaternion", 10, TURN)
    said = [f"{r.what}: {r.why}" for r in measure.gather(armature).remarks]
    assert any("b.location" in line for line in said)
    assert any("b.scale" in line for line in said)
    assert any("stretched" in line for line in said)


def test_keys_outside_the_range_are_told_and_not_sent(scene: Any) -> None:
    armature = scenes.simple()
    for frame in (5, 20, 40):
        scenes.key(armature, "Head", "rotation_quaternion", frame, TURN)
    out = measure.gather(armature, start=10, end=30)
    assert [c["frame"] for c in out.request["constraints"]] == [10]
    assert [r.what for r in out.remarks] == ["key at 5", "key at 40"]


def test_a_key_between_frames_is_sent_at_the_nearest_with_its_own_pose(scene: Any) -> None:
    armature = scenes.simple()
    identity = (1, 0, 0, 0)
    for frame, value in ((1, identity), (10.4, TURN), (20, identity)):
        scenes.key(armature, "Head", "rotation_quaternion", frame, value)
    out = measure.gather(armature)
    at = {c["frame"]: c for c in out.request["constraints"]}
    assert sorted(at) == [0, 9, 19]
    want = measure.shown(armature, out.rig, [10.4])[0].local_xyzw[out.rig.skeleton.index["Head"]]
    assert np.abs(np.array(at[9]["joint_rotations"]["Head"]) - want).max() < 1e-6
    assert any(r.what == "key at 10.4" for r in out.remarks)


@pytest.mark.parametrize(("fps", "base"), [(24, 1.001), (24, 1.0), (25, 1.0), (60, 1.0), (30, 1.001)])
def test_the_scenes_rate_is_the_requests(scene: Any, fps: int, base: float) -> None:
    scene.render.fps, scene.render.fps_base = fps, base
    out = measure.gather(scenes.simple())
    assert out.request["timing"]["fps"] == pytest.approx(fps / base, rel=1e-6)
    assert out.fps_hz == out.request["timing"]["fps"]


def test_the_preview_range_is_the_range(scene: Any) -> None:
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 20, 49
    assert request.scene_span(scene) == (20, 49)
    scene.use_preview_range = False
    assert request.scene_span(scene) == (1, 150)


def test_every_frame_of_the_range_is_generated_whatever_the_frame_step(scene: Any) -> None:
    scene.frame_step = 5
    (segment,) = measure.gather(scenes.simple(), start=-10, end=19).request["segments"]
    assert segment == {"type": "unconditioned", "duration_frames": 30}


def test_blocks_cover_the_range_and_gaps_are_unconditioned(scene: Any) -> None:
    blocks = (Block(11, 40, "walks", 7), Block(61, 200, "waves"), Block(41, 50, "  "))
    segments = measure.gather(scenes.simple(), start=1, end=80, blocks=blocks).request["segments"]
    assert [(s["type"], s["duration_frames"]) for s in segments] == [
        ("unconditioned", 10),
        ("text", 30),
        ("unconditioned", 10),
        ("unconditioned", 10),
        ("text", 20),
    ]
    assert segments[1] == {"type": "text", "prompt": "walks", "duration_frames": 30, "seed": 7}


def test_a_range_that_ends_before_it_starts(scene: Any) -> None:
    with pytest.raises(KineographError) as e:
        measure.gather(scenes.simple(), start=10, end=9)
    assert e.value.code is ErrorCode.FRAME_OUT_OF_RANGE


def test_whole_frames_and_no_keys_at_all_are_choices(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "Head", "rotation_quaternion", 10, TURN)
    (whole,) = measure.gather(armature, keys=KeyMode.FRAMES).request["constraints"]
    assert set(whole["joint_rotations"]) == {b.name for b in armature.data.bones}
    assert "root_position" in whole
    assert measure.gather(armature, keys=KeyMode.NONE).request["constraints"] == []


def test_keys_on_bones_that_are_not_sent(scene: Any) -> None:
    rows = [("root", None, (0, 0, 0), (0, 0.3, 0)), *((n, p or "root", h, t) for n, p, h, t in scenes.BODY)]
    armature = scenes.armature("Hero", [*rows, ("jaw_ctl", "Head", (0, -0.1, 1.7), (0, -0.2, 1.7))])
    armature.data.bones["root"].use_deform = armature.data.bones["jaw_ctl"].use_deform = False
    scenes.key(armature, "root", "location", 10, (0, 1, 0))
    scenes.key(armature, "jaw_ctl", "rotation_quaternion", 20, TURN)
    out = measure.gather(armature)
    (only,) = out.request["constraints"]
    assert list(only["joint_rotations"]) == ["Hips"], "a bone above the root moves the root"
    assert "root_position" in only
    assert [r.what for r in out.remarks] == ["key on jaw_ctl.rotation_quaternion"]


def test_poses_are_those_that_constraints_and_drivers_make(scene: Any) -> None:
    armature = scenes.simple()
    target = scenes.empty((0.5, -0.5, 1.2), "Goal")
    scenes.key(armature, "LeftForeArm", "rotation_quaternion", 10, (1, 0, 0, 0))
    ik = armature.pose.bones["LeftForeArm"].constraints.new("IK")
    ik.target, ik.chain_count = target, 2
    out = measure.gather(armature, bones=Which.ALL)
    (only,) = out.request["constraints"]
    assert np.abs(np.array(only["joint_rotations"]["LeftForeArm"][:3])).max() > 0.01
    assert [(c.bone, c.kind) for c in out.constrained] == [("LeftForeArm", "IK")]


@pytest.mark.parametrize("is_looked_at", [False, True])
def test_reading_leaves_no_trace(scene: Any, is_looked_at: bool) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "Head"], "Hips")
    if is_looked_at:  # so that its keyed frames are visited
        armature.pose.bones["Spine"].constraints.new("LIMIT_ROTATION")
    other = scenes.empty((0, 0, 0), "Other")
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="POSE")
    armature.data.bones.active = armature.data.bones["LeftArm"]
    guard.go_to(scene, 33.25)
    armature.pose.bones["LeftArm"].rotation_quaternion = TURN
    armature.pose.bones["Head"].rotation_quaternion = TURN
    before = (scene.frame_current, round(scene.frame_subframe, 4), armature.mode, bpy.context.object.name)
    posed = guard.read_pose(armature)
    selected = [compat.is_bone_selected(b) for b in armature.pose.bones]
    dump = scenes.dump(armature.animation_data.action)
    visits = guard.visits()
    measure.gather(armature)
    assert (guard.visits() > visits) is is_looked_at
    after = (scene.frame_current, round(scene.frame_subframe, 4), armature.mode, bpy.context.object.name)
    assert after == before
    assert all((posed[k] == guard.read_pose(armature)[k]).all() for k in posed), "unkeyed posing survives"
    assert [compat.is_bone_selected(b) for b in armature.pose.bones] == selected
    assert scenes.dump(armature.animation_data.action) == dump
    assert not other.select_get()
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize("rounds", [3])
def test_a_take_on_the_armature_adds_no_keys_to_the_users(scene: Any, rounds: int) -> None:
    armature = scenes.simple()
    scenes.key(armature, "Head", "rotation_quaternion", 10, TURN)
    scenes.key(armature, "Hips", "location", 20, (0.2, 0, 0))
    first = measure.gather(armature)
    for n in range(rounds):
        measure.baked(first.rig, measure.wander(first.rig, 150, seed=n), take=f"take {n}")
        again = measure.gather(armature)
        assert again.request == first.request
