# SPDX-License-Identifier: Apache-2.0
"""What a process of tests noted on disk while it ran: written by ``progress``, read once the process has ended."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "KINEOGRAPH_TESTS_PROGRESS"
"""The environment's variable that names the folder."""
NOTES, LEAVE_OUT, ONLY = "notes.jsonl", "leave_out.json", "only.json"
_COLLECTING = "(no test yet: it was collecting)"


@dataclass(frozen=True)
class Death:
    """How a process of tests ended before its time: by what, and what Python said of it."""

    by: str
    trace: str


@dataclass
class Attempt:
    """What is known of one process of pytest after its end. Tests are node ids."""

    code: int
    began: bool = False
    finished: bool = False
    collected: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    died: dict[str, Death] = field(default_factory=dict)
    """Test to how it took its process with it: pytest's own, or one that pytest shared its tests out to."""

    @property
    def is_cut_off(self) -> bool:
        """Whether pytest's own process did not come to its end."""
        return self.code < 0 or (self.began and not self.finished)

    @property
    def is_unfinished(self) -> bool:
        """Whether there may be tests that it did not come to."""
        return self.is_cut_off and not (self.collected and set(self.collected) <= set(self.started))

    @property
    def culprits(self) -> list[str]:
        """Who may have ended the process: what ran; between two tests the one before."""
        return self.running or self.started[-1:]


def trace_of(folder: Path, pid: int) -> Path:
    """Where Python's own words about a fatal signal go."""
    return folder / f"trace-{pid}.txt"


def choose(folder: Path, *, leave_out: Iterable[str] = (), only: Iterable[str] = ()) -> None:
    """Tell the next process what to leave out; ``only``, where there is any, is all that it runs."""
    (folder / LEAVE_OUT).write_text(json.dumps(list(leave_out)), "utf-8")
    (folder / ONLY).write_text(json.dumps(list(only)), "utf-8")


def read(folder: Path, code: int) -> Attempt:
    """What the process that ended with ``code`` noted in ``folder``."""
    out, own = Attempt(code), 0
    for line in _lines(folder / NOTES):
        match line:
            case ["began", int(pid)]:
                out.began, own = True, pid
            case ["collected", *tests]:
                out.collected = [str(test) for test in tests]
            case ["finished"]:
                out.finished = True
            case ["started", str(test)]:
                out.started.append(test)
                out.running.append(test)
            case ["failed", str(test)]:
                out.failed.append(test)
            case ["ended", str(test)]:
                out.running.remove(test)
            case ["died", str(test), str(by), int(pid)]:
                out.running = [other for other in out.running if other != test]
                out.died[test] = Death(by, _trace(folder, pid))
    if out.is_cut_off:
        death = Death(in_words(code), _trace(folder, own))
        out.died |= dict.fromkeys(out.culprits or [_COLLECTING], death)
    return out


def in_words(code: int) -> str:
    """What ended a process, by its return code."""
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}" if code < 0x80000000 else f"exception 0x{code:X}"  # the latter on Windows


def _lines(path: Path) -> Iterable[object]:
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            yield json.loads(line)


def _trace(folder: Path, pid: int) -> str:
    path = trace_of(folder, pid)
    said = path.read_text("utf-8", "replace").strip() if path.exists() else ""
    return said or "Python said nothing of where that was."
