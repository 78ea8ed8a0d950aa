# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that were sent and are not settled, on disk: a Blender that did not live to see one end finds it again.

Each lies beside the takes of its character until its job has ended here. What lies there when the daemon is reached is
gone on with: a result comes onto the shelf as if nothing had happened. Knows no bpy.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from kineograph import paths
from kineograph.errors import KineographError

from . import archive
from .archive import Sent
from .shelf import NOBODY, Shelf, rows_in

log = logging.getLogger(__name__)

_ENDING = ".sent"


class Ledger:
    """What was sent, by character. Files are written and read on the shelf's thread, in order."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._asked: set[str] = set()
        self._came: deque[Future[list[Sent]]] = deque()
        self._who: deque[tuple[str, Future[dict[str, str]]]] = deque()

    def keep(self, sent: Sent) -> None:
        """Remember a job. One whose character has no id is not kept: nobody could find it again."""
        if sent.owner:
            # The ghosts are for showing what is sent, and as large as all the rest.
            lean = replace(sent, outgoing=replace(sent.outgoing, ghosts={}))
            self._shelf.run(_quietly(lambda: self._write(lean), f"job {sent.job} is not kept"))

    def forget(self, owner: str, job: str) -> None:
        """A job has ended, and its end was seen."""
        if owner and job:
            path = self._path(owner, job)
            self._shelf.run(_quietly(lambda: path.unlink(missing_ok=True), f"{path.name} stays"))

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
            out += self._came.popleft().result()
        return sorted(out, key=lambda s: s.created_s)

    def _path(self, owner: str, job: str) -> Path:
        return self._shelf.folder / owner / (job + _ENDING)

    def _write(self, sent: Sent) -> None:
        paths.private(self._shelf.folder)
        path = self._path(sent.owner, sent.job)
        paths.private(path.parent)
        archive.write_sent(sent, path)


def _of_folder(folder: Path) -> list[Sent]:
    found = []
    for path in sorted(folder.glob(f"*{_ENDING}")):
        try:
            sent = archive.read_sent(path)
        except KineographError as e:
            log.warning("%s", e)
            continue
        if sent.job == path.stem and sent.owner == folder.name:
            found.append(sent)
    return found


def _characters_of(folder: Path, file: str) -> dict[str, str]:
    """Ids by name; of two characters of one name, the one that was at work last."""
    found: list[tuple[float, str, str]] = []
    for owner in folder.glob("*/"):
        found += [(r.created_s, r.character, r.owner) for r in rows_in(owner) if r.file == file and r.owner != NOBODY]
        found += [(s.created_s, s.outgoing.rig.armature, s.owner) for s in _of_folder(owner) if s.file == file]
    return {name: owner for _, name, owner in sorted(found)}


def _quietly(act: Callable[[], None], otherwise: str) -> Callable[[], None]:
    def run() -> None:
        try:
            act()
        except (OSError, KineographError, TypeError, ValueError) as e:
            log.warning("%s: %s", otherwise, e)

    return run
