# SPDX-License-Identifier: Apache-2.0
"""A request that is written by hand: what is sent, what a file keeps, what broken files say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineograph import demo, formats
from kineograph.errors import ErrorCode, KineographError
from kineograph.motion.clip import Clip
from kineograph_gui.model import posing
from kineograph_gui.model.composer import Composer
from kineograph_gui.model.details import report_lines
from kineograph_gui.model.draft import Draft
from kineograph_gui.model.machine import model_lines


@pytest.fixture
def composer() -> Composer:
    """The demo's character, one free span of 90 frames."""
    out = Composer(lambda model: {"id": model, "text": "ignored", "phrases": ["walks"]})
    out.use_demo()
    return out


@pytest.fixture
def clip_file(tmp_path: Path) -> Path:
    """Ten frames on the demo's character, in which the head turns."""
    rig = demo.character()
    rotations = np.tile(rig.rest_rotations_xyzw, (10, 1, 1))
    head = rig.index["Head"]
    angle = np.linspace(0, 0.5, 10)
    rotations[:, head] = np.stack([0 * angle, np.sin(angle / 2), 0 * angle, np.cos(angle / 2)], axis=-1)
    root = np.tile(rig.rest_positions_m[rig.root], (10, 1))
    path = tmp_path / "clip.bvh"
    formats.save(path, rig, [Clip(rig, 30.0, rotations, root)])
    return path


def test_the_request_of_the_demo_comes_back_as_it_was() -> None:
    request = demo.request("m")
    again = Draft.of(request, "demo").request()
    assert {k: v for k, v in again.items() if k != "constraints"} == {
        k: v for k, v in request.items() if k != "constraints"
    }
    assert sorted(map(_plain, again["constraints"])) == sorted(map(_plain, request["constraints"]))


def _plain(constraint: Any) -> str:
    return json.dumps(constraint, sort_keys=True)


def test_what_the_page_cannot_show_is_carried_along(tmp_path: Path) -> None:
    request = demo.request("m")
    ground = {"type": "ground_height", "points": [[0.0, 0.1, 0.0]]}
    request["constraints"].append(ground)
    request["options"]["transition_frames"] = 7
    request["segments"].append({"type": "motion_reference", "duration_frames": 5, "clip": {"x": 1}})
    file = tmp_path / "scene.kineograph.json"
    Draft.of(request, "hero").save(file)
    again = Draft.load(file)
    assert again.character == "hero"
    sent = again.request()
    assert ground in sent["constraints"]
    assert sent["options"]["transition_frames"] == 7
    assert sent["segments"][-1] == request["segments"][-1]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '{"request": 3}', '{"request": {"skeleton": {"joints": [{"name": 1}]}}}', "[" * 9000],
    ids=["empty", "cut", "list", "null", "number", "no map", "bad joint", "deep"],
)
def test_a_broken_file_says_so_by_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.kineograph.json"
    file.write_text(text)
    with pytest.raises(KineographError) as caught:
        Draft.load(file)
    assert caught.value.code in (ErrorCode.FILE_UNREADABLE, ErrorCode.INVALID_SKELETON)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, composer: Composer) -> None:
    (tmp_path / "no").write_text("a file, not a folder")
    with pytest.raises(KineographError):
        composer.draft.save(tmp_path / "no" / "such.kineograph.json")
    assert [path.name for path in tmp_path.iterdir()] == ["no"]


def test_a_turned_joint_becomes_a_key_and_is_undone_at_once(composer: Composer) -> None:
    rig = composer.draft.rig
    assert rig is not None
    arm = rig.index["LeftUpperArm"]
    before = posing.rest(rig).positions_m(rig)
    composer.seek(20)
    composer.begin_move()
    for _ in range(10):
        composer.turn_joint(arm, np.array([0.0, 0.0, 1.0]), 0.05)
    composer.end_move()
    (key,) = composer.draft.keys
    assert key.frame == 20
    after = posing.of_key(key, rig).positions_m(rig)
    hand = rig.index["LeftHand"]
    a, b = before[hand] - before[arm], after[hand] - after[arm]
    assert np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) == pytest.approx(0.5, abs=1e-6)
    assert np.allclose(np.linalg.norm(a), np.linalg.norm(b))
    untouched = rig.index["RightHand"]
    assert np.allclose(before[untouched], after[untouched])
    composer.undo()
    assert not composer.draft.keys


def test_poses_between_keys_are_blended(composer: Composer) -> None:
    rig = composer.draft.rig
    assert rig is not None
    head = rig.index["Head"]
    composer.add_key()
    composer.seek(40)
    composer.begin_move()
    composer.turn_joint(head, np.array([0.0, 1.0, 0.0]), 0.8)
    composer.end_move()
    half = posing.at(composer.draft, 20).rotations_xyzw[head]
    assert 2 * np.arccos(half[3]) == pytest.approx(0.4, abs=1e-6)


def test_keys_come_from_a_clip(composer: Composer, clip_file: Path) -> None:
    composer.open_clip(clip_file)
    composer.seek(30)
    composer.key_from_clip(9)
    (key,) = composer.draft.request()["constraints"]
    assert key["frame"] == 30
    assert 2 * np.arccos(key["joint_rotations"]["Head"][3]) == pytest.approx(0.5, abs=1e-3)
    composer.key_from_clip(99)  # beyond the clip: nothing happens
    assert len(composer.draft.keys) == 1


def test_a_facing_gives_every_waypoint_one(composer: Composer) -> None:
    for frame, z in ((0, 0.0), (40, 1.0), (80, 1.0)):
        composer.add_way(0.0, z, frame)
    path = composer.draft.request()["constraints"][0]
    assert "heading_radians" not in path
    composer.set_way(2, heading_rad=1.5, x_m=1.0)
    path = composer.draft.request()["constraints"][0]
    assert path["frames"] == [0, 40, 80]
    assert path["heading_radians"][0] == pytest.approx(0.0)  # the way it goes
    assert path["heading_radians"][2] == 1.5


def test_two_waypoints_never_share_a_frame(composer: Composer) -> None:
    composer.add_way(0.0, 0.0, 0)
    composer.add_way(0.0, 1.0, 30)
    composer.set_way(1, frame=0)
    assert [w.frame for w in composer.draft.waypoints] == [0, 30]


def test_a_pin_stands_where_the_joint_is(composer: Composer) -> None:
    rig = composer.draft.rig
    assert rig is not None
    composer.add_pin(rig.index["RightHand"])
    (pin,) = composer.draft.pins
    assert np.allclose(pin.position_m, rig.rest_positions_m[rig.index["RightHand"]], atol=1e-3)


def test_another_rig_drops_what_does_not_fit_it(composer: Composer, tmp_path: Path) -> None:
    rig = composer.draft.rig
    assert rig is not None
    composer.add_pin(rig.index["RightHand"])
    composer.add_key()
    other = tmp_path / "stick.bvh"
    other.write_text(
        "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
        "End Site\n{\nOFFSET 0 1 0\n}\n}\n"
        "MOTION\nFrames: 1\nFrame Time: 0.0333333\n0 0 0\n"
    )
    composer.open_rig(other)
    assert not composer.draft.pins
    assert not composer.draft.keys
    composer.undo()
    assert len(composer.draft.pins) == 1


def test_an_unreadable_rig_changes_nothing(composer: Composer, tmp_path: Path) -> None:
    before = composer.draft
    (tmp_path / "x.glb").write_bytes(b"nothing")
    with pytest.raises(KineographError):
        composer.open_rig(tmp_path / "x.glb")
    assert composer.draft is before


def test_the_summary_says_what_will_be_sent(composer: Composer) -> None:
    composer.set(model="m", samples=4)
    composer.set_block(0, prompt="walks", frames=150)
    composer.add_key()
    composer.add_way(0.0, 1.0)
    assert composer.draft.summary() == "150 frames, 1 prompt, 1 key, 1 path to m, 4 samples"
    assert composer.phrases == ["walks"]


def test_a_note_has_a_fix_that_changes_the_draft(composer: Composer) -> None:
    composer.set_block(0, frames=30)
    composer.seek(60)
    composer.add_key()
    note = next(n for n in composer.notes if n.code == "key_outside_blocks")
    fix = next(f for f in note.fixes if f.patch["target"] == "request")
    assert composer.apply_note(fix)
    assert not any(n.code == "key_outside_blocks" for n in composer.notes)
    assert composer.draft.rig is not None


def test_a_model_that_makes_nothing_of_prompts_does_not_take_text() -> None:
    spec = {"supported_segments": ["text", "unconditioned"], "supported_constraints": ["root_path"]}
    assert model_lines({**spec, "text": "ignored"})[-1] == "takes free blocks, paths"
    assert model_lines({**spec, "text": "weak"})[-1] == "takes text, free blocks, paths"


def test_one_thing_that_was_asked_is_told_as_one() -> None:
    (line,) = report_lines({"constraints": [{"type": "root_path", "outcome": "applied"}]})
    assert line.text == "What was asked was met: one key, path or pin."
