# SPDX-License-Identifier: Apache-2.0
"""Structured logs: one JSON object a line, the job's id in every line.

``t`` seconds since 1970, ``level``, ``logger``, ``job`` (empty outside a job), ``msg``, ``pid``; ``exc`` holds a
traceback; what a caller put into ``extra={"data": {...}}`` stands under ``data``.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from kineograph import paths

LEVEL_ENV = "KINEOGRAPH_LOG_LEVEL"
DEFAULT_LEVEL = "INFO"
MAX_BYTES = 5 * 2**20
KEPT_FILES = 3

_job: ContextVar[str] = ContextVar("job", default="")
_process_job = ""


@contextmanager
def job(job_id: str, *, whole_process: bool = False) -> Iterator[None]:
    """Lines logged inside carry this job's id. A record's own ``extra={"job": ...}`` goes before it.

    ``whole_process`` covers the threads a backbone starts as well: for a process that runs one job at a time.
    """
    global _process_job
    token = _job.set(job_id)
    before = _process_job
    if whole_process:
        _process_job = job_id
    try:
        yield
    finally:
        _job.reset(token)
        _process_job = before


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
            "pid": record.process,
        }
        data = getattr(record, "data", None)
        if data is not None:
            line["data"] = data
        if record.exc_info:
            line["exc"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def level_from_env() -> int:
    """The level that ``KINEOGRAPH_LOG_LEVEL`` names; info when it names none."""
    named = logging.getLevelNamesMapping().get(os.environ.get(LEVEL_ENV, DEFAULT_LEVEL).strip().upper())
    return logging.INFO if named is None else named


def set_up(name: str, folder: Path | None = None) -> Path:
    """Send all of this process's logs to ``folder/name.log`` (default the log folder), rotating; the file's path."""
    file = (folder or paths.log_dir()) / f"{name}.log"
    handler = RotatingFileHandler(file, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="ascii", delay=True)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level_from_env())
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a full disk must not take the process down with it
    return file
