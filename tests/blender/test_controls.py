# SPDX-License-Identifier: GPL-3.0-or-later
"""A generated Rigify rig by its FK controls: keys on them are sent, a take is keyed on them, and its mesh follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import addon as trial
from tests.blender import measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph.motion import quat
from kineograph.rigs import profiles
from kineograph_blender import api, compat
from kineograph_blender.bridge import controls, datapath, guard, marks
from kineograph_blender.bridge import rig as rigs
from kineograph_blender.bridge.bones import Which
from kineograph_blender.bridge.frame import rotation_of
from kineograph_blender.bridge.poses import evaluated_matrices
from kineograph_blender.bridge.rig import Rig

FRAMES = range(1, 21)
ARM = {"upper_arm_fk.L", "forearm_fk.L", "hand_fk.L"}
SWITCH = ("upper_arm_parent.L", "IK_FK")


@pytest.fixture
def armature(scene: Any) -> Any:
    return scenes.generated_rigify()


def the_rig(armature: Any) -> Rig:
    return rigs.read(armature, bpy.context.scene, Which.CONTROLS)


def key_turns(armature: Any, bones: Iterable[str], frames: Iterable[int] = (1, 10, 20)) -> None:
    for n, frame in enumerate(frames):
        for bone in bones:
            scenes.key(armature, bone, *scenes.about_x(armature, bone, frame, 0.3 * (n - 1)))


def in_fk(armature: Any) -> None:
    for (bone, prop), value in controls.of_rig(armature).hold.items():
        if prop == "IK_FK":
            armature.pose.bones[bone][prop] = value
    armature.update_tag()


def switch(armature: Any) -> float:
    return float(armature.pose.bones[SWITCH[0]][SWITCH[1]])


def deform_bone(control: str, places: dict[str, str]) -> str:
    """The bone that the mesh hangs on, of a control."""
    return places.get(control) or "DEF-" + {"neck": "spine.004", "head": "spine.006"}.get(
        control, control.replace("_fk", "")
    )


def test_the_bones_that_the_mesh_hangs_on_stand_where_the_take_says(armature: Any) -> None:
    rig = the_rig(armature)
    clip = measure.wander(rig, len(FRAMES))
    measure.baked(rig, clip)
    points, turns = clip.world()
    places = {n: p for n, p in controls.of_rig(armature).places.items() if p != n}
    names = tuple(deform_bone(n, places) for n in rig.names)
    assert set(names) <= set(armature.pose.bones.keys())
    along = np.array([0.0, 1.0, 0.0])
    for n, frame in enumerate(FRAMES):
        guard.go_to(bpy.context.scene, frame)
        world, bones = evaluated_matrices(armature, names)
        seen = world @ bones
        assert np.abs(rig.frame.points_m(seen[:, :3, 3]) - points[n]).max() < 1e-5
        want = quat.rotate(rig.frame.world_xyzw(turns[n], rig.rest_world_xyzw), along)
        got = quat.rotate(rotation_of(seen), along)
        # How a limb's twist runs along its bones is Rigify's own affair; where they point is not.
        apart = np.linalg.norm(np.cross(want, got), axis=-1)
        neck = rig.names.index("neck")  # its control points along all of the neck, not along its first bone
        assert np.delete(apart, neck).max() < 1e-5


def test_a_key_on_a_control_asks_for_that_control(armature: Any) -> None:
    key_turns(armature, ["upper_arm_fk.L"], [10])
    scenes.key(armature, "torso", "location", 20, (0.1, 0.0, 0.0))
    in_fk(armature)
    out = measure.gather(armature, end=30, bones=Which.CONTROLS)
    first, second = out.request["constraints"]
    assert (first["frame"], set(first["joint_rotations"])) == (9, {"upper_arm_fk.L"})
    assert (second["frame"], set(second["joint_rotations"])) == (19, {"spine_fk"})
    assert out.rig.names[0] == "spine_fk"
    assert not out.remarks


def test_a_key_on_an_ik_control_asks_for_its_limb_as_it_is_shown(armature: Any) -> None:
    assert switch(armature) == 0.0, "the limb is in IK"
    scenes.key(armature, "hand_ik.L", "location", 1, (0.0, 0.0, 0.0))
    scenes.key(armature, "hand_ik.L", "location", 10, (-0.1, -0.15, 0.1))
    out = measure.gather(armature, end=30, bones=Which.CONTROLS)
    assert [set(c["joint_rotations"]) for c in out.request["constraints"]] == [ARM, ARM]
    guard.go_to(bpy.context.scene, 10)
    world, (hand,) = evaluated_matrices(armature, ("DEF-hand.L",))
    pose = measure.shown(armature, out.rig, [10])[0]
    seen = out.rig.frame.points_m((world @ hand)[:3, 3])
    assert np.abs(pose.positions_m[out.rig.names.index("hand_fk.L")] - seen).max() < 1e-5


def test_motion_that_was_posed_in_ik_comes_back_on_fk(armature: Any) -> None:
    for bone in armature.pose.bones:
        bone.ik_stretch = 0.0  # Rigify's IK stretches a little even within reach; a request carries rotations only
    for frame, x in ((1, 0.0), (10, -0.1), (20, -0.05)):
        scenes.key(armature, "hand_ik.L", "location", frame, (x, x, -x))
        scenes.key(armature, "foot_ik.R", "location", frame, (0.0, x, -x))
        scenes.key(armature, "torso", "location", frame, (0.0, x, 0.3 * x))
    source = armature.animation_data.action
    before = scenes.dump(source)
    rig = the_rig(armature)
    want = measure.shown(armature, rig, FRAMES)
    assert max(float(np.abs(w.positions_m - want[0].positions_m).max()) for w in want) > 0.1
    report = measure.baked(rig, measure.clip_of(rig, want))
    assert not report.missed_m
    far, turned = measure.miss(rig, measure.shown(armature, rig, FRAMES), want)
    assert far < 2e-4, "a hand in IK stands on its target, a little off where its solver left the arm"
    assert turned < 1e-5
    assert scenes.dump(source) == before
    assert switch(armature) == 1.0
    said = {datapath.parse(c.data_path) for c in compat.curves(*scenes.own(armature))}
    assert datapath.Channel(SWITCH[0], '["IK_FK"]') in said
    assert datapath.Channel("hand_ik.L", "location") in said, "what is said of other controls is carried on"


def test_controls_in_between_are_held_at_rest(armature: Any) -> None:
    key_turns(armature, ["chest", "hips", "tweak_spine.003"])
    scenes.key(armature, "neck", "scale", 1, (1.2, 1.2, 1.2))
    armature.pose.bones["chest"].location = (0.0, 0.1, 0.0)
    rig = the_rig(armature)
    clip = measure.wander(rig, len(FRAMES))
    measure.baked(rig, clip)
    assert max(measure.miss(rig, measure.shown(armature, rig, FRAMES), measure.of_clip(clip))) < 1e-5
    assert tuple(armature.pose.bones["chest"].rotation_quaternion) == (1.0, 0.0, 0.0, 0.0)


def test_the_root_control_stays_where_its_user_put_it(armature: Any) -> None:
    armature.pose.bones["root"].location = (0.5, 1.0, 0.0)
    armature.pose.bones["root"].rotation_quaternion = (0.9, 0.0, 0.0, 0.4358899)
    bpy.context.view_layer.update()
    rig = the_rig(armature)
    clip = measure.wander(rig, len(FRAMES))
    measure.baked(rig, clip)
    assert max(measure.miss(rig, measure.shown(armature, rig, FRAMES), measure.of_clip(clip))) < 1e-5
    assert tuple(armature.pose.bones["root"].location) == pytest.approx((0.5, 1.0, 0.0))


def test_beside_a_range_written_anew_the_limb_stays_in_ik(armature: Any) -> None:
    for frame, x in ((1, 0.0), (30, -0.15)):
        scenes.key(armature, "hand_ik.L", "location", frame, (x, x, -x))
    rig = the_rig(armature)
    beside = [1, 5, 9, 21, 25, 30]
    before = measure.shown(armature, rig, beside)
    guard.go_to(bpy.context.scene, 1)
    clip = measure.wander(rig, 11)
    measure.baked(rig, clip, 10.0, over=True)
    assert max(measure.miss(rig, measure.shown(armature, rig, range(10, 21)), measure.of_clip(clip))) < 1e-5
    assert max(measure.miss(rig, measure.shown(armature, rig, beside), before)) < 1e-4


def test_a_rig_whose_controls_nobody_knows_is_refused_by_name_and_mended(addon: Any) -> None:
    armature = trial.hero()
    armature.kineograph.bones = "controls"
    with pytest.raises(KineographError, match="no rig profile knows the FK controls of 'Hero'") as caught:
        the_rig(armature)
    assert caught.value.code is ErrorCode.INVALID_SKELETON
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    assert "No rig profile knows the FK controls of 'Hero'." in trial.problem()
    trial.mend("Use only deform bones")
    assert armature.kineograph.bones == "deform"


def test_what_is_sent_is_understood_as_a_person(armature: Any) -> None:
    rig = the_rig(armature)
    read = profiles.read_rig(rig.names, rig.skeleton.parents.tolist(), rig.skeleton.rest_positions_m)
    assert not read.missing()
    assert read.matches["left_forearm"].name == "forearm_fk.L"


@pytest.mark.daemon
def test_from_keys_on_controls_to_a_take_on_controls(scene: Any, daemon: Any) -> None:
    armature = scenes.generated_rigify()
    in_fk(armature)
    key_turns(armature, ["upper_arm_fk.L", "torso", "spine_fk.002"], (1, 30, 60))
    guard.go_to(scene, 1)
    source = armature.animation_data.action
    before = scenes.dump(source)
    handle = api.generate(armature, model=trial.MODEL, end=60, bones="controls")
    rig = handle.job.outgoing.rig
    wanted = dict(zip((1, 30, 60), measure.shown(armature, rig, (1, 30, 60)), strict=True))
    take = handle.wait(timeout_s=120)
    take.apply()
    assert scenes.dump(source) == before
    shown = measure.shown(armature, rig, range(1, 61))
    assert max(measure.miss(rig, shown, measure.of_clip(take.clip()))) < 1e-5
    for frame, pose in wanted.items():
        for name in ("upper_arm_fk.L", "spine_fk.002"):
            joint = rig.names.index(name)
            off = quat.angle_between_rad(shown[frame - 1].local_xyzw[joint], pose.local_xyzw[joint])
            assert float(off) < 2e-3, (name, frame)
    again = measure.gather(armature, end=60, bones=Which.CONTROLS)
    assert again.request["constraints"] == handle.job.outgoing.request["constraints"], "a take adds no keys"


@pytest.mark.daemon
def test_a_generated_rig_is_taken_by_its_controls_of_itself(addon: Any, daemon: Any) -> None:
    """Nobody said which bones to send: what an animator keys is what is written, and the mesh moves."""
    armature = scenes.generated_rigify("Hero")
    scenes.activate(armature)
    addon.kineograph.model, addon.kineograph.span, addon.kineograph.end = trial.MODEL, "OWN", 30
    marks.mark_path(scenes.curve_path([(0, 0, 0), (0, -1, 0)]), armature)
    bpy.ops.kineograph.read_rig()
    assert "Rigify human (FK controls)" in " ".join(trial.shown("character").text.split())
    trial.generated()
    before = armature.pose.bones["DEF-spine"].matrix.translation.copy()
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}
    addon.frame_set(30)
    assert (armature.pose.bones["DEF-spine"].matrix.translation - before).length > 0.9
    assert bpy.ops.kineograph.regenerate(first=10, last=20) == {"FINISHED"}
    assert trial.settled().error is None


def test_one_undo_step_gives_the_limbs_back_to_ik(armature: Any) -> None:
    name = armature.name
    scenes.key(armature, "hand_ik.L", "location", 1, (-0.1, -0.1, 0.1))
    guard.go_to(bpy.context.scene, 1)
    rig = the_rig(armature)
    before = measure.shown(armature, rig, [1])
    bpy.ops.ed.undo_push(message="before")
    measure.baked(rig, measure.wander(rig, 10))
    bpy.ops.ed.undo_push(message="a take")
    bpy.ops.ed.undo()
    armature = bpy.data.objects[name]
    assert switch(armature) == 0.0
    assert max(measure.miss(rig, measure.shown(armature, rig, [1]), before)) < 1e-5


@pytest.mark.daemon
def test_reject_gives_the_limbs_back_to_ik(addon: Any, daemon: Any) -> None:
    armature = scenes.generated_rigify("Hero")
    scenes.key(armature, "hand_ik.L", "location", 1, (0.0, 0.0, 0.0))
    scenes.key(armature, "hand_ik.L", "location", 30, (-0.1, -0.1, 0.1))
    settings = bpy.context.scene.kineograph
    settings.model, settings.span, settings.start, settings.end = trial.MODEL, "OWN", 1, 30
    armature.kineograph.bones = "controls"
    rig = the_rig(armature)
    before = measure.shown(armature, rig, [15])
    row = trial.generated()
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}
    assert switch(armature) == 1.0
    assert bpy.ops.kineograph.take_reject(take=row.id) == {"FINISHED"}
    assert switch(armature) == 0.0
    assert max(measure.miss(rig, measure.shown(armature, rig, [15]), before)) < 1e-5
