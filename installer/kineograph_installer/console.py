# SPDX-License-Identifier: Apache-2.0
"""Steps with their progress on the terminal, and errors that say what to do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_PASSING = ("WARNING: Retrying", "WARNING: Location", "INFO: pip is looking")
"""What pip says on its way, not at its end."""
_NO_ANSWER = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ReadTimeoutError", "ProxyError",
              "SSLError", "ConnectionResetError")  # fmt: skip
_OFFLINE = (
    "The package index did not answer. Look at the network; behind a proxy set HTTPS_PROXY, for an index of your own\n"
    "  PIP_INDEX_URL. Then run the same command again: what has come already is kept."
)


class SetupError(Exception):
    """Something the user must do; the message is the instruction."""


def say(text: str) -> None:
    """A line for people."""
    print(text, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show a step while it runs, with its seconds; a line of its own when it is done."""
    started, done = time.monotonic(), threading.Event()
    watcher = threading.Thread(target=_tick, args=(text, started, done), daemon=True)
    watcher.start()
    try:
        yield
    except BaseException:
        _finish(done, watcher, f"  ! {text} ({time.monotonic() - started:.0f} s)")
        raise
    _finish(done, watcher, f"  + {text} ({time.monotonic() - started:.0f} s)")


def _tick(text: str, started: float, done: threading.Event) -> None:
    terminal = sys.stdout.isatty()
    while not done.wait(0.2 if terminal else 15.0):
        seconds = time.monotonic() - started
        if terminal:
            print(f"\r  . {text} {seconds:.0f} s ", end="", flush=True)
        else:
            print(f"  . {text} {seconds:.0f} s", flush=True)


def _finish(done: threading.Event, watcher: threading.Thread, line: str) -> None:
    done.set()
    watcher.join()
    print(("\r" if sys.stdout.isatty() else "") + line + "    ", flush=True)


def run_logged(command: Sequence[str | Path], log: Path, *, what: str, hand_on: Sequence[int] = ()) -> None:
    """Run a command with its output in ``log``. Raises SetupError with the last lines when it fails.

    ``hand_on``: file descriptors that the command inherits.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as out:
        began = out.tell()
        out.write(f"$ {' '.join(map(str, command))}\n")
        out.flush()
        code = subprocess.call(
            [str(c) for c in command],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(hand_on),
        )
    if code != 0:
        said = log.read_bytes()[began:].decode("utf-8", "replace")
        lines = [line for line in said.splitlines() if not line.startswith(_PASSING)]
        tail = "\n".join("    " + line for line in lines[-12:])
        advice = f"\n  {_OFFLINE}" if any(sign in said for sign in _NO_ANSWER) else ""
        raise SetupError(f"{what} failed (exit {code}). The end of its output:\n{tail}\n  All of it: {log}{advice}")
