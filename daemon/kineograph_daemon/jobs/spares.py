# SPDX-License-Identifier: Apache-2.0
"""Files of results that went, kept a while for results that come.

Writing over a file takes neither new memory for the cache nor new room on the disk; on a virtual machine, where
memory that was given back must be fetched from the host again, that is most of what writing a result costs.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from kineograph.wire import stored

_MOST_BYTES = 64 * 2**20
_MOST_FILES = 64


class Spares:
    """The spare files of one folder, the last one first. What is there at the start belongs to nobody."""

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES, most_files: int = _MOST_FILES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._files: list[tuple[str, int]] = []
        self._bytes = 0
        self._count = 0
        self._lent: dict[str, tuple[str, int]] = {}

    def keep(self, path: Path) -> int | None:
        """Take a file that nobody here reads any more; the bytes it has, or None where there is no room or no file."""
        try:
            size = path.stat().st_size
            if len(self._files) >= self._most_files or self._bytes + size > self._most_bytes:
                return None
            self._count += 1
            spare = str(self._folder / f"{self._count}.spare")
            os.replace(path, spare)
            if stored.is_held(spare):  # a client still has it: it keeps the bytes, nobody gets the file
                os.unlink(spare)
                return size
        except OSError:
            return None
        self._put((spare, size))
        return size

    def lend(self, job: str) -> str:
        """A file for a job to write over, or the empty text."""
        self.returned(job)  # of an attempt before this one
        if not self._files:
            return ""
        path, size = self._lent[job] = self._files.pop()
        self._bytes -= size
        return path

    def returned(self, job: str) -> None:
        """The job has ended: what it did not write over is spare again."""
        lent = self._lent.pop(job, None)
        if lent is not None and os.access(lent[0], os.F_OK):  # mostly it is not, and that must cost no exception
            self._put(lent)

    def has(self, path: Path) -> bool:
        """Whether the file is one of these, kept or lent."""
        return str(path) in {spare for spare, _ in (*self._files, *self._lent.values())}

    def clear(self) -> None:
        """Delete them all."""
        for path, _ in (*self._files, *self._lent.values()):
            with contextlib.suppress(OSError):
                os.unlink(path)
        self._files.clear()
        self._lent.clear()
        self._bytes = 0

    def _put(self, spare: tuple[str, int]) -> None:
        self._files.append(spare)
        self._bytes += spare[1]
