# SPDX-License-Identifier: Apache-2.0
"""The queue: every state and every change of it, filter and sort, keys, menu, cancel at every moment."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon, Silence
from tests.gui import scenes
from tests.gui.conftest import MakePanel

from kineograph.errors import error
from kineograph.wire import messages as m
from kineograph.wire.messages import TRANSITIONS, EventName, JobState, JobStatus, Method, Progress
from kineograph_gui.app import Panel
from kineograph_gui.model import rows
from kineograph_gui.model.rows import Column
from kineograph_gui.model.words import say
from kineograph_gui.ui.queue_page import QueuePage

EVENT_OF = {
    JobState.QUEUED: EventName.JOB_QUEUED,
    JobState.RUNNING: EventName.JOB_STARTED,
    JobState.CANCELLING: EventName.JOB_PROGRESS,
    JobState.SUCCEEDED: EventName.JOB_SUCCEEDED,
    JobState.FAILED: EventName.JOB_FAILED,
    JobState.CANCELLED: EventName.JOB_CANCELLED,
    JobState.EXPIRED: EventName.JOB_EXPIRED,
}
MOVES = [(old, new) for old, news in TRANSITIONS.items() for new in sorted(news)]


def cell(queue: QueuePage, job: str, column: Column) -> str:
    """The text of a job's cell."""
    row = queue.model.row_of(job)
    assert row is not None
    return str(queue.model.index(row, column).data())


@pytest.fixture
def jobs(fake: FakeDaemon) -> dict[JobState, str]:
    """One job in each state, before the panel opens."""
    return scenes.every_state(fake)


@pytest.fixture
def queue(jobs: dict[JobState, str], panel: Panel, qtbot: QtBot) -> QueuePage:
    """The page with all of them."""
    page = panel.window.queue
    qtbot.waitUntil(lambda: page.model.rowCount() == len(jobs))
    return page


def test_every_state_is_a_word(queue: QueuePage, jobs: dict[JobState, str]) -> None:
    words = {state: cell(queue, job, Column.STATE) for state, job in jobs.items()}
    assert words[JobState.QUEUED] == "waiting (1)"
    assert words[JobState.SUCCEEDED] == "done in 3.0 s"
    assert words[JobState.RUNNING].startswith("running ")
    for state in (JobState.CANCELLING, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED):
        assert words[state] == say(f"state.{state}")
    assert cell(queue, jobs[JobState.FAILED], Column.PROGRESS) == rows.resolve(scenes.unknown_joint()).title
    assert not queue.grab().isNull()  # every row can be painted


@pytest.mark.parametrize(("old", "new"), MOVES, ids=[f"{a}-{b}" for a, b in MOVES])
def test_every_transition_shows(fake: FakeDaemon, panel: Panel, qtbot: QtBot, old: JobState, new: JobState) -> None:
    job = scenes.put(fake, scenes.status(old)).job
    fake.change(job, EVENT_OF[old])
    qtbot.waitUntil(lambda: panel.desk.jobs.get(job) is not None)
    target = scenes.status(new, job)
    changes = {f: getattr(target, f) for f in ("state", "error", "note", "progress", "position", "finished_s")}
    fake.change(job, EVENT_OF[new], **changes)
    qtbot.waitUntil(lambda: _state(panel, job) is new)
    status = panel.desk.jobs.get(job)
    assert status is not None
    assert cell(panel.window.queue, job, Column.STATE) == rows.state_words(status)


def _state(panel: Panel, job: str) -> JobState | None:
    status = panel.desk.jobs.get(job)
    return None if status is None else status.state


@pytest.mark.parametrize(
    ("state", "progress"),
    [
        (JobState.QUEUED, Progress()),
        (JobState.RUNNING, Progress(0.0, 0, 50)),
        (JobState.RUNNING, Progress(0.5, 25, 50)),
        (JobState.RUNNING, Progress(0.98, 49, 50)),
    ],
    ids=["queued", "started", "middle", "last step"],
)
def test_cancel_hits_the_job_named_and_no_other(
    fake: FakeDaemon, panel: Panel, qtbot: QtBot, state: JobState, progress: Progress
) -> None:
    panel.window.settings_memory.ask_before_stop = False
    mine = scenes.put(fake, scenes.status(state, progress=progress)).job
    other = scenes.put(fake, scenes.status(JobState.RUNNING)).job
    for job in (mine, other):
        fake.change(job, EventName.JOB_PROGRESS)
    qtbot.waitUntil(lambda: len(panel.desk.jobs) == 2)
    assert panel.window.queue.select(mine)
    qtbot.keyClick(panel.window.queue.table, Qt.Key.Key_Delete)
    assert fake.wait_for(Method.JOB_CANCEL) == [{"jobs": [mine]}]
    qtbot.waitUntil(lambda: _state(panel, mine) is JobState.CANCELLED)
    assert _state(panel, other) is JobState.RUNNING


def test_a_job_that_is_sent_but_not_acknowledged_has_a_row_and_is_cancelled(
    fake: FakeDaemon, panel: Panel, qtbot: QtBot
) -> None:
    def take_without_a_word(body: dict[str, Any]) -> Silence:
        fake.jobs.status[body["job"]] = JobStatus(body["job"], JobState.QUEUED, label=body["label"])
        fake.jobs.requests[body["job"]] = body["request"]
        return Silence()

    fake.on(Method.GENERATE, take_without_a_word)
    job = panel.desk.submit(scenes.request(), {"label": "wave", "character": "Hero"})
    qtbot.waitUntil(lambda: panel.window.queue.select(job))
    assert cell(panel.window.queue, job, Column.STATE) == say("state.sending")
    assert cell(panel.window.queue, job, Column.JOB) == "wave"
    panel.link.snapshot_ended.emit(frozenset())  # the daemon's list does not have it yet
    qtbot.keyClick(panel.window.queue.table, Qt.Key.Key_Delete)
    assert fake.wait_for(Method.JOB_CANCEL) == [{"jobs": [job]}]
    qtbot.waitUntil(lambda: _state(panel, job) is JobState.CANCELLED)
    assert fake.jobs.status[job].state is JobState.CANCELLED


def test_a_job_that_was_withdrawn_before_its_daemon_answered_is_cancelled_when_it_does(
    fake: FakeDaemon, panel: Panel, qtbot: QtBot
) -> None:
    fake.stop()
    job = panel.desk.submit(scenes.request(), {"label": "wave"})
    qtbot.waitUntil(lambda: panel.window.queue.select(job))
    panel.window.acts["do.cancel"].trigger()
    fake.then(Method.JOB_CANCEL, m.JobCancelReply([None]))  # asked too early, as far as this daemon is concerned
    fake.start()
    qtbot.waitUntil(lambda: _state(panel, job) is JobState.CANCELLED)
    assert fake.bodies(Method.JOB_CANCEL)[-1] == {"jobs": [job]}


def test_a_job_that_is_refused_late_leaves_no_row(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    answers: list[str] = []
    fake.on(Method.GENERATE, lambda body: answers.append(body["job"]) or error("queue_full", "full"))
    fake.stop()
    job = panel.desk.submit(scenes.request(), {})
    qtbot.waitUntil(lambda: panel.desk.jobs.get(job) is not None)
    fake.start()
    qtbot.waitUntil(lambda: panel.window.trouble.problem is not None)
    assert panel.desk.jobs.get(job) is None
    assert answers


def test_cancel_of_a_job_that_has_just_ended_says_so(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    panel.window.settings_memory.ask_before_stop = False
    job = scenes.put(fake, scenes.status(JobState.RUNNING)).job
    fake.change(job, EventName.JOB_PROGRESS)
    qtbot.waitUntil(lambda: panel.desk.jobs.get(job) is not None)
    panel.window.queue.select(job)
    # It ends at the daemon, and the news of it is still under way.
    fake.jobs.status[job] = scenes.status(JobState.SUCCEEDED, job)
    with qtbot.waitSignal(panel.desk.said, check_params_cb=lambda text: "had ended already" in text):
        panel.window.acts["do.cancel"].trigger()
    assert _state(panel, job) is JobState.SUCCEEDED


def test_a_finished_job_is_not_cancelled(
    queue: QueuePage, panel: Panel, jobs: dict[JobState, str], fake: FakeDaemon
) -> None:
    queue.select(jobs[JobState.SUCCEEDED])
    panel.window.acts["do.cancel"].trigger()
    assert not fake.bodies(Method.JOB_CANCEL)


def test_filter_by_words_state_and_client(
    queue: QueuePage, panel: Panel, jobs: dict[JobState, str], qtbot: QtBot
) -> None:
    queue.filter.setText("queued JOB")
    qtbot.waitUntil(lambda: queue.model.rowCount() == 1)
    assert queue.model.row_of(jobs[JobState.QUEUED]) == 0
    queue.filter.setText("nothing is called so")
    qtbot.waitUntil(lambda: queue.model.rowCount() == 0)
    assert queue.hint == say("queue.none_match")
    queue.clear_filter()
    assert queue.model.rowCount() == len(jobs)
    queue.states.setCurrentIndex(queue.states.findText(say("state.failed")))
    assert queue.model.rowCount() == 1
    queue.clear_filter()
    queue.clients.setCurrentIndex(queue.clients.findText("cli:somebody"))
    assert queue.model.rowCount() == len(jobs)


def test_a_filter_finds_a_problem_by_its_words(queue: QueuePage, jobs: dict[JobState, str], qtbot: QtBot) -> None:
    queue.filter.setText("unknown joint")
    qtbot.waitUntil(lambda: queue.model.rowCount() == 1)
    assert queue.model.row_of(jobs[JobState.FAILED]) == 0


@pytest.mark.parametrize("column", list(Column), ids=lambda c: c.name.lower())
@pytest.mark.parametrize("order", list(Qt.SortOrder), ids=["up", "down"])
def test_sort_by_every_column(queue: QueuePage, column: Column, order: Qt.SortOrder) -> None:
    queue.table.sortByColumn(column, order)
    shown = [queue.model.status_at(row) for row in range(queue.model.rowCount())]
    keys = [rows.key_of(s, column) for s in shown if s is not None]
    assert keys == sorted(keys, reverse=order == Qt.SortOrder.DescendingOrder)


def test_the_selection_outlives_a_sort_and_a_filter(queue: QueuePage, jobs: dict[JobState, str], qtbot: QtBot) -> None:
    queue.select(jobs[JobState.RUNNING])
    queue.table.sortByColumn(Column.STATE, Qt.SortOrder.DescendingOrder)
    assert queue.selected == [jobs[JobState.RUNNING]]
    queue.filter.setText("running")
    qtbot.waitUntil(lambda: queue.model.rowCount() == 1)
    assert queue.selected == [jobs[JobState.RUNNING]]


def test_the_menu_greys_what_cannot_be_done(queue: QueuePage, panel: Panel, jobs: dict[JobState, str]) -> None:
    def enabled(state: JobState) -> set[str]:
        queue.select(jobs[state])
        status = panel.desk.jobs.get(jobs[state])
        assert status is not None
        menu = panel.window.make_menu([status])
        out = {a.text() for a in menu.actions() if a.isEnabled() and not a.isSeparator()}
        menu.deleteLater()
        return out

    assert say("do.cancel") in enabled(JobState.RUNNING)
    assert say("do.front") in enabled(JobState.QUEUED)
    assert say("do.front") not in enabled(JobState.RUNNING)
    assert say("do.cancel") not in enabled(JobState.FAILED)
    assert say("do.forget") in enabled(JobState.FAILED)


def test_verbs_of_the_menu_reach_the_daemon(
    queue: QueuePage, panel: Panel, jobs: dict[JobState, str], fake: FakeDaemon, qtbot: QtBot
) -> None:
    acts = panel.window.acts
    queue.select(jobs[JobState.QUEUED])
    acts["do.front"].trigger()
    acts["do.back"].trigger()
    moved = fake.wait_for(Method.JOB_MOVE, 2)
    assert [m["to"] for m in moved] == ["front", "back"]
    acts["do.copy_id"].trigger()
    assert QGuiApplication.clipboard().text() == jobs[JobState.QUEUED]
    acts["do.copy_command"].trigger()
    assert f"kineograph replay {jobs[JobState.QUEUED]}" in QGuiApplication.clipboard().text()
    queue.select(jobs[JobState.FAILED])
    acts["do.retry"].trigger()
    qtbot.waitUntil(lambda: len(fake.bodies(Method.GENERATE)) == 1)
    again = fake.bodies(Method.GENERATE)[0]
    assert again["request"] == scenes.wrong_request()
    assert again["job"] != jobs[JobState.FAILED]
    qtbot.waitUntil(lambda: panel.desk.jobs.get(again["job"]) is not None)
    queue.select(jobs[JobState.SUCCEEDED])
    acts["do.reseed"].trigger()
    qtbot.waitUntil(lambda: len(fake.bodies(Method.GENERATE)) == 2)
    reseeded = fake.bodies(Method.GENERATE)[1]
    assert reseeded["request"]["options"]["seed"] != 7
    queue.select(jobs[JobState.CANCELLED])
    acts["do.forget"].trigger()
    qtbot.waitUntil(lambda: panel.desk.jobs.get(jobs[JobState.CANCELLED]) is None)


def test_a_thousand_jobs_come_in_one_picture(fake: FakeDaemon, make_panel: MakePanel, qtbot: QtBot) -> None:
    for number in range(1000):
        scenes.put(fake, scenes.status(JobState.QUEUED, label=f"clip {number}", position=number + 1), asked={})
    panel = make_panel(fake.endpoint)
    qtbot.waitUntil(lambda: panel.window.queue.model.rowCount() == 1000)
    newest: JobStatus = scenes.put(fake, scenes.status(JobState.RUNNING), asked={})
    fake.change(newest.job, EventName.JOB_STARTED)
    qtbot.waitUntil(lambda: panel.window.queue.model.rowCount() == 1001)
