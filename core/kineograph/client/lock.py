# SPDX-License-Identifier: Apache-2.0
"""The lock that says 'a daemon lives here'. The operating system frees it however the daemon ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType

from kineograph import paths

_ACQUIRE_S = 0.25
"""Others probe the lock for a moment; an acquirer outlasts a probe."""


class DaemonLock:
    """``runtime_dir()/daemon.lock``, held by the daemon for life.

    ``acquire`` returns False when another process holds it. The lock belongs to the open file: closing it, dying, or
    ``kill -9`` frees it, so a lock that is held proves a living daemon.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = paths.runtime_dir() / "daemon.lock" if path is None else path
        self._fd: int | None = None

    def acquire(self, timeout_s: float = _ACQUIRE_S) -> bool:
        """Take the lock, trying for ``timeout_s`` seconds. True if it is held by this object afterwards."""
        if self._fd is not None:
            return True
        fd = _open(self.path)
        deadline_s = time.monotonic() + timeout_s
        while not _try_lock(fd):
            if time.monotonic() >= deadline_s:
                os.close(fd)
                return False
            time.sleep(0.01)
        self._fd = fd
        return True

    def release(self) -> None:
        """Free the lock; harmless when it is not held. The file stays: removing it would let two daemons lock two."""
        if self._fd is not None:
            _unlock(self._fd)
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> DaemonLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def is_mine(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    @property
    def is_in_place(self) -> bool:
        """Whether this object's lock is on the file that others would lock: not where that was removed meanwhile."""
        if self._fd is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except OSError:
            return False

    def held(self) -> bool:
        """Whether any process (this one included) holds the lock."""
        if self._fd is not None:
            return True
        if not self.path.exists():
            return False
        fd = _open(self.path)
        try:
            free = _try_lock(fd, shared=True)
            if free:
                _unlock(fd)
            return not free
        finally:
            os.close(fd)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)


if sys.platform == "win32":
    import msvcrt

    _BYTE = 2**30  # far behind any content, so that the file stays readable

    def _try_lock(fd: int, shared: bool = False) -> bool:
        os.lseek(fd, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        os.lseek(fd, _BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(fd: int, shared: bool = False) -> bool:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)
