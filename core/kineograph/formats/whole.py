# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kineograph import files
from kineograph.errors import SceneError
from kineograph.formats.failure import unwritable


def write(path: Path, make: Callable[[Path], Any], suffix: str | None = None) -> None:
    """Call ``make`` with a hidden name in ``path``'s folder (its extension or ``suffix``), then put the file in place.

    Raises ``file_unreadable`` with ``unwritable`` for a missing permission or a full disk; what was at ``path`` before
    is still there then.
    """
    try:
        files.write_whole(path, lambda temporary: _named(path, temporary, make), suffix=suffix, fsync=True)
    except OSError as problem:
        raise unwritable(path, problem) from problem


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"), ".tmp")


def _named(path: Path, temporary: Path, make: Callable[[Path], Any]) -> None:
    try:
        make(temporary)
    except SceneError as problem:
        if problem.details.get("unwritable") != str(temporary):
            raise
        raise unwritable(path, str(problem.details.get("reason"))) from problem  # by the name that people know
