# SPDX-License-Identifier: Apache-2.0
"""The queue by sender: heads that count, fold by key and click, and keep up with what happens."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon
from tests.gui import scenes

from kineograph.wire.messages import EventName, JobState
from kineograph_gui.app import Panel
from kineograph_gui.model.queue import Filter, QueueModel
from kineograph_gui.model.rows import CLOSED, OPEN, Column
from kineograph_gui.ui.queue_page import QueuePage


@pytest.fixture
def queue(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> QueuePage:
    """Two senders with two jobs each, grouped."""
    for number, client in enumerate(("b", "a", "b", "a")):
        status = scenes.status(JobState.RUNNING, client=client, label=f"number-{number}", created_s=1000.0 - number)
        fake.change(scenes.put(fake, status).job, EventName.JOB_STARTED)
    page = panel.window.queue
    qtbot.waitUntil(lambda: page.model.rowCount() == 4)
    page.group.click()
    return page


def rows(model: QueueModel) -> list[str]:
    """What stands in the first column."""
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


def _job(panel: Panel, label: str) -> str:
    return next(s.job for s in panel.desk.jobs if s.label == label)


def test_heads_count_their_jobs(queue: QueuePage, fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    model = queue.model
    assert rows(model) == [f"{OPEN} a", "number-1", "number-3", f"{OPEN} b", "number-0", "number-2"]
    assert model.index(0, Column.STATE).data() == "2 jobs"
    assert model.index(0, Column.PROGRESS).data() == "2 not finished"
    fake.finish(_job(panel, "number-1"), scenes.result())
    qtbot.waitUntil(lambda: model.index(0, Column.PROGRESS).data() == "1 not finished")
    new = scenes.put(fake, scenes.status(JobState.QUEUED, client="c", label="number-4")).job
    fake.change(new, EventName.JOB_QUEUED)
    qtbot.waitUntil(lambda: rows(model)[-2:] == [f"{OPEN} c", "number-4"])
    fake.publish(EventName.JOB_FORGOTTEN, fake.jobs.status.pop(new))
    qtbot.waitUntil(lambda: model.rowCount() == 6)
    assert model.index(3, Column.JOB).data(Qt.ItemDataRole.AccessibleTextRole) == "b, 2 jobs, 2 not finished, unfolded"


def test_groups_fold_by_key_and_click(queue: QueuePage, panel: Panel, qtbot: QtBot) -> None:
    model, table = queue.model, queue.table
    focus = panel.window.focus_model
    queue.select(_job(panel, "number-1"))
    qtbot.keyClick(table, Qt.Key.Key_Left)
    assert table.currentIndex().row() == 0, "from a job to its head"
    qtbot.keyClick(table, Qt.Key.Key_Left)
    assert rows(model) == [f"{CLOSED} a", f"{OPEN} b", "number-0", "number-2"]
    assert table.currentIndex().row() == 0
    assert queue.selected == []
    assert focus.job == _job(panel, "number-1"), "what is looked at stays"
    qtbot.keyClick(table, Qt.Key.Key_Right)
    assert model.rowCount() == 6
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert model.rowCount() == 4
    where = table.visualRect(model.index(1, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert rows(model) == [f"{CLOSED} a", f"{CLOSED} b"]
    assert not table.grab().isNull()
    panel.window.acts["do.fold"].trigger()
    assert model.rowCount() == 6
    panel.window.acts["do.fold"].trigger()
    assert model.rowCount() == 2


def test_what_happens_in_a_folded_group_is_counted(
    queue: QueuePage, fake: FakeDaemon, panel: Panel, qtbot: QtBot
) -> None:
    model = queue.model
    model.fold("a", True)
    fake.fail(_job(panel, "number-3"), scenes.unknown_joint())
    qtbot.waitUntil(lambda: model.index(0, Column.PROGRESS).data() == "1 not finished")
    assert rows(model) == [f"{CLOSED} a", f"{OPEN} b", "number-0", "number-2"]
    model.set_filter(Filter.of("", [JobState.FAILED]))
    assert rows(model) == [f"{CLOSED} a"]
    assert model.shown == 1
    assert not queue.hint
    assert queue.select(_job(panel, "number-3")), "a job that is looked for unfolds its group"
    assert rows(model) == [f"{OPEN} a", "number-3"]
    queue.group.click()
    model.set_filter(Filter())
    assert model.rowCount() == 4


def test_many_jobs_at_once_keep_their_groups(queue: QueuePage, fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    many = [scenes.status(JobState.QUEUED, client=f"c{n % 3}", label=f"many-{n}") for n in range(600)]
    panel.desk.jobs.update(many)
    assert queue.model.rowCount() == 604 + 5
    queue.model.fold_all()
    assert [queue.model.group_at(row) for row in range(queue.model.rowCount())] == ["a", "b", "c0", "c1", "c2"]
    panel.desk.jobs.forget([job.job for job in many])
    assert queue.model.rowCount() == 2
