# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose key is it: of the user's own action, set on an applied take, or so by the user's own word."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Euler
from tests.blender import measure, scenes

from kineograph.motion import quat
from kineograph_blender import compat
from kineograph_blender.bridge import guard, keymarks, stamps, written
from kineograph_blender.bridge.datapath import Channel
from kineograph_blender.bridge.keys import KeyMode, Pick
from kineograph_blender.bridge.request import Outgoing

TURN = list(Euler((0.3, 0.2, -0.4)).to_quaternion())
OTHER = list(Euler((-0.5, 0.1, 0.2)).to_quaternion())


def asked(out: Outgoing) -> dict[int, list[str]]:
    """Joints by scene frame, as constrained by keys."""
    return {c["frame"] + out.first: sorted(c["joint_rotations"]) for c in measure.constraints(out, "pose_keyframe")}


def take_on(armature: Any, seed: int = 1, **options: Any) -> Outgoing:
    """A take applied over the whole range; returns what would be sent before it."""
    out = measure.gather(armature)
    measure.baked(out.rig, measure.wander(out.rig, 150, seed=seed), take=f"take {seed}", edits=out.edits, **options)
    return out


def press_i(armature: Any, bones: list[str], frame: int, turn: Any = None) -> None:
    """What an animator does: go to a frame, turn a bone, insert rotation keys on some bones."""
    guard.go_to(bpy.context.scene, frame)
    if turn is not None:
        armature.pose.bones[bones[0]].rotation_quaternion = turn
    for name in bones:
        armature.pose.bones[name].keyframe_insert("rotation_quaternion", frame=frame)
        armature.pose.bones[name].keyframe_insert("location", frame=frame)


def test_a_key_set_over_a_baked_one_is_an_edit_whatever_its_type(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    press_i(armature, ["LeftArm"], 40, TURN)
    action, slot = scenes.own(armature)
    types = {p.type for c in compat.curves(action, slot) for p in c.keyframe_points}
    assert types == {"KEYFRAME"}, "Blender's key types do not tell"
    out = measure.gather(armature)
    assert asked(out) == {40: ["LeftArm"]}
    assert [(k.bone, k.prop, k.frame) for k in out.edits] == [("LeftArm", "rotation_quaternion", 40.0)]
    assert out.edits[0].values == pytest.approx(TURN, abs=1e-7)


def test_keying_the_whole_character_constrains_what_was_moved(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    names = [b.name for b in armature.pose.bones]
    press_i(armature, ["LeftArm", *(n for n in names if n != "LeftArm")], 40, TURN)
    press_i(armature, names, 77)
    assert asked(measure.gather(armature)) == {40: ["LeftArm"]}


def test_a_key_on_one_bone_stays_one_bone_for_twenty_rounds(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "Head", "rotation_quaternion", 10, TURN)
    source = scenes.dump(armature.animation_data.action)
    own = armature.animation_data.action
    take_on(armature)
    press_i(armature, ["LeftArm"], 40, TURN)
    first = measure.gather(armature)
    bits = np.array(first.edits[0].values, np.float32).tobytes()
    for n in range(20):
        again = take_on(armature, seed=n)
        assert asked(again) == {10: ["Head"], 40: ["LeftArm"]}
        assert np.array(again.edits[0].values, np.float32).tobytes() == bits
        for got, want in zip(again.request["constraints"], first.request["constraints"], strict=True):
            for joint, turn in want["joint_rotations"].items():
                off = quat.angle_between_rad(np.array(got["joint_rotations"][joint]), np.array(turn))
                assert float(off) < 1e-6, "nothing creeps"
        action, slot = scenes.own(armature)
        values = written.values_at(action, slot, Channel("LeftArm", "rotation_quaternion"), 40, (0, 0, 0, 0))
        assert np.array(values, np.float32).tobytes() == bits, "the key is in the take, to the last bit"
    assert scenes.dump(own) == source


def test_edits_survive_saving_and_loading(scene: Any, tmp_path: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    press_i(armature, ["LeftArm"], 40, TURN)
    take_on(armature, seed=2)
    press_i(armature, ["Head"], 60, OTHER)
    before = measure.gather(armature)
    path = str(tmp_path / "edited.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = measure.gather(bpy.data.objects["Hero"])
    assert again.request["constraints"] == before.request["constraints"]
    assert again.edits == before.edits


def test_a_renamed_bone_keeps_its_keys_and_gains_none(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "Head", "rotation_quaternion", 10, TURN)
    take_on(armature)
    press_i(armature, ["LeftArm"], 40, TURN)
    meant = measure.constraints(measure.gather(armature), "pose_keyframe")[0]["joint_rotations"]["Head"]
    before = {a.name for a in bpy.data.actions}
    armature.data.bones["LeftArm"].name = 'arm "left" \\ ü'
    armature.data.bones["Head"].name = "Kopf"
    armature.data.bones["RightArm"].name = "Other"
    out = measure.gather(armature)
    assert asked(out) == {10: ["Kopf"], 40: ['arm "left" \\ ü']}
    want = measure.constraints(out, "pose_keyframe")[0]["joint_rotations"]["Kopf"]
    assert want == pytest.approx(meant, abs=5e-7), "the pose is the key's, in the user's action under the old name"
    assert [a for a in bpy.data.actions if a.name not in before] == []


def test_the_users_action_under_an_old_name_is_no_edit_after_the_next_rename(scene: Any) -> None:
    armature = scenes.simple()
    for frame in (10, 60):
        scenes.key(armature, "Head", "rotation_quaternion", frame, TURN)
    scenes.key(armature, "Neck", "rotation_quaternion", 10, TURN)
    take_on(armature)
    armature.data.bones["Head"].name = "Kopf"  # Blender renames it in what plays, not in what stands aside
    armature.data.bones["Neck"].name = "Hals"
    take_on(armature, seed=2)
    action, slot = scenes.own(armature)
    bones = {c.data_path.split('"')[1] for c in compat.curves(action, slot)}
    assert bones >= {"Kopf", "Hals"}
    assert not bones & {"Head", "Neck"}
    armature.data.bones["Kopf"].name = "Skull"
    action, slot = scenes.own(armature)
    assert not written.edits(action, slot, armature).keys
    assert asked(measure.gather(armature)) == {10: ["Hals", "Skull"], 60: ["Skull"]}


def test_a_removed_edit_is_no_key_any_more(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    press_i(armature, ["LeftArm"], 40, TURN)
    take_on(armature, seed=2)
    for index in range(4):
        armature.pose.bones["LeftArm"].keyframe_delete("rotation_quaternion", index=index, frame=40)
    assert asked(measure.gather(armature)) == {}
    action, slot = scenes.own(armature)
    assert written.edits(action, slot, armature).is_edited


def test_a_take_nobody_touched_has_no_edits(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    action, slot = scenes.own(armature)
    found = written.edits(action, slot, armature)
    assert not found.is_edited
    assert found.bones == []
    assert written.edited_take(armature) is None
    press_i(armature, ["LeftArm"], 40, TURN)
    found = written.edits(action, slot, armature)
    assert found.is_edited
    assert found.bones == ["LeftArm"]
    take_on(armature, seed=2)
    action, slot = scenes.own(armature)
    assert not written.edits(action, slot, armature).is_edited, "what it was made to meet is no change of it"


def test_an_edited_take_that_is_replaced_is_kept_in_the_file(scene: Any, tmp_path: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    edited = armature.animation_data.action.name
    press_i(armature, ["LeftArm"], 40, TURN)
    take_on(armature, seed=2)
    path = str(tmp_path / "kept.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert edited in bpy.data.actions


def test_where_both_speak_the_edit_is_the_newer_word(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "LeftArm", "rotation_quaternion", 40, TURN)
    take_on(armature)
    press_i(armature, ["LeftArm"], 40, OTHER)
    out = measure.gather(armature)
    assert asked(out) == {40: ["LeftArm"]}
    want = measure.shown(armature, out.rig, [40])[0].local_xyzw[out.rig.skeleton.index["LeftArm"]]
    assert np.abs(np.array(out.request["constraints"][0]["joint_rotations"]["LeftArm"]) - want).max() < 1e-6


def test_the_root_moved_on_a_take(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    guard.go_to(scene, 40)
    armature.pose.bones["Hips"].location.x += 0.25
    armature.pose.bones["Hips"].keyframe_insert("location", frame=40)
    (only,) = measure.gather(armature).request["constraints"]
    assert (only["type"], only["joint"], only["frames"]) == ("effector_target", "Hips", [39])


def test_marking_and_unmarking_override(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "Head", "rotation_quaternion", 10, TURN)
    scenes.key(armature, "Hips", "location", 10, (0.2, 0, 0))
    keymarks.mark(armature.pose.bones["LeftArm"], [50])
    assert asked(measure.gather(armature)) == {10: ["Head"], 50: ["LeftArm"]}
    keymarks.unmark(armature.pose.bones["Head"], [10])
    out = measure.gather(armature)
    assert asked(out) == {50: ["LeftArm"]}
    assert [r.what for r in out.remarks] == ["1 keys"]
    assert len(measure.constraints(out, "effector_target")) == 1, "the root's own key still counts"
    keymarks.unmark(armature.pose.bones["Hips"], [10])
    assert measure.constraints(measure.gather(armature), "effector_target") == []
    keymarks.mark(armature.pose.bones["Head"], [10])
    keymarks.clear(armature.pose.bones["Hips"])
    assert asked(measure.gather(armature)) == {10: ["Head"], 50: ["LeftArm"]}


def test_a_marked_frame_of_a_take_is_met_by_the_next(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    keymarks.mark(armature.pose.bones["LeftArm"], [50])
    out = measure.gather(armature)
    assert asked(out) == {50: ["LeftArm"]}
    want = measure.shown(armature, out.rig, [50])[0].local_xyzw[out.rig.skeleton.index["LeftArm"]]
    got = out.request["constraints"][0]["joint_rotations"]["LeftArm"]
    assert np.abs(np.array(got) - want).max() < 1e-6


def test_selected_keys_and_selected_bones(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key(armature, "Head", "rotation_quaternion", 10, TURN)
    scenes.key(armature, "Head", "rotation_quaternion", 20, TURN)
    scenes.key(armature, "LeftArm", "rotation_quaternion", 20, TURN)
    action, slot = scenes.own(armature)
    for curve in compat.curves(action, slot):
        for point in curve.keyframe_points:
            point.select_control_point = point.co[0] == 10
    assert asked(measure.gather(armature, pick=Pick.SELECTED_KEYS)) == {10: ["Head"]}
    for bone in armature.pose.bones:
        (bone if compat.POSE_BONE_SELECT else bone.bone).select = bone.name == "LeftArm"
    assert asked(measure.gather(armature, pick=Pick.SELECTED_BONES)) == {20: ["LeftArm"]}
    assert asked(measure.gather(armature)) == {10: ["Head"], 20: ["Head", "LeftArm"]}
    assert asked(measure.gather(armature, keys=KeyMode.NONE)) == {}


def test_a_take_of_an_old_file_without_a_record_has_no_edits(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    action, slot = scenes.own(armature)
    for key in [k for k in action.keys() if k not in ("kineograph_take", "kineograph_source")]:  # noqa: SIM118
        del action[key]
    press_i(armature, ["LeftArm"], 40, TURN)
    assert written.edits(action, slot, armature).keys == {}
    assert asked(measure.gather(armature)) == {}


def test_a_broken_record_says_so_and_loses_nothing(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    press_i(armature, ["LeftArm"], 40, TURN)
    action, _ = scenes.own(armature)
    short, crooked = ('[["Head", "location", 0, 99, 0, 0]]', '[["Head", "location", 0, 1.0, 0, -8]]')
    heads = (("{", b""), (short, b"12"), (crooked, b"12345678"))
    for broken in (*({"head": head, "data": data} for head, data in heads), 7):
        action["kineograph_written"] = broken
        assert written.load(action, armature) is None
        out = measure.gather(armature)
        assert asked(out) == {}
        assert [r.what for r in out.remarks] == ["keys set on the take"]
    assert stamps.take_of(action)


def test_keys_of_one_character_are_not_anothers(scene: Any) -> None:
    one, two = scenes.simple("One"), scenes.simple("Two")
    take_on(one)
    take_on(two, seed=2)
    press_i(one, ["LeftArm"], 40, TURN)
    assert asked(measure.gather(one)) == {40: ["LeftArm"]}
    assert asked(measure.gather(two)) == {}


def test_a_part_of_the_range_keeps_the_edits_beside_it(scene: Any) -> None:
    armature = scenes.simple()
    take_on(armature)
    press_i(armature, ["LeftArm"], 40, TURN)
    press_i(armature, ["Head"], 100, OTHER)
    part = measure.gather(armature, start=80, end=120, lead_in=2, lead_out=2)
    assert asked(part) == {
        **{f: sorted(part.rig.names) for f in (78, 79, 121, 122)},
        100: ["Head"],
    }
    clip = measure.wander(part.rig, 41, seed=4)
    measure.baked(part.rig, clip, start=80.0, take="part", edits=part.edits, over=True)
    assert asked(measure.gather(armature)) == {40: ["LeftArm"], 100: ["Head"]}
