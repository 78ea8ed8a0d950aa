# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids reading or writing is named before anything is touched, and its fix leads on."""

from __future__ import annotations

from typing import Any

import bpy
import pytest
from tests.blender import measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph_blender import compat, session
from kineograph_blender.bridge import rig as rigs


def hero() -> Any:
    """A keyed rig that plays its own action."""
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "Head"], "Hips")
    return armature


def refusal(armature: Any) -> KineographError:
    """How a bake is refused; the armature and its action stay as they were, and nothing of ours is left."""
    rig = rigs.read(armature, bpy.context.scene)
    data = armature.animation_data
    before = None if data is None else data.action
    dump = None if before is None else scenes.dump(before)
    with pytest.raises(KineographError) as e:
        measure.baked(rig, measure.wander(rig, 5))
    assert e.value.code is ErrorCode.APPLY_BLOCKED
    assert (None if armature.animation_data is None else armature.animation_data.action) == before
    assert before is None or scenes.dump(before) == dump
    assert not [a for a in bpy.data.actions if a.get("kineograph_take")]
    return e.value


def fix(e: KineographError) -> str:
    """The id of the first fix that the catalogue offers."""
    return session.problem_of(e).fixes[0].id


def test_rest_position_is_refused_both_ways(scene: Any) -> None:
    armature = hero()
    armature.data.pose_position = "REST"
    assert fix(refusal(armature)) == "show_pose_position"
    with pytest.raises(KineographError) as e:
        measure.gather(armature)
    assert session.problem_of(e.value).text == "'Hero' shows its rest position."
    assert armature.data.pose_position == "REST"


def test_edit_mode(scene: Any) -> None:
    armature = hero()
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        with pytest.raises(KineographError) as e:
            measure.gather(armature)
        assert session.problem_of(e.value).text == "'Hero' cannot take the motion: edit mode."
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")


def test_linked_and_overridden_armatures(scene: Any, tmp_path: Any) -> None:
    scenes.simple()
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    scenes.fresh()
    with bpy.data.libraries.load(path, link=True) as (_, data):
        data.objects = ["Hero"]
    linked = data.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.update()
    assert fix(refusal(linked)) == "make_override"
    local = linked.override_create(remap_local_usages=True)
    bpy.context.view_layer.update()
    rig = rigs.read(local, bpy.context.scene)
    measure.baked(rig, measure.wander(rig, 5))
    want = measure.of_clip(measure.wander(rig, 5))
    assert measure.miss(rig, measure.shown(local, rig, range(1, 6)), want)[0] < 1e-5, "an override can be written"


def test_nla_tweak_mode(scene: Any) -> None:
    armature = hero()
    data = armature.animation_data
    action, slot = data.action, compat.slot_of(data)
    track = data.nla_tracks.new()
    strip = track.strips.new("walk", 1, action)
    if compat.HAS_SLOTS:
        strip.action_slot = slot
    data.action = None
    track.select = strip.select = True
    data.nla_tracks.active = track
    data.use_tweak_mode = True
    assert data.use_tweak_mode
    assert fix(refusal(armature)) == "leave_tweak_mode"
    data.use_tweak_mode = False


def test_a_solo_track_and_a_blended_action(scene: Any) -> None:
    armature = hero()
    data = armature.animation_data
    track = data.nla_tracks.new()
    track.strips.new("walk", 1, bpy.data.actions.new("other"))
    track.is_solo = True
    assert "solo nla track" in session.problem_of(refusal(armature)).text
    track.is_solo = False
    data.action_influence = 0.5
    assert refusal(armature).details["blocker"] == "action_blending"
    data.action_influence = 1.0
    data.action_blend_type = "ADD"
    assert refusal(armature).details["blocker"] == "action_blending"


def test_strips_below_and_muted_tracks_do_not_show_through(scene: Any) -> None:
    armature = hero()
    data = armature.animation_data
    for mute in (False, True):
        track = data.nla_tracks.new()
        strip = track.strips.new("walk", 1, data.action)
        if compat.HAS_SLOTS:
            strip.action_slot = compat.slot_of(data)
        track.mute = mute
    rig = rigs.read(armature, scene)
    clip = measure.wander(rig, 20)
    measure.baked(rig, clip)
    assert max(measure.miss(rig, measure.shown(armature, rig, range(1, 21)), measure.of_clip(clip))) < 1e-5


def test_driven_bones(scene: Any) -> None:
    armature = hero()
    curve = armature.pose.bones["LeftArm"].driver_add("rotation_quaternion", 1)
    curve.driver.expression = "0.1"
    e = refusal(armature)
    assert (e.details["bones"], fix(e)) == (["LeftArm"], "mute_drivers")
    curve.mute = True
    rig = rigs.read(armature, scene)
    measure.baked(rig, measure.wander(rig, 5))


def test_drivers_on_other_properties_do_not_block(scene: Any) -> None:
    armature = hero()
    armature.pose.bones["LeftArm"].driver_add("bbone_curveinx").driver.expression = "0.1"
    rig = rigs.read(armature, scene)
    measure.baked(rig, measure.wander(rig, 5))


def test_locked_channels_that_a_take_would_change(scene: Any) -> None:
    armature = hero()
    armature.pose.bones["LeftArm"].lock_rotation[0] = True
    armature.pose.bones["Hips"].lock_location[1] = True
    e = refusal(armature)
    assert (e.details["bones"], fix(e)) == (["Hips", "LeftArm"], "unlock_channels")
    assert session.problem_of(e).text == "2 bones are locked: Hips, LeftArm."
    rig = rigs.read(armature, scene)
    measure.baked(rig, measure.wander(rig, 5), ignore_locks=True)


def test_locks_on_channels_that_do_not_move_are_no_obstacle(scene: Any) -> None:
    armature = hero()
    for bone in armature.pose.bones:
        bone.lock_scale = (True, True, True)
        if bone.name != "Hips":
            bone.lock_location = (True, True, True)
    rig = rigs.read(armature, scene)
    measure.baked(rig, measure.wander(rig, 5))


def test_constraints_on_written_bones_are_listed_and_can_be_muted(scene: Any) -> None:
    armature = hero()
    goal = scenes.empty((0.5, -0.5, 1.0), "Goal")
    copy = armature.pose.bones["LeftHand"].constraints.new("COPY_ROTATION")
    copy.target = goal
    off = armature.pose.bones["Head"].constraints.new("COPY_ROTATION")
    off.target, off.mute = goal, True
    rig = rigs.read(armature, scene)
    clip = measure.wander(rig, 20)
    report = measure.baked(rig, clip, take="one")
    assert [(c.bone, c.kind) for c in report.constraints] == [("LeftHand", "COPY_ROTATION")]
    want = measure.of_clip(clip)
    assert measure.miss(rig, measure.shown(armature, rig, range(1, 21)), want)[1] > 0.01, "it shows through"
    report = measure.baked(rig, clip, take="two", mute_constraints=True)
    assert report.muted == report.constraints
    assert copy.mute
    assert max(measure.miss(rig, measure.shown(armature, rig, range(1, 21)), want)) < 1e-5
