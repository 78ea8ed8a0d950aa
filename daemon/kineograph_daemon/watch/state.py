# SPDX-License-Identifier: Apache-2.0
"""What the watcher does next, without I/O: a scan, a fingerprint or an outcome goes in, instructions come out.

    seen -> settled (same size and time over the quiet time) -> fingerprint -> a task a target
    task: waiting -> working -> done | failed | needs_map | duplicate;  not complete, or no daemon: again later

A task's key is made of the file's content, the target rig, the settings and the version: what has an outcome under its
key is never done again, whatever the file is called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

Envelope = Mapping[str, Any]


class TaskState(StrEnum):
    """Where a task stands. All but the first two are outcomes that the ledger keeps."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    NEEDS_MAP = "needs_map"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Stamp:
    """What a scan sees of a file; when it changes, the file did."""

    size: int
    mtime_ns: int
    inode: int = 0


@dataclass(frozen=True)
class Plan:
    """One file onto one target by a rule, its key perhaps known. ``out`` is relative to the results' folder."""

    key: str
    rule: int
    target: str
    out: str


@dataclass(frozen=True)
class Row:
    """A task as the ledger keeps it. ``tries`` counts the jobs that the daemon lost."""

    key: str
    source: str
    digest: str
    target: str
    out: str
    state: TaskState
    error: Envelope | None = None
    original: str = ""
    tries: int = 0
    frames: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Rules:
    """``quiet_s`` a file must not change; ``patience_s`` an incomplete one gets; ``most`` tasks run at once."""

    quiet_s: float = 1.0
    patience_s: float = 20.0
    most: int = 4
    most_tries: int = 4
    retry_s: tuple[float, float] = (1.0, 30.0)


# ---- what comes in -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scanned:
    """All files there are now, by path relative to the watched folder."""

    files: Mapping[str, Stamp]


@dataclass(frozen=True)
class Hashed:
    """The fingerprint of a file as it was at ``stamp``, and its tasks; no digest where it could not be read."""

    path: str
    stamp: Stamp
    digest: str | None
    plans: Sequence[Plan] = ()


@dataclass(frozen=True)
class Ended:
    """What came of a task: ``state`` an outcome, or None with ``again`` for one that must run again later."""

    key: str
    state: TaskState | None
    error: Envelope | None = None
    frames: int = 0
    seconds: float = 0.0
    again: str = ""  # incomplete, changed, away, lost


@dataclass(frozen=True)
class Control:
    """Pause: nothing new begins. Drain: nothing new begins, and the watcher ends."""

    paused: bool = False
    draining: bool = False


@dataclass(frozen=True)
class MapsChanged:
    """A profile was written or edited: what waited for a map is tried again."""


@dataclass(frozen=True)
class RulesChanged:
    """A target or a profile of a rule is another one now: every file's tasks are looked up again."""


Event = Scanned | Hashed | Ended | Control | MapsChanged | RulesChanged


# ---- what goes out -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hash:
    """Take the fingerprint of a file and answer with ``Hashed``."""

    path: str
    stamp: Stamp


@dataclass(frozen=True)
class Work:
    """Carry a file onto a target and answer with ``Ended``."""

    row: Row
    plan: Plan
    stamp: Stamp


@dataclass(frozen=True)
class Record:
    """Keep a row in the ledger."""

    row: Row


@dataclass(frozen=True)
class Tell:
    """Show a task's state to whoever watches."""

    row: Row
    why: str = ""


@dataclass(frozen=True)
class Discard:
    """Remove what was made for a row that is given up, if anything: its file has another name by now."""

    row: Row


Instruction = Hash | Work | Record | Tell | Discard


@dataclass
class _File:
    stamp: Stamp
    since_s: float
    hashing: bool = False
    handled: bool = False
    digest: str = ""


@dataclass
class _Task:
    row: Row
    plan: Plan
    stamp: Stamp
    due_s: float = 0.0
    first_s: float = 0.0
    waits: int = 0
    running: bool = False


@dataclass
class Machine:
    """All files and tasks of one watcher. ``rows`` is what the ledger knew at the start."""

    rules: Rules
    rows: dict[str, Row] = field(default_factory=dict)
    paused: bool = False
    draining: bool = False

    def __post_init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._tasks: dict[str, _Task] = {}
        self._queue: deque[str] = deque()
        self._hashing = 0
        self._running = 0

    # ---- questions -----------------------------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """Tasks at work."""
        return self._running

    @property
    def is_idle(self) -> bool:
        """Whether every file that was seen has its outcome."""
        return not self._tasks and not self._hashing and all(f.handled for f in self._files.values())

    @property
    def is_drained(self) -> bool:
        """Whether the watcher may end."""
        return self.draining and not self._running and not self._hashing

    def counts(self) -> dict[str, int]:
        """Files that settle, and tasks by state."""
        out = {"settling": sum(not f.handled for f in self._files.values())}
        for row in self.rows.values():
            out[str(row.state)] = out.get(str(row.state), 0) + 1
        return out

    # ---- events --------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now_s: float) -> list[Instruction]:
        """Take an event in; what to do about it."""
        match event:
            case Scanned():
                out = self._scanned(event, now_s)
            case Hashed():
                out = self._hashed(event)
            case Ended():
                out = self._ended(event, now_s)
            case Control():
                self.paused, self.draining = event.paused, event.draining
                out = []
            case MapsChanged():
                out = self._maps_changed()
            case RulesChanged():
                for known in self._files.values():
                    known.handled = False
                out = []
        return out + self._begin(now_s)

    def _scanned(self, e: Scanned, now_s: float) -> list[Instruction]:
        for path in [p for p in self._files if p not in e.files]:
            del self._files[path]
        out: list[Instruction] = []
        for path, stamp in e.files.items():
            known = self._files.get(path)
            if known is None or known.stamp != stamp:
                self._files[path] = _File(stamp, now_s)
            elif self._is_due(known, now_s):
                known.hashing = True
                self._hashing += 1
                out.append(Hash(path, stamp))
        # A task whose file went away while it waited: it has another name by now, or nobody wants it.
        for key, task in list(self._tasks.items()):
            if not task.running and task.row.source not in e.files:
                out += self._forget(key)
        return out

    def _is_due(self, known: _File, now_s: float) -> bool:
        settled = now_s - known.since_s >= self.rules.quiet_s
        return settled and not (known.handled or known.hashing or self.paused or self.draining)

    def _hashed(self, e: Hashed) -> list[Instruction]:
        self._hashing -= 1
        known = self._files.get(e.path)
        if known is None:
            return []
        known.hashing = False
        if known.stamp != e.stamp:
            return []
        if e.digest is None:
            known.since_s += self.rules.quiet_s  # could not be read: looked at again after a while
            return []
        known.handled, known.digest = True, e.digest
        out: list[Instruction] = []
        for plan in e.plans:
            out += self._plan(e.path, e.stamp, e.digest, plan)
        return out

    def _plan(self, path: str, stamp: Stamp, digest: str, plan: Plan) -> list[Instruction]:
        before = self.rows.get(plan.key)
        if before is not None and before.source != path and before.source in self._files:
            if before.state not in _BAD:
                return self._twin(path, digest, plan, before)
            plan = replace(plan, key=_own(plan.key, path))  # each bad file gets its own reason, in its own name
            before = self.rows.get(plan.key)
            before = None if before is not None and before.state is TaskState.DUPLICATE else before
        task = self._tasks.get(plan.key)
        if task is not None:
            if not task.running:  # the same file under another name
                task.row, task.stamp = replace(task.row, source=path), stamp
                self.rows[plan.key] = task.row
            return []
        if before is not None and before.state not in (TaskState.WORKING, TaskState.WAITING):
            return []
        tries = before.tries if before is not None else 0
        row = Row(plan.key, path, digest, plan.target, plan.out, TaskState.WAITING, tries=tries)
        self.rows[plan.key] = row
        self._tasks[plan.key] = _Task(row, plan, stamp)
        self._queue.append(plan.key)
        # A watcher that died may have written the result and not noted it; then the file got another name.
        left = [Discard(before)] if before is not None and before.out != plan.out else []
        return [*left, Record(row), Tell(row)]

    def _twin(self, path: str, digest: str, plan: Plan, before: Row) -> list[Instruction]:
        """The same content under two names at once: one is done, the other says so."""
        twin = Row(_own(plan.key, path), path, digest, plan.target, before.out, TaskState.DUPLICATE,
                   original=before.source)  # fmt: skip
        if self.rows.get(twin.key) == twin:
            return []
        self.rows[twin.key] = twin
        return [Record(twin), Tell(twin)]

    def _ended(self, e: Ended, now_s: float) -> list[Instruction]:
        task = self._tasks[e.key]
        task.running = False
        self._running -= 1
        if e.state is not None:
            return self._outcome(task, replace(task.row, state=e.state, error=e.error, frames=e.frames,
                                               seconds=e.seconds))  # fmt: skip
        if e.again == "changed" or (e.again == "gone" and task.row.source not in self._files):
            return self._forget(e.key)
        task.waits += 1
        task.first_s = task.first_s or now_s
        if e.again in ("incomplete", "gone") and now_s - task.first_s > self.rules.patience_s:
            return self._outcome(task, replace(task.row, state=TaskState.FAILED, error=e.error))
        if e.again == "lost":
            task.row = replace(task.row, tries=task.row.tries + 1)
            if task.row.tries >= self.rules.most_tries:
                return self._outcome(task, replace(task.row, state=TaskState.FAILED, error=e.error))
        least, most = self.rules.retry_s
        if e.again in ("incomplete", "gone"):
            most = min(most, self.rules.patience_s / 4)
        task.due_s = now_s + min(most, least * 2 ** min(task.waits - 1, 8))
        task.row = replace(task.row, state=TaskState.WAITING)
        self.rows[e.key] = task.row
        self._queue.append(e.key)
        return [Record(task.row), Tell(task.row, e.again)]

    def _outcome(self, task: _Task, row: Row) -> list[Instruction]:
        self.rows[row.key] = row
        del self._tasks[row.key]
        if row.state in _BAD:
            for path, known in self._files.items():
                twin = self.rows.get(_own(row.key, path))
                if twin is not None and twin.state is TaskState.DUPLICATE:
                    known.handled = False
        return [Record(row), Tell(row)]

    def _maps_changed(self) -> list[Instruction]:
        out: list[Instruction] = []
        for key, row in list(self.rows.items()):
            known = self._files.get(row.source)
            if row.state is TaskState.NEEDS_MAP and known is not None:
                del self.rows[key]
                known.handled = False
        return out

    def _begin(self, now_s: float) -> list[Instruction]:
        """Start what is due while there is room."""
        out: list[Instruction] = []
        for _ in range(len(self._queue)):
            if self.paused or self.draining or self._running >= self.rules.most:
                break
            key = self._queue.popleft()
            task = self._tasks.get(key)
            if task is None or task.running:
                continue
            if task.due_s > now_s:
                self._queue.append(key)
                continue
            task.running = True
            self._running += 1
            task.row = replace(task.row, state=TaskState.WORKING)
            self.rows[key] = task.row
            out += [Record(task.row), Tell(task.row), Work(task.row, task.plan, task.stamp)]
        return out

    def _forget(self, key: str) -> list[Instruction]:
        """Give a task up; a file with the same content, which goes by another name now, is looked at again."""
        self._tasks.pop(key, None)
        row = self.rows.get(key)
        if row is None or row.state not in (TaskState.WAITING, TaskState.WORKING):
            return []
        del self.rows[key]
        for known in self._files.values():
            if known.digest == row.digest:
                known.handled = False
        return [Discard(row)]


_BAD = (TaskState.FAILED, TaskState.NEEDS_MAP)


def _own(key: str, path: str) -> str:
    """The key of a file whose content has a task under another name already."""
    return f"{key}:{path}"
