# SPDX-License-Identifier: Apache-2.0
"""Before a real daemon with a real worker: the demo, a misspelt joint that is mended, crash and restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot
from tests.fakes import backbones
from tests.gui import scenes
from tests.gui.conftest import MakePanel

from kineograph import demo
from kineograph.client import Client, discovery
from kineograph.wire.messages import JobState
from kineograph_gui.app import Panel
from kineograph_gui.model.words import say
from kineograph_gui.ui import problem_card
from kineograph_gui.ui.joint_dialog import JointDialog, Scope
from kineograph_gui.ui.lanes import Kind

WAIT_MS = 30_000


@pytest.fixture
def daemon(home: Path) -> Iterator[discovery.RunFile]:
    """A daemon of this test's own."""
    run = discovery.start_daemon()
    yield run
    scenes.end_daemon(discovery.find_daemon())


@pytest.fixture
def panel(daemon: discovery.RunFile, make_panel: MakePanel, qtbot: QtBot) -> Panel:
    """A panel that found it by itself and knows its models."""
    out = make_panel()
    qtbot.waitUntil(lambda: bool(out.desk.model_ids), timeout=WAIT_MS)
    return out


def _only(panel: Panel, state: JobState) -> bool:
    return any(s.state is state for s in panel.desk.jobs)


def test_the_demo_runs_and_can_be_played(panel: Panel, qtbot: QtBot) -> None:
    panel.window.run_demo()
    qtbot.waitUntil(lambda: panel.window.focus_model.take is not None, timeout=WAIT_MS)
    take = panel.window.focus_model.take
    assert take is not None
    assert take.frames > 100
    panel.window.new.lanes.choose(Kind.PROMPT, 0)
    prompts = panel.window.new.editor.prompt
    offered = [prompts.itemText(i) for i in range(prompts.count())]
    assert "a person walks" in offered, "the model's own list of prompts"
    player = panel.window.queue.player
    assert player.is_playing, "what was just sent plays as soon as it is there"
    qtbot.waitUntil(lambda: player.preview.frame > 3)
    player.stop()
    texts = [label.text() for label in panel.window.queue.details.findChildren(QLabel)]
    assert say("details.all_met", count=12) in texts


def test_a_misspelt_joint_is_mended_and_the_job_sent_again_succeeds(panel: Panel, qtbot: QtBot) -> None:
    request = demo.request(panel.desk.model_ids[0])
    pin = next(c for c in request["constraints"] if c["type"] == "effector_target")
    pin["joint"] = "RigthHand"
    panel.window.new.last_sent = (request, {"label": "wave", "character": "demo"})
    panel.desk.submit(request, {"label": "wave", "character": "demo"})
    qtbot.waitUntil(lambda: panel.window.trouble.problem is not None, timeout=WAIT_MS)
    card = panel.window.trouble_card
    problem = panel.window.trouble.problem
    assert problem is not None
    assert "RigthHand" in problem.text
    assert "RightHand" in problem.text
    _press(card, next(f.id for f in panel.window.trouble.buttons))
    assert any("RightHand" in change for change in panel.window.trouble.changes)
    assert panel.window.trouble.difference, "what changed is shown before it is sent"
    card.send_again.click()
    qtbot.waitUntil(lambda: _only(panel, JobState.SUCCEEDED), timeout=WAIT_MS)
    assert panel.window.trouble.problem is None
    assert panel.window.trouble_card.isHidden()


def test_the_dialog_maps_a_misspelt_joint_and_every_program_hears_of_it(panel: Panel, qtbot: QtBot) -> None:
    request = demo.request("kineograph-interpolate")
    pin = next(c for c in request["constraints"] if c["type"] == "effector_target")
    pin["joint"] = "LefHand"
    for scope in (Scope.HERE, Scope.PROFILE):
        jobs = len(panel.desk.jobs)
        panel.window.new.last_sent = (request, {"label": "wave", "character": "Hero"})
        panel.desk.submit(request, {"label": "wave", "character": "Hero"})
        qtbot.waitUntil(lambda: panel.window.trouble.problem is not None, timeout=WAIT_MS)
        assert "LefHand" in panel.window.trouble_card.text
        _press(panel.window.trouble_card, "choose_joint")
        dialog = next(d for d in panel.window.findChildren(JointDialog) if d.isVisible())
        assert dialog.chosen == "LeftHand", "the suggestion is ready"
        dialog.scopes[scope].setChecked(True)
        dialog.yes.click()
        assert panel.window.trouble_card.send_again is not None
        panel.window.trouble_card.send_again.click()
        qtbot.waitUntil(
            lambda n=jobs: panel.desk.jobs.count(JobState.SUCCEEDED) == n + 1,  # type: ignore[misc]
            timeout=WAIT_MS,
        )
        assert panel.window.trouble_card.isHidden()
    # The request as it was, from another program: the rig's profile says what is meant, and the report that it did.
    with Client(name="another program") as client:
        result = client.generate(request)
    read = [entry for entry in result.report["request"] if entry["name"] == "LefHand"]
    assert [entry["outcome"] for entry in read] == ["changed"]
    assert "LeftHand" in read[0]["reason"]


def test_a_job_runs_on_after_its_daemon_was_killed(
    home: Path, make_panel: MakePanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    monkeypatch.setenv("KINEOGRAPH_BACKBONE", "tests.fakes.backbones:Slow")
    monkeypatch.setenv("KINEOGRAPH_ONLY_BACKBONES", "true")
    monkeypatch.setenv("KINEOGRAPH_FAKE_STEPS", "100000")
    discovery.start_daemon()
    try:
        panel = make_panel()
        qtbot.waitUntil(lambda: panel.desk.model_ids == ["slow"], timeout=WAIT_MS)
        job = panel.desk.submit(backbones.request_map("slow"), {"label": "long walk"})
        qtbot.waitUntil(lambda: _progress(panel, job) > 0, timeout=WAIT_MS)
        scenes.end_daemon(discovery.find_daemon(), hard=True)
        qtbot.waitUntil(lambda: not panel.window.bottom.start.isHidden(), timeout=WAIT_MS)
        assert panel.window.queue.model.rowCount() == 1, "the row stays while nobody answers"
        monkeypatch.setenv("KINEOGRAPH_FAKE_STEPS", "2")
        panel.window.bottom.start.click()
        qtbot.waitUntil(lambda: _only(panel, JobState.SUCCEEDED), timeout=WAIT_MS)
        status = panel.desk.jobs.get(job)
        assert status is not None
        assert status.label == "long walk"
        assert status.attempt == 2, "it was begun again"
        assert len(panel.desk.jobs) == 1
    finally:
        scenes.end_daemon(discovery.find_daemon())


def _progress(panel: Panel, job: str) -> float:
    status = panel.desk.jobs.get(job)
    return 0.0 if status is None or status.state is not JobState.RUNNING else status.progress.fraction


def _press(card: problem_card.ProblemCard, fix: str) -> None:
    found = card.findChild(QWidget, f"fix.{fix}")
    assert found is not None
    found.click()  # type: ignore[attr-defined]  # a button


def test_a_daemon_that_is_killed_is_started_again_and_the_rows_stay(panel: Panel, qtbot: QtBot) -> None:
    panel.window.run_demo()
    qtbot.waitUntil(lambda: _only(panel, JobState.SUCCEEDED), timeout=WAIT_MS)
    scenes.end_daemon(discovery.find_daemon(), hard=True)
    qtbot.waitUntil(lambda: not panel.desk.is_ready, timeout=WAIT_MS)
    assert len(panel.desk.jobs) == 1
    qtbot.waitUntil(lambda: not panel.window.bottom.start.isHidden(), timeout=WAIT_MS)
    panel.window.bottom.start.click()
    qtbot.waitUntil(lambda: panel.desk.is_ready, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: len(panel.desk.jobs) == 1 and _only(panel, JobState.SUCCEEDED), timeout=WAIT_MS)
