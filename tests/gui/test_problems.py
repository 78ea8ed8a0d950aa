# SPDX-License-Identifier: Apache-2.0
"""Every error as a card: its sentence, its buttons, and what pressing each of them does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon
from tests.gui import scenes, troubles
from tests.gui.conftest import MakePanel

from kineograph.errors import error
from kineograph.rigs import profiles
from kineograph.wire import messages as m
from kineograph.wire.messages import EventName, JobState, Method, Progress
from kineograph_gui.app import Panel
from kineograph_gui.model.words import say
from kineograph_gui.ui.joint_dialog import JointDialog, Scope
from kineograph_gui.ui.problem_card import ProblemCard


@pytest.fixture
def panel(fake: FakeDaemon, make_panel: MakePanel) -> Panel:
    """A panel whose daemon hosts one model that reads text."""
    spec = {"id": "fake", "fps": 30, "limits": {"max_num_samples": 4}}
    fake.on(
        Method.CAPABILITIES,
        lambda body: m.CapabilitiesReply(
            {"protocol_version": "1.4", "models": [spec]}, {"fake": {"state": "ready", "text": "full"}}, "fake"
        ),
    )
    out = make_panel(fake.endpoint)
    out.desk.settings.retry_itself = False
    return out


def _fail(fake: FakeDaemon, panel: Panel, qtbot: QtBot, code: str, details: dict[str, Any], **known: Any) -> str:
    """A failed job in the queue, looked at, its request known."""
    why = error(code, "as the daemon says it", details, request_id="ref-1").to_envelope()
    status = scenes.status(JobState.FAILED, error=why, client="panel:test", character="", **known)
    job = scenes.put(fake, status, troubles.request_of(code, details)).job
    fake.change(job, EventName.JOB_FAILED)
    qtbot.waitUntil(lambda: panel.desk.jobs.get(job) is not None)
    panel.window.queue.select(job)
    qtbot.waitUntil(lambda: panel.window.focus_model.sent is not None and panel.window.repair.error is not None)
    return job


def _buttons(card: ProblemCard) -> dict[str, QPushButton]:
    found = card.findChildren(QPushButton)
    return {b.objectName().removeprefix("fix."): b for b in found if b.objectName().startswith("fix.")}


def test_a_fix_shows_what_changes_and_the_job_is_sent_again(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    _fail(fake, panel, qtbot, *_lefhand(), label="wave")
    card = panel.window.queue.details.card
    assert "LefHand" in card.text
    _buttons(card)["use_joint_here"].click()
    assert say("problem.changed", said=panel.window.repair.changes[0]) in card.changes
    assert "pin 1, joint: LefHand \u2192 LeftHand" in card.difference
    assert card.send_again is not None
    card.send_again.click()
    qtbot.waitUntil(lambda: len(fake.bodies(Method.GENERATE)) == 1)
    (sent,) = fake.bodies(Method.GENERATE)
    assert sent["request"]["constraints"][0]["joint"] == "LeftHand"
    assert sent["label"] == "wave"
    qtbot.waitUntil(lambda: panel.window.focus_model.job == sent["job"])


def _lefhand() -> tuple[str, dict[str, Any]]:
    return "unknown_joint", troubles.DETAILS["unknown_joint"][0]


@pytest.mark.parametrize("scope", list(Scope))
def test_the_dialog_renames_here_everywhere_or_from_now_on(
    fake: FakeDaemon, panel: Panel, qtbot: QtBot, scope: Scope
) -> None:
    _fail(fake, panel, qtbot, *_lefhand())
    _buttons(panel.window.queue.details.card)["choose_joint"].click()
    dialog = next(d for d in panel.window.findChildren(JointDialog) if d.isVisible())
    assert dialog.chosen == "LeftHand", "the suggestion is ready"
    dialog.filter.setText("foot")
    assert "Foot" in dialog.chosen
    dialog.filter.setText("lefthand")
    dialog.scopes[scope].setChecked(True)
    assert not dialog.grab().isNull()
    dialog.yes.click()
    request = panel.window.repair.request
    assert request is not None
    assert request["constraints"][0]["joint"] == "LeftHand"
    rig = scenes.skeleton()
    aliases = profiles.aliases_of(rig.names, rig.parents.tolist())
    assert aliases == ({"LefHand": "LeftHand"} if scope is Scope.PROFILE else {})
    if scope is Scope.PROFILE:  # a daemon elsewhere does not read this computer's profiles: the panel does
        panel.desk.submit(scenes.wrong_request(), {})
        qtbot.waitUntil(lambda: len(fake.bodies(Method.GENERATE)) == 1)
        assert fake.bodies(Method.GENERATE)[0]["request"]["constraints"][0]["joint"] == "LeftHand"


def test_a_passing_trouble_counts_down_and_runs_again(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    panel.desk.settings.retry_itself = True
    _fail(fake, panel, qtbot, "service_unavailable", {})
    repair = panel.window.repair
    qtbot.waitUntil(lambda: repair.countdown_s is not None)
    assert say("problem.countdown", seconds=repair.countdown_s) == panel.window.queue.details.card.countdown
    for _ in range(60):
        if repair.countdown_s is None:
            break
        repair.tick()
    qtbot.waitUntil(lambda: len(fake.bodies(Method.GENERATE)) == 1)


def test_a_countdown_is_stopped_by_hand(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    panel.desk.settings.retry_itself = True
    _fail(fake, panel, qtbot, "service_unavailable", {})
    repair = panel.window.repair
    qtbot.waitUntil(lambda: repair.countdown_s is not None)
    next(
        b for b in panel.window.queue.details.card.findChildren(QPushButton) if b.text() == say("problem.stop_retry")
    ).click()
    assert repair.countdown_s is None
    assert not fake.bodies(Method.GENERATE)


def test_a_cancelled_job_is_quiet_and_offers_to_run_again(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    job = scenes.put(fake, scenes.status(JobState.CANCELLED, progress=Progress(0.5, 12, 25))).job
    fake.change(job, EventName.JOB_CANCELLED)
    qtbot.waitUntil(lambda: panel.desk.jobs.get(job) is not None)
    panel.window.queue.select(job)
    qtbot.waitUntil(lambda: panel.window.repair.problem is not None)
    assert panel.window.repair.problem is not None
    assert panel.window.repair.problem.severity == "quiet"
    assert "12 of 25" in panel.window.repair.problem.text


def test_what_is_refused_at_the_door_is_a_card_above_the_pages(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    fake.on(Method.GENERATE, lambda body: error("queue_full", "full", {"queue_limit": 500}))
    panel.desk.submit(scenes.request(), {})
    qtbot.waitUntil(lambda: panel.window.trouble.problem is not None)
    assert "500" in panel.window.trouble_card.text
    assert not panel.window.trouble_card.isHidden()


def test_reports_name_nobody(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    _fail(fake, panel, qtbot, *_lefhand())
    panel.window.aid.copy_report()
    text = QGuiApplication.clipboard().text()
    assert "unknown_joint" in text
    assert "LefHand" not in text
    assert str(Path.home()) not in text


@pytest.mark.parametrize(
    "odd",
    [None, 7, "text", [], {"error": None}, {"error": {"code": 5}}, {"error": {"code": "x" * 5000, "message": "\0"}}],
)
def test_odd_errors_are_still_said(panel: Panel, odd: Any, qtbot: QtBot, fake: FakeDaemon) -> None:
    status = scenes.status(JobState.FAILED, error=odd if isinstance(odd, dict) else {"detail": odd})
    job = scenes.put(fake, status, {}).job
    fake.change(job, EventName.JOB_FAILED)
    qtbot.waitUntil(lambda: panel.desk.jobs.get(job) is not None)
    panel.window.queue.select(job)
    assert panel.window.repair.problem is not None
    assert panel.window.repair.problem.text
