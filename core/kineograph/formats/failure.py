# SPDX-License-Identifier: Apache-2.0
"""How a file that cannot be read says so: the code, the file, and the line, byte or JSON path.

``file_incomplete`` is a file that ends too early, as a copy in progress does: a second look may find it whole.
``file_unreadable`` is a file that is whole and wrong.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kineograph.errors import ErrorCode, SceneError

MAX_FILE_BYTES = 2 << 30
MAX_VALUES = 1 << 25  # frames times joints of one clip: a gigabyte of rotations


def unreadable(path: Path, what: str, **details: Any) -> SceneError:
    """The file is whole and wrong. ``details`` take ``line``, ``offset``, ``json_path``, ``got``, ``allowed``."""
    return _error(ErrorCode.FILE_UNREADABLE, path, what, details)


def incomplete(path: Path, what: str, **details: Any) -> SceneError:
    """The file ends before its content does."""
    return _error(ErrorCode.FILE_INCOMPLETE, path, what, details)


def unwritable(path: Path, problem: OSError | str) -> SceneError:
    """The file cannot be written: no permission, a full disk, a missing folder."""
    why = problem if isinstance(problem, str) else problem.strerror or str(problem)
    details = {"unwritable": str(path), "reason": why}
    return SceneError(ErrorCode.FILE_UNREADABLE, f"'{path}' cannot be written: {why}", details)


def read_bytes(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The whole file. Raises ``file_unreadable`` (missing, no file, not allowed, too large), ``file_incomplete``."""
    try:
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "does not exist"
            raise unreadable(path, what)
        size = path.stat().st_size
        if size > limit:
            raise unreadable(path, f"is too large: {size} bytes", got=size, allowed=limit)
        data = path.read_bytes()
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the path
        raise unreadable(path, f"cannot be opened: {getattr(problem, 'strerror', None) or problem}") from problem
    if not data:
        raise incomplete(path, "is empty", offset=0)
    return data


def _error(code: ErrorCode, path: Path, what: str, details: dict[str, Any]) -> SceneError:
    kept = {key: value for key, value in details.items() if value is not None}
    kept.setdefault("reason", what)
    place = ""
    if "line" in kept:
        place = f", line {kept['line']}"
    elif "json_path" in kept:
        place = f", {kept['json_path']}"
    elif "offset" in kept:
        place = f", byte {kept['offset']}"
    joint = ":" if place else ""
    return SceneError(code, f"'{os.fspath(path.name)}'{place}{joint} {what}", {"file": str(path), **kept})
