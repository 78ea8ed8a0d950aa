# SPDX-License-Identifier: Apache-2.0
"""One daemon a user: the lock is held for life, the run file says where it listens."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from kineograph import __version__
from kineograph.client.discovery import RunFile, find_daemon
from kineograph.client.lock import DaemonLock
from kineograph.wire.version import WIRE_VERSION

_Look = tuple[int, int, int] | None


class Residence:
    """The right to be this user's daemon."""

    def __init__(self, lock: DaemonLock, epoch: str) -> None:
        self._lock = lock
        self.epoch = epoch
        self._run: RunFile | None = None
        self._path = Path()
        self._seen: _Look = None

    def announce(self, endpoint: str, events: str, server_key: str | None, pid: int, started_s: float) -> RunFile:
        """Write the run file: from now on clients find this daemon."""
        self._run = RunFile(endpoint, events, pid, self.epoch, __version__, WIRE_VERSION, started_s, server_key)
        self._path = self._run.write()
        self._seen = _look(self._path)
        return self._run

    def be_found(self) -> None:
        """Write the run file again where it was lost or spoilt: nobody could find this daemon, nor start another."""
        if self._run is None or _look(self._path) == self._seen or not self._lock.is_in_place:
            return
        with contextlib.suppress(OSError):
            if RunFile.read(self._path) != self._run:
                self._run.write(self._path)
            self._seen = _look(self._path)

    def leave(self) -> None:
        """Take the run file away, then free the lock."""
        if self._run is not None:
            self._run.remove()
        self._lock.release()


def move_in(epoch: str) -> Residence | None:
    """The right to be the daemon, or None when another one lives. Raises nothing for a stale run file: it is ours."""
    lock = DaemonLock()
    if not lock.acquire():
        return None
    # A held lock is what makes clients believe a run file: that of a daemon which was killed must not be there then.
    with contextlib.suppress(OSError):
        RunFile.default_path().unlink(missing_ok=True)
    return Residence(lock, epoch)


def _look(path: Path) -> _Look:
    """What changes with the run file; None where it is gone."""
    try:
        there = path.stat()
    except OSError:
        return None
    return there.st_ino, there.st_mtime_ns, there.st_size


def wait_for_other(wait_s: float) -> RunFile | None:
    """The run file of the daemon that holds the lock, once it answers."""
    until_s = time.monotonic() + wait_s
    while True:
        run = find_daemon()
        if run is not None or time.monotonic() >= until_s:
            return run
        time.sleep(0.02)
