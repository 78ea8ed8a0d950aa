# SPDX-License-Identifier: Apache-2.0
"""What the panel itself remembers, in one file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings

from kineograph import paths


class PanelSettings:
    """Typed access to ``config_dir()/panel.ini``."""

    def __init__(self, file: Path | None = None) -> None:
        self._store = QSettings(str(file or paths.config_dir() / "panel.ini"), QSettings.Format.IniFormat)

    @property
    def address(self) -> str:
        """The daemon's address; empty: this computer's own."""
        return str(self._store.value("link/address", ""))

    @address.setter
    def address(self, value: str) -> None:
        self._store.setValue("link/address", value)

    @property
    def start_daemon(self) -> bool:
        """Start the daemon when none runs."""
        return self._flag("link/start", default=False)

    @start_daemon.setter
    def start_daemon(self, on: bool) -> None:
        self._store.setValue("link/start", on)

    @property
    def retry_itself(self) -> bool:
        """Run a job again by itself when its error allows it."""
        return self._flag("jobs/retry", default=True)

    @retry_itself.setter
    def retry_itself(self, on: bool) -> None:
        self._store.setValue("jobs/retry", on)

    @property
    def ask_before_stop(self) -> bool:
        """Ask before a running job is stopped."""
        return self._flag("jobs/ask", default=True)

    @ask_before_stop.setter
    def ask_before_stop(self, on: bool) -> None:
        self._store.setValue("jobs/ask", on)

    @property
    def theme(self) -> str:
        """Light, dark, or as the system says."""
        return str(self._store.value("look/theme", "system"))

    @theme.setter
    def theme(self, value: str) -> None:
        self._store.setValue("look/theme", value)

    @property
    def notify(self) -> bool:
        """Tell the desktop when a job ends or needs a decision."""
        return self._flag("look/notify", default=True)

    @notify.setter
    def notify(self, on: bool) -> None:
        self._store.setValue("look/notify", on)

    @property
    def seen_first(self) -> bool:
        """Whether the first-run page was left behind."""
        return self._flag("look/seen", default=False)

    @seen_first.setter
    def seen_first(self, on: bool) -> None:
        self._store.setValue("look/seen", on)

    @property
    def model(self) -> str:
        """The model that was chosen last."""
        return str(self._store.value("new/model", ""))

    @model.setter
    def model(self, value: str) -> None:
        self._store.setValue("new/model", value)

    @property
    def watched(self) -> list[dict[str, Any]]:
        """The watched folders, as plain maps."""
        try:
            loaded = json.loads(str(self._store.value("watch/folders", "[]")))
        except ValueError:
            return []
        return [item for item in loaded if isinstance(item, dict)] if isinstance(loaded, list) else []

    @watched.setter
    def watched(self, items: list[dict[str, Any]]) -> None:
        self._store.setValue("watch/folders", json.dumps(items))

    @property
    def last_folder(self) -> str:
        """Where files were opened or saved last."""
        return str(self._store.value("files/folder", ""))

    @last_folder.setter
    def last_folder(self, value: str) -> None:
        self._store.setValue("files/folder", value)

    @property
    def draft_file(self) -> Path:
        """Where the new job that is being written is kept."""
        return Path(self._store.fileName()).with_name("panel-draft.kineograph.json")

    def layout(self, name: str) -> QByteArray | None:
        """A window's or splitter's remembered state."""
        value: Any = self._store.value(f"layout/{name}")
        return value if isinstance(value, QByteArray) and not value.isEmpty() else None

    def keep_layout(self, name: str, state: QByteArray) -> None:
        """Remember a window's or splitter's state."""
        self._store.setValue(f"layout/{name}", state)

    def save(self) -> None:
        """Write it down now."""
        self._store.sync()

    def _flag(self, key: str, *, default: bool) -> bool:
        return str(self._store.value(key, default)).lower() in ("true", "1")
