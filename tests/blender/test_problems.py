# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors raised for real in a scene: read from the panel, mended by their buttons, and tried again with success."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, scenes

from kineograph.errors import ErrorCode
from kineograph.fixes import all_fixes
from kineograph_blender import api, mend, session
from kineograph_blender.bridge import marks, stamps

daemon_test = pytest.mark.daemon


def pinned(bone: str) -> tuple[Any, Any]:
    """A character with a pin on a bone."""
    armature = trial.hero()
    pin = scenes.empty((0.7, -0.2, 1.4))
    api.mark_pin(pin, armature, bone, frames=(28, 32))
    return armature, pin


def goes_on() -> Any:
    """Press Send again; the take that comes."""
    trial.shown("problems").button("Send again").press()
    job = trial.settled()
    assert job.error is None, job.error
    assert fake_layout.draw("problems") is None
    return job.take


@daemon_test
@pytest.mark.parametrize("button", ["Use 'LeftHand' here", "Use 'LeftHand' everywhere", "Choose a bone..."])
def test_a_pin_on_a_bone_that_is_not_there(addon: Any, daemon: Any, button: str) -> None:
    _, pin = pinned("LefHand")
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    assert "'LefHand', which 'Hero' does not have. Did you mean 'LeftHand'?" in trial.problem()
    trial.mend(button, value="LeftHand" if button == "Choose a bone..." else "")
    assert marks.joint_of(pin) == "LeftHand"
    goes_on()


@daemon_test
def test_the_bone_is_renamed_with_every_reference(addon: Any, daemon: Any) -> None:
    armature, pin = pinned("LefHand")
    bone = armature.pose.bones["LeftForeArm"]
    limit = bone.constraints.new("COPY_ROTATION")
    limit.target, limit.subtarget, limit.influence = armature, "LeftHand", 0.1
    mesh = scenes.add(bpy.data.meshes.new("Skin"))
    mesh.vertex_groups.new(name="LeftHand")
    mesh.parent = armature
    mesh.modifiers.new("Armature", "ARMATURE").object = armature
    scenes.key(armature, "LeftHand", *scenes.about_x(armature, "LeftHand", 30, 0.3))
    driver = armature.pose.bones["Head"].driver_add("scale", 0).driver
    variable = driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id, variable.targets[0].bone_target = armature, "LeftHand"
    bpy.ops.kineograph.generate()
    trial.mend("Rename 'LeftHand' to 'LefHand'")
    assert "LefHand" in armature.data.bones
    assert limit.subtarget == "LefHand"
    assert mesh.vertex_groups[0].name == "LefHand"
    assert variable.targets[0].bone_target == "LefHand"
    paths = {c.data_path for c in scenes.compat.curves(*stamps.own_action(armature))}
    assert any('"LefHand"' in p for p in paths)
    assert not any('"LeftHand"' in p for p in paths)
    assert marks.joint_of(pin) == "LefHand"
    goes_on()


@daemon_test
def test_a_pin_is_left_out(addon: Any, daemon: Any) -> None:
    _, pin = pinned("LefHand")
    bpy.ops.kineograph.generate()
    trial.mend("Leave out pin 'Empty'" if pin.name == "Empty" else f"Leave out pin '{pin.name}'")
    assert marks.role_of(pin) is None
    assert pin.name in bpy.data.objects
    goes_on()


@daemon_test
def test_several_roots(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("IK_foot_L", "weapon"):
        loose = armature.data.edit_bones.new(name)
        loose.head, loose.tail = (0.5, 0, 0), (0.5, 0, 0.2)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    assert "The rig has 3 roots" in trial.problem()
    trial.mend("Use only bones below 'Hips'")
    assert armature.kineograph.root == "Hips"
    goes_on()


@daemon_test
def test_a_model_that_is_not_here(addon: Any, daemon: Any) -> None:
    trial.hero()
    addon.kineograph.model = "kineograph-interpolat"
    bpy.ops.kineograph.generate()
    trial.settled()
    assert "Model 'kineograph-interpolat' is not here. Did you mean 'kineograph-interpolate'?" in trial.problem()
    trial.mend("Use 'kineograph-interpolate'")
    assert addon.kineograph.model == "kineograph-interpolate"
    goes_on()


@daemon_test
def test_too_many_samples(addon: Any, daemon: Any) -> None:
    trial.hero()
    addon.kineograph.samples = 40
    bpy.ops.kineograph.generate()
    trial.settled()
    assert "limit 16" in trial.problem() or "takes" in trial.problem()
    trial.mend("Set it to 16")
    assert addon.kineograph.samples == 16
    assert goes_on().samples == 16


@daemon_test
def test_an_option_that_the_model_does_not_have(addon: Any, daemon: Any) -> None:
    trial.hero()
    bpy.ops.kineograph.set_option(option="nonsense", value="3")
    bpy.ops.kineograph.generate()
    trial.settled()
    assert "nonsense" in trial.problem()
    trial.mend("Use the model's own setting")
    assert not len(addon.kineograph.options)
    goes_on()


BLOCKS = {
    "rest_position": ("shows its rest position", "Show the pose"),
    "tweak": ("tweak mode", "Leave tweak mode"),
    "locked": ("locked", "Unlock them"),
    "driven": ("driven", "Mute the drivers"),
    "scale": ("scaled unevenly", "Apply the scale"),
}


def block(armature: Any, what: str) -> None:
    """Keep takes from being written."""
    arm = armature.pose.bones["LeftArm"]
    if what == "rest_position":
        armature.data.pose_position = "REST"
    elif what == "locked":
        arm.lock_rotation = (True, True, True)
        arm.lock_rotation_w = True
    elif what == "driven":
        armature.pose.bones["Head"].driver_add("rotation_quaternion", 1)
    elif what == "scale":
        armature.scale = (1.0, 2.0, 1.0)
        bpy.context.view_layer.update()
    else:
        data = armature.animation_data
        strip = data.nla_tracks.new().strips.new("own", 1, data.action)
        data.action = None
        data.nla_tracks[0].select = strip.select = True
        data.use_tweak_mode = True


@daemon_test
@pytest.mark.parametrize("what", BLOCKS)
def test_what_keeps_a_take_from_being_written(addon: Any, daemon: Any, what: str) -> None:
    armature = trial.hero()
    row = trial.generated()
    block(armature, what)
    playing = armature.animation_data.action
    assert bpy.ops.kineograph.take_apply() == {"CANCELLED"}
    assert armature.animation_data.action == playing
    said, button = BLOCKS[what]
    assert said in trial.problem()
    trial.mend(button)
    trial.shown("problems").button("Send again").press()
    if what == "scale":
        # Applying an uneven scale changes the bones themselves: the take was made for another rig.
        assert "was edited" in trial.problem()
        return
    assert fake_layout.draw("problems") is None, trial.problem()
    assert stamps.take_of(armature.animation_data.action)
    assert session.current().shelf.get(row.id) is row


@daemon_test
def test_uneven_scale_is_applied_before_generating(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    block(armature, "scale")
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    trial.mend("Apply the scale")
    assert tuple(armature.scale) == (1.0, 1.0, 1.0)
    goes_on()


@daemon_test
def test_a_linked_armature_gets_an_override(addon: Any, daemon: Any, tmp_path: Path) -> None:
    scenes.simple("Hero")
    path = str(tmp_path / "lib.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    scenes.fresh()
    with bpy.data.libraries.load(path, link=True) as (_, data):
        data.objects = ["Hero"]
    linked = data.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    handle = api.generate(linked, model=trial.MODEL, start=1, end=20)
    handle.wait(60)
    bpy.ops.kineograph.take_apply()
    assert "is linked from another file" in trial.problem()
    trial.mend("Make an override")
    trial.shown("problems").button("Send again").press()
    mine = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o.library is None)
    assert stamps.take_of(mine.animation_data.action)


@daemon_test
def test_a_character_that_is_gone(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated()
    other = scenes.simple("Understudy")
    bpy.ops.kineograph.take_choose(take=row.id)
    bpy.data.objects.remove(armature)
    bpy.context.view_layer.update()
    scenes.activate(other)
    assert bpy.ops.kineograph.take_apply(take=row.id, armature="Understudy") == {"FINISHED"}
    assert stamps.take_of(other.animation_data.action)


@daemon_test
def test_a_rig_deleted_while_its_job_runs_is_applied_to_another(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    handle = api.generate(armature, model=trial.MODEL, start=1, end=30, apply=True)
    bpy.data.objects.remove(armature)
    bpy.context.view_layer.update()
    session.current().wait(handle.job, 60)
    other = scenes.simple("Understudy")
    assert "'Hero' is gone; the result is kept as a take." in trial.problem()
    trial.mend("Apply to...", value="Understudy")
    assert stamps.take_of(other.animation_data.action)


def test_without_a_daemon_there_is_a_button(addon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    trial.hero()
    assert bpy.ops.kineograph.generate() == {"FINISHED"}
    job = trial.settled()
    assert job.error is not None
    assert job.error.code is ErrorCode.DAEMON_UNREACHABLE
    assert "No Kineograph daemon answers on this computer." in trial.problem()
    assert {b.text for b in trial.shown("problems").buttons} >= {"Start it", "Show log"}
    trial.mend("Show log")
    assert "There is no log yet." in trial.problem()


@daemon_test
def test_a_cancelled_job_is_no_problem(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    addon.frame_end = 4000
    addon.kineograph.span, addon.kineograph.samples = "SCENE", 16
    bpy.ops.kineograph.generate()
    job = session.current().jobs[-1]
    assert "Cancel" in trial.shown("generate").text
    trial.shown("generate").button("Cancel").press()
    session.current().wait(job, 60)
    assert job.error is not None
    assert job.error.code is ErrorCode.REQUEST_CANCELLED
    assert fake_layout.draw("problems") is None
    assert "Cancelled" in trial.shown("generate").text
    assert stamps.own_action(armature)[0] == armature.animation_data.action


@daemon_test
def test_a_report_holds_no_names_and_no_paths(addon: Any, daemon: Any) -> None:
    pinned("LefHand")
    bpy.ops.kineograph.generate()
    assert trial.shown("problems").button("Copy report").press() == {"FINISHED"}
    said = mend.elsewhere.report_of(mend.work.Work(bpy.context, next(iter(session.current().troubles)), {}))
    assert "unknown_joint" in said
    assert "Hero" not in said
    assert "LefHand" not in said


def test_every_scene_fix_is_carried_out_or_is_not_for_blender() -> None:
    elsewhere = {
        # the watcher's and the panel's: no such thing can be met in a scene
        "choose_file", "convert_video", "trim_video", "process_anyway", "move_to_needs_map",
        "accept_guess", "pause_watcher", "raise_queue_limit", "lower_watcher_priority", "show_job", "hold_until",
        "update_older", "encode_prompt", "run_on_cpu", "other_device", "open_saved_result", "import_model_rig",
        "retarget_here", "go_to_field", "pick_pole", "write_fk", "submit_interrupted",
    }  # fmt: skip
    wanted = {(f.target, f.action) for f in all_fixes() if f.target != "request"}
    missing = {action for target, action in wanted if (target, action) not in mend.ACTIONS}
    assert missing <= elsewhere | {"edit_map", "edit_profile", "save_joint_alias"}, missing - elsewhere
