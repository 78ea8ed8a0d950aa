# SPDX-License-Identifier: GPL-3.0-or-later
"""A pose that was set by hand and never keyed: looking at takes costs nothing of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import addon as trial
from tests.blender import measure, scenes

from kineograph_blender import compat
from kineograph_blender.bridge import guard, stamps, unkeyed
from kineograph_blender.bridge.keys import KeyMode

KEYED = ("Hips", "LeftArm")


def posed(name: str = "Hero") -> Any:
    """Two bones keyed; the others posed by hand, of every rotation mode, moved and scaled; one channel half keyed."""
    armature = trial.hero(name)
    rng = np.random.default_rng(4)
    for n, bone in enumerate(b for b in armature.pose.bones if b.name not in KEYED):
        bone.rotation_mode = ("QUATERNION", "ZXY", "AXIS_ANGLE")[n % 3]
        bone.rotation_quaternion = rng.normal(size=4)
        bone.rotation_euler = rng.normal(size=3)
        bone.rotation_axis_angle = rng.normal(size=4)
        bone.location = rng.normal(size=3)
        bone.scale = (1.0, 1.0 + 0.1 * n, 1.0)
    action, slot = scenes.own(armature)
    curves = compat.curve_list(action, slot)
    curves.remove(curves.find('pose.bones["Hips"].location', index=0))
    armature.pose.bones["Hips"].location.x = 0.123
    bpy.context.view_layer.update()
    return armature


def pose_of(armature: Any) -> dict[str, bytes]:
    """All the pose says, to the last bit, at the scene's first frame."""
    bpy.context.scene.frame_set(1)
    bpy.context.view_layer.update()
    modes = [b.rotation_mode for b in armature.pose.bones]
    return {k: v.tobytes() for k, v in guard.read_pose(armature).items()} | {"modes": repr(modes).encode()}


def look_elsewhere() -> None:
    """Play some of it."""
    for frame in (17, 44, 60):
        bpy.context.scene.frame_set(frame)


def wrote_over(armature: Any, before: dict[str, bytes]) -> bool:
    """Whether a take shows: else a test would say nothing."""
    return stamps.take_of(armature.animation_data.action) is not None and pose_of(armature) != before


@pytest.mark.daemon
@pytest.mark.parametrize("saved", [False, True], ids=["at once", "saved and loaded in between"])
def test_a_rejected_take_gives_the_pose_back(addon: Any, daemon: Any, tmp_path: Path, saved: bool) -> None:
    armature = posed()
    before = pose_of(armature)
    row = trial.generated()
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}
    look_elsewhere()
    assert wrote_over(armature, before)
    if saved:
        path = str(tmp_path / "shot.blend")
        bpy.ops.wm.save_as_mainfile(filepath=path)
        bpy.ops.wm.open_mainfile(filepath=path)
        armature = bpy.data.objects["Hero"]
        scenes.activate(armature)
    assert bpy.ops.kineograph.take_reject(take=row.id) == {"FINISHED"}
    assert armature.animation_data.action.name == "Hero by hand"
    assert pose_of(armature) == before


@pytest.mark.daemon
def test_without_any_action_it_comes_back_too(addon: Any, daemon: Any) -> None:
    armature = posed()
    armature.animation_data_clear()
    before = pose_of(armature)
    row = trial.generated()
    bpy.ops.kineograph.take_apply()
    look_elsewhere()
    assert wrote_over(armature, before)
    bpy.ops.kineograph.take_reject(take=row.id)
    assert pose_of(armature) == before


@pytest.mark.daemon
def test_through_samples_comparing_and_several_takes(addon: Any, daemon: Any) -> None:
    armature = posed()
    before = pose_of(armature)
    one, two = trial.generated(samples=2, seed=1, new_seed=False), trial.generated(samples=1, seed=2)
    for row in (one, two):
        bpy.ops.kineograph.take_apply(take=row.id)
        look_elsewhere()
    for row in (one, two, one):
        bpy.ops.kineograph.take_flip(take=row.id)
        look_elsewhere()
    bpy.ops.kineograph.take_sample(take=one.id, step=1)
    assert wrote_over(armature, before)
    bpy.ops.kineograph.take_reject(take=one.id)
    assert pose_of(armature) == before


@pytest.mark.daemon
def test_what_is_posed_beside_a_take_on_some_bones_is_kept_by_the_next(addon: Any, daemon: Any) -> None:
    armature = posed()
    before = pose_of(armature)
    some, whole = trial.generated(seed=1, new_seed=False), trial.generated(seed=2)
    addon.kineograph.apply.only_selected = True
    for bone in armature.pose.bones:
        (bone if compat.POSE_BONE_SELECT else bone.bone).select = bone.name == "Head"
    bpy.ops.kineograph.take_apply(take=some.id)
    armature.pose.bones["RightHand"].location.y = before_is = 0.75  # while the take on the head shows
    addon.kineograph.apply.only_selected = False
    bpy.ops.kineograph.take_apply(take=whole.id)
    look_elsewhere()
    assert armature.pose.bones["RightHand"].location.y != before_is
    bpy.ops.kineograph.take_reject(take=whole.id)
    now = pose_of(armature)
    where = armature.pose.bones.keys().index("RightHand") * 3 + 1
    locations = np.frombuffer(now["location"], np.float32).copy()
    assert locations[where] == before_is, "as it was posed last"
    locations[where] = np.frombuffer(before["location"], np.float32)[where]
    assert now | {"location": locations.tobytes()} == before


def test_what_only_the_take_before_has_moved_is_put_back(scene: Any) -> None:
    armature = scenes.simple()
    armature.pose.bones["LeftLeg"].rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
    armature.pose.bones["Head"].rotation_quaternion = (0.8, 0.0, 0.6, 0.0)
    before = pose_of(armature)
    whole, part = measure.gather(armature).rig, measure.gather(armature, root="Spine").rig
    measure.baked(whole, measure.wander(whole, 60), take="whole")
    look_elsewhere()
    measure.baked(part, measure.wander(part, 60), take="part")
    look_elsewhere()
    assert tuple(armature.pose.bones["LeftLeg"].rotation_quaternion) == pytest.approx((0.8, 0.6, 0.0, 0.0))
    assert tuple(armature.pose.bones["Head"].rotation_quaternion) != pytest.approx((0.8, 0.0, 0.6, 0.0))
    unkeyed.step_to(armature, None, None)
    assert pose_of(armature) == before


@pytest.mark.daemon
def test_a_bone_renamed_or_turned_in_another_mode_meanwhile(addon: Any, daemon: Any) -> None:
    armature = posed()
    pose_of(armature)
    names = ("Spine", "Head")
    before = {n: np.array(armature.pose.bones[n].matrix_basis) for n in names}
    row = trial.generated()
    bpy.ops.kineograph.take_apply()
    armature.data.bones["Spine"].name = 'Back "1"'
    armature.pose.bones["Head"].rotation_mode = "YZX"
    look_elsewhere()
    bpy.ops.kineograph.take_reject(take=row.id)
    pose_of(armature)
    for name, now in zip(names, ('Back "1"', "Head"), strict=True):
        off = np.abs(np.array(armature.pose.bones[now].matrix_basis) - before[name]).max()
        assert off < 2e-6, (name, off)
    assert armature.pose.bones["Head"].rotation_mode == "YZX"


@pytest.mark.daemon
def test_an_undone_take_leaves_the_pose(addon: Any, daemon: Any) -> None:
    armature = posed()
    before = pose_of(armature)
    trial.generated()
    bpy.ops.ed.undo_push(message="posed by hand")
    bpy.ops.kineograph.take_apply()
    look_elsewhere()
    assert wrote_over(armature, before)
    bpy.ops.ed.undo_push(message="looked at it")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    armature = bpy.data.objects["Hero"]
    assert armature.animation_data.action.name == "Hero by hand"
    assert pose_of(armature) == before
    bpy.ops.ed.redo()
    armature = bpy.data.objects["Hero"]
    assert wrote_over(armature, before)
    scenes.activate(armature)
    bpy.ops.kineograph.take_reject()
    assert pose_of(armature) == before


def test_what_is_asked_while_a_take_shows_is_asked_of_the_same_pose(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, list(KEYED), "Hips")
    for n, bone in enumerate(b for b in armature.pose.bones if b.name not in KEYED):
        bone.rotation_quaternion = (1.0, 0.1 * n, 0.3, 0.0)
    want = measure.gather(armature, keys=KeyMode.FRAMES)
    measure.baked(want.rig, measure.wander(want.rig, 150))
    look_elsewhere()
    got = measure.gather(armature, keys=KeyMode.FRAMES)
    for a, b in zip(got.request["constraints"], want.request["constraints"], strict=True):
        assert a.keys() == b.keys()
        for joint, turn in b["joint_rotations"].items():
            assert a["joint_rotations"][joint] == pytest.approx(turn, abs=1e-6), joint


@pytest.mark.parametrize("harm", [7, {"head": "{", "data": b""}, {"head": '[["Head","scale","XYZ",9]]', "data": b"1"}])
def test_a_damaged_record_is_no_record(scene: Any, harm: Any) -> None:
    armature = scenes.simple()
    rig = measure.gather(armature).rig
    measure.baked(rig, measure.wander(rig, 20))
    made = armature.animation_data.action
    made["kineograph_unkeyed"] = harm
    measure.baked(rig, measure.wander(rig, 20, seed=2), take="two")
    assert stamps.take_of(armature.animation_data.action) == "two"
    assert len(measure.gather(armature).request["constraints"]) == 0


@pytest.mark.daemon
@pytest.mark.parametrize("ways", [("STRIP", "STRIP"), ("ACTION", "STRIP"), ("STRIP", "ACTION")], ids="-".join)
@pytest.mark.parametrize("first", ["lower", "upper"])
def test_takes_as_strips_one_above_the_other(addon: Any, daemon: Any, ways: tuple[str, str], first: str) -> None:
    armature = posed()
    before = pose_of(armature)
    rows = [trial.generated(seed=n, new_seed=False) for n in (1, 2)]
    for row, way in zip(rows, ways, strict=True):
        bpy.ops.kineograph.take_apply(take=row.id, way=way)
        look_elsewhere()
    order = rows if first == "lower" else rows[::-1]
    data = armature.animation_data
    pose_of(armature)
    upper = np.array([b.matrix_basis for b in armature.pose.bones])
    bpy.ops.kineograph.take_reject(take=order[0].id)
    look_elsewhere()
    if first == "lower":
        pose_of(armature)
        off = np.abs(np.array([b.matrix_basis for b in armature.pose.bones]) - upper).max()
        assert off < 1e-6, "what is above still shows"
        assert (data.action is None) == (ways[1] == "STRIP")
    if first == "upper":
        plays = None if ways[0] == "STRIP" else rows[0].id
        assert (None if data.action is None else stamps.origin_of(data.action).partition(":")[0]) == plays
        assert pose_of(armature) != before
    bpy.ops.kineograph.take_reject(take=order[1].id)
    look_elsewhere()
    assert data.action is not None
    assert data.action.name == "Hero by hand"
    assert len(data.nla_tracks) == 0
    assert pose_of(armature) == before
