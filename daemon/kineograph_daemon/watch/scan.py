# SPDX-License-Identifier: Apache-2.0
"""Looking at a folder: a full scan is the truth; events, where the system has them, only make the next one come sooner.

Watching by events alone misses files in fresh sub-folders, and network drives send none.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kineograph.formats import EXTENSIONS
from kineograph_daemon.watch.state import Stamp

_log = logging.getLogger(__name__)

_PARTS = (".part", ".tmp", ".crdownload", ".partial", ".download")


def scan(folder: Path, leave_out: Iterable[Path] = ()) -> dict[str, Stamp]:
    """Motion files below ``folder`` by relative path; hidden ones, parts of downloads and ``leave_out`` are not taken.

    What vanishes while it is looked at is simply not there; links to folders are not followed.
    """
    away = {os.path.realpath(path) for path in leave_out}
    found: dict[str, Stamp] = {}
    stack = [(os.fspath(folder), "")]
    while stack:
        here, place = stack.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.name.startswith((".", "~$")) or entry.name.lower().endswith(_PARTS):
                        continue
                    below = f"{place}{entry.name}"
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            if os.path.realpath(entry.path) not in away:
                                stack.append((entry.path, f"{below}/"))
                        elif os.path.splitext(entry.name)[1].lower() in EXTENSIONS and entry.is_file():
                            info = entry.stat()
                            found[below] = Stamp(info.st_size, info.st_mtime_ns, info.st_ino)
                    except OSError:
                        continue
        except OSError as e:
            if here == os.fspath(folder):
                raise
            _log.info("a folder cannot be looked into: %s", e)
    return found


def stamp_of(path: Path) -> Stamp | None:
    """What a scan would see of a file now; None when it is not there."""
    try:
        info = path.stat()
    except OSError:
        return None
    return Stamp(info.st_size, info.st_mtime_ns, info.st_ino)


class Hints:
    """Wakes a scan early when the system tells of a change; without its library nothing is lost but that."""

    def __init__(self, folder: Path, wake: threading.Event, on: bool) -> None:
        self._observer: Any = None
        if not on:
            return
        try:
            observers = importlib.import_module("watchdog.observers")
            handlers = importlib.import_module("watchdog.events")
        except ImportError:
            return

        class Handler(handlers.FileSystemEventHandler):  # type: ignore[name-defined,misc]
            def on_any_event(self, event: Any) -> None:
                wake.set()

        try:
            observer = observers.Observer()
            observer.schedule(Handler(), os.fspath(folder), recursive=True)
            observer.start()
        except OSError as e:  # out of watches: the scans go on
            _log.info("the system tells of no changes in %s: %s", folder, e)
            return
        self._observer = observer

    def close(self) -> None:
        """End the observer's thread."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
