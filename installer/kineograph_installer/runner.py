# SPDX-License-Identifier: Apache-2.0
"""Runs of pytest that outlive their processes, and on request a second try of the few tests that did not pass."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kineograph_installer import notes
from kineograph_installer.console import say
from kineograph_installer.notes import Attempt, Death

MOST_AGAIN = 3
"""More failures and deaths than these are no accident of timing: they are not tried again."""
_FAILED, _NO_TESTS = 1, 5  # pytest's exit codes for "tests ran, and some failed" and "there were none to run"
_ASKED_TO_END = {"SIGTERM", "SIGINT", "SIGHUP"}
_LINE = "!" * 100
_START = """
import os, sys
sys.path[0] = os.getcwd()
sys.path.append(sys.argv[1])
sys.argv[:2] = ["pytest"]
import pytest
sys.exit(pytest.main())
"""
"""``python -m pytest``, with the plugin within its reach and nothing for it in the environment of what tests start."""


@dataclass(frozen=True)
class Outcome:
    """A run's exit code, and what has to stand at the very end of all output: empty where all is well."""

    code: int
    closing: str = ""


def run(
    python: Path,
    arguments: Sequence[str],
    folder: Path,
    extra: Mapping[str, str] | None = None,
    *,
    again: bool = False,
    spread: Sequence[str] = (),
) -> Outcome:
    """Pytest with ``arguments``, run in ``folder`` with ``extra`` in its environment.

    ``spread``: further arguments of the first process, which share its tests out to several.
    ``again``: tests that have not run when their process dies run in a new one; and where at most ``MOST_AGAIN`` tests
    failed or took their process with them, each of them runs once more in a process of its own, as CPython's own test
    runner does. Only what fails there counts, and each test that needed it is named: such a test, or what it tests,
    has a race or a fault that is to be mended.
    """

    def attempt(more: Sequence[str] = (), *, leave_out: Iterable[str] = (), only: Iterable[str] = ()) -> Attempt:
        with tempfile.TemporaryDirectory(prefix="kineograph-tests-") as place:
            notes.choose(Path(place), leave_out=leave_out, only=only)
            environment = {**os.environ, **(extra or {}), notes.FOLDER: place}
            plugin = [str(Path(__file__).parents[1]), "-p", "kineograph_installer.progress"]
            command = [str(python), "-c", _START, *plugin, *arguments, *more]
            ended = notes.read(Path(place), subprocess.call(command, cwd=folder, env=environment))
        if ended.died:
            say(_loudly("DIED", ended.died))
        return ended

    last = attempt(spread)
    if spread and last.finished and last.code == _FAILED and not last.started:
        say("\nThe processes did not find the same tests: all of them in one.")
        last = attempt()
    failed, died, ran = last.failed, last.died, last.started
    while again and last.is_unfinished and not _is_over(last) and _are_few(failed, died):
        say("\nOn with the tests that have not run yet.")
        last = attempt(leave_out=ran)
        failed, died, ran = [*failed, *last.failed], {**died, **last.died}, [*ran, *last.started]
    code = _code(last, is_bad=bool(failed or died))
    if not again or last.is_unfinished or _is_over(last) or code != _FAILED or not _are_few(failed, died):
        return Outcome(code, _loudly("DIED", died))
    return _once_more(attempt, sorted(set(failed) - set(died)), died)


class _Attempts(Protocol):
    def __call__(self, *, only: Iterable[str]) -> Attempt: ...


def _once_more(attempt: _Attempts, failed: Sequence[str], died: Mapping[str, Death]) -> Outcome:
    for test in [*failed, *died]:
        say(f"\nOnce more, alone: {test}")
        last = attempt(only=[test])
        if last.code != 0 or last.died:
            return Outcome(_code(last, is_bad=True), _loudly("DIED", {**died, **last.died}))
    raced = f"\nFailed once and passed alone, so a race to be mended: {', '.join(failed)}" if failed else ""
    return Outcome(0, raced + _loudly("Passed alone, so a fault to be mended, but died once", died))


def _is_over(last: Attempt) -> bool:
    """Whether its end is one that a further process would not get past, or should not."""
    return last.is_cut_off and (not last.started or bool(_ASKED_TO_END & {death.by for death in last.died.values()}))


def _are_few(failed: Sequence[str], died: Mapping[str, Death]) -> bool:
    return 0 < len({*failed, *died}) <= MOST_AGAIN


def _code(last: Attempt, *, is_bad: bool) -> int:
    """The exit code of all attempts: a signal's is no exit code, and the last one may have had nothing left to run."""
    if last.code > _FAILED and not (last.code == _NO_TESTS and is_bad):
        return last.code
    return _FAILED if is_bad else last.code


def _loudly(what: str, died: Mapping[str, Death]) -> str:
    return "".join(f"\n{_LINE}\n{what} by {d.by}: {test}\n{_LINE}\n{d.trace}\n" for test, d in died.items())
