# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, end to end, through a real daemon: keys, a path and a pin go out, a new action comes back."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Vector
from tests.blender import measure, scenes

from kineograph.motion import quat
from kineograph_blender import api
from kineograph_blender.bridge import guard, poses, stamps
from kineograph_blender.bridge.bones import Which

pytestmark = pytest.mark.daemon

MODEL = "kineograph-interpolate"
KEY_RAD, KEY_M, PIN_M = np.radians(0.1), 1e-3, 5e-3

# per rig: bones that are keyed, the root, the pinned bone
CAST = {
    "human": (["spine", "spine.002", "upper_arm.L", "forearm.R", "thigh.L", "shin.L", "thigh.R"], "spine", "hand.R"),
    "quadruped": (["spine.004", "spine.006", "thigh.L", "shin.L", "front_thigh.R"], "spine.004", "front_foot.L"),
    "mixamo": (
        [f"mixamorig:{n}" for n in ("Hips", "Spine", "LeftArm", "RightForeArm", "LeftUpLeg", "RightLeg")],
        "mixamorig:Hips",
        "mixamorig:RightHand",
    ),
}


def head(armature: Any, bone: str) -> Vector:
    """Where a bone's head is, in the world."""
    shown = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return (shown.matrix_world @ shown.pose.bones[bone].matrix).translation


def place(armature: Any, rig: Any, root: str, frames: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Where the root is on the floor plane at some frames, in the request's metres."""
    return np.array([p.positions_m[rig.skeleton.index[root]][[0, 2]] for p in measure.shown(armature, rig, frames)])


@pytest.mark.parametrize("model", [MODEL, "kineograph-starter"])
@pytest.mark.parametrize("kind", CAST)
def test_five_keys_a_path_and_a_pin(scene: Any, daemon: Any, kind: str, model: str) -> None:
    armature = scenes.RIGS[kind]()
    bones, root, pinned = CAST[kind]
    scenes.key_poses(armature, bones, root, travel=1.2)
    source = armature.animation_data.action
    before = scenes.dump(source)
    scenes.keyed_path(armature, head(armature, root), travel=1.2)
    guard.go_to(scene, 90)
    pin = scenes.empty(head(armature, pinned) + Vector((0.02, -0.03, 0.03)))
    api.mark_pin(pin, armature, pinned, frames=(88, 92))
    guard.go_to(scene, 1)
    out = measure.gather(armature)
    wanted = dict(zip(scenes.KEY_FRAMES, measure.shown(armature, out.rig, scenes.KEY_FRAMES), strict=True))
    assert [len(measure.constraints(out, k)) for k in ("pose_keyframe", "root_path", "effector_target")] == [5, 1, 1]

    take = api.generate(armature, model=model).wait(timeout_s=120)
    report = take.apply()

    assert (take.result.frames, take.result.fps_hz) == (150, 24.0)
    assert scenes.dump(source) == before, "the user's own action is bit-identical"
    made = armature.animation_data.action
    assert made != source
    assert stamps.take_of(made) == report.take
    meets_keys(armature, take.rig, wanted, bones)
    (path,) = measure.constraints(out, "root_path")
    floor = place(armature, take.rig, root, tuple(f + 1 for f in path["frames"]))
    assert np.linalg.norm(floor - np.array(path["positions_xz"]), axis=-1).max() < PIN_M
    pin_is_met_or_told(armature, pin, pinned, range(88, 93), take.report)


def meets_keys(armature: Any, rig: Any, wanted: dict[int, Any], bones: list[str]) -> None:
    """Blender's evaluated pose is the user's at every key: within 0.1 degree and 1 mm."""
    for frame, want in wanted.items():
        guard.go_to(bpy.context.scene, frame)
        got = poses.read(armature, rig)
        for bone in bones:
            i = rig.skeleton.index[bone]
            off = float(quat.angle_between_rad(got.local_xyzw[i], want.local_xyzw[i]))
            assert off < KEY_RAD, (frame, bone, np.degrees(off))
        assert np.linalg.norm(got.root_m - want.root_m) < KEY_M, frame


def pin_is_met_or_told(armature: Any, pin: Any, bone: str, frames: range, report: dict[str, Any]) -> None:
    """Within 5 mm, or the report tells the miss that Blender shows."""
    missed = []
    for frame in frames:
        guard.go_to(bpy.context.scene, frame)
        missed.append((head(armature, bone) - pin.matrix_world.translation).length)
    if max(missed) < PIN_M:
        return
    told = next(c for c in report["constraints"] if c.get("joint") == bone)
    assert told["outcome"] == "changed"
    assert told["reason"]
    assert told["worst_cm"] == pytest.approx(max(missed) * 100.0, abs=0.2)


def test_a_pin_out_of_reach_is_told(scene: Any, daemon: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "LeftArm"], "Hips", travel=0.2)
    pin = scenes.empty((3.0, 0.0, 1.5))
    api.mark_pin(pin, armature, "LeftHand", frames=(88, 92))
    take = api.generate(armature, model=MODEL, end=100).wait(timeout_s=120)
    take.apply()
    told = next(c for c in take.report["constraints"] if c.get("joint") == "LeftHand")
    assert told["worst_cm"] > 50.0
    pin_is_met_or_told(armature, pin, "LeftHand", range(88, 93), take.report)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 180.0])
def test_a_path_towards_plus_x_makes_the_character_face_plus_x(scene: Any, daemon: Any, degrees: float) -> None:
    armature = scenes.simple()
    armature.rotation_euler.z = np.radians(degrees)
    bpy.context.view_layer.update()
    api.mark_path(scenes.curve_path([(0, 0, 0), (2, 0, 0)]), armature)
    api.generate(armature, model=MODEL, start=1, end=60).wait(timeout_s=120).apply()
    for frame in (1, 30, 60):
        guard.go_to(scene, frame)
        ahead = (head(armature, "LeftToeBase") - head(armature, "LeftFoot")).normalized()
        assert ahead.x > 0.8, (frame, ahead)
        assert abs(ahead.y) < 0.02, (frame, ahead)
    guard.go_to(scene, 60)
    assert head(armature, "Hips").x == pytest.approx(2.0, abs=PIN_M)


@pytest.mark.parametrize(("fps", "base"), [(24, 1.001), (25, 1.0), (60, 1.0)])
def test_other_frame_rates(scene: Any, daemon: Any, fps: int, base: float) -> None:
    scene.render.fps, scene.render.fps_base = fps, base
    armature = scenes.simple()
    bones = ["Hips", "LeftArm", "RightUpLeg"]
    scenes.key_poses(armature, bones, "Hips", frames=(1, 20, 61), travel=0.4)
    out = measure.gather(armature, end=61)
    wanted = dict(zip((1, 20, 61), measure.shown(armature, out.rig, (1, 20, 61)), strict=True))
    take = api.generate(armature, model=MODEL, end=61).wait(timeout_s=120)
    assert (take.result.frames, round(take.result.fps_hz, 3)) == (61, round(fps / base, 3))
    take.apply()
    meets_keys(armature, take.rig, wanted, bones)


def test_a_generated_rigify_rig_by_its_deform_bones(scene: Any, daemon: Any) -> None:
    armature = scenes.generated_rigify()
    bones = ["upper_arm_fk.L", "torso"]
    for frame, turn in ((1, 0.0), (30, 0.4), (60, -0.3)):
        for bone in bones:
            scenes.key(armature, bone, *scenes.about_x(armature, bone, frame, turn))
    guard.go_to(scene, 1)
    source = armature.animation_data.action
    before = scenes.dump(source)
    by_bone = measure.gather(armature, end=60, bones=Which.DEFORM)
    assert by_bone.request["constraints"] == []
    assert "key on upper_arm_fk.L.rotation_quaternion" in {r.what for r in by_bone.remarks}
    handle = api.generate(armature, model=MODEL, end=60, keys="frames", bones="deform")
    rig = handle.job.outgoing.rig
    assert all(n.startswith("DEF-") for n in rig.names)
    wanted = dict(zip((1, 30, 60), measure.shown(armature, rig, (1, 30, 60)), strict=True))
    take = handle.wait(timeout_s=120)
    report = take.apply(mute_constraints=True, ignore_locks=True)
    assert len(report.muted) > 20
    assert scenes.dump(source) == before
    shown = measure.shown(armature, rig, range(1, 61))
    assert max(measure.miss(rig, shown, measure.of_clip(take.clip()))) < 2e-5
    meets_keys(armature, rig, wanted, ["DEF-upper_arm.L", "DEF-spine", "DEF-thigh.L"])
