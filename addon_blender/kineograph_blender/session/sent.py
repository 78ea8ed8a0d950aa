# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that were asked for and are not settled, on disk: a Blender that did not live to see one end finds it again.

From before it leaves each lies beside the takes of its character, until its job has ended here. What lies there when
the daemon is reached is gone on with: a result comes onto the shelf as if nothing had happened. Knows no bpy.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kineograph import paths
from kineograph.client.discovery import pid_exists
from kineograph.errors import KineographError

from . import archive
from .archive import Sent
from .shelf import NOBODY, Shelf, rows_in

log = logging.getLogger(__name__)

_SENT, _ASKED, _READING = ".sent", ".asked", ".reading"


@dataclass(frozen=True)
class Unread:
    """Generate was pressed, and Blender ended while it was still reading the scene: nothing can be sent."""

    key: str
    owner: str
    character: str
    created_s: float
    file: str = ""
    pid: int = 0
    machine: str = ""


class Ledger:
    """What was asked for, by character. Files are written and read on the shelf's thread, in order.

    A request is written before it leaves (``.asked``), and called ``.sent`` once the daemon has told of it.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._asked: set[str] = set()
        self._came: deque[Future[tuple[list[Sent], list[Unread]]]] = deque()
        self._unread: list[Unread] = []
        self._reading: set[str] = set()
        self._who: deque[tuple[str, Future[dict[str, str]]]] = deque()

    def keep(self, sent: Sent) -> Future[None] | None:
        """Remember a job that is about to leave; when that is done is told. One whose character has no id is not kept
        (None): nobody could find it again."""
        if not sent.owner:
            return None
        # The ghosts are for showing what is sent, and as large as all the rest; so is what lies outside.
        outgoing = replace(sent.outgoing, ghosts={}, outside=())
        lean = replace(sent, outgoing=outgoing, pid=os.getpid(), machine=platform.node())
        path = self._path(sent.owner, sent.job, _ASKED)
        return self._run(
            lambda: self._write(path, lambda: archive.write_sent(lean, path)), f"job {sent.job} is not kept"
        )

    def arrived(self, owner: str, job: str) -> None:
        """The daemon has told of a job."""
        if owner and job:
            old, new = (self._path(owner, job, ending) for ending in (_ASKED, _SENT))
            self._run(lambda: _renamed(old, new), f"{old.name} stays")

    def forget(self, owner: str, job: str) -> None:
        """A job has ended, and its end was seen."""
        for ending in (_ASKED, _SENT) if owner and job else ():
            self._drop(self._path(owner, job, ending))

    def begin_to_read(self, owner: str, character: str, file: str) -> str:
        """Remember that a character is being read for a request; returns what to name when that is over."""
        key = uuid.uuid4().hex
        self._reading.add(key)
        told = Unread(key, owner, character, time.time(), file, os.getpid(), platform.node())
        path = self._path(owner, key, _READING)
        if owner:
            text = json.dumps(asdict(told))
            self._run(lambda: self._write(path, lambda: path.write_text(text, "utf-8")), f"{path.name} is not kept")
        return key

    def end_to_read(self, owner: str, key: str) -> None:
        """The character was read, or need not be any more."""
        if owner and key:
            self._drop(self._path(owner, key, _READING))

    def ask(self, owner: str) -> None:
        """Look for what a character's earlier Blenders sent, once."""
        if owner and owner not in self._asked:
            self._asked.add(owner)
            self._came.append(self._shelf.run(lambda: _of_folder(self._shelf.folder / owner)))

    def ask_who(self, file: str) -> None:
        """Look for the ids of the characters that an earlier Blender knew in a blend file."""
        self._who.append((file, self._shelf.run(lambda: _characters_of(self._shelf.folder, file))))

    def who(self) -> list[tuple[str, dict[str, str]]]:
        """What was found since the last call: a file, and in it ids by the characters' names. Never waits."""
        out = []
        while self._who and self._who[0][1].done():
            file, found = self._who.popleft()
            out.append((file, found.result()))
        return out

    def ask_again(self) -> None:
        """Whatever was looked for may be looked for once more: the daemon was left, or another file came."""
        self._asked.clear()

    @property
    def is_looking(self) -> bool:
        """Whether something is still being read."""
        return bool(self._came or self._who)

    def found(self) -> list[Sent]:
        """What was found since the last call, oldest first. Never waits."""
        out: list[Sent] = []
        while self._came and self._came[0].done():
            sent, unread = self._came.popleft().result()
            out += sent
            self._unread += unread
        return sorted(out, key=lambda s: s.created_s)

    def unread(self) -> list[Unread]:
        """What ``found`` came across beside it, since the last call."""
        out, self._unread = [u for u in self._unread if u.key not in self._reading], []
        return out

    def _path(self, owner: str, job: str, ending: str) -> Path:
        return self._shelf.folder / owner / (job + ending)

    def _drop(self, path: Path) -> None:
        self._run(lambda: path.unlink(missing_ok=True), f"{path.name} stays")

    def _run(self, act: Callable[[], object], otherwise: str) -> Future[None]:
        return self._shelf.run(_quietly(act, otherwise))

    def _write(self, path: Path, act: Callable[[], object]) -> None:
        paths.private(self._shelf.folder)
        paths.private(path.parent)
        act()


def _of_folder(folder: Path) -> tuple[list[Sent], list[Unread]]:
    """What of a character's folder nobody is at any more: who asked for it is gone, or the daemon has it."""
    sent = _sent_in(folder)
    unread = _unread_in(folder)
    return [s for s in sent if s.has_arrived or not _is_at_work(s)], [u for u in unread if not _is_at_work(u)]


def _unread_in(folder: Path) -> list[Unread]:
    return [told for path in sorted(folder.glob(f"*{_READING}")) if (told := _unread(path)) is not None]


def _sent_in(folder: Path) -> list[Sent]:
    found = []
    for path in sorted(folder.glob("*")):
        if path.suffix not in (_SENT, _ASKED) or path.name.startswith("."):
            continue
        try:
            sent = archive.read_sent(path)
        except KineographError as e:
            log.warning("%s", e)
            continue
        if sent.job == path.stem and sent.owner == folder.name:
            found.append(replace(sent, has_arrived=path.suffix == _SENT))
    return found


def _unread(path: Path) -> Unread | None:
    try:
        told = Unread(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as e:
        log.warning("%s: %s", path.name, e)
        return None
    return told if told.key == path.stem and told.owner == path.parent.name else None


def _is_at_work(told: Sent | Unread) -> bool:
    """Whether the Blender that wrote it is another one and still there."""
    return told.machine == platform.node() and told.pid not in (0, os.getpid()) and pid_exists(told.pid)


def _renamed(old: Path, new: Path) -> None:
    if old.exists():
        os.replace(old, new)


def _characters_of(folder: Path, file: str) -> dict[str, str]:
    """Ids by name; of two characters of one name, the one that was at work last."""
    found: list[tuple[float, str, str]] = []
    for owner in folder.glob("*/"):
        found += [(r.created_s, r.character, r.owner) for r in rows_in(owner) if r.file == file and r.owner != NOBODY]
        found += [(s.created_s, s.outgoing.rig.armature, s.owner) for s in _sent_in(owner) if s.file == file]
        found += [(u.created_s, u.character, u.owner) for u in _unread_in(owner) if u.file == file]
    return {name: owner for _, name, owner in sorted(found)}


def _quietly(act: Callable[[], object], otherwise: str) -> Callable[[], None]:
    def run() -> None:
        try:
            act()
        except (OSError, KineographError, TypeError, ValueError) as e:
            log.warning("%s: %s", otherwise, e)

    return run
