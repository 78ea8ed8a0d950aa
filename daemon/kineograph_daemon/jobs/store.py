# SPDX-License-Identifier: Apache-2.0
"""The jobs on disk: SQLite in WAL mode, one writer, one commit for everything that one turn of the loop changed.

A row holds the job (msgpack); its request lies in a second table, or as a file when it is large, so that reading all
jobs at the start touches no request. What requests have in common lies in a third (see ``commons``): a commit writes
four pages a job then, where it would be ten. Results are files only. ``synchronous=NORMAL`` survives any crash of the
process; a power cut may lose the last commits, never the database.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgpack

from kineograph.errors import ErrorCode, JobError, KineographError, error
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import ResultFormat
from kineograph_daemon.jobs import blobs, record
from kineograph_daemon.jobs.commons import Commons, cut, joined
from kineograph_daemon.jobs.record import Job
from kineograph_daemon.jobs.spares import Spares

_log = logging.getLogger(__name__)

_LAZY_S = 0.2
"""How long a change that may be lost, or that nobody has heard of, waits for another one to share its commit."""

_MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (id TEXT PRIMARY KEY, job BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE requests (id TEXT PRIMARY KEY, frames BLOB);
    """,
    """
    CREATE TABLE commons (number INTEGER PRIMARY KEY, part BLOB NOT NULL);
    ALTER TABLE requests ADD COLUMN common INTEGER;
    ALTER TABLE requests ADD COLUMN place INTEGER;
    """,
)
"""Script N brings a database from ``user_version`` N to N + 1. A script that was released is never edited."""

_KEEP_REQUEST = "INSERT OR REPLACE INTO requests (id, frames, common, place) VALUES (?, ?, ?, ?)"
_REQUEST = "SELECT frames, common, place, part FROM requests LEFT JOIN commons ON number = common WHERE id = ?"
_DROP_UNUSED = "DELETE FROM commons WHERE number NOT IN (SELECT common FROM requests WHERE common IS NOT NULL)"


class JobStore:
    """Changes are collected by ``save`` and ``drop`` and reach the disk with ``commit``."""

    def __init__(self, folder: Path, inline_bytes: int = 2**20) -> None:
        self.folder = folder
        self._inline_bytes = inline_bytes
        self._file = folder / "jobs.sqlite"
        self._results = str(folder / "results")
        self.spares = Spares(folder / "spare")
        self._read_elsewhere: set[str] = set()
        self._requests: list[tuple[str, bytes | None, int | None, int | None]] = []
        self._changed: dict[str, Job] = {}
        self._dropped: dict[str, None] = {}
        self._is_urgent = False
        self._lazy_since_s = 0.0
        for part in ("requests", "results", "spare"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = self._open_or_replace()
        self._commons = Commons(_next_number(self._db))

    # ---- reading ---------------------------------------------------------------------------------------------------

    def load(self) -> list[Job]:
        """Every job that was kept; a row that cannot be understood is left out, with a line in the log.

        A database that turns out to be damaged is set aside and an empty one begun.
        """
        try:
            rows = self._db.execute("SELECT id, job FROM jobs").fetchall()
        except sqlite3.DatabaseError as e:
            self._db.close()
            self._set_aside(e)
            self._db = self._connect()
            self._commons = Commons(_next_number(self._db))
            return []
        return [job for id_, packed in rows if (job := _unpacked(id_, packed)) is not None]

    def request(self, job: str) -> list[Buffer]:
        """The frames of the body that a job was submitted with. Raises ``result_expired`` when it is gone."""
        row = self._db.execute(_REQUEST, (job,)).fetchone()
        if row is None or (row[1] is not None and row[3] is None):
            raise JobError(ErrorCode.RESULT_EXPIRED, f"the request of job {job} is not kept any more", {"job": job})
        packed, common, place, part = row
        if packed is None:
            return list(blobs.open(self._request_file(job)))
        frames: list[Any] = msgpack.unpackb(packed)
        if common is not None:
            frames[0] = joined(frames[0], part, place)
        return frames

    def result_file(self, job: str, attempt: int, form: ResultFormat = ResultFormat.ARRAYS) -> Path:
        """Where a result lies. Every attempt has its own file: what a lost worker still writes hurts nobody."""
        return Path(self.result_path(job, attempt, form))

    def result_path(self, job: str, attempt: int, form: ResultFormat = ResultFormat.ARRAYS) -> str:
        """The same as text."""
        return f"{self._results}{os.sep}{job[:2]}{os.sep}{job}.{attempt}.{form}.kgb"

    # ---- writing ---------------------------------------------------------------------------------------------------

    def add(self, job: Job, frames: Sequence[Buffer], common: slice | None = None) -> None:
        """Keep a new job with its request; ``common`` is what others are likely to have too, of its first frame.

        Raises ``resource_exhausted`` or ``internal_error`` for a large request.
        """
        if sum(len(f) for f in frames) > self._inline_bytes:
            blobs.write(self._request_file(job.id), frames)
            self._requests.append((job.id, None, None, None))
        else:
            kept = [bytes(f) for f in frames]
            number = place = None
            if (parts := cut(kept[0], common)) is not None:
                kept[0], part, place = parts
                number = self._commons.number_of(part)
            self._requests.append((job.id, msgpack.packb(kept), number, place))
        self.save(job)

    def save(self, job: Job, *, lazily: bool = False) -> None:
        """Keep a job's new state with the next commit; ``lazily``: with the next one that has more to write.

        That a job has started may be lost by a crash: it is started again then, as it would be anyway.
        """
        if not self._changed or self._dropped:
            self._dropped.pop(job.id, None)
            self._note_time()
        self._changed[job.id] = job
        if not lazily:
            self._is_urgent = True

    def drop(self, job: str, attempt: int) -> None:
        """Forget a job with its request and results."""
        self._note_time()
        self._changed.pop(job, None)
        self._requests = [r for r in self._requests if r[0] != job]
        self._dropped[job] = None
        self._is_urgent = True
        blobs.remove(self._request_file(job))
        for a in range(attempt + 1):
            self.drop_result(job, a)

    def drop_result(self, job: str, attempt: int) -> int:
        """Delete what an attempt has written; the bytes it took."""
        freed = 0
        for form in ResultFormat:
            path = self.result_path(job, attempt, form)
            kept = None
            if form is ResultFormat.ARRAYS and job not in self._read_elsewhere and not blobs.is_open(path):
                kept = self.spares.keep(Path(path))
            freed += blobs.remove(path) if kept is None else kept
        return freed

    def read_elsewhere(self, job: str, on: bool) -> None:
        """A worker begins or ends to read the job's result: meanwhile its file must not be written over."""
        (self._read_elsewhere.add if on else self._read_elsewhere.discard)(job)

    def drop_large_request(self, job: str) -> None:
        """Delete the request of an expired job if it is a file."""
        blobs.remove(self._request_file(job))

    def commit(self, *, heard: bool = True) -> bool:
        """Write all changes in one transaction. Raises ``resource_exhausted`` (disk) or ``internal_error``.

        ``heard``: somebody is about to hear of them. Unheard changes wait a moment for others to share their
        transaction; False when they do. After an error the changes stay for the next commit, so nothing is lost
        while the process lives.
        """
        if not self._changed and not self._dropped:
            return True
        if not (self._is_urgent and heard) and time.monotonic() - self._lazy_since_s < _LAZY_S:
            return False
        rows = [(job.id, msgpack.packb(record.to_map(job))) for job in self._changed.values()]
        gone = [(job,) for job in self._dropped]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if self._commons.unwritten:
                self._db.executemany("INSERT INTO commons (number, part) VALUES (?, ?)", self._commons.unwritten)
            if self._requests:
                self._db.executemany(_KEEP_REQUEST, self._requests)
            self._db.executemany("INSERT OR REPLACE INTO jobs (id, job) VALUES (?, ?)", rows)
            if gone:
                self._db.executemany("DELETE FROM requests WHERE id = ?", gone)
                self._db.executemany("DELETE FROM jobs WHERE id = ?", gone)
            self._db.execute("COMMIT")
        except sqlite3.Error as e:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise _write_error(e) from e
        self._commons.unwritten.clear()
        self._requests.clear()
        self._changed.clear()
        self._dropped.clear()
        self._is_urgent = False
        return True

    def sweep(self, jobs: Iterable[Job]) -> int:
        """Delete result files that belong to no job's last attempt: what a crash left behind. The bytes freed.

        Also makes the folders that results will lie in, so that no job has to.
        """
        for prefix in range(256):
            os.makedirs(os.path.join(self._results, f"{prefix:02x}"), exist_ok=True)
        for spare in (self.folder / "spare").glob("*"):  # of a daemon before this one
            if not self.spares.has(spare):
                blobs.remove(spare)
        wanted = {self.result_file(j.id, j.attempt, form) for j in jobs for form in ResultFormat}
        freed = 0
        for path in (self.folder / "results").glob("*/*"):
            if path not in wanted and not (path.suffix == ".tmp" and time.time() - path.stat().st_mtime < 60.0):
                freed += blobs.remove(path)
        return freed

    def close(self) -> None:
        """Write what may have waited, and close the database."""
        self._is_urgent = True
        try:
            self.commit()
        except KineographError as e:
            _log.error("jobs could not be kept at the end: %s", e)
        self.spares.clear()
        self._db.close()

    # ---- opening ---------------------------------------------------------------------------------------------------

    def _open_or_replace(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as e:
            if isinstance(e, sqlite3.OperationalError) and "file is not a database" not in str(e):
                raise error(ErrorCode.INTERNAL_ERROR, f"the job database {self._file} cannot be opened: {e}") from e
            self._set_aside(e)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, isolation_level=None, timeout=5.0)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 1000")
            _migrate(db, self._file)
            db.execute(_DROP_UNUSED)
        except BaseException:
            db.close()
            raise
        os.chmod(self._file, 0o600)
        return db

    def _set_aside(self, e: Exception) -> None:
        aside = self._file.with_name(f"jobs.damaged-{time.strftime('%Y%m%d-%H%M%S')}.sqlite")
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._file}{suffix}", f"{aside}{suffix}")
        os.replace(self._file, aside)
        _log.error("the job database was damaged (%s): set aside as %s, a new one begun", e, aside)

    def _note_time(self) -> None:
        if not self._changed and not self._dropped:
            self._lazy_since_s = time.monotonic()

    def _request_file(self, job: str) -> Path:
        return self.folder / "requests" / f"{job}.kgb"


def _migrate(db: sqlite3.Connection, file: Path) -> None:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_MIGRATIONS):
        raise error(
            ErrorCode.INTERNAL_ERROR,
            f"the job database {file} was written by a newer Kineograph (version {version})",
            {"got": version, "allowed": len(_MIGRATIONS), "path": str(file)},
        )
    for number, script in enumerate(_MIGRATIONS[version:], version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")


def _next_number(db: sqlite3.Connection) -> int:
    number: int = db.execute("SELECT coalesce(max(number), 0) + 1 FROM commons").fetchone()[0]
    return number


def _unpacked(id_: str, packed: bytes) -> Job | None:
    try:
        stored: dict[str, Any] = msgpack.unpackb(packed)
        return record.from_map(stored)
    except (KeyError, TypeError, ValueError, AttributeError, msgpack.exceptions.UnpackException) as e:
        _log.error("a stored job cannot be read: %r", e, extra={"job": id_})
        return None


def _write_error(e: sqlite3.Error) -> KineographError:
    if "full" in str(e):
        details = {"resource": "disk", "reason": str(e)}
        return error(ErrorCode.RESOURCE_EXHAUSTED, "the disk is full: the job could not be kept", details)
    return error(ErrorCode.INTERNAL_ERROR, f"the job could not be kept: {e}", {"reason": str(e)})
