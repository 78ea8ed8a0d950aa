# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon of a test's own, in a home of its own: started, stopped, killed and held by its process id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kineograph.client import RunFile
from kineograph.client.discovery import find_daemon

ROOT = Path(__file__).resolve().parents[2]
LONG_S = 60.0


def python() -> str:
    """The daemon's Python. Skips the test where there is none."""
    found = os.environ.get("KINEOGRAPH_DAEMON_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
    if not Path(found).exists():
        pytest.skip(f"no daemon: {found} does not exist; name its Python in KINEOGRAPH_DAEMON_PYTHON")
    return found


class House:
    """One daemon; ``start`` may be called again after an end. ``KINEOGRAPH_HOME`` must name ``home`` meanwhile."""

    def __init__(self, home: Path, *flags: str, **environment: str) -> None:
        self.home, self.flags, self.environment = home, flags, environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, program: tuple[str, ...] = ("-m", "kineograph_daemon")) -> RunFile:
        """Start it and wait for its run file."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "BLENDER"))}
        env = {**clean, "KINEOGRAPH_HOME": str(self.home), "PYTHONPATH": str(ROOT), **self.environment}
        with (self.home / "said.log").open("ab") as log:
            self.process = subprocess.Popen(
                [python(), *program, "run", *self.flags], env=env, cwd=self.home, stdout=log, stderr=log
            )
        wait_until(lambda: self._run_file() is not None or self._ended())
        run = self._run_file()
        assert run is not None, (self.home / "said.log").read_text("utf-8", "replace")
        return run

    def stop(self) -> None:
        """End it as a user would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(LONG_S)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def hold(self, still: bool) -> None:
        """Keep it from doing anything, or let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if still else signal.SIGCONT)

    def _run_file(self) -> RunFile | None:
        run = find_daemon()
        return run if run is not None and self.process is not None and run.pid == self.process.pid else None

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None


def wait_until(is_true: Callable[[], Any], timeout_s: float = LONG_S) -> None:
    """Wait for something that must come true."""
    end_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.01)
