# SPDX-License-Identifier: GPL-3.0-or-later
"""The shelf: takes come, stay, are tried, starred, rejected and compared; the user's own action is never touched."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import msgpack
import numpy as np
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph.motion import quat
from kineograph.wire.messages import JobState
from kineograph_blender import applying, session
from kineograph_blender.bridge import keymarks, marks, stamps
from kineograph_blender.bridge.bake import Bake
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.direction import props as direction
from kineograph_blender.draw import verdicts
from kineograph_blender.draw.state import drawn
from kineograph_blender.ops.takes import KINEOGRAPH_OT_take_note
from kineograph_blender.session import archive
from kineograph_blender.session.shelf import Shelf
from kineograph_blender.ui import words

pytestmark = pytest.mark.daemon


def clip_shows(armature: Any, row: Any, start: int = 1) -> bool:
    """Whether the armature shows the row's sample, frame by frame."""
    take = session.current().shelf.take(row.id)
    clip = take.clip(row.sample)
    seen = measure.shown(armature, take.rig, range(start, start + len(clip)))
    return max(measure.miss(take.rig, seen, measure.of_clip(clip))) < 2e-5


def test_a_take_lands_on_the_shelf_and_is_applied(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    own = armature.animation_data.action
    source = scenes.dump(own)
    row = trial.generated(samples=2, seed=7, new_seed=False)
    text = trial.shown("takes").text
    assert "[take]" in text
    assert "s7" in text.split()
    assert "seed 7, just now" in text
    assert "1 of 2" in text
    assert "miss 0.0 cm" in text
    assert armature.animation_data.action == own, "nothing is applied by itself"
    assert trial.shown("takes").button("Apply").press() == {"FINISHED"}
    assert clip_shows(armature, row)
    assert scenes.dump(own) == source
    assert applying.shown_origin(armature) == (row.id, 0)


def test_the_dialog_of_notes_asks_for_name_and_notes_alone(addon: Any) -> None:
    rna = bpy.ops.kineograph.take_note.get_rna_type()
    layout = fake_layout.Layout()
    dialog = SimpleNamespace(layout=layout, bl_rna=rna, take="7f3a", name="Stomp", notes="heavier")
    KINEOGRAPH_OT_take_note.draw(dialog, bpy.context)
    assert layout.lines == ["Name: Stomp", "Notes: heavier"]


def test_the_list_has_room_for_six_letters_of_a_miss(addon: Any) -> None:
    assert [words.centimetres(cm) for cm in (0.04, 9.94, 9.96, 117.7)] == ["0.0 cm", "9.9 cm", "10 cm", "118 cm"]
    ages_s = (3.0, 61.0, 3599.0, 7300.0, 90_000.0, 400_000.0)
    assert [words.ago(s) for s in ages_s] == [
        "just now",
        "1 min ago",
        "59 min ago",
        "2 h ago",
        "a day ago",
        "4 days ago",
    ]


def test_two_takes_of_one_long_prompt_tell_apart(addon: Any, daemon: Any) -> None:
    """Blender elides a long name at its end: what differs stands in a column of its own."""
    armature = trial.hero()
    armature.kineograph.prompt = "walks slowly to the shelf and looks back over the left shoulder"
    for seed in (7, 4711):
        trial.generated(seed=seed, new_seed=False)
    lines = [line.strip() for line in trial.shown("takes").lines]
    assert [line for line in lines if line in ("s7", "s4711")] == ["s4711", "s7"], "newest first"
    names = [b for b in trial.shown("takes").buttons if b.name == "kineograph.take_choose"]
    assert len({b.text for b in names}) == 1
    assert not any("s7" in b.text or "s4711" in b.text for b in names)


def test_each_part_of_one_click_is_named_after_its_own_prompt(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    direction.write(
        armature, [Block(1, 20, "walks"), Block(21, 40, "turns", locked=True), Block(41, 45), Block(46, 60, "waves")]
    )
    addon.kineograph.span = "BLOCKS"
    bpy.ops.kineograph.generate()
    first, second = session.current().jobs
    assert session.current().wait(first, 60)
    assert session.current().wait(second, 60)
    assert (first.row.name, second.row.name) == ("walks", "waves")
    assert any("prompt 'waves' ignored" in line for line in verdicts.changed(second.take)), verdicts.changed(
        second.take
    )


def test_samples_are_stepped_through(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated(samples=3, seed=5, new_seed=False)
    bpy.ops.kineograph.take_apply()
    for sample in (1, 2, 0):
        bpy.ops.kineograph.take_sample(step=1)
        assert row.sample == sample
        assert clip_shows(armature, row)
    bpy.ops.kineograph.take_sample(step=-1)
    assert clip_shows(armature, row)
    left = [a for a in bpy.data.actions if stamps.take_of(a)]
    assert len(left) == 1, "what was only looked at leaves no actions behind"


def test_an_edited_take_is_never_written_over(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated()
    bpy.ops.kineograph.take_apply()
    made = armature.animation_data.action
    scenes.key(armature, "Head", "rotation_quaternion", 20, (0.9, 0.1, 0.2, 0.3))
    edited = scenes.dump(made)
    assert bpy.ops.kineograph.take_apply() == {"CANCELLED"}
    assert "You changed 1 bone" in trial.problem()
    assert armature.animation_data.action == made
    trial.mend("Make a new action")
    assert armature.animation_data.action != made
    assert scenes.dump(made) == edited
    assert clip_shows(armature, row) or applying.shown_origin(armature) == (row.id, 0)
    assert any(held == made for held in armature["kineograph_kept_actions"].values())


def test_keep_my_edits_changes_nothing(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    trial.generated()
    bpy.ops.kineograph.take_apply()
    made = armature.animation_data.action
    scenes.key(armature, "Head", "rotation_quaternion", 20, (0.9, 0.1, 0.2, 0.3))
    edited = scenes.dump(made)
    bpy.ops.kineograph.take_apply()
    trial.mend("Keep my edits")
    assert (armature.animation_data.action, scenes.dump(made)) == (made, edited)
    assert not len(session.current().troubles)


def test_reject_costs_nothing(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    own = armature.animation_data.action
    row = trial.generated()
    bpy.ops.kineograph.take_apply()
    bpy.ops.kineograph.take_reject()
    assert armature.animation_data.action == own
    assert not [a for a in bpy.data.actions if stamps.take_of(a)]
    assert "Takes land here" in trial.shown("takes").text
    trial.shown("takes").button("Bring 1 back").press()
    assert not row.rejected
    bpy.ops.kineograph.take_apply()
    assert clip_shows(armature, row)


def test_a_rejected_take_leaves_no_pose_behind(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated(seed=5)
    armature.animation_data_clear()
    addon.frame_set(30)
    before = np.array([b.matrix_basis for b in armature.pose.bones])
    bpy.ops.kineograph.take_apply()
    assert drawn.verdicts is not None
    bpy.ops.kineograph.take_reject(take=row.id)
    bpy.context.view_layer.update()
    assert armature.animation_data.action is None
    assert np.array_equal(np.array([b.matrix_basis for b in armature.pose.bones]), before), "as it stood before"
    assert drawn.verdicts is None


def test_the_settings_blend_in_and_out_on_the_selected_bones(addon: Any, daemon: Any) -> None:
    """From the panel's fields to the frames: the ends are what was there, the middle is the take."""
    armature = trial.hero()
    rig = measure.gather(armature).rig
    own = measure.shown(armature, rig, range(1, 61))
    for bone in armature.pose.bones:
        keymarks.unmark(bone, [1, 30, 60])
    row = trial.generated()
    arm = rig.skeleton.index["LeftArm"]
    take = session.current().shelf.take(row.id).clip(0).rotations_xyzw[:, arm].astype(float)
    wishes = addon.kineograph.apply
    wishes.blend_in, wishes.blend_out, wishes.only_selected = 8, 6, True
    for bone in armature.pose.bones:
        (bone if scenes.compat.POSE_BONE_SELECT else bone.bone).select = bone.name == "LeftArm"
    bpy.ops.kineograph.take_apply()
    seen = measure.shown(armature, rig, range(1, 61))

    def off(frame: int, wanted: Any) -> float:
        return float(quat.angle_between_rad(seen[frame - 1].local_xyzw[arm], wanted))

    assert off(30, own[29].local_xyzw[arm]) > 0.01, "the take is another motion"
    for frame in (1, 60):
        mine = own[frame - 1].local_xyzw[arm]
        assert off(frame, mine) < 0.1 * float(quat.angle_between_rad(mine, take[frame - 1]))
    assert max(off(f, take[f - 1]) for f in range(10, 54)) < 1e-4
    for was, now in zip(own, seen, strict=True):
        rest = np.delete(np.arange(len(rig.names)), arm)
        assert float(quat.angle_between_rad(was.local_xyzw[rest], now.local_xyzw[rest]).max()) < 1e-4


@pytest.mark.parametrize("per_prompt", [False, True])
def test_reject_takes_strips_off_again(addon: Any, daemon: Any, per_prompt: bool) -> None:
    armature = trial.hero()
    theirs = armature.animation_data.nla_tracks.new()
    theirs.name = "mine"
    theirs.strips.new("mine", 200, armature.animation_data.action)
    direction.write(armature, [Block(1, 30, "walks"), Block(31, 60, "turns")])
    own, before = armature.animation_data.action, scenes.dump(armature.animation_data.action)
    poses = [np.array(b.matrix_basis) for b in armature.pose.bones]
    row = trial.generated()
    addon.kineograph.apply.strip_per_prompt = per_prompt
    bpy.ops.kineograph.take_apply(way="STRIP")
    data = armature.animation_data
    assert data.action is None
    assert [len(t.strips) for t in data.nla_tracks] == [1, 1, 2 if per_prompt else 1]
    bpy.ops.kineograph.take_reject(take=row.id)
    assert data.action == own
    assert scenes.dump(own) == before
    assert [t.name for t in data.nla_tracks] == ["mine"]
    assert not [a for a in bpy.data.actions if stamps.take_of(a)]
    addon.frame_set(addon.frame_current)
    assert all(np.array_equal(a, b.matrix_basis) for a, b in zip(poses, armature.pose.bones, strict=True))


def test_an_edited_strip_stays(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated()
    bpy.ops.kineograph.take_apply(way="STRIP")
    data = armature.animation_data
    action = data.nla_tracks[-1].strips[0].action
    curve = scenes.compat.curves(action, (scenes.compat.HAS_SLOTS and action.slots[0]) or None)[0]
    curve.keyframe_points[20].co.y += 0.2
    bpy.ops.kineograph.take_reject(take=row.id)
    assert row.rejected
    assert data.nla_tracks[-1].strips[0].action == action


def test_constraints_that_hide_a_take_are_named_and_muted_for_as_long_as_takes_show(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated()
    limit = armature.pose.bones["LeftArm"].constraints.new("LIMIT_ROTATION")
    limit.use_limit_x = limit.use_limit_y = limit.use_limit_z = True
    limit.owner_space = "LOCAL"
    bpy.ops.kineograph.take_apply()
    assert not clip_shows(armature, row)
    said = " ".join(trial.shown("verdicts").text.split())
    assert "1 bone with constraints may not show the take: LeftArm." in said
    trial.shown("verdicts").button("Mute Their Constraints").press()
    assert limit.mute
    assert "constraints" not in trial.shown("verdicts").text.lower()
    assert clip_shows(armature, row)
    bpy.ops.kineograph.take_apply()
    assert limit.mute, "another take shows now"
    bpy.ops.kineograph.take_reject()
    assert not limit.mute, "and reject costs nothing"


def test_constraints_muted_by_the_settings_are_back_after_reject(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    trial.generated()
    bones = armature.pose.bones
    mine, theirs = (bones[n].constraints.new("LIMIT_ROTATION") for n in ("LeftArm", "Head"))
    theirs.mute = True
    addon.kineograph.apply.mute_constraints = True
    bpy.ops.kineograph.take_apply()
    assert mine.mute
    armature.data.bones["LeftArm"].name = "Arm"
    bpy.ops.kineograph.take_reject()
    assert (mine.mute, theirs.mute) == (False, True)


def test_verdicts_are_those_of_the_take_that_shows(addon: Any, daemon: Any) -> None:
    """After a range was made anew, after flipping to another take, after hiding them."""
    armature = trial.hero()
    first = trial.generated()
    bpy.ops.kineograph.take_apply()
    marks.mark_pin(scenes.empty((9.0, 0.0, 1.0), "Far"), armature, "LeftHand", frames=(40, 40))
    addon.kineograph.apply.place = "PLAYHEAD"
    addon.frame_set(11)
    second = trial.generated()
    bpy.ops.kineograph.take_apply(take=second.id)
    assert drawn.verdicts is not None
    assert {v.frame for v in drawn.verdicts.verdicts if v.name == "Far"} == {50}
    bpy.ops.kineograph.take_flip(take=first.id)
    assert not [v for v in drawn.verdicts.verdicts if v.name == "Far"]
    bpy.ops.kineograph.take_flip(take=second.id)
    assert {v.frame for v in drawn.verdicts.verdicts if v.name == "Far"} == {50}
    bpy.ops.kineograph.hide()
    assert drawn.verdicts is None
    trial.shown("takes").button("Show Verdicts").press()
    assert {v.frame for v in drawn.verdicts.verdicts if v.name == "Far"} == {50}
    bpy.ops.kineograph.regenerate(first=20, last=30)
    assert trial.settled().error is None
    assert not [v for v in drawn.verdicts.verdicts if v.name == "Far"]


def test_an_undo_takes_the_verdicts_on_a_take_with_it(addon: Any, daemon: Any) -> None:
    trial.hero()
    bpy.ops.ed.undo_push(message="before")
    row = trial.generated(samples=2)
    bpy.ops.kineograph.take_apply()
    bpy.ops.kineograph.take_sample(step=1)
    assert drawn.verdicts is not None
    assert (drawn.verdicts.take, drawn.verdicts.sample) == (row.id, 1)
    bpy.ops.ed.undo()
    assert drawn.verdicts is None, "the first sample shows, or nothing"
    bpy.ops.kineograph.take_apply(take=row.id)
    bpy.ops.ed.undo_push(message="another change")
    bpy.ops.ed.undo()
    assert drawn.verdicts is not None, "what shows keeps its verdicts"


@pytest.mark.parametrize("is_written", [True, False])
def test_a_comparison_is_one_undo_step(addon: Any, daemon: Any, is_written: bool) -> None:
    trial.hero()
    one, two = trial.generated(seed=1), trial.generated(seed=2)
    for row in (one, two) if is_written else (two,):
        bpy.ops.kineograph.take_apply(take=row.id)
    bpy.ops.kineograph.take_flip("INVOKE_DEFAULT", True, take=one.id)
    assert applying.shown_origin(bpy.data.objects["Hero"]) == (one.id, 0)
    bpy.ops.ed.undo()
    assert applying.shown_origin(bpy.data.objects["Hero"]) == (two.id, 0)


def test_a_starred_take_is_not_cleared(addon: Any, daemon: Any) -> None:
    trial.hero()
    good, bad = trial.generated(seed=1), trial.generated(seed=2)
    bpy.ops.kineograph.take_star(take=good.id)
    for row in (good, bad):
        bpy.ops.kineograph.take_reject(take=row.id)
    bpy.ops.kineograph.take_clear()
    assert [r.id for r in session.current().shelf.every()] == [good.id]


def test_two_takes_are_compared_by_flipping(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    one, two = trial.generated(seed=1), trial.generated(seed=2)
    for row in (one, two):
        bpy.ops.kineograph.take_apply(take=row.id)
    for row in (one, two, one):
        bpy.ops.kineograph.take_flip(take=row.id)
        assert clip_shows(armature, row)


@pytest.mark.parametrize("way", ["ACTION", "STRIP"])
def test_at_the_playhead_and_in_place(addon: Any, daemon: Any, way: str) -> None:
    armature = trial.hero()
    row = trial.generated()
    wishes = addon.kineograph.apply
    wishes.place, wishes.travel, wishes.way = "PLAYHEAD", "PLACE", way
    addon.frame_set(200)
    bpy.ops.kineograph.take_apply()
    take = session.current().shelf.take(row.id)
    seen = np.stack([p.root_m for p in measure.shown(armature, take.rig, range(200, 260))])
    assert np.ptp(take.clip().root_m[:, 2]) > 0.2
    assert np.ptp(seen[:, [0, 2]], axis=0).max() < 0.1


def test_a_range_is_made_anew_and_the_rest_stays(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    trial.generated(seed=1)
    bpy.ops.kineograph.take_apply()
    rig = session.current().jobs[-1].outgoing.rig
    before = measure.shown(armature, rig, range(1, 61))
    addon.kineograph.seed = 9
    assert bpy.ops.kineograph.regenerate(first=20, last=40, lead=6) == {"FINISHED"}
    assert trial.settled().error is None
    after = measure.shown(armature, rig, range(1, 61))
    outside = [*range(19), *range(40, 60)]
    assert max(measure.miss(rig, [after[t] for t in outside], [before[t] for t in outside])) < 5e-5
    step = np.abs(np.diff(np.stack([p.positions_m for p in after]), axis=0)).max(axis=(1, 2))
    assert step.max() < 0.15, "the ends meet"


def test_takes_come_back_with_the_file_and_with_the_next_blender(addon: Any, daemon: Any, tmp_path: Path) -> None:
    armature = trial.hero()
    row = trial.generated(seed=3)
    bpy.ops.kineograph.take_note(name="Stomp", notes="heavier")
    bpy.ops.kineograph.take_star()
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    session.detach()
    bpy.ops.wm.open_mainfile(filepath=path)
    armature = bpy.data.objects["Hero"]
    shelf = session.current().shelf
    shelf.rows(armature.kineograph.uid)
    while shelf.settle():
        pass
    (found,) = [r for r in shelf.rows(armature.kineograph.uid) if r.id == row.id]
    assert (found.name, found.notes, found.star) == ("Stomp", "heavier", True)
    bpy.ops.kineograph.take_apply()
    assert clip_shows(armature, found)


def test_a_take_that_cannot_be_kept_stays_in_memory(addon: Any, daemon: Any, home: Path) -> None:
    armature = trial.hero()
    folder = home / "data" / "takes"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    try:
        row = trial.generated()
        shelf = session.current().shelf
        shelf.close()
        assert "In memory only" in trial.shown("takes").text
        bpy.ops.kineograph.take_apply()
        assert clip_shows(armature, row)
    finally:
        folder.unlink()


def test_an_edit_in_the_last_moment_keeps_the_take_that_is_replaced(
    addon: Any, daemon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    armature = trial.hero()
    first, second, third = (trial.generated(seed=n, new_seed=False) for n in (1, 2, 3))
    applying.write(armature, addon, first)
    untouched = armature.animation_data.action.name
    applying.write(armature, addon, second)
    edited = armature.animation_data.action.name
    assert untouched not in bpy.data.actions
    real = Bake._assign

    def assign(*given: Any) -> None:
        scenes.key(armature, "Head", "rotation_quaternion", 30, (0.9, 0.4358899, 0.0, 0.0))
        real(*given)

    monkeypatch.setattr(Bake, "_assign", assign)  # all was compared by then
    applying.write(armature, addon, third)
    assert armature.animation_data.action.name != edited
    assert edited in bpy.data.actions


def test_a_saved_take_is_the_same_take(addon: Any, daemon: Any, tmp_path: Path) -> None:
    trial.hero()
    row = trial.generated(samples=2)
    take = session.current().shelf.take(row.id)
    path = tmp_path / "one.take"
    archive.write(take, path)
    again = archive.read(path)
    for sample in range(2):
        a, b = take.clip(sample), again.clip(sample)
        assert a.rotations_xyzw.tobytes() == b.rotations_xyzw.tobytes()
        assert a.root_m.tobytes() == b.root_m.tobytes()
    assert (again.rig.names, again.start, again.label) == (take.rig.names, take.start, take.label)
    assert (again.remarks, again.edits, again.prompts) == (take.remarks, take.edits, take.prompts)
    assert again.report == take.report
    assert again.result.job.state is take.result.job.state


def test_whatever_a_take_carries_keeps_its_kind(addon: Any, daemon: Any, tmp_path: Path) -> None:
    class Rows(list[Any]):
        pass

    trial.hero()
    take = session.current().shelf.take(trial.generated().id)
    state = {"state": JobState.EXPIRED}
    take.refs = [{"at": (1, (2.5, "x")), "far": np.float32(0.5), "rows": Rows([1, True, None])}, state]
    take.label = np.str_("named")
    path = tmp_path / "one.take"
    archive.write(take, path)
    again = archive.read(path)
    assert again.refs == [{"at": (1, (2.5, "x")), "far": 0.5, "rows": [1, True, None]}, state]
    assert type(again.refs[1]["state"]) is JobState
    assert (again.label, type(again.label)) == ("named", str)
    assert msgpack.packb(again.asked) == msgpack.packb(take.asked)


@pytest.mark.parametrize("harm", ["empty", "short", "flipped", "huge", "text"])
def test_a_damaged_take_is_told_and_harms_nothing(addon: Any, daemon: Any, tmp_path: Path, harm: str) -> None:
    trial.hero()
    row = trial.generated()
    path = tmp_path / "one.take"
    archive.write(session.current().shelf.take(row.id), path)
    data = bytearray(path.read_bytes())
    damaged = {
        "empty": b"",
        "short": bytes(data[: len(data) // 2]),
        "flipped": bytes(data[:60]) + bytes(255 - b for b in data[60:400]) + bytes(data[400:]),
        "huge": archive.MAGIC + b"\xff" * 64,
        "text": b"this is no take",
    }[harm]
    path.write_bytes(damaged)
    with pytest.raises(KineographError) as e:
        archive.read(path)
    assert e.value.code is ErrorCode.FILE_UNREADABLE
    assert "one.take" in e.value.message


def test_rows_of_others_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "me"
    folder.mkdir()
    for name, text in {"a": "{}", "b": "[", "c": '{"id": "../x", "owner": "me", "character": "", "name": ""}'}.items():
        (folder / f"{name}.json").write_text(text)
        (folder / f"{name}.take").write_text("")
    shelf = Shelf(tmp_path)
    shelf.rows("me")
    while shelf.settle():
        pass
    assert shelf.rows("me") == []
    shelf.close()
