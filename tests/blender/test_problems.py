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
from kineograph_blender.draw.state import drawn

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
def test_a_rename_reaches_what_blender_leaves_behind(addon: Any, daemon: Any) -> None:
    """The user's own action behind a take, another action of the rig's, drivers' paths, pins of other scenes."""
    armature = trial.hero()
    scenes.key(armature, "LeftHand", *scenes.about_x(armature, "LeftHand", 30, 0.3))
    shape = scenes.add(bpy.data.meshes.new("Face"), "Face")
    shape.shape_key_add(name="Basis")
    fist = shape.shape_key_add(name="Fist").driver_add("value").driver.variables.new()
    fist.targets[0].id, fist.targets[0].data_path = armature, 'pose.bones["LeftHand"].rotation_quaternion[1]'
    material = bpy.data.materials.new("Skin")
    if material.node_tree is None:
        material.use_nodes = True
    glow = material.node_tree.driver_add("nodes[0].location", 0).driver.variables.new()
    glow.targets[0].id, glow.targets[0].data_path = armature, 'pose.bones["LeftHand"]["glow"]'
    other = scenes.simple("Other")
    theirs = shape.driver_add("location", 0).driver.variables.new()
    theirs.targets[0].id, theirs.targets[0].data_path = other, 'pose.bones["LeftHand"].location[0]'
    elsewhere = bpy.data.objects.new("Elsewhere", None)
    bpy.data.scenes.new("Second").collection.objects.link(elsewhere)
    marks.mark_pin(elsewhere, armature, "LeftHand", frames=(3, 3))
    scenes.activate(armature)
    trial.generated()
    bpy.ops.kineograph.take_apply()
    own, slot = stamps.own_action(armature)
    assert own != armature.animation_data.action
    pin = scenes.empty((0.5, -0.2, 1.4))
    marks.mark_pin(pin, armature, "LefHand", frames=(30, 30))
    bpy.ops.kineograph.generate()
    trial.mend("Rename 'LeftHand' to 'LefHand'")
    for action, its in ((own, slot), (armature.animation_data.action, scenes.compat.slot_of(armature.animation_data))):
        curves = scenes.compat.curves(action, its)
        hands = {c.data_path for c in curves if "LeftHand" in c.data_path or "LefHand" in c.data_path}
        assert hands == {'pose.bones["LefHand"].rotation_quaternion'}
        names = {g.name for g in scenes.compat.groups(action, its)}
        assert "LefHand" in names
        assert "LeftHand" not in names
    assert fist.targets[0].data_path == 'pose.bones["LefHand"].rotation_quaternion[1]'
    assert glow.targets[0].data_path == 'pose.bones["LefHand"]["glow"]'
    assert theirs.targets[0].data_path == 'pose.bones["LeftHand"].location[0]', "another character's"
    assert marks.joint_of(elsewhere) == "LefHand"
    bpy.ops.kineograph.take_reject()
    assert armature.animation_data.action == own
    addon.frame_set(30)
    turned = armature.pose.bones["LefHand"].rotation_quaternion.to_euler().x
    assert turned == pytest.approx(0.3, abs=1e-5), "the user's key moves the bone again"


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
    assert "Use only deform bones" not in trial.problem(), "it does already"
    armature.kineograph.bones = "all"
    assert "Use only deform bones" in trial.problem()
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
def test_the_scale_of_one_of_two_objects_with_the_same_bones(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    twin = armature.copy()
    addon.collection.objects.link(twin)
    block(armature, "scale")
    scenes.activate(armature)
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    trial.mend("Apply the scale")
    assert tuple(armature.scale) == (1.0, 1.0, 1.0)
    assert armature.data != twin.data, "the twin keeps its own bones"
    assert twin.data.bones["Head"].head_local.y == pytest.approx(0.5 * armature.data.bones["Head"].head_local.y)
    goes_on()


HIDDEN = {
    "by the eye": lambda armature, home: armature.hide_set(True),
    "in all viewports": lambda armature, home: setattr(armature, "hide_viewport", True),
    "with its collection": lambda armature, home: setattr(home, "hide_viewport", True),
    "from being selected": lambda armature, home: setattr(armature, "hide_select", True),
    "not at all": lambda armature, home: None,
}


@daemon_test
@pytest.mark.parametrize("how", HIDDEN)
def test_the_scale_of_what_is_hidden(addon: Any, daemon: Any, how: str) -> None:
    armature = trial.hero()
    home = bpy.data.collections.new("Home")
    addon.collection.children.link(home)
    for collection in armature.users_collection:
        collection.objects.unlink(armature)
    home.objects.link(armature)
    other = scenes.add(bpy.data.meshes.new("Other"))
    block(armature, "scale")
    scenes.activate(armature)
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    scenes.activate(other)
    HIDDEN[how](armature, home)
    bpy.context.view_layer.update()
    before = standing(armature, home)
    trial.mend("Apply the scale")
    assert tuple(armature.scale) == (1.0, 1.0, 1.0)
    assert standing(armature, home) == before
    assert bpy.context.view_layer.objects.active == other
    assert other.select_get()


def standing(armature: Any, home: Any) -> tuple[Any, ...]:
    """What of an object's showing is the user's."""
    of_object = armature.hide_get(), armature.hide_viewport, armature.hide_select, armature.visible_get()
    chosen = sorted(o.name for o in bpy.context.view_layer.objects if o.select_get())
    return of_object, home.hide_viewport, [c.name for c in armature.users_collection], chosen


def refused(text: str, value: str = "") -> str:
    """Press a fix that cannot be carried out; what its card says then."""
    before = len(session.current().troubles)
    button = trial.shown("problems").button(text)
    if value:
        button.values.value = value
    assert button.press() == {"CANCELLED"}
    assert len(session.current().troubles) == before, "it is told in the card, not as a problem of its own"
    return trial.problem()


@daemon_test
def test_what_blender_refuses_is_told_in_its_own_words(addon: Any, daemon: Any, tmp_path: Path) -> None:
    scenes.simple("Hero")
    path = str(tmp_path / "lib.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    here = scenes.fresh()
    with bpy.data.libraries.load(path, link=True) as (_, data):
        data.armatures = ["Hero"]
    armature = bpy.data.objects.new("Hero", data.armatures[0])  # an object of one's own, with linked bones
    here.collection.objects.link(armature)
    here.kineograph.model = trial.MODEL
    bpy.context.view_layer.update()
    block(armature, "scale")
    scenes.activate(armature)
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    assert "Blender cannot do that: " in refused("Apply the scale")
    assert tuple(armature.scale) == (1.0, 2.0, 1.0)


@daemon_test
def test_a_fix_that_cannot_be_carried_out_says_why(addon: Any, daemon: Any) -> None:
    pinned("LefHand")
    bpy.ops.kineograph.generate()
    assert "'Hero' has no bone 'Nonsense'." in refused("Choose a bone...", "Nonsense")
    assert "is gone" not in trial.problem()
    trial.mend("Use 'LeftHand' here")
    assert "Nonsense" not in trial.problem()
    goes_on()


@daemon_test
def test_the_same_is_done_again_for_the_same_character(addon: Any, daemon: Any) -> None:
    """What was refused was no Generate, and another character is in view by now."""
    armature = trial.hero()
    armature.data.pose_position = "REST"
    assert bpy.ops.kineograph.preview() == {"CANCELLED"}
    assert bpy.ops.kineograph.regenerate(first=20, last=30) == {"CANCELLED"}
    other = trial.hero("Other")
    for at, pin in ((0, False), (0, True)):
        addon.kineograph.character, addon.kineograph.is_pinned = (other if pin else None), pin
        armature.data.pose_position = "REST"
        card = list(session.current().troubles)[at]
        bpy.ops.kineograph.fix(trouble=card.id, fix="show_pose_position")
        jobs = len(session.current().jobs)
        bpy.ops.kineograph.send_again(trouble=card.id)
        assert (addon.kineograph.character, addon.kineograph.is_pinned) == ((other if pin else None), pin)
        if card.redo[0] == "kineograph.preview":
            assert len(session.current().jobs) == jobs, "a preview sends nothing"
            assert drawn.preview is not None
            assert drawn.preview.character == "Hero"
        else:
            job = trial.settled()
            assert job.armature == "Hero"
            assert (job.outgoing.start, job.outgoing.frames) == (20, 11)


@daemon_test
def test_why_stands_in_the_card(addon: Any, daemon: Any) -> None:
    pinned("LefHand")
    bpy.ops.kineograph.generate()
    assert "Code unknown_joint" not in trial.problem()
    trial.shown("problems").button("Why").press()
    card = next(iter(session.current().troubles))
    assert card.problem().cause in trial.problem()
    assert "Code unknown_joint" in trial.problem()
    trial.shown("problems").button("Why").press()
    assert "Code unknown_joint" not in trial.problem()


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


@daemon_test
@pytest.mark.parametrize("what", ["driven", "locked", "gone", "doubtful"])
def test_nor_does_one_of_a_take_that_could_not_be_written(addon: Any, daemon: Any, what: str, tmp_path: Path) -> None:
    armature = trial.hero("Secret Hero")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "for_client_x.blend"))
    if what == "doubtful":
        bpy.ops.object.mode_set(mode="EDIT")
        twin, arm = armature.data.edit_bones.new("Twin"), armature.data.edit_bones["LeftArm"]
        twin.head, twin.tail, twin.roll, twin.parent = arm.head, arm.tail, arm.roll, arm.parent
        bpy.ops.object.mode_set(mode="OBJECT")
    trial.generated()
    if what == "doubtful":
        armature.data.bones["LeftArm"].name, armature.data.bones["Twin"].name = "Arm of o'Neil", "Neil"
    elif what == "gone":
        bpy.ops.object.mode_set(mode="EDIT")
        armature.data.edit_bones.remove(armature.data.edit_bones["LeftArm"])
        bpy.ops.object.mode_set(mode="OBJECT")
    else:
        block(armature, what)
    bpy.ops.kineograph.take_apply()
    card = next(iter(session.current().troubles))
    said = mend.elsewhere.report_of(mend.work.Work(bpy.context, card, {}))
    assert any(f"code: {code}" in said for code in ("apply_blocked", "rig_changed", "unknown_joint"))
    for secret in ("Secret", "Hero", "Head", "LeftArm", "Neil", "client_x", str(tmp_path)):
        assert secret not in said, said


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
