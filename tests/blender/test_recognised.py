# SPDX-License-Identifier: GPL-3.0-or-later
"""A take of before a bone was renamed: bones are known again by how they rest, and the take goes on under new names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph_blender import compat, session
from kineograph_blender.bridge import datapath, recognised, stamps, written
from kineograph_blender.bridge import rig as rigs
from kineograph_blender.bridge.bake import Bake
from kineograph_blender.bridge.bake_options import BakeOptions
from kineograph_blender.bridge.thinned import Wanted
from kineograph_blender.bridge.written import UserKey

TWINS = (
    ("Root", None, (0, 0, 1), (0, 0, 1.2)),
    ("Arm", "Root", (0, 0, 1.2), (0.4, 0, 1.2)),
    ("Twist", "Root", (0, 0, 1.2), (0.2, 0, 1.2)),
    ("Hand", "Arm", (0.4, 0, 1.2), (0.5, 0, 1.2)),
)
SAME = (*TWINS[:2], ("Twist", "Root", (0, 0, 1.2), (0.4, 0, 1.2)), TWINS[3])


def far(armature: Any, rig: Any, clip: Any) -> float:
    """How far what is shown is from a clip, metres and radians."""
    seen = measure.shown(armature, rig, range(1, 1 + len(clip)))
    return max(measure.miss(rig, seen, measure.of_clip(clip)))


def rename(armature: Any, **names: str) -> None:
    for old, new in names.items():
        armature.data.bones[old].name = new


def again(armature: Any) -> Any:
    return rigs.read(armature, bpy.context.scene)


@pytest.mark.parametrize("how", ["one", "a chain", "all", "with quotes"])
def test_a_take_goes_on_under_the_new_names(scene: Any, how: str) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "Head"], "Hips")
    rig = measure.gather(armature).rig
    clip = measure.wander(rig, 40)
    names = {
        "one": {"LeftArm": "upper_arm.L"},
        "a chain": {"LeftShoulder": "a", "LeftArm": "b", "LeftForeArm": "c"},
        "all": {n: f"bone.{i:03}" for i, n in enumerate(rig.names)},
        "with quotes": {"LeftArm": 'arm "left" \\ ü', "Hips": "Hüfte"},
    }[how]
    own = armature.animation_data.action
    rename(armature, **names)
    source = scenes.dump(own)
    report = measure.baked(rig, clip, edits=(UserKey("LeftArm", "rotation_quaternion", 7.0, (0.8, 0.6, 0.0, 0.0)),))
    assert report.renamed == names
    now = again(armature)
    assert now.names == tuple(names.get(n, n) for n in rig.names)
    action, slot = scenes.own(armature)
    assert {datapath.parse(c.data_path).bone for c in compat.curves(action, slot)} == set(now.names)
    arm = names.get("LeftArm", "LeftArm")
    channel = datapath.Channel(arm, "rotation_quaternion")
    assert written.values_at(action, slot, channel, 7.0, (0,) * 4) == pytest.approx((0.8, 0.6, 0, 0), abs=1e-7)
    clip.rotations_xyzw[6, rig.skeleton.index["LeftArm"]] = measure.shown(armature, now, [7])[0].local_xyzw[
        rig.skeleton.index["LeftArm"]
    ]
    assert far(armature, now, clip) < 2e-5
    assert scenes.dump(own) == source, "the user's action is the user's"
    assert not written.edits(action, slot, armature).is_edited


def test_fewer_keys_under_the_new_names(scene: Any) -> None:
    armature = scenes.simple()
    rig = measure.gather(armature).rig
    clip = measure.wander(rig, 40)
    every = Wanted(0.5, {n: {"rotation": tuple(range(0, 40, 3))} for n in rig.names})
    rename(armature, LeftArm="upper_arm.L")
    report = measure.baked(rig, clip, thin=every)
    assert report.keys < report.dense_keys
    action, slot = scenes.own(armature)
    keyed = [len(c.keyframe_points) for c in compat.curves(action, slot) if "upper_arm.L" in c.data_path]
    assert max(keyed) < 40


def test_twins_are_told_apart_by_their_length(scene: Any) -> None:
    armature = scenes.armature("Twins", TWINS)
    rig = again(armature)
    rename(armature, Arm="a", Twist="t", Hand="h")
    assert recognised.recognise(rig, armature).now == {"Arm": "a", "Twist": "t", "Hand": "h"}
    old = replace(rig, beside=(), lengths_bu=None)  # as takes of earlier versions are
    assert recognised.recognise(old, armature).doubtful == {"Arm": ["a", "t"], "Twist": ["a", "t"]}


def test_bones_that_were_there_before_are_nobody_else(scene: Any) -> None:
    armature = scenes.simple()
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    control = armature.data.edit_bones.new("CTRL-LeftArm")
    meant = armature.data.edit_bones["LeftArm"]
    control.head, control.tail, control.parent, control.use_deform = meant.head, meant.tail, meant.parent, False
    bpy.ops.object.mode_set(mode="OBJECT")
    rig = again(armature)
    assert rig.beside == ("CTRL-LeftArm",)
    rename(armature, LeftArm="upper_arm.L")
    assert recognised.recognise(rig, armature).now == {"LeftArm": "upper_arm.L"}
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones.remove(armature.data.edit_bones["upper_arm.L"])
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(KineographError) as e:
        measure.baked(rig, measure.wander(rig, 5))
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert e.value.details["got"] == ["bone 'LeftArm' is gone"]


def test_renamed_and_edited_is_edited(scene: Any) -> None:
    armature = scenes.simple()
    rig = again(armature)
    rename(armature, LeftArm="upper_arm.L")
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones["upper_arm.L"].tail.z += 0.05
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(KineographError) as e:
        measure.baked(rig, measure.wander(rig, 5))
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert armature.animation_data is None


def test_names_that_two_bones_swapped_are_not_guessed_at(scene: Any) -> None:
    armature = scenes.simple()
    rig = again(armature)
    rename(armature, LeftArm="x", RightArm="LeftArm")
    rename(armature, x="RightArm")
    with pytest.raises(KineographError) as e:
        measure.baked(rig, measure.wander(rig, 5))
    assert e.value.code is ErrorCode.RIG_CHANGED


@pytest.mark.parametrize("once", [True, False])
def test_bones_renamed_while_the_take_is_being_written(scene: Any, once: bool) -> None:
    armature = scenes.simple()
    rig = measure.gather(armature).rig
    clip = measure.wander(rig, 150)
    work = Bake(rig, clip, 1.0, "take", BakeOptions())
    while work.report.keys < 1000:
        assert not work.step(0.0005)
    rename(armature, LeftArm="one")
    if not once:
        while not work._began_again:
            assert not work.step(0.0005)
        while work.report.keys < 1000:
            assert not work.step(0.0005)
        rename(armature, one="two")
        with pytest.raises(KineographError) as e:
            work.finish()
        assert e.value.code is ErrorCode.RIG_CHANGED
        assert not len(bpy.data.actions)
        return
    report = work.finish()
    assert report.renamed == {"LeftArm": "one"}
    assert far(armature, again(armature), clip) < 2e-5
    assert [a.name for a in bpy.data.actions] == [armature.animation_data.action.name]


@pytest.mark.daemon
def test_while_a_job_runs_and_through_a_file(addon: Any, daemon: Any, tmp_path: Path) -> None:
    armature = trial.hero()
    assert bpy.ops.kineograph.generate() == {"FINISHED"}
    rename(armature, LeftArm="upper_arm.L", Head="Kopf")
    row = trial.settled().row
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    session.detach()  # and a take that is read from its file
    bpy.ops.wm.open_mainfile(filepath=path)
    armature = bpy.data.objects["Hero"]
    scenes.activate(armature)
    shelf = session.current().shelf
    shelf.rows(armature.kineograph.uid)
    while shelf.settle():
        pass
    assert bpy.ops.kineograph.take_apply(take=row.id) == {"FINISHED"}
    assert far(armature, again(armature), shelf.take(row.id).clip()) < 2e-5
    text = " ".join(trial.shown("verdicts").text.split())
    assert "bone 'LeftArm' is called 'upper_arm.L' now" in text
    assert "bone 'Head' is called 'Kopf' now" in text
    assert fake_layout.draw("problems") is None


@pytest.mark.daemon
@pytest.mark.parametrize("button", ["Use 'a' everywhere", "Rename 'a' to 'Arm'", "Choose a bone..."])
def test_where_two_would_do_it_asks(addon: Any, daemon: Any, button: str) -> None:
    armature = scenes.armature("Twins", SAME)
    addon.kineograph.model, addon.frame_end = trial.MODEL, 20
    scenes.key_poses(armature, ["Root", "Arm", "Twist"], "Root", frames=(1, 20))
    row = trial.generated()
    rename(armature, Arm="a", Twist="t")
    assert bpy.ops.kineograph.take_apply(take=row.id) == {"CANCELLED"}
    assert "points at 'Arm', which 'Twins' does not have. Did you mean 'a'?" in trial.problem()
    assert stamps.take_of(armature.animation_data.action) is None
    trial.mend(button, "a")
    trial.shown("problems").button("Send again").press()
    assert fake_layout.draw("problems") is None, trial.problem()
    assert far(armature, again(armature), session.current().shelf.take(row.id).clip()) < 2e-5
    left = {b.name for b in armature.data.bones} - {"Root", "Hand"}
    assert left == ({"Arm", "t"} if "Rename" in button else {"a", "t"})
