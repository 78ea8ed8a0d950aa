# SPDX-License-Identifier: Apache-2.0
"""Small files of ours: written so that they appear whole or not at all, and read again when somebody changed them."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Stamp = tuple[int, int, int]

_log = logging.getLogger(__name__)


def write_whole(
    path: Path, make: Callable[[Path], Any], *, suffix: str | None = None, private: bool = False, fsync: bool = False
) -> None:
    """Call ``make`` with a hidden name in ``path``'s folder (its extension or ``suffix``), then put the file in place.

    Two writers at once do not meet: each has a name of its own, and the later one wins. ``private``: nobody but its
    owner may read it, from its first moment on. ``fsync``: its bytes are on the disk before its name is. What was at
    ``path`` is still there when ``make`` or the disk fails. Raises OSError, and whatever ``make`` raises.
    """
    temporary = path.with_name(f".{path.stem[:100]}.{secrets.token_hex(4)}{path.suffix if suffix is None else suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            temporary.touch(0o600, exist_ok=False)
        make(temporary)
        if fsync:
            sync(temporary)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """A text file, whole or not at all. Raises OSError."""
    write_whole(path, lambda p: p.write_text(text, encoding="utf-8", newline="\n"), suffix=".tmp", private=private)


def write_json(path: Path, value: Any, *, private: bool = False) -> None:
    """A JSON file that people may read, whole or not at all. Raises OSError, TypeError, ValueError."""
    write_text(path, json.dumps(value, indent=1), private=private)


def sync(path: Path) -> None:
    """Have a file's bytes on the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def stamp_of(path: Path) -> Stamp | None:
    """What changes when a file is written or replaced; None when there is none."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_ino, info.st_mtime_ns, info.st_size


class WatchedJson(Generic[T]):
    """What a JSON file says now: ``parse`` of its value, read again when the file has changed.

    ``nothing`` is the answer without a file, and for one that cannot be read or understood: whoever asks who may come
    in lets nobody in by a broken file.
    """

    def __init__(self, path: Path, parse: Callable[[Any], T], nothing: T) -> None:
        self.path = path
        self._parse = parse
        self._nothing = nothing
        self._value = nothing
        self._stamp: Stamp | None = None

    @property
    def value(self) -> T:
        """The answer of now."""
        stamp = stamp_of(self.path)
        if stamp != self._stamp:
            self._value = self._nothing if stamp is None else self._read()
            self._stamp = stamp
        return self._value

    def _read(self) -> T:
        try:
            return self._parse(json.loads(self.path.read_text("utf-8")))
        except FileNotFoundError:
            return self._nothing
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            _log.error("the file %s cannot be read: %s", self.path, e)
            return self._nothing
