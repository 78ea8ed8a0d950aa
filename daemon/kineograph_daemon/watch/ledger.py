# SPDX-License-Identifier: Apache-2.0
"""What the watcher has done, in SQLite: one row a task, safe from a kill at any moment; and what it is told to do."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from pathlib import Path

from kineograph.errors import ErrorCode, SceneError
from kineograph_daemon.watch.state import Control, Row, TaskState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    key TEXT PRIMARY KEY, source TEXT NOT NULL, digest TEXT NOT NULL, target TEXT NOT NULL, out TEXT NOT NULL,
    state TEXT NOT NULL, error TEXT, original TEXT NOT NULL, tries INTEGER NOT NULL, frames INTEGER NOT NULL,
    seconds REAL NOT NULL, changed_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS control (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_WORDS = ("run", "pause", "drain")


class Ledger:
    """One file. Safe between threads; other processes may read it, and say ``pause``, ``run`` or ``drain``."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as e:
            said = f"'{path}' is no ledger of the watcher, or cannot be written: {e}"
            raise SceneError(ErrorCode.FILE_UNREADABLE, said, {"unwritable": str(path), "reason": str(e)}) from e

    def rows(self, out: Path | None = None) -> dict[str, Row]:
        """Every task by key. With ``out``: but for results that are not there any more, which will be made again."""
        with self._lock:
            found = self._db.execute(
                "SELECT key, source, digest, target, out, state, error, original, tries, frames, seconds FROM tasks"
            ).fetchall()
        rows = {}
        for key, source, digest, target, to, state, error, *rest in found:
            told = None if error is None else json.loads(error)
            row = Row(key, source, digest, target, to, TaskState(state), told, *rest)
            if out is None or row.state is not TaskState.DONE or (out / row.out).exists():
                rows[key] = row
        return rows

    def keep(self, row: Row) -> None:
        """Write a row; it is there when this returns, whatever happens to the process."""
        error = None if row.error is None else json.dumps(dict(row.error))
        values = (row.key, row.source, row.digest, row.target, row.out, str(row.state), error, row.original, row.tries,
                  row.frames, row.seconds, time.time())  # fmt: skip
        with self._lock:
            self._db.execute(f"INSERT OR REPLACE INTO tasks VALUES ({', '.join('?' * len(values))})", values)

    def control(self) -> Control:
        """What the watcher was told."""
        with self._lock:
            found = self._db.execute("SELECT value FROM control WHERE name = 'do'").fetchone()
        word = found[0] if found else "run"
        return Control(paused=word == "pause", draining=word == "drain")

    def tell(self, word: str) -> None:
        """Tell the watcher: ``run``, ``pause`` or ``drain``."""
        if word not in _WORDS:
            raise ValueError(f"a watcher is told one of {', '.join(_WORDS)}, not {word!r}")
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO control VALUES ('do', ?)", (word,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
