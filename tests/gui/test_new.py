# SPDX-License-Identifier: Apache-2.0
"""The new-job page by hand: drop a rig, write, pose, draw, pin, send; the file runs on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon
from tests.gui import scenes
from tests.gui.conftest import MakePanel

from kineograph import demo, formats
from kineograph.client import discovery
from kineograph.motion.clip import Clip
from kineograph.rigs.roles import Role
from kineograph.wire.messages import Method
from kineograph_gui.app import Panel
from kineograph_gui.model.draft import Draft
from kineograph_gui.model.kept import KeptDraft
from kineograph_gui.model.words import say
from kineograph_gui.ui.lanes import RULER_PX, Kind
from kineograph_gui.ui.map_dialog import MapDialog
from kineograph_gui.ui.new_page import NewPage
from kineograph_gui.ui.stage import Tool


@pytest.fixture
def page(panel: Panel, qtbot: QtBot) -> NewPage:
    """The page with the demo's character, shown."""
    panel.window.show_page("new")
    panel.window.new.use_demo()
    qtbot.waitExposed(panel.window)
    return panel.window.new


def _drop(panel: Panel, *files: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(f)) for f in files])
    event = QDropEvent(
        QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    panel.window.dropEvent(event)


@pytest.mark.parametrize("ending", [".bvh", ".glb"])
def test_a_rig_is_dropped_on_the_window(panel: Panel, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"hero{ending}"
    formats.save(file, demo.character(), [])
    _drop(panel, file)
    assert panel.window.page == "new"
    words = panel.window.new.side.rig_words.text()
    assert words.startswith("hero: 26 bones")


def test_a_dropped_motion_is_ready_to_be_written_for(panel: Panel, tmp_path: Path) -> None:
    rig = demo.character()
    root = np.tile(rig.rest_positions_m[rig.root], (200, 1))
    still = Clip(rig, 120.0, np.tile(rig.rest_rotations_xyzw, (200, 1, 1)), root)
    formats.save(tmp_path / "mocap.bvh", rig, [still])
    _drop(panel, tmp_path / "mocap.bvh")
    page = panel.window.new
    assert page.draft.fps_hz == pytest.approx(120.0, abs=0.1)
    assert page.draft.frames == pytest.approx(360, abs=1), "three seconds, as many frames as the file counts"
    assert say("new.rig_clip", frames=200) in page.side.rig_words.text()
    assert page.lanes.chosen == (Kind.PROMPT, 0), "what happens can be typed at once"
    page.adders["prompt"].click()
    assert len(page.draft.blocks) == 1, "a blank prompt is filled before another is added"
    page.editor.prompt.setEditText("walks")
    _drop(panel, tmp_path / "mocap.bvh")
    assert page.draft.blocks[0].prompt == "walks"
    page.composer.set_block(0, frames=100)
    still = Clip(rig, 24.0, still.rotations_xyzw, still.root_m)
    formats.save(tmp_path / "slow.bvh", rig, [still])
    _drop(panel, tmp_path / "slow.bvh")
    assert (page.draft.frames, round(page.draft.fps_hz)) == (100, 120), "what is written keeps its time"


def test_a_dropped_file_that_is_broken_is_a_problem_card(panel: Panel, tmp_path: Path) -> None:
    (tmp_path / "bad.bvh").write_text("HIERARCHY\nnonsense")
    _drop(panel, tmp_path / "bad.bvh")
    assert panel.window.trouble.problem is not None
    assert "bad.bvh" in panel.window.trouble.problem.text
    assert not panel.window.trouble_card.isHidden()


def test_the_lanes_add_move_and_remove(page: NewPage, qtbot: QtBot) -> None:
    lanes = page.lanes

    def at(lane: int, frame: int) -> QPoint:
        return QPoint(round(lanes.x_of(frame)), round(lanes.y_of(lane) + 15))

    qtbot.mouseDClick(lanes, Qt.MouseButton.LeftButton, pos=at(1, 30))
    assert [k.frame for k in page.draft.keys] == [30]
    qtbot.mousePress(lanes, Qt.MouseButton.LeftButton, pos=at(1, 30))
    qtbot.mouseMove(lanes, at(1, 60))
    qtbot.mouseRelease(lanes, Qt.MouseButton.LeftButton, pos=at(1, 60))
    assert abs(page.draft.keys[0].frame - 60) <= 1
    qtbot.mouseDClick(lanes, Qt.MouseButton.LeftButton, pos=at(2, 20))
    assert [w.frame for w in page.draft.waypoints] == [20]
    assert lanes.chosen == (Kind.WAY, 0)
    qtbot.keyClick(lanes, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert page.draft.waypoints[0].frame == 21
    qtbot.keyClick(lanes, Qt.Key.Key_Delete)
    assert not page.draft.waypoints
    qtbot.mousePress(lanes, Qt.MouseButton.LeftButton, pos=at(0, 90) - QPoint(3, 0))
    qtbot.mouseMove(lanes, at(0, 45))
    qtbot.mouseRelease(lanes, Qt.MouseButton.LeftButton, pos=at(0, 45))
    assert page.draft.blocks[0].frames < 90
    qtbot.mouseClick(lanes, Qt.MouseButton.LeftButton, pos=QPoint(round(lanes.x_of(10)), RULER_PX // 2))
    assert page.composer.frame == 10
    assert not lanes.grab().isNull()


def test_a_prompt_is_written_and_another_added(page: NewPage) -> None:
    page.lanes.choose(Kind.PROMPT, 0)
    page.editor.prompt.setEditText("walks to the door")
    page.editor.length.setValue(120)
    assert page.draft.blocks[0].prompt == "walks to the door"
    page.adders["prompt"].click()
    assert len(page.draft.blocks) == 2
    assert page.lanes.chosen == (Kind.PROMPT, 1)
    assert "240 frames, 1 prompt" in page.summary.text()


def _pixel(page: NewPage, place: np.ndarray) -> QPoint:  # type: ignore[type-arg]
    pixels, _ = page.stage.pixels(np.asarray(place, float))
    return QPoint(round(float(pixels[0])), round(float(pixels[1])))


def test_waypoints_are_drawn_on_the_floor_and_moved(page: NewPage, qtbot: QtBot) -> None:
    page.choose_tool(Tool.WAY)
    stage = page.stage
    stage.camera.zoom(-3)
    qtbot.mouseDClick(stage, Qt.MouseButton.LeftButton, pos=_pixel(page, np.array([0.5, 0.0, 0.5])))
    qtbot.mouseDClick(stage, Qt.MouseButton.LeftButton, pos=_pixel(page, np.array([1.0, 0.0, 1.0])))
    first, second = page.draft.waypoints
    assert (first.x_m, first.z_m) == pytest.approx((0.5, 0.5), abs=0.05)
    assert second.frame > first.frame
    start = _pixel(page, np.array([1.0, 0.0, 1.0]))
    end = _pixel(page, np.array([-0.5, 0.0, 0.8]))
    qtbot.mousePress(stage, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(stage, end)
    qtbot.mouseRelease(stage, Qt.MouseButton.LeftButton, pos=end)
    assert (page.draft.waypoints[1].x_m, page.draft.waypoints[1].z_m) == pytest.approx((-0.5, 0.8), abs=0.06)
    page.editor.show_item((Kind.WAY, 1))
    page.editor.faces.setChecked(True)
    page.editor.facing.setValue(90.0)
    assert page.draft.waypoints[1].heading_rad == pytest.approx(np.pi / 2, abs=1e-3)
    page.composer.undo()
    page.composer.undo()
    page.composer.undo()
    assert page.draft.waypoints[1].x_m == pytest.approx(1.0, abs=0.05), "a drag is undone as one"


def test_a_joint_is_turned_in_the_view_and_a_pin_is_placed(page: NewPage, qtbot: QtBot) -> None:
    rig = page.draft.rig
    assert rig is not None
    stage = page.stage
    page.choose_tool(Tool.POSE)
    hand = rig.rest_positions_m[rig.index["LeftLowerArm"]]
    start = _pixel(page, hand)
    qtbot.mousePress(stage, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(stage, start + QPoint(30, 0))
    qtbot.mouseRelease(stage, Qt.MouseButton.LeftButton, pos=start + QPoint(30, 0))
    assert stage.joint == rig.index["LeftLowerArm"]
    assert len(page.draft.keys) == 1
    stage.setFocus()
    qtbot.keyClick(stage, Qt.Key.Key_N)
    qtbot.keyClick(stage, Qt.Key.Key_Left)
    assert len(page.draft.keys) == 1, "the key at this frame is changed, no other one is made"
    page.choose_tool(Tool.PIN)
    foot = page.composer.shown
    assert foot is not None
    at = _pixel(page, foot.positions_m[0, 0, rig.index["RightHand"]])
    qtbot.mouseClick(stage, Qt.MouseButton.LeftButton, pos=at)
    assert [p.joint for p in page.draft.pins] == ["RightHand"]
    assert not stage.grab().isNull()


def test_a_pin_is_held_over_a_span_and_given_a_direction(page: NewPage, qtbot: QtBot) -> None:
    rig, lanes, editor = page.draft.rig, page.lanes, page.editor
    assert rig is not None
    page.composer.seek(20)
    page.adders["pin"].click()
    page.composer.set_pin(0, joint="LeftHand")
    lanes.choose(Kind.PIN, 0)
    assert editor.until.value() == 20
    editor.until.setValue(40)
    assert page.draft.pins[0].last == 40
    end = QPoint(round(lanes.x_of(40)), round(lanes.y_of(2) + 15))
    qtbot.mousePress(lanes, Qt.MouseButton.LeftButton, pos=end)
    qtbot.mouseMove(lanes, QPoint(round(lanes.x_of(60)), end.y()))
    qtbot.mouseRelease(lanes, Qt.MouseButton.LeftButton, pos=QPoint(round(lanes.x_of(60)), end.y()))
    assert page.draft.pins[0].last == 60
    assert page.draft.pins[0].frame == 20
    assert not editor.angles[0].isEnabled()
    editor.directed.setChecked(True)
    assert page.draft.pins[0].rotation_xyzw is not None
    editor.angles[0].setValue(45.0)
    assert page.composer.angles_of(page.draft.pins[0]) == pytest.approx((45.0, 0.0, 0.0), abs=0.1)
    (target,) = page.draft.request()["constraints"]
    assert target["frames"] == list(range(20, 61))
    assert not page.stage.grab().isNull()
    assert not lanes.grab().isNull()
    qtbot.keyClick(lanes, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert (page.draft.pins[0].frame, page.draft.pins[0].last) == (21, 61)


def test_a_request_with_a_moving_pin_is_edited(page: NewPage) -> None:
    request = scenes.request()
    request["constraints"] = [
        {"type": "effector_target", "joint": "LeftHand", "frames": [10, 30],
         "positions": [[0.4, 1.2, 0.3], [0.5, 1.0, 0.3]], "rotations": [[0, 0, 0, 1], [0, 0, 0, 1]]}
    ]  # fmt: skip
    page.take_draft(Draft.of(request))
    page.lanes.choose(Kind.PIN, 0)
    assert "2 points" in page.editor.moves.text()
    assert not page.editor.until.isEnabled()
    page.editor.pin[1].setValue(1.3)
    (target,) = page.draft.request()["constraints"]
    assert target["positions"] == [[0.4, 1.3, 0.3], [0.5, 1.1, 0.3]]
    assert not page.stage.grab().isNull()


def test_the_map_dialog_sets_roles_and_keeps_a_profile(page: NewPage, qtbot: QtBot, home: Path) -> None:
    mending = page.composer.mending
    assert mending is not None
    dialog = MapDialog(mending, "hero", page)
    dialog.choose(Role.LEFT_HAND, "LeftLowerArm")
    dialog.use.click()
    assert mending.map.matches[Role.LEFT_HAND].name == "LeftLowerArm"
    assert mending.map.matches[Role.RIGHT_HAND].name == "RightLowerArm"
    assert "left forearm" in dialog.head.text()
    dialog.save.click()
    assert list(home.rglob("profiles/hero.toml"))
    assert not dialog.grab().isNull()
    dialog.accept()
    dialog.deleteLater()


def test_what_is_written_is_sent(page: NewPage, panel: Panel, fake: FakeDaemon, qtbot: QtBot) -> None:
    page.composer.set(model="fake", seed=3)
    page.composer.set_block(0, prompt="waves")
    page.composer.add_way(0.0, 1.0)
    page.side.name.setText("my wave")
    page.refresh()
    assert page.send_button.isEnabled()
    page.send_button.click()
    qtbot.waitUntil(lambda: len(fake.bodies(Method.GENERATE)) == 1)
    (body,) = fake.bodies(Method.GENERATE)
    assert body["label"] == "my wave"
    assert body["request"]["segments"][0]["prompt"] == "waves"
    assert body["request"]["options"]["seed"] == 3
    qtbot.waitUntil(lambda: panel.window.page == "queue" and panel.window.focus_model.job == body["job"])


def test_notes_stand_beside_what_they_are_about(page: NewPage, qtbot: QtBot) -> None:
    page.composer.set_block(0, frames=20)
    page.composer.seek(50)
    page.composer.add_key()

    def texts() -> list[str]:
        return [part.text() for part in page.side.findChildren(QLabel)]

    qtbot.waitUntil(lambda: any("50" in text for text in texts()))
    before = page.draft
    fixes = [b for b in page.side.findChildren(QPushButton) if b.text().startswith(("Extend", "Move", "Leave"))]
    assert fixes
    fixes[0].click()
    assert page.draft is not before


def test_what_is_being_written_is_there_again_after_the_panel_ended(make_panel: MakePanel, tmp_path: Path) -> None:
    file = tmp_path / "kept.json"

    def opened(*, afresh: bool = False) -> NewPage:
        page = make_panel(ready=False).window.new
        page.go_on(KeptDraft(file), afresh=afresh)
        return page

    first = opened()
    first.use_demo()
    first.composer.set_block(0, prompt="waves")
    first.window().close()
    assert opened().draft.blocks[0].prompt == "waves"
    with_a_file = opened(afresh=True)
    assert with_a_file.draft.is_blank, "a rig that is opened from outside begins a new job"
    with_a_file.composer.undo()
    assert with_a_file.draft.blocks[0].prompt == "waves"
    file.write_text("[")
    assert opened().draft.is_blank, "a broken file stops nobody"


def test_the_view_follows_what_is_drawn_until_somebody_turns_it(page: NewPage) -> None:
    def seen(x_m: float, z_m: float) -> bool:
        (at,), _ = page.stage.pixels(np.array([[x_m, 0.0, z_m]]))
        return bool(0 <= at[0] <= page.stage.width() and 0 <= at[1] <= page.stage.height())

    page.composer.add_way(0.0, 0.0, 0)
    page.composer.add_way(-9.0, 6.0, 80)
    assert seen(-9.0, 6.0)
    page.stage.camera.orbit(40, 0)
    place = page.stage.camera.place
    page.composer.add_way(30.0, 30.0, 85)
    assert page.stage.camera.place == place


def test_an_unfinished_request_is_not_sent(panel: Panel) -> None:
    panel.window.show_page("new")
    page = panel.window.new
    assert not page.send_button.isEnabled()
    assert page.send_button.toolTip() == say("new.no_rig")


def test_a_saved_request_opens_again_and_runs_on_the_command_line(
    make_panel: MakePanel, tmp_path: Path, qtbot: QtBot, home: Path
) -> None:
    panel = make_panel(ready=False)
    page = panel.window.new
    page.use_demo()
    page.composer.set_block(0, prompt="walks", frames=40)
    page.composer.add_way(0.0, 0.0, 0)
    page.composer.add_way(0.2, 1.0, 39)
    page.composer.set_way(1, heading_rad=0.5)
    file = tmp_path / "scene.kineograph.json"
    assert page.save(file)
    assert json.loads(file.read_text())["kineograph"] == 1
    before = page.draft.request()
    assert page.open_path(file)
    assert page.draft.request() == before
    out = tmp_path / "walk.bvh"
    kineograph = [sys.executable, "-c", "from kineograph.cli.main import run; run()"]
    command = [*kineograph, "generate", "--request", str(file), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(formats.load(out).clips[0]) == 40
    finally:
        scenes.end_daemon(discovery.find_daemon())
