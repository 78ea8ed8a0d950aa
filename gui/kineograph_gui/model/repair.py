# SPDX-License-Identifier: Apache-2.0
"""A problem with its fixes, and what pressing each does here.

A fix on the request changes a copy of it; the difference is shown and the copy is sent as a new job. A fix that only
the sending program can make (rename a bone in Blender) is named, not offered as a button that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from kineograph import __version__
from kineograph.errors import KineographError
from kineograph.fixes import Fix, NotApplicable, Problem, apply, report, resolve, retry_delay_s, timeline, wording
from kineograph.fixes.facts import ref_at
from kineograph.fixes.patches import (
    DaemonAction,
    LinkAction,
    ReportAction,
    SceneAction,
    SettingsAction,
    Target,
)
from kineograph.rigs import suggest
from kineograph.wire.messages import JobState
from kineograph_gui.model.desk import Desk
from kineograph_gui.model.focus import Focus
from kineograph_gui.model.mending import remember_name
from kineograph_gui.model.words import say

HERE = frozenset(
    {
        SceneAction.CHOOSE_JOINT,
        SceneAction.CHOOSE_ROOT,
        SceneAction.EDIT_PROMPT,
        SceneAction.GO_TO_FIELD,
        SceneAction.CHOOSE_FILE,
        SceneAction.EDIT_MAP,
        SceneAction.EDIT_PROFILE,
        SettingsAction.REMEMBER_MODEL,
        SettingsAction.SAVE_JOINT_ALIAS,
        SettingsAction.READ_KEY,
        SettingsAction.RAISE_QUEUE_LIMIT,
        SettingsAction.PAUSE_WATCHER,
    }
)
"""Actions of the scene and the settings that this panel carries out."""

ELSEWHERE: frozenset[str] = frozenset(
    {
        *(a for a in (*SceneAction, *SettingsAction) if a not in HERE),
        LinkAction.HOLD_UNTIL,
        LinkAction.UPDATE_OLDER,
        LinkAction.RETRY_FILE,
        LinkAction.SKIP_FILE,
        LinkAction.PROCESS_ANYWAY,
        DaemonAction.ENCODE_PROMPT,
    }
)
"""Actions that another program carries out: the scene's, the watcher's, the installer's."""

WITH_A_WINDOW: tuple[StrEnum, ...] = (
    SceneAction.CHOOSE_JOINT,
    SceneAction.CHOOSE_ROOT,
    SceneAction.EDIT_PROMPT,
    SceneAction.GO_TO_FIELD,
    SceneAction.CHOOSE_FILE,
    SceneAction.EDIT_MAP,
    SceneAction.EDIT_PROFILE,
    LinkAction.SHOW_JOB,
    SettingsAction.PAUSE_WATCHER,
    *ReportAction,
)
"""Actions that ask for a widget; the rest is done without one."""

WITHOUT_A_WINDOW: tuple[StrEnum, ...] = (
    LinkAction.SUBMIT_AS_NEW,
    LinkAction.SUBMIT_INTERRUPTED,
    LinkAction.DISMISS,
    LinkAction.FORGET_JOB,
    LinkAction.CANCEL_JOB,
    LinkAction.WAIT,
    LinkAction.QUEUE_BEHIND,
    LinkAction.RECONNECT,
    LinkAction.ADOPT_DAEMON,
    DaemonAction.START,
    DaemonAction.START_OWN,
    DaemonAction.RESTART,
    DaemonAction.RESTART_MODEL,
    DaemonAction.UNLOAD_IDLE_MODELS,
    DaemonAction.RUN_ON_CPU,
    DaemonAction.OTHER_DEVICE,
    SettingsAction.REMEMBER_MODEL,
    SettingsAction.SAVE_JOINT_ALIAS,
    SettingsAction.READ_KEY,
    SettingsAction.RAISE_QUEUE_LIMIT,
)
"""Actions that are carried out at once."""

MOST_DIFFERENCES = 12
Act = Callable[[dict[str, Any]], object]


class Repair(QObject):
    """The problem of the job in focus, or of the link, or of what was asked last."""

    changed = Signal()
    wants = Signal(str, dict)  # an action that needs a widget, and its arguments
    said = Signal(str)

    def __init__(self, desk: Desk, focus: Focus, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._focus = focus
        self.problem: Problem | None = None
        self.error: Any = None
        self.request: dict[str, Any] | None = None
        self.fields: dict[str, Any] = {}
        self.changes: list[str] = []
        self.countdown_s: int | None = None
        self._original: Mapping[str, Any] | None = None
        self._sent_fields: dict[str, Any] = {}
        self._attempts: dict[str, int] = {}  # how many tries a job was
        self._stopped: set[str] = set()
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self.tick)
        self._acts = self._make_acts()

    # --- what is shown ------------------------------------------------------------------------------------------------
    def show_job(self) -> None:
        """The problem of the job in focus; none when it has none."""
        status = self._focus.status
        wrong = status is not None and (status.state is JobState.FAILED or bool(status.error))
        if status is None or not (wrong or status.state in (JobState.CANCELLED, JobState.EXPIRED)):
            self._show(None, None, {})
            return
        error = status.error
        if not error:
            code = "request_cancelled" if status.state is JobState.CANCELLED else "result_expired"
            details = {"job": status.job, "step": status.progress.step, "steps": status.progress.steps}
            error = {"error": {"code": code, "message": status.note, "details": details}}
        self._show(error, self._focus.request, self._focus.fields, status.character)
        if status.state is JobState.FAILED and self._focus.sent is not None:
            self._maybe_count_down()

    def show_error(
        self, error: KineographError, request: Mapping[str, Any] | None = None, fields: Mapping[str, Any] | None = None
    ) -> None:
        """A problem of something that was asked for here."""
        self._show(error, request, dict(fields or {}), str((fields or {}).get("character", "")))

    def _show(self, error: Any, request: Mapping[str, Any] | None, fields: dict[str, Any], character: str = "") -> None:
        self.stop_countdown()
        self.error, self._original, self.fields, self.changes = error, request, dict(fields), []
        self._sent_fields = dict(fields)
        self.request = None
        context = self._desk.context(request, fields.get("refs"), character)
        self.problem = resolve(error, context) if error is not None else None
        self.changed.emit()

    @property
    def buttons(self) -> list[Fix]:
        """Fixes that act here, best first."""
        if self.problem is None:
            return []
        return [f for f in self.problem.fixes if self._acts_here(f)]

    @property
    def elsewhere(self) -> list[Fix]:
        """Fixes that the sending program makes."""
        return [] if self.problem is None else [f for f in self.problem.fixes if f.patch["action"] in ELSEWHERE]

    def _acts_here(self, fix: Fix) -> bool:
        if fix.patch["action"] in ELSEWHERE:
            return False
        return fix.patch["target"] != Target.REQUEST or self._original is not None

    @property
    def difference(self) -> list[str]:
        """What differs between the request that failed and the one that would be sent."""
        if self.request is None or self._original is None:
            return []
        refs = self.fields.get("refs")
        found = [_in_words(d, self._original, refs) for d in _differences(self._original, self.request)]
        found += [_in_words(d, {}, None) for d in _differences(self._sent_fields, self.fields)]
        if len(found) > MOST_DIFFERENCES:
            found[MOST_DIFFERENCES:] = [say("details.more", count=len(found) - MOST_DIFFERENCES)]
        return found

    # --- what is done -------------------------------------------------------------------------------------------------
    def press(self, fix: Fix) -> None:
        """Carry a fix out."""
        self.stop_countdown()
        if fix.patch["target"] == Target.REQUEST:
            self.change(fix.patch)
        else:
            self._acts[fix.patch["action"]](dict(fix.patch["args"]))

    def change(self, patch: Mapping[str, Any]) -> bool:
        """Apply a patch to the request that would be sent; whether it fitted."""
        base = self.request if self.request is not None else self._original
        if base is None:
            return False
        try:
            applied = apply(patch, base)
        except NotApplicable as why:
            self.said.emit(say("problem.not_fit", why=why))
            return False
        self.request = applied.request
        self.fields.update(applied.fields)
        self.changes.append(applied.said)
        self.changed.emit()
        return True

    def undo(self) -> None:
        """Forget the changes."""
        self.request, self.changes, self.fields = None, [], dict(self._sent_fields)
        self.changed.emit()

    def send(self) -> str:
        """Send the request, changed or not; the new job's id."""
        self.stop_countdown()
        request = self.request if self.request is not None else self._original
        return self._desk.submit(request, self.fields) if request is not None else ""

    def report_text(self) -> str:
        """The report, with names and paths scrubbed."""
        if self.error is None:
            return ""
        hello = self._desk.link.hello
        versions = {"panel": __version__, "daemon": hello.daemon_version if hello is not None else "-"}
        return report(self.error, self._original, versions)

    @property
    def base_request(self) -> Mapping[str, Any] | None:
        """The request as it would be sent now."""
        return self.request if self.request is not None else self._original

    def joint_choices(self, joint: str) -> list[tuple[str, str]]:
        """Bones of the rig with a reason where there is one, the likely ones first."""
        names = timeline.joint_names(self.base_request)
        likely = {s.name: s.reason for s in suggest(joint, names)}
        return [*likely.items(), *((n, "") for n in names if n not in likely)]

    def rename(self, joint: str, to: str, path: Any = None, *, remember: bool = False) -> None:
        """Read a bone's name as another, at one place or everywhere, and from now on if it is to be remembered."""
        if remember:
            self._save_alias(joint, to)
            return
        action = "rename_joint_here" if path else "rename_joint_everywhere"
        args = {"joint": joint, "to": to} | ({"path": path} if path else {})
        self.change({"target": Target.REQUEST, "action": action, "args": args})

    def dismiss(self) -> None:
        """Nothing is wrong any more."""
        self._show(None, None, {})

    # --- trying again by itself ---------------------------------------------------------------------------------------
    def _maybe_count_down(self) -> None:
        problem, status = self.problem, self._focus.status
        if problem is None or status is None or not self._desk.settings.retry_itself:
            return
        if not status.client.startswith("panel:") or status.job in self._stopped:
            return
        delay_s = retry_delay_s(problem.retry, self._attempts.get(status.job, 1), problem.retry_after_s)
        if delay_s is not None:
            self.countdown_s = max(1, round(delay_s))
            self._timer.start()
            self.changed.emit()

    def stop_countdown(self) -> None:
        """Do not try again by itself."""
        self._timer.stop()
        if self.countdown_s is not None:
            self.countdown_s = None
            self._stopped.add(self._focus.job)
            self.changed.emit()

    def tick(self) -> None:
        """A second of the countdown went by."""
        if self.countdown_s is None:
            self._timer.stop()
            return
        self.countdown_s -= 1
        if self.countdown_s > 0:
            self.changed.emit()
            return
        failed = self._focus.job
        sent = self.send()
        self._attempts[sent] = self._attempts.get(failed, 1) + 1

    # --- actions ------------------------------------------------------------------------------------------------------
    @staticmethod
    def actions() -> frozenset[str]:
        """Everything but edits of the request that is carried out here."""
        return frozenset({*map(str, WITH_A_WINDOW), *map(str, WITHOUT_A_WINDOW)})

    def _make_acts(self) -> dict[str, Act]:
        desk = self._desk
        acts: dict[str, Act] = {str(action): self._asks(str(action)) for action in WITH_A_WINDOW}
        acts[LinkAction.SUBMIT_AS_NEW] = lambda args: self._send_again()
        acts[LinkAction.SUBMIT_INTERRUPTED] = lambda args: self._send_all(args.get("jobs"))
        acts[LinkAction.DISMISS] = lambda args: self.dismiss()
        acts[LinkAction.FORGET_JOB] = lambda args: desk.forget(str(args.get("job") or self._focus.job))
        acts[LinkAction.CANCEL_JOB] = lambda args: self._cancel(str(args.get("job") or self._focus.job))
        acts[LinkAction.WAIT] = acts[LinkAction.QUEUE_BEHIND] = lambda args: self._wait()
        acts[LinkAction.RECONNECT] = acts[SettingsAction.READ_KEY] = lambda args: desk.reconnect()
        acts[LinkAction.ADOPT_DAEMON] = lambda args: desk.connect_to("")
        acts[DaemonAction.START] = acts[DaemonAction.START_OWN] = lambda args: desk.start_daemon()
        acts[DaemonAction.RESTART] = lambda args: desk.restart_daemon()
        acts[DaemonAction.RESTART_MODEL] = lambda args: desk.restart_model(str(args.get("model") or self._model()))
        acts[DaemonAction.UNLOAD_IDLE_MODELS] = lambda args: desk.unload_idle(self._model())
        acts[DaemonAction.RUN_ON_CPU] = lambda args: self.wants.emit("setting", {"name": "device"})
        acts[DaemonAction.OTHER_DEVICE] = acts[DaemonAction.RUN_ON_CPU]
        acts[SettingsAction.RAISE_QUEUE_LIMIT] = lambda args: self.wants.emit("setting", {"name": "queue_limit"})
        acts[SettingsAction.REMEMBER_MODEL] = lambda args: self._remember_model(str(args["model"]))
        acts[SettingsAction.SAVE_JOINT_ALIAS] = lambda args: self._save_alias(str(args["joint"]), str(args["to"]))
        assert acts.keys() == self.actions()
        return acts

    def _asks(self, action: str) -> Act:
        return lambda args: self.wants.emit(action, args)

    def _cancel(self, job: str) -> None:
        """A job that goes on is stopped; of one that has ended it means that it is not tried again."""
        status = self._desk.jobs.get(job)
        if status is not None and not status.state.is_final:
            self._desk.cancel([job])
            return
        self.stop_countdown()
        self.said.emit(say("problem.retry_stopped"))
        self.dismiss()

    def _send_all(self, jobs: Any) -> None:
        for job in jobs or ():
            self._desk.again(str(job))

    def _model(self) -> str:
        return str((self._original or {}).get("model") or "")

    def _send_again(self) -> None:
        if self._original is not None:
            self.send()
        elif self._focus.job:
            self._desk.again(self._focus.job)

    def _wait(self) -> None:
        """A job that ended with a passing trouble is run again; one that stands in the queue waits by itself."""
        status = self._focus.status
        if status is not None and status.state.is_final and self._original is not None:
            self._desk.submit(self._original, self.fields)
        else:
            self.said.emit(say("said.waits"))

    def _remember_model(self, model: str) -> None:
        self._desk.settings.model = model
        if self._original is not None:
            self.change({"target": Target.REQUEST, "action": "switch_model", "args": {"model": model}})

    def _save_alias(self, joint: str, to: str) -> None:
        try:
            path = remember_name(self.base_request, joint, to, str(self.fields.get("character") or ""))
        except KineographError as e:
            self.said.emit(e.message)
            return
        self.said.emit(say("said.in_profile", joint=joint, to=to, file=path))
        patch = {"joint": joint, "to": to}
        self.change({"target": Target.REQUEST, "action": "rename_joint_everywhere", "args": patch})


Path = tuple[str | int, ...]


def _differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, str, str]]:
    """Places with what stood and what stands there, depth first."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from _differences(old.get(key), new.get(key), (*path, str(key)))
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        if len(old) != len(new):
            yield path, str(len(old)), str(len(new))
        else:
            for i, (a, b) in enumerate(zip(old, new, strict=True)):
                yield from _differences(a, b, (*path, i))
    elif not _same(old, new):
        yield path, _short(old), _short(new)


def _in_words(difference: tuple[Path, str, str], request: Mapping[str, Any], refs: Any) -> str:
    """'pin 'Grab', joint: LefHand -> LeftHand': the sender's own name for a place, then what of it."""
    path, old, new = difference
    listed = len(path) > 2 and path[0] in ("constraints", "segments")
    parts = [wording.place(path[:2], ref_at(path[:2], refs), request) or ""] if listed else []
    rest = path[2:] if listed else path
    parts += [str(part + 1) if isinstance(part, int) else part.replace("_", " ") for part in rest]
    return say("problem.differs", place=", ".join(p for p in parts if p), old=old, new=new)


def _same(old: Any, new: Any) -> bool:
    if hasattr(old, "shape") or hasattr(new, "shape"):
        return getattr(old, "shape", None) == getattr(new, "shape", None) and bool((old == new).all())
    return bool(old == new)


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = str(value) if isinstance(value, (str, int, float, bool)) else type(value).__name__
    return text if len(text) <= 40 else text[:39] + "\u2026"
