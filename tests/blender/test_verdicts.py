# SPDX-License-Identifier: GPL-3.0-or-later
"""Preview and verdicts: what would be sent and how it was met, as pictures and words; drawing that leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Euler
from tests.blender import fake_layout, measure, scenes

import kineograph_blender
from kineograph_blender import api, draw, session
from kineograph_blender.bridge import marks
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.direction import props as saved
from kineograph_blender.draw import sent, shapes, verdicts
from kineograph_blender.draw.misses import Measured
from kineograph_blender.draw.state import drawn
from kineograph_blender.draw.strips import Drag, Grip
from kineograph_blender.draw.verdicts import Grade
from kineograph_blender.ops import drawing

MODEL = "kineograph-interpolate"
TURN = list(Euler((0.3, 0.2, -0.4)).to_quaternion())
ops = bpy.ops.kineograph


@pytest.fixture
def hero(scene: Any) -> Iterator[Any]:
    """The add-on switched on, and a character in view."""
    kineograph_blender.register()
    yield scenes.simple()
    kineograph_blender.unregister()
    assert drawn.shown == []


def lines(name: str) -> str:
    shown = fake_layout.draw(name)
    assert shown is not None
    return " ".join(shown.text.split())


def directed(armature: Any) -> None:
    """A key, a path, a waypoint and a pin."""
    armature.location = (2.0, 1.0, 0.0)
    armature.rotation_euler.z = 0.5
    bpy.context.view_layer.update()
    scenes.key(armature, "Head", "rotation_quaternion", 10, TURN)
    marks.mark_path(scenes.curve_path([(2, 1, 0), (2, -3, 0)]), armature, frames=(1, 100))
    marks.mark_waypoint(scenes.empty((3, -4, 0), "There"), armature, 140, facing=True)
    marks.mark_pin(scenes.empty((1, 1, 1), "Grab"), armature, "LeftHand", frames=(40, 45))


def test_the_picture_stands_where_the_scene_is(hero: Any) -> None:
    directed(hero)
    out = measure.gather(hero)
    picture = sent.picture(out)
    texts = {label.text: label for label in picture.labels}
    assert set(texts) == {"WalkPath 1", "WalkPath 100", "There 140", "Grab: LeftHand 40-45", "10"}
    assert texts["WalkPath 1"].place == pytest.approx((2, 1, 0), abs=1e-5)
    assert texts["There 140"].place == pytest.approx((3, -4, 0), abs=1e-5)
    assert texts["Grab: LeftHand 40-45"].place == pytest.approx((1, 1, 1), abs=1e-5)
    ghost = measure.shown(hero, out.rig, [10])[0]
    want = out.rig.frame.points_bu(ghost.positions_m)
    figures = [x.points for x in picture.lines if len(x.points) == 2 * (len(out.rig.names) - 1)]
    assert any(np.abs(f[1::2] - want[1:]).max() < 1e-5 for f in figures), "a ghost of the key's pose"
    assert len({x.color[:3] for x in picture.lines}) == 1, "one colour per character"


def test_the_preview_lists_what_would_be_sent_and_what_is_left_out(hero: Any, scene: Any) -> None:
    directed(hero)
    scenes.key(hero, "RightArm", "location", 10, (0.1, 0, 0))
    scenes.key(hero, "Head", "rotation_quaternion", 400, TURN)
    saved.write(hero, [Block(1, 100, "walks"), Block(101, 150, "waves", enabled=False)])
    scene.kineograph.model = MODEL
    scene.kineograph.samples = 4
    before = scenes.dump(hero.animation_data.action)
    ops.preview()
    said = lines("preview")
    assert "100 frames, 1 prompt, 1 key, 1 path, 1 pin to kineograph-interpolate, 4 samples" in said
    assert "key at 400: it stands outside the range" in said
    assert "waypoint 'There': its frame 140 is outside the range" in said
    assert "RightArm.location" in said
    assert scenes.dump(hero.animation_data.action) == before
    assert session.current().jobs == []
    ops.hide()
    assert drawn.preview is None


def test_the_preview_gives_advice_with_scene_frames(hero: Any, scene: Any) -> None:
    scene.frame_start, scene.frame_end = 101, 124
    marks.mark_path(scenes.curve_path([(0, 0, 0), (0, -6, 0)]), hero)
    hero.kineograph.prompt = "walks"
    ops.preview()
    assert drawn.preview is not None
    (note,) = drawn.preview.notes
    assert "needs 6" in note.text
    assert any(f"frame {f}" in note.text for f in range(101, 125))


def test_advice_on_text_comes_from_the_models_own_word(hero: Any) -> None:
    saved.write(hero, [Block(1, 100, "walks")])
    out = measure.gather(hero, blocks=saved.read(hero))
    (note,) = sent.advice([out], {"id": "m", "text": "ignored"})
    assert "does not read text" in note.text
    assert sent.advice([out], {"id": "m", "text": "full"}) == []


def test_what_the_scene_does_not_allow_is_said_and_shows_nothing(hero: Any, capfd: Any) -> None:
    marks.mark_pin(scenes.empty((0, 0, 1)), hero, "LefHand")
    assert ops.preview() == {"CANCELLED"}
    assert "LefHand" in capfd.readouterr().out
    assert drawn.preview is None


@pytest.mark.daemon
def test_verdicts_of_a_real_take(hero: Any, scene: Any, daemon: Any) -> None:
    directed(hero)
    marks.mark_pin(scenes.empty((9, 9, 3), "Moon"), hero, "RightHand", frames=(60, 60))
    take = api.generate(hero, model=MODEL, start=1, end=150).wait(timeout_s=60)
    found = {v.name: v for v in verdicts.of_take(take)}
    assert found["Moon"].grade is Grade.MISSED
    assert found["Moon"].frame == 60
    assert "out of reach" in found["Moon"].reason
    missed = [v.cm or 0.0 for v in verdicts.of_take(take)]
    assert missed == sorted(missed, reverse=True), "the worst first"
    moon = found["Moon"]
    assert moon.wanted_bu == pytest.approx((9, 9, 3), abs=1e-4)
    assert moon.cm is not None
    assert np.linalg.norm(moon.wanted_bu - moon.got_bu) * 100 == pytest.approx(moon.cm, abs=0.5)
    key = next(v for v in verdicts.of_take(take) if v.kind == "key" and v.frame == 10)
    assert key.grade is Grade.MET
    assert key.label == "key 10 met"
    assert found["Grab"].grade is not None
    assert found["There"].frame == 140
    assert any("Moon" in line and "out of reach" in line and "on frame 60;" in line for line in verdicts.changed(take))
    assert any("Moon" in line and "on frame 160;" in line for line in verdicts.changed(take, later=100))
    take.apply()
    ops.verdicts(take=take.id)
    said = lines("verdicts")
    assert "pin 'Moon' at 60" in said
    assert moon.amount in said
    assert "key at 10" in said
    shown = fake_layout.draw("verdicts")
    assert shown is not None
    shown.button(moon.what).press()
    assert scene.frame_current == 60


def test_sentences_of_the_daemon_with_the_scenes_frames() -> None:
    for told, want in (
        ("missed on frames 0, 7, 12 and 6 more; stretched", "missed on frames 101, 108, 113 and 6 more; stretched"),
        ("frames 3 to 9 are interpolated", "frames 104 to 110 are interpolated"),
        ("made at 30 frames a second, on frame 5", "made at 30 frames a second, on frame 106"),
        ("0.5 cm off", "0.5 cm off"),
    ):
        assert verdicts.in_scene_frames(told, 101) == want


@pytest.mark.daemon
def test_each_sample_has_its_own_verdicts_by_the_daemons_measures(hero: Any, scene: Any, daemon: Any) -> None:
    directed(hero)
    marks.mark_pin(scenes.empty((0.4, -1.4, 1.6), "Lamp"), hero, "RightHand", frames=(60, 64), turn=True)
    take = api.generate(hero, model=MODEL, start=1, end=150, samples=3, seed=2).wait(timeout_s=60)
    by_sample = [Measured(take.result.clip(n, take.rig.skeleton)) for n in range(3)]
    for index, (item, entry) in enumerate(zip(take.asked, take.report["constraints"], strict=True)):
        assert entry["index"] == index
        found = [m for seen in by_sample if (m := seen.miss(item)) is not None]
        assert len(found) == 3
        for ours, theirs in (("cm", "miss_cm"), ("deg", "miss_deg")):
            if entry[theirs] is not None:
                worst = np.max([getattr(m, ours) for m in found], axis=0)
                assert worst == pytest.approx(entry[theirs], abs=0.02), (item["type"], ours)
    texts = {tuple((v.what, v.amount) for v in verdicts.of_take(take, n)) for n in range(3)}
    assert len(texts) > 1, "samples differ, and so do their verdicts"


@pytest.mark.daemon
def test_verdicts_stand_where_a_take_in_place_shows(hero: Any, scene: Any, daemon: Any) -> None:
    marks.mark_path(scenes.curve_path([(0, 0, 0), (0, -4, 0)]), hero)
    marks.mark_pin(scenes.empty((0.6, -3.2, 1.3), "Grab"), hero, "LeftHand", frames=(80, 80))
    scene.kineograph.model, scene.kineograph.span = MODEL, "OWN"
    scene.kineograph.start, scene.kineograph.end = 1, 100
    ops.generate()
    job = session.current().jobs[-1]
    assert session.current().wait(job, 60)
    scene.kineograph.apply.travel = "PLACE"
    ops.take_apply()
    for shown_again in (False, True):
        if shown_again:
            ops.hide()
            ops.verdicts(take=job.take.id)
        grab = next(v for v in drawn.verdicts.verdicts if v.name == "Grab")
        scene.frame_set(80)
        hand = hero.matrix_world @ hero.pose.bones["LeftHand"].head
        assert grab.got_bu == pytest.approx(tuple(hand), abs=2e-3)
        assert np.linalg.norm(grab.wanted_bu - grab.got_bu) * 100 == pytest.approx(grab.cm, abs=0.1)
        assert abs(grab.wanted_bu[1]) < 1.5, "not where the character would have come to"
    scene.kineograph.apply.travel = "TRAVEL"
    ops.take_apply()
    grab = next(v for v in drawn.verdicts.verdicts if v.name == "Grab")
    assert grab.wanted_bu == pytest.approx((0.6, -3.2, 1.3), abs=1e-4)


@pytest.mark.daemon
def test_what_was_left_out_is_told_with_the_take(hero: Any, scene: Any, daemon: Any) -> None:
    marks.mark_pin(scenes.empty((0.6, -0.2, 1.3), "Grab"), hero, "LeftHand", frames=(180, 190))
    take = api.generate(hero, model=MODEL, prompt="waves", start=1, end=60).wait(timeout_s=60)
    assert "pin 'Grab': it holds at no frame of the range" in verdicts.changed(take)


@pytest.mark.daemon
def test_a_key_on_several_bones_is_shown_at_the_bone_that_is_furthest_off(hero: Any, scene: Any, daemon: Any) -> None:
    scenes.key_poses(hero, ["Hips", "Head"], "Hips", frames=(1, 60, 120))
    take = api.generate(hero, model=MODEL, start=1, end=120).wait(timeout_s=60)
    item = next(c for c in take.asked if c["type"] == "pose_keyframe" and len(c["joint_rotations"]) > 1)
    name = list(item["joint_rotations"])[1]
    x, y, z, w = item["joint_rotations"][name]
    item["joint_rotations"][name] = [w, z, -y, -x]  # half a turn away
    worst = verdicts.of_take(take)[0]
    assert (worst.kind, worst.name, worst.grade) == ("key", name, Grade.MISSED)
    assert worst.deg == pytest.approx(180.0, abs=0.5)
    assert f"of {name} missed by" in worst.label
    clip = take.clip()
    at = take.rig.frame.points_bu(clip.world()[0][item["frame"], take.rig.skeleton.index[name]])
    assert worst.got_bu == pytest.approx(at, abs=1e-5)


@pytest.mark.daemon
def test_verdicts_of_a_part_count_from_its_own_start(hero: Any, scene: Any, daemon: Any) -> None:
    scenes.key_poses(hero, ["Hips", "Head"], "Hips", frames=(1, 60, 120))
    out = api.generate(hero, model=MODEL, start=1, end=120).wait(timeout_s=60)
    out.apply()
    saved.write(hero, [Block(1, 40, "a", locked=True), Block(41, 80, "b"), Block(81, 120, "c", locked=True)])
    scene.kineograph.span, scene.kineograph.model = "BLOCKS", MODEL
    ops.generate()
    job = session.current().jobs[-1]
    assert session.current().wait(job, 60)
    assert job.take is not None, job.error
    found = verdicts.of_take(job.take)
    assert {v.frame for v in found} == {60}, "locked frames are no question of the user's"
    assert found[0].grade is Grade.MET


@pytest.mark.parametrize(
    ("cm", "deg", "want"),
    [
        (None, None, Grade.MET),
        (0.4, 0.4, Grade.MET),
        (0.6, None, Grade.NEAR),
        (None, 4.0, Grade.NEAR),
        (2.1, 0, Grade.MISSED),
        (0, 9, Grade.MISSED),
    ],
)
def test_grades(cm: float | None, deg: float | None, want: Grade) -> None:
    assert verdicts.grade(cm, deg) is want
    assert len({*verdicts.COLORS.values()}) == 3


def test_a_click_goes_to_the_text_under_it() -> None:
    places = [(10, 100.0, 100.0, 80.0, 9.0), (None, 101.0, 100.0, 80.0, 9.0), (50, 100.0, 87.0, 200.0, 9.0)]
    assert drawing.nearest(places, 105, 103, 6) == 10
    assert drawing.nearest(places, 105, 90, 6) == 50, "the one below it, moved down so that both can be read"
    assert drawing.nearest(places, 290, 95, 6) == 50, "texts are as wide as they are"
    assert drawing.nearest(places, 190, 104, 6) is None
    assert drawing.nearest(places, 105, 140, 6) is None
    assert drawing.nearest([], 0, 0, 6) is None


def test_shapes() -> None:
    line = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], float)
    assert shapes.strip(line).tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 0]]
    assert shapes.arrow(np.zeros(3), np.array([0, 0, 5.0]), 1.0).shape == (0, 3)
    tip = shapes.arrow(np.zeros(3), np.array([0, -2.0, 0]), 0.5)[1]
    assert tip == pytest.approx((0, -0.5, 0))
    assert shapes.color_of("Hero") == shapes.color_of("Hero")
    assert shapes.color_of("Hero") != shapes.color_of("Maid")


def test_texts_do_not_cover_one_another() -> None:
    places = [(0.0, 10.0), (5.0, 12.0), (3.0, 11.0), (300.0, 11.0)]
    found = shapes.apart(places, [50.0] * 4, 10.0)
    assert found[1] == (5.0, 12.0), "the highest stays"
    assert found[3] == (300.0, 11.0), "so does one beside them"
    heights = sorted(y for _, y in found[:3])
    assert float(np.diff(heights).min()) >= 10.0 - 1e-9
    assert [x for x, _ in found] == [x for x, _ in places]
    assert shapes.apart([], [], 10.0) == []


def test_drawing_comes_and_goes_with_the_addon(scene: Any) -> None:
    for _ in range(5):
        kineograph_blender.register()
        assert len(draw._handles) == 3
        kineograph_blender.unregister()
        assert draw._handles == []
        assert draw._keys == []


def test_a_file_loaded_in_the_middle_of_a_drag_leaves_nothing(hero: Any, tmp_path: Any) -> None:
    saved.write(hero, [Block(1, 40, "waves")])
    ops.preview()
    path = str(tmp_path / "drag.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    drawn.drag, drawn.dragged = Drag(saved.read(hero), 0, Grip.BODY, 5.0), (Block(11, 50, "waves"),)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert (drawn.drag, drawn.dragged, drawn.preview) == (None, (), None)
    assert saved.read(bpy.data.objects["Hero"]) == (Block(1, 40, "waves"),)
    assert len(draw._handles) == 3


def test_a_draw_call_that_fails_is_told_once(caplog: Any) -> None:
    def broken() -> None:
        raise ValueError("no GPU")

    call = draw.paint.guarded("a test", broken)
    call()
    call()
    assert [r.message for r in caplog.records] == ["drawing a test failed"]
    draw.paint.clear()
