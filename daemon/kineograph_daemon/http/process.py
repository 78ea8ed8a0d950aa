# SPDX-License-Identifier: Apache-2.0
"""The daemon's side of the door: its process, started again when it ends, and ended with the daemon.

A thread waits for the process, so that the front's loop has nothing to do with it. The door holds the read end of a
pipe: when the daemon is gone, however it ended, the pipe closes and the door ends too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from kineograph_daemon.http.config import DoorConfig

_log = logging.getLogger(__name__)

_BACKOFF_S = (0.5, 30.0)
_STABLE_S = 60.0
_STOP_S = 3.0
_LOG_LIMIT_BYTES = 5 * 2**20


class DoorProcess:
    """One door. ``stop`` may be called from any thread, once."""

    def __init__(self, config: DoorConfig, log_folder: Path) -> None:
        self._config = config
        self._log_file = log_folder / "http.err"
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="http-door", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the door and wait until it is gone."""
        with self._gate:
            self._stopping.set()
            process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._thread.join(_STOP_S)

    def _keep(self) -> None:
        deaths = 0
        while not self._stopping.is_set():
            started_s = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                return
            deaths = 0 if time.monotonic() - started_s >= _STABLE_S else deaths + 1
            delay_s = min(_BACKOFF_S[0] * 2.0 ** min(deaths, 10), _BACKOFF_S[1])
            _log.error("the HTTP door ended with exit code %s, again in %g s; see %s", code, delay_s, self._log_file)
            self._stopping.wait(delay_s)

    def _run_once(self) -> int | None:
        try:
            with self._gate:
                if self._stopping.is_set():
                    return None
                self._process = process = self._spawn()
        except OSError as e:
            _log.error("the HTTP door cannot be started: %s", e)
            return None
        code = process.wait()
        if process.stdin is not None:
            process.stdin.close()
        return code

    def _spawn(self) -> subprocess.Popen[bytes]:
        if self._log_file.exists() and self._log_file.stat().st_size > _LOG_LIMIT_BYTES:
            os.replace(self._log_file, self._log_file.with_suffix(".err.1"))
        command = [sys.executable, "-m", "kineograph_daemon.http", self._config.to_json()]
        with self._log_file.open("ab") as log:
            # A session of its own: a Ctrl-C in the daemon's terminal is the daemon's to handle.
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=None, stderr=log, start_new_session=sys.platform != "win32"
            )
