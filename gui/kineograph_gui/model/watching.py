# SPDX-License-Identifier: Apache-2.0
"""Watched folders: what is remembered of each, and its watcher, a program of its own that tells what it does.

The panel speaks to it as anybody may: a line of JSON in, lines of JSON out; what became of every file stands in the
summary (``_watch.csv``) that it keeps beside its results.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

from kineograph import formats
from kineograph.client.discovery import daemon_python
from kineograph.errors import from_envelope
from kineograph.fixes import resolve
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import profiles
from kineograph_gui.model.settings import PanelSettings
from kineograph_gui.model.words import TABLE, say

SUMMARY = "_watch.csv"
NEEDS_MAP = "needs_map"
MOST_ROWS = 2000
TO_LOOK_AT = ("failed", NEEDS_MAP)
STOP_MS = 4000


@dataclass(frozen=True)
class Folder:
    """One watched folder. ``rules`` are (glob, profile file); ``to`` rig files; ``format`` empty: as the rig."""

    source: str
    out: str
    to: tuple[str, ...]
    rules: tuple[tuple[str, str], ...] = ()
    format: str = ""
    network: bool = False
    on: bool = True

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Folder:
        """From what was kept. Raises KeyError, TypeError or ValueError for what is not one."""
        known = {f.name: told[f.name] for f in fields(cls) if f.name in told}
        known["to"] = tuple(str(p) for p in known["to"])
        known["rules"] = tuple((str(glob), str(profile)) for glob, profile in known.get("rules", ()))
        return cls(**known)

    def told(self) -> dict[str, Any]:
        """As the watcher wants it."""
        rules = [{"glob": glob, "profile": profile} for glob, profile in self.rules]
        out = {"in": self.source, "out": self.out, "to": list(self.to), "rule": rules, "network": self.network}
        return {**out, **({"format": self.format} if self.format else {})}


@dataclass(frozen=True)
class FileRow:
    """What became of one file."""

    state: str
    source: str
    out: str = ""
    text: str = ""


@dataclass
class Folders:
    """The list of watched folders, kept in the panel's memory."""

    settings: PanelSettings
    items: list[Folder] = field(default_factory=list)

    def __post_init__(self) -> None:
        for told in self.settings.watched:
            try:
                self.items.append(Folder.of(told))
            except (KeyError, TypeError, ValueError):
                continue  # a line of another version is no reason to lose the others

    def keep(self, items: list[Folder]) -> None:
        """Another list."""
        self.items = list(items)
        self.settings.watched = [asdict(item) for item in self.items]


class Watcher(QObject):
    """The watcher of one folder. ``changed`` after everything that is shown."""

    changed = Signal()

    def __init__(self, folder: Folder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self.counts: dict[str, int] = {}
        self.paused = False
        self.words = ""
        self.rows: dict[tuple[str, str], FileRow] = {}
        self._process: QProcess | None = None
        self._rest = b""
        self.read_summary()

    @property
    def is_running(self) -> bool:
        """Whether it watches."""
        return self._process is not None

    @property
    def state_words(self) -> str:
        """What it does now, in words."""
        if self.words:
            return self.words
        key = "off" if not self.is_running else "paused" if self.paused else "on"
        return say(f"watch.{key}")

    @property
    def count_words(self) -> str:
        """How many files came to what."""
        named = ((f"watch.state_{state}", count) for state, count in self.counts.items() if count)
        return ", ".join(f"{count} {say(key) if key in TABLE else key}" for key, count in named)

    @property
    def to_look_at(self) -> list[FileRow]:
        """Files that need a person, those that need a map first."""
        bad = [row for row in self.rows.values() if row.state in TO_LOOK_AT]
        return sorted(bad, key=lambda row: (row.state != NEEDS_MAP, row.source))

    # --- life ---------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Watch."""
        if self._process is None:
            self.words = ""
            process = self._process = self._run(self.folder.told())
            process.readyReadStandardOutput.connect(lambda: self._read(process))
            process.finished.connect(lambda code, status: self._ended(process))
            self.changed.emit()

    def pause(self, on: bool) -> None:
        """Begin nothing new, or go on."""
        word = self._run({**self.folder.told(), "tell": "pause" if on else "run"})
        word.finished.connect(lambda code, status: word.deleteLater())

    def stop(self, *, wait: bool = False) -> None:
        """Finish what is at work and end; ``wait``: until it has, then by force."""
        process = self._process
        if process is None:
            return
        process.terminate()
        if wait:
            process.blockSignals(True)
            if not process.waitForFinished(STOP_MS):
                process.kill()
                process.waitForFinished(1000)
            process.deleteLater()
            self._process = None

    def _run(self, told: Mapping[str, Any]) -> QProcess:
        process = QProcess(self)
        process.errorOccurred.connect(lambda error: self._broke(process, error))
        process.setStandardErrorFile(QProcess.nullDevice())
        process.start(daemon_python(), ["-m", "kineograph_daemon.watch"])
        process.write(json.dumps(told).encode() + b"\n")
        process.closeWriteChannel()
        return process

    def _broke(self, process: QProcess, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.words = process.errorString()
            self._ended(process)

    def _ended(self, process: QProcess) -> None:
        self._read(process)
        process.deleteLater()
        if process is self._process:
            self._process = None
            self.read_summary()
            self.changed.emit()

    # --- what it tells ------------------------------------------------------------------------------------------------
    def _read(self, process: QProcess) -> None:
        lines = (self._rest + bytes(process.readAllStandardOutput().data())).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict):
                self.take(told)
        self.changed.emit()

    def take(self, told: Mapping[str, Any]) -> None:
        """One thing that the watcher said."""
        match told.get("t"):
            case "task":
                row = FileRow(*(str(told.get(k) or "") for k in ("state", "source", "out", "text")))
                self._put(row)
            case "status":
                self.paused = bool(told.get("paused"))
                self.words = "" if told.get("daemon", True) else say("watch.no_daemon")
                self._count(told.get("counts"))
            case "away":
                self.words = say("watch.away", why=told.get("reason", ""))
            case "end":
                self._count(told.get("counts"))
            case "error":
                self.words = resolve(from_envelope(dict(told))).text
            case _:
                return

    def _count(self, counts: Any) -> None:
        if isinstance(counts, Mapping):
            self.counts = {str(k): int(v) for k, v in counts.items() if isinstance(v, int)}

    def _put(self, row: FileRow) -> None:
        self.rows.pop((row.source, row.out), None)
        self.rows[row.source, row.out] = row
        while len(self.rows) > MOST_ROWS:
            del self.rows[next(iter(self.rows))]

    def read_summary(self) -> None:
        """What became of every file until now, as the watcher wrote it down."""
        try:
            with (Path(self.folder.out) / SUMMARY).open(encoding="utf-8", newline="") as table:
                for told in csv.DictReader(table):
                    row = FileRow(*(str(told.get(k) or "") for k in ("state", "source", "out", "reason")))
                    self._put(row)
        except (OSError, UnicodeDecodeError, csv.Error):
            return
        counts: dict[str, int] = {}
        for row in self.rows.values():
            counts[row.state] = counts.get(row.state, 0) + 1
        self.counts = counts

    def rig_of(self, row: FileRow) -> tuple[Skeleton, Path]:
        """The rig of a file that needs a map, and the map's file. Raises what the readers raise."""
        path = Path(self.folder.source) / row.source
        rig = formats.load(path).skeleton
        name = profiles.signature(rig.names, rig.parents.tolist())[:16]
        return rig, Path(self.folder.out) / NEEDS_MAP / f"{name}.toml"
