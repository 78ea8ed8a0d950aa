# SPDX-License-Identifier: Apache-2.0
"""Left open all day: nothing leaks, the layout is remembered, notices are few, everything has a name and a key."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QModelIndex, QObject, QSize, Qt, QThread, QTimer
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QSpinBox, QWidget
from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon
from tests.gui import scenes
from tests.gui.conftest import QUICK, MakePanel, sweep

from kineograph import formats
from kineograph.wire.messages import EventName, JobState, Method, Progress
from kineograph_gui.app import Panel, main
from kineograph_gui.model.joblog import log_lines
from kineograph_gui.model.queue import Filter
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import TABLE, say
from kineograph_gui.ui.palette import Palette
from kineograph_gui.ui.window import PAGES

OPENS = int(os.environ.get("KINEOGRAPH_TEST_OPENS", "50"))
"""A leak of one object an open shows as fifty."""


def _count() -> dict[str, int]:
    """What could leak, counted."""
    sweep()
    objects = [o for o in gc.get_objects() if isinstance(o, QObject)]
    return {
        "timers": sum(isinstance(o, QTimer) for o in objects),
        "qthreads": sum(isinstance(o, QThread) for o in objects),
        "widgets": len(QApplication.allWidgets()),
        "windows": len(QApplication.topLevelWidgets()),
        "threads": threading.active_count(),
        "files": psutil.Process().num_fds() if hasattr(psutil.Process(), "num_fds") else 0,
    }


def test_nothing_is_left_after_many_opens(fake: FakeDaemon, qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    scenes.every_state(fake)
    before: dict[str, int] = {}
    for number in range(OPENS):
        panel = Panel(qapp, PanelSettings(tmp_path / "panel.ini"), fake.endpoint, link_settings=QUICK)
        panel.window.show()
        qtbot.waitUntil(lambda p=panel: len(p.desk.jobs) == len(scenes.ALL_STATES))  # type: ignore[misc]
        panel.close()
        del panel
        if number == 2:  # what is made once stays: style, fonts, the tray's icon theme
            before = _count()
    after = _count()
    assert after["timers"] <= before["timers"]
    assert after["qthreads"] <= before["qthreads"]
    assert after["widgets"] <= before["widgets"]
    assert after["windows"] <= before["windows"]
    assert after["threads"] <= before["threads"]
    assert after["files"] <= before["files"] + 2


def test_the_layout_is_remembered(fake: FakeDaemon, make_panel: MakePanel, settings: PanelSettings) -> None:
    first = make_panel(fake.endpoint)
    first.window.resize(900, 640)
    first.window.queue.split.setSizes([400, 180])
    sizes = first.window.queue.split.sizes()
    first.close()
    second = make_panel(fake.endpoint)
    assert second.window.size() == QSize(900, 640)
    assert second.window.queue.split.sizes() == pytest.approx(sizes, abs=12)


@pytest.mark.parametrize("size", [(1280, 720), (900, 560)])
@pytest.mark.parametrize("page", [*PAGES, "first"])
def test_every_page_fits(panel: Panel, page: str, size: tuple[int, int]) -> None:
    window = panel.window
    window.resize(*size)
    window.show_page(page)
    QApplication.processEvents()
    assert (window.width(), window.height()) == size, "nothing asks for more room than there is"
    for part in window.pages[page].findChildren(QAbstractButton):
        inside_scroll = any(w.inherits("QScrollArea") for w in _ancestors(part))
        if part.isVisible() and not inside_scroll:
            corner = part.mapTo(window, part.rect().bottomRight())
            assert corner.x() <= size[0], part.text()
            assert corner.y() <= size[1], part.text()


def _ancestors(part: QWidget) -> list[QWidget]:
    out, parent = [], part.parentWidget()
    while parent is not None:
        out.append(parent)
        parent = parent.parentWidget()
    return out


def test_everything_that_can_be_used_has_a_name(panel: Panel) -> None:
    for page in PAGES:
        panel.window.show_page(page)
    nameless = [
        f"{type(part).__name__} in {type(part.parentWidget()).__name__}"
        for kind in (QAbstractButton, QComboBox, QLineEdit, QSpinBox)
        for part in panel.window.findChildren(kind)
        if part.objectName() not in ("qt_spinbox_lineedit", "qt_toolbar_ext_button")
        and not (part.accessibleName() or (part.text() if isinstance(part, QAbstractButton) else ""))
        and not isinstance(part.parentWidget(), (QComboBox, QLineEdit))
        and not type(part).__name__.startswith(("QTableCorner", "QLineEditIcon"))
        and "Corner" not in type(part).__name__
        and part.parentWidget() is not panel.window.queue.table
    ]
    assert not nameless


def test_every_action_is_in_the_palette_and_runs_by_its_words(panel: Panel, qtbot: QtBot) -> None:
    palette = Palette(list(panel.window.acts.values()), panel.window)
    palette.show()
    assert palette.list.count() == sum(a.isEnabled() for a in panel.window.acts.values())
    qtbot.keyClicks(palette.words, "new job")
    qtbot.keyClick(palette.words, Qt.Key.Key_Return)
    assert panel.window.page == "new"
    palette.deleteLater()


def test_texts_stand_in_one_table_and_none_is_missing() -> None:
    import re

    import kineograph_gui

    root = Path(next(iter(kineograph_gui.__path__)))
    used: set[str] = set()
    for file in root.rglob("*.py"):
        used |= set(re.findall(r"say\(\s*\"([\w.]+)\"", file.read_text("utf-8")))
    assert used <= set(TABLE), used - set(TABLE)


def test_a_notice_is_given_for_what_ends_and_once_for_many(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    told: list[tuple[str, str, str]] = []
    panel.notices.told.connect(lambda *what: told.append(what))
    old = scenes.put(fake, scenes.status(JobState.SUCCEEDED)).job
    fake.change(old, EventName.JOB_SUCCEEDED)
    jobs = [scenes.put(fake, scenes.status(JobState.RUNNING)).job for _ in range(3)]
    for job in jobs:
        fake.change(job, EventName.JOB_STARTED)
    qtbot.waitUntil(lambda: len(panel.desk.jobs) == 4)
    panel.notices.tell()
    assert not told, "an old job that ended long ago is no news"
    fake.fail(jobs[0], scenes.unknown_joint())
    qtbot.waitUntil(lambda: panel.desk.jobs.count(JobState.FAILED) == 1)
    panel.notices.tell()
    assert told[-1][0] == "a running job"
    assert "LefHand" in told[-1][1]
    assert told[-1][2] == jobs[0]
    for job in jobs[1:]:
        fake.finish(job, scenes.result())
    qtbot.waitUntil(lambda: panel.desk.jobs.count(JobState.SUCCEEDED) == 3)
    panel.notices.tell()
    assert told[-1][1] == say("notice.done", count=2)
    panel.desk.settings.notify = False
    late = scenes.put(fake, scenes.status(JobState.RUNNING)).job
    fake.change(late, EventName.JOB_STARTED)
    qtbot.waitUntil(lambda: panel.desk.jobs.get(late) is not None)
    fake.finish(late, scenes.result())
    qtbot.waitUntil(lambda: panel.desk.jobs.count(JobState.SUCCEEDED) == 4)
    count = len(told)
    panel.notices.tell()
    assert len(told) == count


def test_the_tray_counts(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    scenes.put(fake, scenes.status(JobState.QUEUED))
    for job in fake.jobs.status:
        fake.change(job, EventName.JOB_QUEUED)
    qtbot.waitUntil(lambda: panel.tray.toolTip() == say("tray.tip", count=1))
    assert not panel.tray.icon().isNull()


def test_jobs_are_grouped_by_their_sender_and_reordered_by_a_drag(fake: FakeDaemon, panel: Panel, qtbot: QtBot) -> None:
    model = panel.window.queue.model
    jobs = [
        scenes.put(fake, scenes.status(JobState.QUEUED, client=client, label=f"number-{i}", created_s=1000.0 - i)).job
        for i, client in enumerate(("b", "a", "b", "a"))
    ]
    for job in jobs:
        fake.change(job, EventName.JOB_QUEUED)
    qtbot.waitUntil(lambda: model.rowCount() == 4)
    panel.window.queue.group.click()
    shown = [s.client for row in range(model.rowCount()) if (s := model.status_at(row)) is not None]
    assert shown == ["a", "a", "b", "b"]
    assert [model.group_at(row) for row in range(6)] == ["a", None, None, "b", None, None]
    assert not panel.window.queue.table.grab().isNull()
    dragged = model.mimeData([model.index(5, 0)])
    assert not model.dropMimeData(dragged, Qt.DropAction.MoveAction, -1, -1, model.index(4, 0))
    (moved,) = fake.wait_for(Method.JOB_MOVE)
    assert (moved["job"], moved["before"]) == (jobs[2], jobs[0])
    assert not model.dropMimeData(dragged, Qt.DropAction.MoveAction, -1, -1, QModelIndex())
    assert not model.dropMimeData(dragged, Qt.DropAction.MoveAction, -1, -1, model.index(0, 0)), "a head is no job"
    model.set_filter(Filter.of("number-3"))
    assert (model.rowCount(), model.shown) == (2, 1)


def test_log_lines_of_a_job_are_shown(tmp_path: Path) -> None:
    (tmp_path / "daemon.log").write_text(
        '{"t": 2.0, "level": "error", "job": "abc", "msg": "job failed", "exc": "why"}\n'
        'cut "abc" line\n{"t": "x", "job": "abc"}\n{"t": 1.0, "level": "info", "job": "zzz", "msg": "other"}\n'
    )
    (tmp_path / "worker.log").write_text('{"t": 1.5, "level": "info", "job": "abc", "msg": "step 1"}\n')
    lines = log_lines("abc", tmp_path)
    assert [line.text.split("  ")[1] for line in lines] == ["step 1", "job failed"]
    assert lines[1].tone == "off"
    assert not log_lines("", tmp_path)
    assert not log_lines("abc", tmp_path / "none")


def test_a_screenshot_is_taken(fake: FakeDaemon, tmp_path: Path) -> None:
    scenes.put(fake, scenes.status(JobState.RUNNING, progress=Progress(0.3, 3, 10)))
    command = [sys.executable, "-m", "kineograph_gui", "--connect", fake.endpoint]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    file = tmp_path / "shots" / "queue.png"
    shot = ["--screenshot", str(file), "--page", "queue", "--size", "1000x600", "--theme", "dark"]
    done = subprocess.run([*command, *shot], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert QImage(str(file)).size() == QSize(1000, 600)


@pytest.mark.parametrize("wrong", [["--page", "nowhere"], ["--size", "big"], ["--size", "9x9"], ["--theme", "pink"]])
def test_wrong_words_on_the_command_line_are_told(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(wrong)
    except SystemExit as e:  # argparse's way
        code = int(e.code or 0)
    assert code == 2
    assert wrong[1] in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a screen")
def test_without_a_screen_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main([]) == 1
    assert "no screen" in capsys.readouterr().err


@pytest.mark.parametrize("opens", [True, False])
def test_a_result_is_opened_by_another_program(
    fake: FakeDaemon, panel: Panel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, opens: bool
) -> None:
    given: list[Path] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: given.append(Path(url.toLocalFile())) or opens)
    status = scenes.put(fake, scenes.status(JobState.SUCCEEDED, label="a/b: c"))
    fake.change(status.job, EventName.JOB_SUCCEEDED)
    qtbot.waitUntil(lambda: panel.desk.jobs.get(status.job) is not None)
    panel.window.queue.select(status.job)
    qtbot.waitUntil(lambda: panel.window.focus_model.take is not None)
    entries = {a.text(): a for a in panel.window.make_menu([status]).actions()}
    assert entries[say("do.open")].isEnabled()
    panel.window.acts["do.open"].trigger()
    (file,) = given
    assert len(formats.load(file).clips[0]) == 60
    assert panel.window.bottom.words.text() == say("said.opened" if opens else "said.no_program", file=file)
