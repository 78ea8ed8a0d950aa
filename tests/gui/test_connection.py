# SPDX-License-Identifier: Apache-2.0
"""Each state of the connection: in words, with what to do; a daemon that restarts takes no row along."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon, Silence
from tests.gui import scenes
from tests.gui.conftest import MakePanel

from kineograph.client import LinkState
from kineograph.errors import ErrorCode, error
from kineograph.wire.messages import EventName, JobState, Method
from kineograph_gui.app import Panel
from kineograph_gui.model.words import say


def shown(panel: Panel) -> str:
    """What the bars say of the connection."""
    return panel.window.top.words + " | " + panel.window.bottom.words.text()


def test_no_daemon_is_said_with_what_to_do(make_panel: MakePanel, qtbot: QtBot) -> None:
    panel = make_panel(ready=False)
    qtbot.waitUntil(lambda: panel.link.state is LinkState.LOST)
    qtbot.waitUntil(lambda: say("link.lost") in shown(panel))
    bottom = panel.window.bottom
    assert not bottom.start.isHidden()
    assert not bottom.retry.isHidden()
    assert not bottom.address.isHidden()
    assert panel.window.top.words == say("link.lost")


def test_a_daemon_that_answers_is_ready(panel: Panel) -> None:
    assert panel.window.top.words == say("link.ready")
    assert "0.0-fake" in panel.window.bottom.words.text()
    assert panel.window.bottom.start.isHidden()


def test_an_address_where_nobody_listens_offers_no_start(make_panel: MakePanel, qtbot: QtBot, tmp_path: Path) -> None:
    panel = make_panel(f"ipc://{tmp_path}/nobody", ready=False)
    qtbot.waitUntil(lambda: panel.link.state is LinkState.LOST)
    qtbot.waitUntil(lambda: not panel.window.bottom.retry.isHidden())
    assert panel.window.bottom.start.isHidden(), "another computer's daemon is not started from here"
    qtbot.waitUntil(lambda: "nobody" in panel.window.bottom.words.text())


def test_a_silent_peer_is_told_as_such(fake: FakeDaemon, make_panel: MakePanel, qtbot: QtBot) -> None:
    fake.on(Method.HELLO, lambda body: Silence())
    panel = make_panel(fake.endpoint, ready=False)
    qtbot.waitUntil(lambda: panel.link.state is LinkState.LOST)
    assert panel.link.error is not None
    assert panel.link.error.code in (ErrorCode.HANDSHAKE_TIMEOUT, ErrorCode.DAEMON_UNREACHABLE)


def test_a_key_that_is_refused_is_said(fake: FakeDaemon, make_panel: MakePanel, qtbot: QtBot) -> None:
    fake.on(Method.HELLO, lambda body: error("unauthorized", "no such key"))
    panel = make_panel(fake.endpoint, ready=False)
    qtbot.waitUntil(lambda: panel.link.error is not None and panel.link.error.code is ErrorCode.UNAUTHORIZED)
    qtbot.waitUntil(lambda: "no such key" in panel.window.bottom.words.text())


def test_a_restart_keeps_every_row(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    jobs = scenes.every_state(fake)
    for job in jobs.values():
        fake.change(job, EventName.JOB_PROGRESS)
    qtbot.waitUntil(lambda: len(panel.desk.jobs) == len(jobs))
    seen: list[int] = []
    panel.desk.jobs.removed.connect(lambda gone: seen.append(len(gone)))
    fake.restart()
    with qtbot.waitSignal(panel.desk.said, check_params_cb=lambda text: text == say("link.restarted")):
        pass
    qtbot.waitUntil(lambda: panel.desk.is_ready)
    assert len(panel.desk.jobs) == len(jobs)
    assert not seen


def test_rows_stay_while_the_daemon_is_away(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    kept = scenes.put(fake, scenes.status(JobState.QUEUED))
    gone = scenes.put(fake, scenes.status(JobState.QUEUED))
    for job in (kept, gone):
        fake.change(job.job, EventName.JOB_QUEUED)
    qtbot.waitUntil(lambda: panel.window.queue.model.rowCount() == 2)
    fake.stop()
    qtbot.waitUntil(lambda: panel.link.state is LinkState.LOST)
    assert panel.window.queue.model.rowCount() == 2
    del fake.jobs.status[gone.job]
    fake.start()
    qtbot.waitUntil(lambda: panel.window.queue.model.rowCount() == 1)
    assert panel.desk.jobs.get(kept.job) is not None


def test_the_queue_is_paused_and_goes_on(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    panel.window.queue.pause.click()
    fake.wait_for(Method.DAEMON_DRAIN)
    qtbot.waitUntil(lambda: panel.window.queue.pause.text() == say("queue.resume"))
    assert say("link.paused") in panel.window.top.words
    panel.window.queue.pause.click()
    assert fake.wait_for(Method.DAEMON_DRAIN, 2)[1] == {"on": False}


def test_another_address_shows_another_daemons_jobs(
    fake: FakeDaemon, make_panel: MakePanel, qtbot: QtBot, tmp_path: Path
) -> None:
    scenes.put(fake, scenes.status(JobState.QUEUED))
    panel = make_panel(fake.endpoint)
    qtbot.waitUntil(lambda: len(panel.desk.jobs) == 1)
    (tmp_path / "other").mkdir()
    with FakeDaemon(tmp_path / "other") as other:
        there = scenes.put(other, scenes.status(JobState.RUNNING))
        panel.desk.connect_to(other.endpoint)
        qtbot.waitUntil(lambda: panel.desk.jobs.get(there.job) is not None)
        assert len(panel.desk.jobs) == 1
        panel.close()
