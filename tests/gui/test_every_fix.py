# SPDX-License-Identifier: Apache-2.0
"""Every row of the catalogue as a card, every button of it pressed, and what each press is to bring about.

A fix that no case shows, or an action without an expectation, fails here: nothing can be added unpressed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QDialog, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon
from tests.gui import scenes, troubles
from tests.gui.conftest import MakePanel

from kineograph.errors import ErrorCode, NoteCode, error
from kineograph.fixes import Fix, all_rows
from kineograph.rigs import profiles
from kineograph.wire import messages as m
from kineograph.wire.messages import EventName, JobState, Method
from kineograph_gui.app import Panel
from kineograph_gui.model.draft import Draft
from kineograph_gui.model.repair import ELSEWHERE, WITH_A_WINDOW, Repair
from kineograph_gui.model.words import say
from kineograph_gui.ui.ask import Choice
from kineograph_gui.ui.joint_dialog import JointDialog
from kineograph_gui.ui.map_dialog import MapDialog
from kineograph_gui.ui.problem_card import ProblemCard

MODELS = [{"id": "fake", "fps": 30, "limits": {"max_num_samples": 4}}, {"id": "other", "fps": 30}]


class Bench:
    """A panel before the fake, and everything that a press may bring about, noted."""

    def __init__(self, panel: Panel, fake: FakeDaemon, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
        self.panel, self.fake, self.qtbot = panel, fake, qtbot
        self.heard: list[Any] = []
        self._seen = 0
        self.job = ""
        self.original: dict[str, Any] = {}
        monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: self.heard.append("opened"))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: self.heard.append("save") or ("", ""))
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: self.heard.append("open") or ("", ""))
        monkeypatch.setattr(
            panel.link, "reopen", lambda address, start_daemon: self.heard.append((address, start_daemon))
        )
        panel.desk.said.connect(self.heard.append)
        panel.window.bottom.said.connect(self.heard.append)

    @property
    def window(self) -> Any:
        """The panel's window."""
        return self.panel.window

    @property
    def repair(self) -> Repair:
        """The problem that is shown."""
        repair: Repair = self.window.repair
        return repair

    @property
    def dialog(self) -> QDialog | None:
        """A question that stands open."""
        return next((d for d in self.window.findChildren(QDialog) if d.isVisible()), None)

    def asked(self, method: Method) -> list[dict[str, Any]]:
        """What the daemon was asked since the press."""
        return [r.body for r in self.fake.received[self._seen :] if r.method == method]

    def fail(self, code: str, details: dict[str, Any]) -> None:
        """A failed job in the queue, looked at, its request known."""
        why = error(code, "as the daemon says it", copy.deepcopy(details), request_id="ref-1").to_envelope()
        status = scenes.status(JobState.FAILED, error=why, client="panel:test", character="")
        self.original = troubles.request_of(code, details)
        self.job = scenes.put(self.fake, status, self.original).job
        self.fake.change(self.job, EventName.JOB_FAILED)
        self.qtbot.waitUntil(lambda: self.panel.desk.jobs.get(self.job) is not None)
        self.look()

    def look(self) -> None:
        """At the job, as if nothing had been pressed."""
        window = self.window
        window.show_page("queue")
        window.queue.clear_filter()
        window.focus_model.look_at("")
        assert window.queue.select(self.job)
        window.focus_model.look_at(self.job)
        self.qtbot.waitUntil(lambda: window.focus_model.sent is not None and self.repair.base_request is not None)
        self.heard.clear()
        QGuiApplication.clipboard().clear()
        self._seen = len(self.fake.received)

    @property
    def card(self) -> ProblemCard:
        """What is shown of it."""
        card: ProblemCard = self.window.queue.details.card
        return card

    @property
    def buttons(self) -> dict[str, QPushButton]:
        """The card's buttons by the fixes' ids."""
        found = self.card.findChildren(QPushButton)
        return {b.objectName().removeprefix("fix."): b for b in found if b.objectName().startswith("fix.")}

    def wait(self, what: Callable[[], object]) -> None:
        """Until it is so."""
        self.qtbot.waitUntil(lambda: bool(what()))

    def settle(self) -> None:
        """Until all that was asked is answered, here too: a job that was sent is looked at when its answer comes."""
        answered: list[Any] = []
        self.panel.link.ask(Method.DAEMON_STATS, m.Empty(), answered.append, answered.append)
        self.wait(lambda: answered)

    def shut(self) -> None:
        """Close a question."""
        dialog = self.dialog
        if dialog is not None:
            dialog.reject()
            self.wait(lambda: self.dialog is None)


Expect = Callable[[Bench, Mapping[str, Any]], object]
"""True once the press of a fix with these arguments has done what it is for."""


def _page(name: str) -> Expect:
    return lambda b, args: b.window.page == name


def _dialog(kind: type[QDialog]) -> Expect:
    return lambda b, args: isinstance(b.dialog, kind)


def _reopened(*told: Any) -> Expect:
    return lambda b, args: told in b.heard


def _sent_as_it_was(b: Bench, args: Mapping[str, Any]) -> bool:
    return [body["request"] for body in b.asked(Method.GENERATE)] == [b.original]


def _setting(b: Bench, name: str) -> bool:
    return b.window.page == "settings" and b.window.settings.form.filter.text() == name


def _in_profile(b: Bench, args: Mapping[str, Any]) -> bool:
    rig = scenes.skeleton()
    known = profiles.aliases_of(rig.names, rig.parents.tolist())
    request = b.repair.request
    return (
        known == {args["joint"]: args["to"]}
        and request is not None
        and args["joint"] not in str(request["constraints"])
    )


def _remembered(b: Bench, args: Mapping[str, Any]) -> bool:
    request = b.repair.request
    return b.panel.desk.settings.model == args["model"] and request is not None and request["model"] == args["model"]


EXPECT: dict[str, Expect] = {
    "copy_report": lambda b, args: str(b.repair.problem.code) in QGuiApplication.clipboard().text(),  # type: ignore[union-attr]
    "copy_request": lambda b, args: "segments" in json.loads(QGuiApplication.clipboard().text() or "{}"),
    "save_report": lambda b, args: "save" in b.heard,
    "open_log": lambda b, args: "opened" in b.heard,
    "show_load_error": lambda b, args: b.window.page == "models" and args["reason"] in b.heard,
    "prompt_tips": lambda b, args: say("problem.prompt_tips") in b.heard,
    "show_job": lambda b, args: b.window.page == "queue" and b.window.queue.filter.text() == args["holder"],
    "choose_joint": _dialog(JointDialog),
    "choose_root": _dialog(Choice),
    "edit_map": _dialog(MapDialog),
    "edit_profile": _dialog(MapDialog),
    "choose_file": lambda b, args: b.window.page == "new" and "open" in b.heard,
    "edit_prompt": lambda b, args: b.window.page == "new" and b.window.new.draft.rig is not None,
    "go_to_field": lambda b, args: b.window.page == "new" and b.window.new.draft.rig is not None,
    "pause_watcher": lambda b, args: b.window.page == "watch" and say("said.watch_paused", count=0) in b.heard,
    "raise_queue_limit": lambda b, args: _setting(b, "queue_limit"),
    "run_on_cpu": lambda b, args: _setting(b, "device"),
    "other_device": lambda b, args: _setting(b, "device"),
    "submit_as_new": _sent_as_it_was,
    "wait": _sent_as_it_was,
    "queue_behind": _sent_as_it_was,
    "submit_interrupted": lambda b, args: [x["request"] for x in b.asked(Method.GENERATE)] == [scenes.request()],
    "dismiss": lambda b, args: b.repair.problem is None and b.card.isHidden(),
    "cancel_job": lambda b, args: b.card.isHidden() and say("problem.retry_stopped") in b.heard,
    "forget_job": lambda b, args: b.asked(Method.JOB_FORGET) == [{"job": args["job"]}],
    "reconnect": _reopened(None, False),
    "read_key": _reopened(None, False),
    "adopt_daemon": _reopened(None, False),
    "start": _reopened(None, True),
    "start_own": _reopened(None, True),
    "restart": lambda b, args: b.asked(Method.DAEMON_STOP) == [{}],
    "restart_model": lambda b, args: (
        b.asked(Method.MODELS_UNLOAD) == b.asked(Method.MODELS_LOAD) == [{"model": args["model"]}]
    ),
    "unload_idle_models": lambda b, args: b.asked(Method.MODELS_UNLOAD) == [{"model": "other"}],
    "remember_model": _remembered,
    "save_joint_alias": _in_profile,
}  # fmt: skip
"""By action; edits of the request are all checked alike."""


@pytest.fixture
def bench(fake: FakeDaemon, make_panel: MakePanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A panel whose daemon hosts two models, both loaded."""
    told = {"state": "ready", "text": "full"}
    reply = m.CapabilitiesReply({"protocol_version": "1.4", "models": MODELS}, {"fake": told, "other": told}, "fake")
    fake.on(Method.CAPABILITIES, lambda body: reply)
    panel = make_panel(fake.endpoint)
    panel.link.address = None  # as if it were this computer's own
    panel.desk.settings.retry_itself = False
    panel.window.queue.split.setSizes([140, 500])  # few rows to paint: this is about the card
    return Bench(panel, fake, qtbot, monkeypatch)


def test_every_row_shows_its_fixes_and_every_button_does_what_it_says(bench: Bench) -> None:
    pressed: set[str] = set()
    named: set[str] = set()
    for code, details in troubles.cases():
        bench.fail(code, details)
        problem = bench.repair.problem
        assert problem is not None
        named |= _check_card(bench, code)
        for fix in problem.fixes:
            if fix.patch["action"] not in ELSEWHERE and fix.id not in pressed:
                _press(bench, fix)
                pressed.add(fix.id)
    rows = [row for row in all_rows() if row.code in list(ErrorCode)]
    here = {f.id for row in rows for f in row.fixes if f.action not in ELSEWHERE}
    elsewhere = {f.id for row in rows for f in row.fixes if f.action in ELSEWHERE}
    assert here == pressed, f"never pressed: {here - pressed} (tests/gui/troubles.py has the cases)"
    assert elsewhere == named, f"never named: {elsewhere - named} (tests/gui/troubles.py has the cases)"
    assert EXPECT.keys() == Repair.actions()


def _check_card(bench: Bench, code: str) -> set[str]:
    """The card says it; every fix is a button, or named as done elsewhere: those."""
    card, problem = bench.card, bench.repair.problem
    assert problem is not None
    assert str(problem.code) == code
    assert not card.isHidden()
    assert card.accessibleName() == f"{problem.title}. {problem.text}"
    here = {f.id for f in problem.fixes if f.patch["action"] not in ELSEWHERE}
    assert set(bench.buttons) == here, code
    rest = [f for f in problem.fixes if f.id not in here]
    for fix in rest:
        assert fix.label in card.elsewhere, (code, fix.id)
    assert card.why
    assert code in card.raw
    return {f.id for f in rest}


def _press(bench: Bench, fix: Fix) -> None:
    bench.look()
    if fix.patch["action"] == "submit_interrupted" or fix.id == "forget_job":
        scenes.put(bench.fake, scenes.status(JobState.FAILED, troubles.GONE), scenes.request())
    bench.buttons[fix.id].click()
    if fix.patch["target"] == "request":
        _check_edit(bench, fix)
    else:
        expect = EXPECT[fix.patch["action"]]
        bench.wait(lambda: expect(bench, fix.patch["args"]))
    bench.shut()
    bench.settle()


def _check_edit(bench: Bench, fix: Fix) -> None:
    """The change is said and shown, what was sent stays as it was, and what is sent again is the changed one."""
    repair, card = bench.repair, bench.card
    assert repair.request is not None, (fix.id, bench.heard)
    assert say("problem.changed", said=repair.changes[0]) in card.changes, fix.id
    assert repair.difference, fix.id
    assert card.difference.splitlines() == repair.difference
    assert bench.fake.jobs.requests[bench.job] == bench.original, fix.id
    wanted = copy.deepcopy(repair.request)
    deadline_s = repair.fields.get("deadline_s")
    assert card.send_again is not None
    card.send_again.click()
    bench.wait(lambda: bench.asked(Method.GENERATE))
    (body,) = bench.asked(Method.GENERATE)
    assert body["request"] == wanted, fix.id
    assert body.get("deadline_s") == deadline_s
    assert body["request"] != bench.original or deadline_s is not None, fix.id


def test_actions_are_done_here_with_a_window_or_elsewhere() -> None:
    """No fix of the catalogue is left without anybody who carries it out."""
    actions = {f.action for row in all_rows() for f in row.fixes if f.target != "request"}
    done_here = set(Repair.actions())
    assert actions <= done_here | ELSEWHERE
    assert not done_here & ELSEWHERE
    assert set(map(str, WITH_A_WINDOW)) <= done_here


def test_every_fix_of_a_note_changes_the_draft(bench: Bench) -> None:
    pressed = set()
    page = bench.window.new
    bench.window.show_page("new")
    for changes, spec in _NOTED:
        bench.panel.desk.capabilities = m.CapabilitiesReply(
            {"protocol_version": "1.4", "models": [{**MODELS[0], **spec}]}, {"fake": {"state": "ready", **spec}}, "fake"
        )
        for fix in {f.id: f for note in _noted(bench, changes) for f in note.fixes if f.patch["target"] == "request"}:
            (found,) = [f for note in _noted(bench, changes) for f in note.fixes if f.id == fix]
            before = page.draft.request()
            bench.wait(lambda f=found: _button(bench, f.label))  # type: ignore[misc]
            button = _button(bench, found.label)
            assert button is not None
            button.click()
            assert page.draft.request() != before, fix
            pressed.add(fix)
    rows = [row for row in all_rows() if row.code in list(NoteCode)]
    assert pressed == {f.id for row in rows for f in row.fixes if f.target == "request"}


def _noted(bench: Bench, changes: dict[str, Any]) -> list[Any]:
    bench.window.new.take_draft(Draft.of(scenes.request(**changes)))
    notes: list[Any] = bench.window.new.composer.notes
    return notes


def _button(bench: Bench, label: str) -> QPushButton | None:
    found = bench.window.new.side.findChildren(QPushButton)
    return next((b for b in found if b.text() == label and b.isVisible()), None)


_FAST = {"type": "root_path", "frames": [0, 59], "positions_xz": [[0.0, 0.0], [0.0, 30.0]]}
_LATE = {"type": "effector_target", "joint": "LeftHand", "frames": [30, 90], "positions": [[0.4, 1.2, 0.3]] * 2}
_SHORT = [{"type": "unconditioned", "duration_frames": n} for n in (40, 3, 17)]
_NOTED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"constraints": [_FAST]}, {}),
    ({"constraints": [_LATE]}, {}),
    ({}, {"limits": {"max_duration_seconds": 1.0}}),
    ({}, {"text": "full", "phrases": ["waves goodbye", "walks"]}),
    ({"segments": _SHORT, "constraints": []}, {}),
]
"""Drafts with something to note, and what the model says of itself then."""
