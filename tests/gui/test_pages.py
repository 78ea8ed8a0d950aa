# SPDX-License-Identifier: Apache-2.0
"""Models, settings, first run, preview: what they show and what their buttons do."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QFileDialog, QLabel, QPushButton, QRadioButton, QWidget
from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon
from tests.gui import scenes
from tests.gui.conftest import MakePanel

from kineograph import formats
from kineograph.wire import messages as m
from kineograph.wire.messages import EventName, JobState, Method
from kineograph_gui.app import Panel
from kineograph_gui.model.words import say
from kineograph_gui.ui.look import Theme
from kineograph_gui.ui.player import Player
from kineograph_gui.ui.preview import Arrangement


# --- models -----------------------------------------------------------------------------------------------------------
def test_models_are_loaded_and_unloaded(fake: FakeDaemon, make_panel: MakePanel, qtbot: QtBot) -> None:
    spec = {"id": "walker", "fps": 20, "supported_segments": ["text"]}
    fake.on(
        Method.CAPABILITIES,
        lambda body: m.CapabilitiesReply({"models": [spec]}, {"walker": {"state": "ready", "text": "weak"}}, "walker"),
    )
    fake.on(
        Method.DAEMON_STATS,
        lambda body: m.DaemonStats(
            fake.epoch, "9.9", 7, 90.0, False, {}, [{"id": "w0", "device": "cpu", "state": "ready"}], 50 * 2**20, 0
        ),
    )
    panel = make_panel(fake.endpoint)
    page = panel.window.models

    def texts() -> str:
        return "\n".join(part.text() for part in page.findChildren(QLabel))

    qtbot.waitUntil(lambda: "50 MB" in texts())
    for words in ("walker", say("models.text_weak"), "20 frames a second", "takes text", "w0 on cpu"):
        assert words in texts()
    buttons = {b.text(): b for b in page.findChildren(QPushButton)}
    assert not buttons[say("models.load")].isEnabled()
    buttons[say("models.unload")].click()
    assert fake.wait_for(Method.MODELS_UNLOAD) == [{"model": "walker"}]
    qtbot.waitUntil(lambda: panel.desk.state_of("walker") == "unloaded")
    {b.text(): b for b in page.findChildren(QPushButton)}[say("models.load")].click()
    assert fake.wait_for(Method.MODELS_LOAD) == [{"model": "walker"}]
    fake.publish(
        EventName.MODEL_FAILED, m.ModelReply("walker", m.ModelState.FAILED, "", {"error": {"code": "timeout"}})
    )
    qtbot.waitUntil(lambda: say("models.state_failed") in texts())


# --- settings ---------------------------------------------------------------------------------------------------------
def test_the_form_is_made_from_the_table_and_writes_what_fits(panel: Panel, qtbot: QtBot, home: Path) -> None:
    panel.window.show_page("settings")
    form = panel.window.settings.form
    qtbot.waitUntil(lambda: bool(form.fields), timeout=20_000)
    assert "queue_limit" in form.fields
    form.show_setting("queue_limit")
    field = form.fields["queue_limit"]
    field.setText("many")  # type: ignore[union-attr]
    form.apply.click()
    qtbot.waitUntil(lambda: "many" in form.words.text(), timeout=20_000)
    assert not list(home.rglob("settings.toml"))
    field.setText("123")  # type: ignore[union-attr]
    form.apply.click()
    qtbot.waitUntil(lambda: bool(list(home.rglob("settings.toml"))), timeout=20_000)
    qtbot.waitUntil(lambda: not form.model.is_busy)
    (file,) = home.rglob("settings.toml")
    assert file.read_text() == "queue_limit = 123\n"
    assert "queue_limit" in form.words.text()
    form.apply.click()
    assert form.words.text() == say("settings.no_changes")


def test_the_panel_remembers_what_is_chosen(panel: Panel) -> None:
    page, memory = panel.window.settings, panel.desk.settings
    page.flags["notify"].setChecked(True)
    page.theme.setCurrentIndex(page.theme.findData("dark"))
    assert (memory.notify, memory.theme) == (True, "dark")
    assert QApplication.palette().window().color().lightness() < 80
    page.theme.setCurrentIndex(page.theme.findData("light"))
    assert QApplication.palette().window().color().lightness() > 180


# --- the first run ----------------------------------------------------------------------------------------------------
def test_the_first_page_says_what_to_do(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    page = panel.window.first
    assert "0.0-fake" in page.lines["runs"].text()
    assert page.lines["missing"].text() == say("first.missing_models")
    page.run_demo.click()
    (sent,) = fake.wait_for(Method.GENERATE)
    assert sent["label"] == "demo"
    assert panel.window.page == "queue"


def test_without_a_daemon_it_offers_to_start_one(make_panel: MakePanel, qtbot: QtBot) -> None:
    panel = make_panel(ready=False)
    page = panel.window.first
    qtbot.waitUntil(lambda: page.lines["runs"].text() == say("first.runs_no"))
    assert not page.start.isHidden()
    assert page.run_demo.isHidden()


# --- motion -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def player(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> Player:
    """A take of two samples with a miss."""
    job = scenes.put(fake, scenes.status(JobState.SUCCEEDED), result_body=scenes.result(samples=2)).job
    fake.change(job, EventName.JOB_SUCCEEDED)
    qtbot.waitUntil(lambda: panel.desk.jobs.get(job) is not None)
    panel.window.queue.select(job)
    qtbot.waitUntil(lambda: panel.window.queue.player.preview.take is not None)
    return panel.window.queue.player


def test_the_motion_is_painted_and_told(player: Player, panel: Panel) -> None:
    take = player.preview.take
    assert take is not None
    assert (take.samples, take.frames) == (2, 60)
    assert take.goals[0].miss_cm == 4.2
    first = player.preview.grab().toImage()
    for arrangement in Arrangement:
        player.how.setCurrentIndex(player.how.findData(arrangement))
        player.seek(30)
        assert player.preview.grab().toImage() != first
    player.ghosts.setChecked(True)
    player.trails.setChecked(True)
    assert not player.preview.grab().isNull()
    texts = "\n".join(part.text() for part in panel.window.queue.details.findChildren(QLabel))
    assert "pin on LeftHand: changed, off by 4.2 cm, out of reach" in texts
    assert "1 of 2 keys, paths and pins are off." in texts


def test_no_line_of_the_details_is_cropped(player: Player, panel: Panel, qtbot: QtBot) -> None:
    """A hash of 64 letters once took more width than there was, and every line lost its height."""
    inner = panel.window.queue.details
    panel.window.resize(900, 560)
    panel.window.show()
    qtbot.waitExposed(panel.window)

    def fits() -> bool:
        lines = [part for part in inner.findChildren(QLabel) if part.isVisible() and part.wordWrap()]
        assert any(part.text().startswith("weights: 5ee705105ee7") for part in lines)
        right = max(part.mapTo(inner.widget(), part.rect().topRight()).x() for part in lines)
        return right < inner.viewport().width() and all(p.height() >= p.heightForWidth(p.width()) for p in lines)

    qtbot.waitUntil(fits)
    assert not inner.horizontalScrollBar().isVisible()
    assert any(part.toolTip() == "5ee70510" * 8 for part in inner.findChildren(QLabel))


def test_the_view_turns_moves_zooms_and_frames(player: Player, qtbot: QtBot) -> None:
    preview, camera = player.preview, player.preview.camera
    before = (camera.yaw_rad, camera.distance_m, tuple(camera.target_m))
    qtbot.mousePress(preview, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    qtbot.mouseMove(preview, QPoint(90, 60))
    qtbot.mouseRelease(preview, Qt.MouseButton.LeftButton, pos=QPoint(90, 60))
    assert camera.yaw_rad != before[0]
    wheel = QWheelEvent(
        QPointF(50, 50), QPointF(50, 50), QPoint(0, 0), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(preview, wheel)
    assert camera.distance_m < before[1]
    qtbot.mousePress(preview, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, QPoint(50, 50))
    qtbot.mouseMove(preview, QPoint(80, 50))
    qtbot.mouseRelease(preview, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, QPoint(80, 50))
    preview.frame_view()
    assert camera.distance_m == pytest.approx(before[1], rel=0.3)


def test_it_plays_at_true_speed_and_scrubs(player: Player, qtbot: QtBot) -> None:
    qtbot.keyClick(player.preview, Qt.Key.Key_Space)
    assert player.is_playing
    qtbot.waitUntil(lambda: player.preview.frame >= 6)
    qtbot.keyClick(player.preview, Qt.Key.Key_Space)
    assert not player.is_playing
    timeline = player.timeline
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=QPoint(timeline.width() - 8, 10))
    assert player.preview.frame == 59
    qtbot.keyClick(timeline, Qt.Key.Key_Left)
    assert player.preview.frame == 58


@pytest.mark.parametrize("ending", [".glb", ".bvh"])
def test_the_chosen_sample_is_exported(
    player: Player, panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    file = tmp_path / f"take{ending}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(file), ""))
    panel.window.aid.export(1)
    assert len(formats.load(file).clips[0]) == 60
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(file / f"x{ending}"), ""))
    panel.window.aid.export(0)
    assert "Saved" not in panel.window.bottom.words.text(), "a file is no folder"


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
def test_a_box_that_is_not_ticked_can_be_seen(panel: Panel, theme: Theme, qtbot: QtBot) -> None:
    panel.dresser.choose(theme)
    holder = QWidget()
    qtbot.addWidget(holder)
    for box in (QCheckBox(holder), QRadioButton(holder)):
        box.resize(24, 24)
        holder.show()
        image = box.grab().toImage()
        greys = {image.pixelColor(x, y).lightness() for x in range(image.width()) for y in range(image.height())}
        assert max(greys) - min(greys) > 60, type(box)
