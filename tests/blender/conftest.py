# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests inside real Blender. Without bpy one test is collected, which is skipped and says why."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HAS_BPY = find_spec("bpy") is not None
collect_ignore_glob = [] if HAS_BPY else ["test_[!h]*.py"]

if HAS_BPY:
    from tests.blender import package

    package.take_up()  # before anything imports bpy or the add-on

    import bpy
    from tests.blender import scenes
    from tests.fakes import reaper

    import kineograph_blender
    from kineograph.client import Client, RunFile, start_daemon
    from kineograph.client.discovery import pid_exists
    from kineograph_blender import session

    reaper.watch_over()


def pytest_report_header() -> str:
    """Which Blender this is."""
    if not HAS_BPY:
        return "tests/blender: left out, this Python has no bpy"
    return f"Blender {bpy.app.version_string}, Python {sys.version.split()[0]}, {package.in_words()}"


@pytest.fixture
def scene() -> Any:
    """An empty scene at 24 fps, frames 1 to 150."""
    return scenes.fresh()


@pytest.fixture
def addon(scene: Any) -> Iterator[Any]:
    """The add-on switched on, in an empty scene."""
    kineograph_blender.register()
    yield scene
    kineograph_blender.unregister()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """4.2 and 4.5 crash or hang in their own clean-up when Python ends: leave with pytest's own exit code."""
    if HAS_BPY and _STATUS:
        scenes.clean_up()
        package.clean_up()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_STATUS[-1])


_STATUS: list[int] = []


def pytest_sessionfinish(exitstatus: int) -> None:
    """Remember how it went."""
    _STATUS.append(int(exitstatus))


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A short folder of our own: a socket's path has about a hundred characters."""
    with TemporaryDirectory(prefix="kg-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def running_daemon(home: Path) -> Iterator[RunFile]:
    """A real daemon, shared by the tests of one run and stopped at its end."""
    python = os.environ.get("KINEOGRAPH_DAEMON_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
    if not Path(python).exists():
        pytest.skip(f"no daemon: {python} does not exist; name its Python in KINEOGRAPH_DAEMON_PYTHON")
    os.environ["KINEOGRAPH_HOME"] = str(home)
    run = start_daemon(python, wait_s=60.0)
    yield run
    with Client(run) as client:
        client.stop_daemon()
    end_s = time.monotonic() + 15.0
    while pid_exists(run.pid) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not pid_exists(run.pid), "the daemon did not end"


@pytest.fixture
def daemon(running_daemon: RunFile) -> Iterator[RunFile]:
    """The daemon, and a session of this test's own."""
    yield running_daemon
    session.detach()
    assert not any(t.name.startswith("kineograph") and "reaper" not in t.name for t in threading.enumerate())
