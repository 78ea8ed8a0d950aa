# SPDX-License-Identifier: Apache-2.0
"""A panel offscreen, before a daemon to script or a real one; nothing of it may be left afterwards."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QEvent  # the platform is chosen before Qt is there
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from tests.fakes.daemon import FakeDaemon

from kineograph.client import LinkSettings, LinkState
from kineograph_gui.app import Panel
from kineograph_gui.model.settings import PanelSettings

# pytest-qt gives up after five and one seconds: that is a time, on a machine that is busy with something else.
for _name in ("waitUntil", "waitSignal"):
    setattr(QtBot, _name, partialmethod(getattr(QtBot, _name), timeout=60_000))

QUICK = LinkSettings(hello_s=1.0, backoff_s=0.02, backoff_max_s=0.1)
MakePanel = Callable[..., Panel]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything that is remembered stays in the test's own folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("KINEOGRAPH_HOME", str(folder))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> PanelSettings:
    """A panel's memory that is empty but for the first-run page."""
    out = PanelSettings(tmp_path / "panel.ini")
    out.seen_first = True
    return out


@pytest.fixture
def make_panel(qtbot: QtBot, qapp: QApplication, settings: PanelSettings) -> Iterator[MakePanel]:
    """``make_panel(address)`` opens a panel and waits until it is ready, unless told not to."""
    made: list[Panel] = []

    def make(address: str | None = None, *, ready: bool = True, own: PanelSettings | None = None) -> Panel:
        panel = Panel(qapp, own or settings, address, link_settings=QUICK)
        made.append(panel)
        panel.window.show()
        if ready:
            qtbot.waitUntil(lambda: panel.desk.is_ready and panel.desk.capabilities is not None)
        return panel

    yield make
    for panel in made:
        panel.close()
    sweep()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    """A daemon to script."""
    with FakeDaemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def panel(fake: FakeDaemon, make_panel: MakePanel) -> Panel:
    """A panel that is connected to the fake."""
    return make_panel(fake.endpoint)


def sweep() -> None:
    """Let Qt delete what it was told to delete."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
    gc.collect()


__all__ = ["Any", "LinkState"]
