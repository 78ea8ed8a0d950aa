# SPDX-License-Identifier: Apache-2.0
"""Structured logs: one JSON object a line, the job's id in every line.

``t`` seconds since 1970, ``level``, ``logger``, ``job`` (empty outside a job), ``msg``, ``pid``; ``exc`` holds a
traceback; what a caller put into ``extra={"data": {...}}`` stands under ``data``.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import time
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from kineograph import paths

LEVEL_ENV = "KINEOGRAPH_LOG_LEVEL"
DEFAULT_LEVEL = "INFO"
MAX_BYTES = 5 * 2**20
KEPT_FILES = 3

_encode = json.JSONEncoder(default=str).encode
_quoted = json.encoder.encode_basestring_ascii
_job: ContextVar[str] = ContextVar("job", default="")
_process_job = ""


def job(job_id: str, *, whole_process: bool = False) -> AbstractContextManager[None]:
    """Lines logged inside carry this job's id. A record's own ``extra={"job": ...}`` goes before it.

    ``whole_process`` covers the threads a backbone starts as well: for a process that runs one job at a time.
    """
    return _Inside(job_id, whole_process)


class _Inside(AbstractContextManager[None]):
    def __init__(self, job_id: str, whole_process: bool) -> None:
        self._id = job_id
        self._whole_process = whole_process

    def __enter__(self) -> None:
        global _process_job
        self._token = _job.set(self._id)
        self._before = _process_job
        if self._whole_process:
            _process_job = self._id

    def __exit__(self, *_: object) -> None:
        global _process_job
        _job.reset(self._token)
        _process_job = self._before


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, ASCII only, so that no prompt can break a line or an encoding."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline."""
        line: dict[str, Any] = {
            "t": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "job": getattr(record, "job", None) or _job.get() or _process_job,
            "msg": record.getMessage(),
            "pid": os.getpid(),
        }
        data = getattr(record, "data", None)
        if data is not None:
            line["data"] = data
        if record.exc_info:
            line["exc"] = self.formatException(record.exc_info)
        return _encode(line)


def tell(logger: logging.Logger, message: str, job_id: str, data: dict[str, Any]) -> None:
    """``logger.info`` of every job's end: the same line, without the record where only files like ours would get it.

    Who made the record, on which line and thread, is found out for each and stands in no line; it costs most of it.
    """
    handlers = logging.root.handlers
    if logger.disabled or not logger.isEnabledFor(logging.INFO):
        return
    if logger.handlers or not all(map(_is_ours, handlers)):
        logger.info(message, extra={"job": job_id, "data": data})
        return
    # ``round`` takes longer than the line, and so does an encoder, which is made anew for each.
    t, name, job, msg = int(time.time() * 1e3) / 1e3, *map(_quoted, (logger.name, job_id, message))
    told = ", ".join([f"{_quoted(key)}: {_value(value)}" for key, value in data.items()])
    head = f'"t": {t}, "level": "info", "logger": {name}, "job": {job}, "msg": {msg}, "pid": {os.getpid()}'
    line = f'{{{head}, "data": {{{told}}}}}'
    for handler in handlers:
        assert isinstance(handler, LineFile)
        handler.write(line)


def _value(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return _quoted(value)
    return repr(value) if kind is int or (kind is float and math.isfinite(value)) else _encode(value)


def _is_ours(handler: logging.Handler) -> bool:
    return type(handler) is LineFile and not handler.filters and handler.level == 0


class LineFile(logging.Handler):
    """Lines appended to a file that starts anew at ``max_bytes``, older ones kept as ``.1`` to ``.N``.

    One system call a line: the size is counted, where the standard library's handler asks the system three times.
    """

    def __init__(self, file: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES) -> None:
        super().__init__()
        self._file = file
        self._max_bytes = max_bytes
        self._kept = kept
        self._fd: int | None = None
        self._size = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line; what cannot be written is lost in silence (``logging.raiseExceptions``)."""
        try:
            self._put(self.format(record))
        except Exception:  # noqa: BLE001 - the handler's own way of telling
            self.handleError(record)

    def write(self, line: str) -> None:
        """Write a line that is none of a record's; lost in silence like one."""
        self.acquire()
        try:
            self._put(line)
        except Exception:  # noqa: BLE001 - a full disk must not take the process down with it
            pass
        finally:
            self.release()

    def _put(self, text: str) -> None:
        line = (text + "\n").encode("ascii", "backslashreplace")
        if self._fd is not None and self._size + len(line) > self._max_bytes:
            self._turn_over()
        if self._fd is None:
            self._open()
        assert self._fd is not None
        self._size += os.write(self._fd, line)

    def close(self) -> None:
        """Close the file."""
        self._close()
        super().close()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self._file, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _turn_over(self) -> None:
        self._close()
        names = [self._file, *(self._file.with_name(f"{self._file.name}.{n}") for n in range(1, self._kept + 1))]
        for newer, older in reversed(list(itertools.pairwise(names))):
            with suppress(FileNotFoundError):
                os.replace(newer, older)

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def level_from_env() -> int:
    """The level that ``KINEOGRAPH_LOG_LEVEL`` names; info when it names none."""
    named = logging.getLevelNamesMapping().get(os.environ.get(LEVEL_ENV, DEFAULT_LEVEL).strip().upper())
    return logging.INFO if named is None else named


def set_up(name: str, folder: Path | None = None) -> Path:
    """Send all of this process's logs to ``folder/name.log`` (default the log folder), rotating; the file's path."""
    file = (folder or paths.log_dir()) / f"{name}.log"
    handler = LineFile(file)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level_from_env())
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a full disk must not take the process down with it
    # Nothing of this stands in a line; finding it out costs more than the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    return file
