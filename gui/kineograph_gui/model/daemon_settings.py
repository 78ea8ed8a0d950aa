# SPDX-License-Identifier: Apache-2.0
"""The daemon's settings as a form needs them: asked of the daemon's own program, which checks and writes them.

The panel never reads the table itself: the daemon may live in another environment, of another version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

from kineograph.client.discovery import daemon_python
from kineograph_gui.model.words import say

LIMIT_MS = 30_000


@dataclass(frozen=True)
class Row:
    """One setting. ``type`` is bool, int, float, str or list; ``source`` default, file or environment."""

    name: str
    type: str
    value: Any
    default: Any
    unit: str
    help: str
    allowed: str
    least: float | None
    most: float | None
    restart: bool
    source: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Row:
        """From what the daemon's program says. Raises KeyError for one that is too old to say it."""
        return cls(**{name: told[name] for name in cls.__dataclass_fields__})


class DaemonSettings(QObject):
    """``load`` and ``change`` return at once; ``loaded`` or ``failed`` tells the rest."""

    loaded = Signal()
    changed = Signal(list)  # list[str]: names of what was written
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self.file = ""
        self._process: QProcess | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the program runs."""
        return self._process is not None

    def load(self) -> None:
        """Ask for the table."""
        self._run([], [])

    def change(self, values: Mapping[str, str | None]) -> None:
        """Write values as texts; None goes back to the default."""
        arguments = [part for name, v in values.items() for part in _argument(name, v)]
        self._run(arguments, list(values))

    def close(self) -> None:
        """End what runs."""
        if self._process is not None:
            process, self._process = self._process, None
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()

    def _run(self, arguments: Sequence[str], names: list[str]) -> None:
        if self._process is not None:
            return
        process = self._process = QProcess(self)
        process.finished.connect(lambda code, status: self._finished(process, code, names))
        process.errorOccurred.connect(lambda error: self._broke(process, error))
        process.start(daemon_python(), ["-m", "kineograph_daemon", "settings", *arguments])

    def _broke(self, process: QProcess, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._process = None
            process.deleteLater()
            self.failed.emit(process.errorString())

    def _finished(self, process: QProcess, code: int, names: list[str]) -> None:
        self._process = None
        out = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        told = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
        process.deleteLater()
        if code != 0:
            self.failed.emit(told.splitlines()[-1] if told else say("settings.no_answer"))
            return
        try:
            document = json.loads(out)
            self.rows, self.file = [Row.of(r) for r in document["settings"]], str(document["file"])
        except (ValueError, KeyError, TypeError):
            self.failed.emit(say("settings.no_answer"))
            return
        self.loaded.emit()
        if names:
            self.changed.emit(names)


def _argument(name: str, value: str | None) -> list[str]:
    return ["--unset", name] if value is None else ["--set", f"{name}={value}"]
