# SPDX-License-Identifier: Apache-2.0
"""The log lines of one job: from the files of this computer's daemon, the newest part of each."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from kineograph import paths
from kineograph_gui.model.details import Line

TAIL_BYTES = 512 * 1024
MOST_LINES = 12
_TONES = {"warning": "off", "error": "off", "critical": "off"}


def log_lines(job: str, folder: Path | None = None) -> list[Line]:
    """What the daemon and its workers said of a job, oldest first; nothing when there is no log here."""
    if not job:
        return []
    found: list[tuple[float, Line]] = []
    for file in sorted((folder or paths.log_dir()).glob("*.log")):
        found += _lines_of(file, job)
    found.sort(key=lambda pair: pair[0])
    return [line for _, line in found[-MOST_LINES:]]


def _lines_of(file: Path, job: str) -> list[tuple[float, Line]]:
    try:
        with file.open("rb") as log:
            log.seek(max(file.stat().st_size - TAIL_BYTES, 0))
            raw = [line for line in log.read(TAIL_BYTES).splitlines() if job.encode() in line]
    except OSError:
        return []
    return [line for text in raw if (line := _line(text)) is not None]


def _line(text: bytes) -> tuple[float, Line] | None:
    try:
        told: Any = json.loads(text)
        when_s = float(told["t"])
        clock = time.strftime("%H:%M:%S", time.localtime(when_s))
        tip = str(told.get("exc") or told.get("data") or "")
        return when_s, Line(f"{clock}  {told['msg']}", _TONES.get(str(told.get("level")), "quiet"), tip)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None  # the first line of the part may be cut
