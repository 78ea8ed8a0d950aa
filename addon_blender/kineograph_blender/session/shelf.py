# SPDX-License-Identifier: GPL-3.0-or-later
"""The shelf: what is known of each take, for each character, kept on disk beside the takes themselves. Knows no bpy.

A row is small and always here; its take's arrays are in memory or in a file and are read when they are wanted. Files
are written and rows looked for on a thread of the shelf's own, so that nothing of it holds Blender.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kineograph import paths
from kineograph.errors import KineographError

from ..takes import Take
from . import archive

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_IN_MEMORY = 24
NOBODY = "nobody"
"""The folder of takes whose character has no id: made by a script, without the add-on switched on."""


@dataclass
class Row:
    """One take on the shelf. ``sample`` is the one that is looked at; ``owner`` is the character's id, ``file`` the
    blend file that was open when it came."""

    id: str
    owner: str
    character: str
    name: str
    prompt: str = ""
    seed: int | None = None
    model: str = ""
    start: int = 1
    frames: int = 0
    fps_hz: float = 24.0
    samples: int = 1
    sample: int = 0
    created_s: float = 0.0
    star: bool = False
    notes: str = ""
    rejected: bool = False
    worst_cm: float | None = None
    worst_deg: float | None = None
    slide_cm_s: float | None = None
    is_saved: bool = False
    file: str = ""
    thin_cm: float | None = None

    @property
    def score(self) -> str:
        """The score line: the worst miss and how much the feet slide."""
        parts = []
        if self.worst_cm is not None:
            parts.append(f"miss {self.worst_cm:.1f} cm")
        if self.slide_cm_s is not None:
            parts.append(f"slide {self.slide_cm_s:.1f} cm/s")
        return ", ".join(parts)

    @classmethod
    def of(cls, take: Take, owner: str, request: dict[str, Any], file: str = "") -> Row:
        """What a take says of itself."""
        options = request.get("options") or {}
        report = take.report
        quality = (report.get("quality") or [{}])[0]
        clip = take.clip(0)
        return cls(
            id=take.id,
            owner=owner or NOBODY,
            character=take.rig.armature,
            name=take.label or "take",
            prompt="; ".join(str(s["prompt"]) for s in request.get("segments") or () if s.get("prompt")),
            seed=options.get("seed"),
            model=str(request.get("model") or ""),
            start=take.start,
            frames=len(clip),
            fps_hz=clip.fps_hz,
            samples=take.samples,
            created_s=time.time(),
            worst_cm=_worst(report, "worst_cm"),
            worst_deg=_worst(report, "worst_deg"),
            slide_cm_s=quality.get("slide_mean_cm_s"),
            file=file,
            thin_cm=None if take.thin_m is None else round(take.thin_m * 100.0, 4),
        )


def _worst(report: dict[str, Any], what: str) -> float | None:
    found = [c[what] for c in report.get("constraints") or () if c.get(what) is not None]
    return max(map(float, found), default=None)


class Shelf:
    """Rows by id, newest first; the arrays of the last few in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._rows: dict[str, Row] = {}
        self._takes: dict[str, Take] = {}
        self._asked: dict[str, Future[list[Row]]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._came: deque[tuple[str, Future[list[Row]]]] = deque()
        self.active: dict[str, str] = {}
        """Owner to the row that the panel shows in full."""
        self.unsaved: dict[str, str] = {}
        """Rows that could not be written, and why."""

    @property
    def in_memory(self) -> dict[str, Take]:
        """The takes that are in memory, by id."""
        return self._takes

    @property
    def folder(self) -> Path:
        """Where takes lie."""
        if self._folder is None:
            self._folder = paths.data_dir() / "takes"
        return self._folder

    def add(self, take: Take, owner: str, request: dict[str, Any], file: str = "") -> Row:
        """A take that came home; it is written to disk meanwhile. One that is here already stays as it is."""
        known = self._rows.get(take.id)
        if known is not None:
            return known
        row = Row.of(take, owner, request, file)
        self._rows[row.id] = row
        self._takes[row.id] = take
        self.active[row.owner] = row.id
        self._pool.submit(self._save, row, take)
        self._make_room()
        return row

    def rows(self, owner: str) -> list[Row]:
        """The rows of a character, newest first. What lies on disk of an earlier session comes a moment later."""
        self.ask(owner)
        mine = [r for r in self._rows.values() if r.owner == (owner or NOBODY)]
        return sorted(mine, key=lambda r: (-r.created_s, r.id))

    def every(self) -> list[Row]:
        """All rows that are known now, newest first."""
        return sorted(self._rows.values(), key=lambda r: (-r.created_s, r.id))

    def ask(self, owner: str) -> None:
        """Look for the rows of a character, once."""
        if owner and owner not in self._asked:
            self._asked[owner] = self._pool.submit(rows_in, self.folder / owner)
            self._came.append((owner, self._asked[owner]))

    def settle(self) -> bool:
        """Take in rows that were found; returns whether there is still something to wait for. Never waits."""
        for _ in range(len(self._came)):
            owner, found = self._came.popleft()
            if not found.done():
                self._came.append((owner, found))
                continue
            for row in found.result():
                self._rows.setdefault(row.id, row)
        return bool(self._came)

    def get(self, take: str) -> Row | None:
        """A row by its take's id."""
        return self._rows.get(take)

    def shown(self, owner: str) -> Row | None:
        """The row that the panel shows in full: the chosen one, else the newest that was not rejected."""
        row = self._rows.get(self.active.get(owner or NOBODY, ""))
        if row is not None and not row.rejected:
            return row
        return next((r for r in self.rows(owner) if not r.rejected), None)

    def take(self, id: str) -> Take:
        """The take itself, from memory or disk. Raises ``file_unreadable``; KeyError for one that was never here."""
        found = self._takes.get(id)
        if found is None:
            row = self._rows[id]
            try:
                found = self._takes[id] = archive.read(self._path(row, ".take"))
            except KineographError as e:
                e.details["take"] = id
                raise
            self._make_room()
        return found

    def changed(self, row: Row) -> None:
        """A row's star, notes, name or sample changed: remember it."""
        self._pool.submit(self._save_row, row)

    def drop(self, row: Row) -> None:
        """Remove a take for good, here and on disk. Actions that were baked from it stay."""
        self._rows.pop(row.id, None)
        self._takes.pop(row.id, None)
        self._pool.submit(self._delete, row)

    def run(self, act: Callable[[], T]) -> Future[T]:
        """Do something on the shelf's thread, after what it does already."""
        return self._pool.submit(act)

    def close(self) -> None:
        """Finish writing, end the thread."""
        if self._threads is not None:
            self._threads.shutdown(wait=True)
            self._threads = None

    @property
    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix="kineograph-shelf")
        return self._threads

    def _make_room(self) -> None:
        over = len(self._takes) - MOST_IN_MEMORY
        for id in [i for i in self._takes if self._rows[i].is_saved][: max(over, 0)]:
            del self._takes[id]

    def _path(self, row: Row, ending: str) -> Path:
        return self.folder / row.owner / (row.id + ending)

    # --- on the shelf's own thread ------------------------------------------------------------------------------------
    def _save(self, row: Row, take: Take) -> None:
        try:
            paths.private(self.folder)
            paths.private(self.folder / row.owner)
            archive.write(take, self._path(row, ".take"))
            row.is_saved = True
            self._save_row(row)
        except (OSError, KineographError, TypeError, ValueError) as e:
            self.unsaved[row.id] = str(getattr(e, "strerror", None) or e)
            log.exception("take %s stays in memory only", row.id)

    def _save_row(self, row: Row) -> None:
        if not row.is_saved:
            return
        path = self._path(row, ".json")
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps(dataclasses.asdict(row)), encoding="utf-8")
            os.replace(temporary, path)
        except OSError as e:
            self.unsaved[row.id] = str(e.strerror or e)

    def _delete(self, row: Row) -> None:
        for ending in (".json", ".take"):
            try:
                self._path(row, ending).unlink(missing_ok=True)
            except OSError as e:
                log.warning("%s: %s", row.id, e)


def rows_in(folder: Path) -> list[Row]:
    """The rows of a character's folder; what is no row is passed over."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        if not path.name.startswith(".") and (row := _row(path)) is not None:
            rows.append(row)
    return rows


def _row(path: Path) -> Row | None:
    known = {f.name for f in dataclasses.fields(Row)}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        row = Row(**{k: v for k, v in data.items() if k in known})
    except (OSError, ValueError, TypeError, AttributeError) as e:
        log.warning("%s is no row of the shelf: %s", path, e)
        return None
    # The file's own name counts: a row that names another take's file would open that one.
    return row if row.id == path.stem and row.owner == path.parent.name and path.with_suffix(".take").exists() else None
