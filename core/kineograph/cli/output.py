# SPDX-License-Identifier: Apache-2.0
"""What the command prints: people's words on the terminal, one JSON document with ``--json``; and the exit codes.

What was asked for goes to standard output, so that it can be piped; progress, notes and problems to standard error.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from kineograph.cli.signals import ended_as_by_ctrl_c
from kineograph.errors import AccessError, ErrorCode, JobError, KineographError, LinkError, RequestError, SceneError

P = ParamSpec("P")
R = TypeVar("R")

_PIPED = None if "COLUMNS" in os.environ else 1000
"""Columns where there is no terminal: a line that a program reads is not folded at anybody's margin."""

console = Console(stderr=True, highlight=False)
page = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED)


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    FAILED = 1  # the model or the daemon failed
    USAGE = 2  # the command line is wrong
    REFUSED = 3  # the request is wrong; the message says what to change
    NO_DAEMON = 4  # no daemon answers
    JOB = 5  # the job is unknown, expired, in conflict
    CANCELLED = 6
    FILE = 7  # a file cannot be read or written
    TRY_LATER = 8  # busy, loading, out of memory, timed out
    DENIED = 9  # the key does not allow this


def exit_code(error: KineographError) -> Exit:
    """The exit code of an error, decided by its class and code, never by its message."""
    match error:
        case AccessError():
            return Exit.DENIED
        case JobError(code=ErrorCode.REQUEST_CANCELLED):
            return Exit.CANCELLED
        case JobError():
            return Exit.JOB
        case RequestError():
            return Exit.REFUSED
        case LinkError():
            return Exit.NO_DAEMON
        case SceneError():
            return Exit.FILE
        case _ if error.is_retryable:
            return Exit.TRY_LATER
        case _:
            return Exit.FAILED


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)


_TYPED = {
    "start_daemon": "kineograph daemon start",
    "restart_daemon": "kineograph daemon stop && kineograph daemon start",
    "adopt_daemon": "kineograph daemon status",
    "show_load_error": "kineograph models list --json",
    "show_holder": "kineograph jobs list --state running",
}
"""What is a button elsewhere is typed here."""


_BUTTONS = frozenset({"choose_file", "retry_file", "skip_file", "run_again", "open_saved_result", "forget_job"})
"""What is a button elsewhere and nothing to be told here."""
_HERE = frozenset({"start_daemon", "adopt_daemon", "open_log"})
"""What helps with this computer's own daemon only."""
_INSTEAD = {ErrorCode.REQUEST_NOT_FOUND: "See which jobs there are: [bold]kineograph jobs list[/]"}


def _typed(fix: str) -> str:
    if fix != "open_log":
        return _TYPED.get(fix, "")
    from kineograph import paths

    try:
        return escape(str(paths.log_dir() / "daemon.log"))
    except (OSError, KineographError):
        return ""


def say(text: str) -> None:
    """A line for people; never part of the result."""
    console.print(text)


def tell(text: str) -> None:
    """A line of what was asked for."""
    page.print(text)


def show_problem(
    error: KineographError,
    context: Mapping[str, Any] | None = None,
    *,
    as_json: bool = False,
    to: Console = console,
) -> None:
    """The error as an instruction: the sentence, then what can be done."""
    from kineograph.fixes import resolve

    problem = resolve(error, context)
    address = (context or {}).get("address")
    if as_json:
        fixes = [{"id": f.id, "label": f.label} for f in problem.fixes]
        print_json({**error.to_envelope(), "problem": {"title": problem.title, "text": problem.text, "fixes": fixes}})
        return
    to.print(f"[bold red]{escape(problem.title)}[/]  {escape(problem.text)}")
    for fix in problem.fixes:
        if fix.id in _BUTTONS or (address is not None and fix.id in _HERE):
            continue
        typed = _typed(fix.id)
        to.print(f"  [cyan]-[/] {escape(fix.label)}" + (f": [bold]{typed}[/]" if typed else ""))
    if error.code in _INSTEAD:
        to.print(f"  [cyan]-[/] {_INSTEAD[error.code]}")
    tail = f", request {error.request_id}" if error.request_id else ""
    to.print(f"  [dim]{error.code}{tail}; more: kineograph errors {error.code}[/]")


def interrupted(text: str, job: str = "", *, as_json: bool = False) -> None:
    """Ctrl-C, or SIGTERM: what became of what was under way."""
    say(text)
    if as_json:
        print_json(JobError(ErrorCode.REQUEST_CANCELLED, text, {"job": job} if job else {}).to_envelope())


def show_usage(text: str) -> None:
    """A wrong command line as JSON."""
    problem = {"title": "The command line is wrong", "text": text, "fixes": []}
    print_json({**RequestError(ErrorCode.INVALID_PARAMETERS, text).to_envelope(), "problem": problem})


def own_folder_trouble(e: OSError) -> SceneError:
    """What stands for an error of the system that nobody turned into words: mostly a folder that takes nothing."""
    reason = e.strerror or str(e) or type(e).__name__
    path = "" if e.filename is None else str(e.filename)
    details = {"reason": reason, **({"unwritable": path} if path else {})}
    return SceneError(ErrorCode.FILE_UNREADABLE, f"{path or 'a file'}: {reason}", details)


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command: a Kineograph error is shown as a problem and becomes the exit code; SIGTERM is as Ctrl-C."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with ended_as_by_ctrl_c():
                return command(*args, **kwargs)
        except KineographError as e:
            show_problem(e, {"address": kwargs.get("address")}, as_json=bool(kwargs.get("as_json")))
            raise typer.Exit(exit_code(e)) from None
        except OSError as e:
            if e.errno == errno.EPIPE:  # who reads our output has gone: typer ends quietly then
                raise
            problem = own_folder_trouble(e)
            show_problem(problem, as_json=bool(kwargs.get("as_json")))
            raise typer.Exit(exit_code(problem)) from None
        except KeyboardInterrupt:
            interrupted("Stopped.", as_json=bool(kwargs.get("as_json")))
            raise typer.Exit(Exit.CANCELLED) from None

    return run
