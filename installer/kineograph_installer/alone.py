# SPDX-License-Identifier: Apache-2.0
"""One set-up at a time in one folder.

The lock is the system's own on an open file: it goes with the process that holds it, however that ends, so nothing
stale is left behind. What the set-up itself started (pip) holds on to it where the system can pass it on: an
installation that outlives a killed installer is waited for too.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kineograph_installer.console import say

NAME = ".venv.lock"
_ASK_S = 0.2
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK, getattr(errno, "EDEADLOCK", errno.EDEADLK)}
_BEYOND = 2**20
"""Windows locks bytes, and what is locked nobody else may read: a byte far behind the number of the process."""

_held: list[int] = []


def handed_on() -> tuple[int, ...]:
    """File descriptors that a child of the set-up inherits, so that the folder stays taken while it works."""
    return () if os.name == "nt" else tuple(_held)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other set-up is at work in ``folder``, and keep others out. Where no file can be locked: go on."""
    try:
        file = (folder / NAME).open("a+", encoding="utf-8")
    except OSError:  # a folder that cannot be written: whoever has to write there says so
        yield
        return
    with file:
        _wait(file)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _held.append(file.fileno())
        try:
            yield
        finally:
            _held.remove(file.fileno())


def _wait(file: IO[str]) -> None:
    told = False
    while not _taken(file):
        if not told:
            file.seek(0)
            who = file.read(20).strip()
            say(
                f"  . Another set-up is at work in this folder{f' (process {who})' if who else ''}: waiting for its end"
            )
            told = True
        time.sleep(_ASK_S)
    if told:
        say("  + The other set-up has ended")


def _taken(file: IO[str]) -> bool:
    """Whether the lock is ours now; also where the file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        return e.errno not in _TAKEN
    return True
