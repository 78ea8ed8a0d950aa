# SPDX-License-Identifier: Apache-2.0
"""The main window: pages, keys, and what a fix needs a window for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
)
from PySide6.QtWidgets import QHeaderView, QMainWindow, QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from kineograph import demo, formats
from kineograph.errors import KineographError
from kineograph.wire.messages import JobState
from kineograph_gui.model import rows
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.draft import Draft
from kineograph_gui.model.focus import Focus
from kineograph_gui.model.repair import Repair
from kineograph_gui.model.rows import Column
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import say
from kineograph_gui.ui.aid import Aid
from kineograph_gui.ui.ask import confirm
from kineograph_gui.ui.bars import BottomBar, TopBar
from kineograph_gui.ui.first_page import FirstPage
from kineograph_gui.ui.models_page import ModelsPage
from kineograph_gui.ui.new_page import NewPage
from kineograph_gui.ui.palette import Palette
from kineograph_gui.ui.problem_card import ProblemCard
from kineograph_gui.ui.queue_page import QueuePage, Refocus
from kineograph_gui.ui.settings_page import SettingsPage
from kineograph_gui.ui.watch_page import WatchPage

PAGES = ["queue", "new", "watch", "models", "settings"]
SIZE = QSize(1280, 720)
LEAST = QSize(900, 560)


class MainWindow(QMainWindow):
    """Everything visible. ``desk`` does the work."""

    def __init__(self, desk: Desk, settings: PanelSettings) -> None:
        super().__init__()
        self.desk = desk
        self.settings_memory = settings
        self.focus_model = Focus(desk, self)
        self.repair = Repair(desk, self.focus_model, self)
        self.trouble = Repair(desk, self.focus_model, self)
        self._follow = self._play_when_there = ""
        self.setWindowTitle(say("app"))
        self.setAcceptDrops(True)
        self._build()
        self.aid = Aid(self)
        self._make_actions()
        self._wire()
        self._restore()
        self.show_page("queue")

    def _build(self) -> None:
        self.top = TopBar(self.desk, PAGES)
        self.bottom = BottomBar(self.desk)
        self.trouble_card = ProblemCard(self.trouble)
        self.queue = QueuePage(self.desk, self.focus_model, self.repair, self.settings_memory)
        self.new = NewPage(self.desk, self.settings_memory)
        self.watch = WatchPage(self.settings_memory)
        self.models = ModelsPage(self.desk)
        self.settings = SettingsPage(self.desk, self.settings_memory)
        self.first = FirstPage(self.desk)
        self.pages: dict[str, QWidget] = {
            "queue": self.queue, "new": self.new, "watch": self.watch, "models": self.models,
            "settings": self.settings, "first": self.first,
        }  # fmt: skip
        self.stack = QStackedWidget()
        for page in self.pages.values():
            self.stack.addWidget(page)
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.top)
        around = QVBoxLayout()
        around.setContentsMargins(12, 0, 12, 0)
        around.addWidget(self.trouble_card)
        layout.addLayout(around)
        layout.addWidget(self.stack, 1)
        layout.addWidget(self.bottom)
        self.setCentralWidget(centre)
        self.setMinimumSize(LEAST)
        self.resize(SIZE)

    def _wire(self) -> None:
        self.top.turned.connect(self.show_page)
        self.bottom.address.clicked.connect(self.aid.ask_address)
        self.bottom.log.clicked.connect(self.aid.open_log)
        self.bottom.report.clicked.connect(self.aid.copy_report)
        self.desk.failed.connect(lambda error: self.show_trouble(error))
        self.desk.submitted.connect(self._submitted)
        self.desk.jobs.changed.connect(lambda jobs: self._follow_up())
        self.focus_model.take_changed.connect(self._take_came)
        for repair in (self.repair, self.trouble):
            repair.said.connect(self.bottom.say)
            repair.wants.connect(lambda action, args, r=repair: self.aid.carry_out(r, action, args))
        self.queue.table.customContextMenuRequested.connect(self._menu)
        self.queue.table.opened.connect(lambda: self.queue.player.preview.setFocus())
        self.queue.table.deleted.connect(self.cancel)
        self.queue.model.reordered.connect(self.desk.move_before)
        self.queue.player.wants_export.connect(self.aid.export)
        refocus = Refocus(self.queue.player, self)
        self.queue.table.installEventFilter(refocus)
        self.queue.player.preview.installEventFilter(refocus)
        self.queue.player.timeline.installEventFilter(refocus)
        self.new.sent.connect(self._sent_draft)
        self.watch.said.connect(self.bottom.say)
        self.new.said.connect(self.bottom.say)
        self.new.failed.connect(lambda error: self.show_trouble(error))
        self.first.turned.connect(self.show_page)
        self.first.opened_rig.connect(self.open_file)
        self.first.demo.connect(self.run_demo)

    # --- actions ------------------------------------------------------------------------------------------------------
    def _make_actions(self) -> None:
        self.acts: dict[str, QAction] = {}
        add = self._add_action
        add("do.cancel", self.cancel)
        add("do.retry", self.retry, "R", on_table=True)
        add("do.reseed", self.reseed, "Shift+R", on_table=True)
        add("do.front", lambda: self._each(lambda job: self.desk.move(job, "front")))
        add("do.back", lambda: self._each(lambda job: self.desk.move(job, "back")))
        add("do.edit", self.edit_as_new)
        add("do.copy_id", lambda: self.aid.copy("\n".join(self.queue.selected)))
        add("do.copy_command", self.aid.copy_command)
        add("do.copy_report", self.aid.copy_report)
        add("do.save_report", self.aid.save_report)
        add("do.open", self.aid.open_result)
        add("do.export", lambda: self.aid.export(0))
        add("do.forget", lambda: self._each(self.desk.forget))
        add("do.play", self.queue.player.toggle)
        add("do.frame", self.queue.player.preview.frame_view, "F", on_table=True)
        add("do.filter", self._to_filter, "Ctrl+F")
        add("do.fold", self.queue.model.fold_all, "Ctrl+G")
        add("page.new", lambda: self.show_page("new"), "Ctrl+N")
        add("page.queue", lambda: self.show_page("queue"), "Ctrl+1")
        add("page.watch", lambda: self.show_page("watch"), "Ctrl+4")
        add("page.models", lambda: self.show_page("models"), "Ctrl+2")
        add("page.settings", lambda: self.show_page("settings"), "Ctrl+3")
        add("page.first", lambda: self.show_page("first"))
        add("first.demo", self.run_demo)
        add("link.start", self.desk.start_daemon)
        add("link.retry", self.desk.reconnect)
        add("do.log", self.aid.open_log)
        add("do.palette", self.open_palette, "Ctrl+K")

    def _add_action(self, key: str, done: Callable[[], object], keys: str = "", *, on_table: bool = False) -> None:
        action = QAction(say(key).rstrip("."), self)
        action.triggered.connect(lambda: done())
        if keys:
            action.setShortcut(QKeySequence(keys))
        if on_table:  # single letters must not fire while somebody types
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self.queue.table.addAction(action)
            self.queue.player.addAction(action)
        else:
            self.addAction(action)
        self.acts[key] = action

    def _menu(self, at: QPoint) -> None:
        statuses = [s for job in self.queue.selected if (s := self.desk.jobs.get(job)) is not None]
        if not statuses:
            return
        menu = self.make_menu(statuses)
        menu.exec(self.queue.table.viewport().mapToGlobal(at))
        menu.deleteLater()

    def make_menu(self, statuses: list[Any]) -> QMenu:
        """The context menu of some jobs; what cannot be done is greyed."""
        one = len(statuses) == 1
        ended = all(s.state.is_final for s in statuses)
        may = {
            "do.cancel": any(not s.state.is_final for s in statuses),
            "do.front": all(s.state is JobState.QUEUED for s in statuses),
            "do.back": all(s.state is JobState.QUEUED for s in statuses),
            "do.forget": ended,
            "do.edit": one,
            "do.open": one and self.focus_model.take is not None,
            "do.export": one and self.focus_model.take is not None,
            "do.copy_report": one and self.repair.problem is not None,
            "do.save_report": one and self.repair.problem is not None,
        }
        menu = QMenu(self)
        groups = (
            ("do.cancel", "do.retry", "do.reseed"),
            ("do.front", "do.back"),
            ("do.open", "do.export", "do.edit"),
            ("do.copy_id", "do.copy_command", "do.copy_report", "do.save_report"),
            ("do.forget",),
        )
        for group in groups:
            if menu.actions():
                menu.addSeparator()
            for key in group:
                entry = menu.addAction(self.acts[key].text())
                entry.setEnabled(may.get(key, True))
                entry.triggered.connect(self.acts[key].trigger)
        return menu

    def _each(self, do: Callable[[str], object]) -> None:
        for job in self.queue.selected:
            do(job)

    # --- verbs --------------------------------------------------------------------------------------------------------
    def cancel(self) -> None:
        """Cancel what is selected; asks first when something runs."""
        jobs = [s for j in self.queue.selected if (s := self.desk.jobs.get(j)) is not None and not s.state.is_final]
        running = [s for s in jobs if s.state is JobState.RUNNING]
        if running and self.settings_memory.ask_before_stop:
            one = running[0]
            text = (
                say("do.cancel_sure", job=rows.name_of(one), percent=round(one.progress.fraction * 100))
                if len(running) == 1
                else say("do.cancel_many", count=len(running))
            )
            if not confirm(self, text, say("do.stop_it"), say("do.let_run")):
                return
        self.desk.cancel([s.job for s in jobs])

    def retry(self) -> None:
        """Run what is selected again."""
        self._each(self.desk.again)

    def reseed(self) -> None:
        """Run what is selected again with other seeds."""
        self._each(lambda job: self.desk.again(job, another_seed=True))

    def edit_as_new(self) -> None:
        """Open the request as a draft."""
        request = self.repair.request or self.focus_model.request
        if request is None:
            return
        status = self.focus_model.status
        try:
            self.new.take_draft(Draft.of(request, status.character if status else ""))
        except (KineographError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as e:
            self.bottom.say(say("problem.not_fit", why=e))
            return
        self.show_page("new")

    def show_job(self, job: str) -> None:
        """Look at a job, on the queue's page."""
        self.show_page("queue")
        if not self.queue.select(job):
            self.queue.clear_filter()
            self.queue.select(job)

    def run_demo(self) -> None:
        """The demo job, looked at as it comes."""
        model = next(iter(self.desk.model_ids), None)
        fields = {"label": "demo", "character": "demo", "refs": demo.refs()}
        self._follow = self.desk.submit(demo.request(model), fields)
        self.show_page("queue")

    def open_palette(self) -> None:
        """Every action by its name."""
        palette = Palette(list(self.acts.values()), self)
        palette.finished.connect(palette.deleteLater)
        palette.show()
        palette.words.setFocus()

    def _submitted(self, job: str) -> None:
        self._follow = job
        self.hide_trouble()
        self._follow_up()

    def _follow_up(self) -> None:
        """Look at a job that was just sent, as soon as its row is there; play it when it is done."""
        if self._follow and self.desk.jobs.get(self._follow) is not None and self.queue.select(self._follow):
            self.focus_model.look_at(self._follow)
            self._play_when_there, self._follow = self._follow, ""

    def _take_came(self) -> None:
        """The motion of a job that was just sent plays at once, if it is still what is looked at."""
        focus = self.focus_model
        if focus.job == self._play_when_there and focus.take is not None:
            self._play_when_there = ""
            if self.page == "queue":
                self.queue.player.play()

    def _sent_draft(self, job: str) -> None:
        self._follow = job
        self.show_page("queue")

    def _to_filter(self) -> None:
        self.show_page("queue")
        self.queue.filter.setFocus()
        self.queue.filter.selectAll()

    # --- troubles -----------------------------------------------------------------------------------------------------
    def show_trouble(self, error: KineographError) -> None:
        """A problem that belongs to no row."""
        draft = self.new.last_sent
        self.trouble.show_error(error, draft[0] if draft else None, draft[1] if draft else None)

    def hide_trouble(self) -> None:
        """The trouble is over."""
        self.trouble.dismiss()

    # --- window -------------------------------------------------------------------------------------------------------
    def show_page(self, page: str) -> None:
        """Turn to a page."""
        if self.stack.currentWidget() is self.first and page != "first":
            self.settings_memory.seen_first = True
        self.stack.setCurrentWidget(self.pages[page])
        self.top.show_page(page)
        if page == "queue":
            self.queue.table.setFocus()

    @property
    def is_settled(self) -> bool:
        """Whether all that is asked for has come: nothing will change by itself."""
        desk, focus = self.desk, self.focus_model
        if not desk.is_ready or desk.capabilities is None or desk.stats is None:
            return False
        if self.new.is_busy:
            return False
        status = focus.status
        return status is None or (
            focus.sent is not None
            and (status.state is not JobState.SUCCEEDED or focus.take is not None or focus.take_error is not None)
        )

    @property
    def page(self) -> str:
        """The page that is shown."""
        return next(name for name, page in self.pages.items() if page is self.stack.currentWidget())

    def open_file(self, path: Path) -> bool:
        """A rig or a saved request; whether it could be read."""
        opened = self.new.open_path(path)
        if opened:
            self.show_page("new")
        return opened

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _dropped(event)
        if path is not None:
            event.acceptProposedAction()
            self.open_file(path)

    def _layout_parts(self) -> tuple[tuple[str, QSplitter | QHeaderView], ...]:
        queue = self.queue
        return (
            ("split", queue.split), ("lower", queue.below), ("new", self.new.split),
            (f"columns-{len(Column)}", queue.table.horizontalHeader()),
        )  # fmt: skip

    def _restore(self) -> None:
        for name, part in self._layout_parts():
            state = self.settings_memory.layout(name)
            if state is not None:
                part.restoreState(state)
        geometry = self.settings_memory.layout("window")
        if geometry is not None:
            self.restoreGeometry(geometry)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.queue.player.stop()
        self.new.keep()
        for name, part in self._layout_parts():
            self.settings_memory.keep_layout(name, part.saveState())
        self.settings_memory.keep_layout("window", self.saveGeometry())
        self.settings_memory.save()
        super().closeEvent(event)


def _dropped(event: QDropEvent) -> Path | None:
    kinds = (*formats.EXTENSIONS, ".json")
    found = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
    return next((p for p in found if p.suffix.lower() in kinds), None)
