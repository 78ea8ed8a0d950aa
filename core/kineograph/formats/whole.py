# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from kineograph.errors import SceneError
from kineograph.formats.failure import unwritable


def write(path: Path, make: Callable[[Path], Any], suffix: str | None = None) -> None:
    """Call ``make`` with a hidden name in ``path``'s folder (its extension or ``suffix``), then put the file in place.

    Raises ``file_unreadable`` with ``unwritable`` for a missing permission or a full disk; what was at ``path`` before
    is still there then.
    """
    temporary = path.with_name(f".{path.stem[:100]}.{secrets.token_hex(4)}{path.suffix if suffix is None else suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make(temporary)
        sync(temporary)
        os.replace(temporary, path)
    except OSError as problem:
        raise unwritable(path, problem) from problem
    except SceneError as problem:
        if problem.details.get("unwritable") != str(temporary):
            raise
        raise unwritable(path, str(problem.details.get("reason"))) from problem  # by the name that people know
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"), ".tmp")


def sync(path: Path) -> None:
    """Have the file's bytes on the disk before its name is."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
