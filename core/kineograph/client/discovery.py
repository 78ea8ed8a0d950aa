# SPDX-License-Identifier: Apache-2.0
"""Finding a daemon: the run file says where it listens, the lock proves that it lives.

The daemon writes ``runtime_dir()/daemon.json`` once it answers and holds ``runtime_dir()/daemon.lock`` for life. A run
file without a held lock, or of a process that is gone, is stale.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from kineograph import files, paths
from kineograph.client.lock import DaemonLock
from kineograph.errors import ErrorCode, LinkError

_POLL_S = 0.02


@dataclass(frozen=True)
class RunFile:
    """Where a running daemon listens. ``server_key`` (CURVE, Z85) goes with tcp endpoints; ipc needs none."""

    endpoint: str
    events: str
    pid: int
    epoch: str
    version: str
    wire: int
    started_s: float
    server_key: str | None = None

    @staticmethod
    def default_path() -> Path:
        """``runtime_dir()/daemon.json``."""
        return paths.runtime_dir() / "daemon.json"

    @classmethod
    def read(cls, path: Path | None = None) -> RunFile | None:
        """The run file, or None when there is none or it cannot be understood."""
        try:
            raw = json.loads((path or cls.default_path()).read_text("utf-8"))
            return cls(**{f.name: raw[f.name] for f in fields(cls) if f.name in raw}).checked()
        except (OSError, ValueError, TypeError):
            return None

    def checked(self) -> RunFile:
        """Itself; ValueError when a field has the wrong type (a foreign or damaged file)."""
        texts = (self.endpoint, self.events, self.epoch, self.version, self.server_key or "")
        numbers = (self.pid, self.wire, self.started_s)
        if not all(isinstance(x, str) for x in texts) or not all(isinstance(x, (int, float)) for x in numbers):
            raise ValueError("a run file's fields have the wrong types")
        return self

    def write(self, path: Path | None = None) -> Path:
        """Write it whole or not at all: to a temporary name, then renamed; mode 0600."""
        target = path or self.default_path()
        files.write_json(target, asdict(self), private=True)
        return target

    def remove(self, path: Path | None = None) -> None:
        """Remove the file if it is still this daemon's own."""
        target = path or self.default_path()
        there = RunFile.read(target)
        if there is not None and there.epoch == self.epoch:
            target.unlink(missing_ok=True)


def find_daemon() -> RunFile | None:
    """The run file of a living daemon, or None. Takes well under a millisecond; talks to nobody."""
    run = RunFile.read()
    if run is None or not DaemonLock().held() or not pid_exists(run.pid):
        return None
    return run


def spawn_daemon(python: str | None = None, extra_args: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start ``PYTHON -m kineograph_daemon run`` detached from this process, and return at once.

    ``python`` defaults to what the installer recorded (``config_dir()/install.json``), else to this Python. Output
    goes to ``log_dir()/daemon-start.log``. Raises ``daemon_unreachable`` when the program cannot be started.
    """
    program = python or daemon_python()
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        with start_log().open("wb") as log:
            process = subprocess.Popen(
                [program, "-m", "kineograph_daemon", "run", *extra_args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(program),
                **options,
            )
    except OSError as e:
        raise LinkError(
            ErrorCode.DAEMON_UNREACHABLE,
            f"the daemon cannot be started with {program}: {e}",
            {"got": program, "log_tail": str(e)},
        ) from None
    # Somebody must wait for the child, or it stays a zombie for as long as this process lives.
    threading.Thread(target=process.wait, name="kineograph-reaper", daemon=True).start()
    return process


def start_daemon(python: str | None = None, extra_args: Sequence[str] = (), wait_s: float = 10.0) -> RunFile:
    """The running daemon's run file, starting one if none lives. Raises ``daemon_unreachable`` after ``wait_s``."""
    run = find_daemon()
    if run is not None:
        return run
    process = spawn_daemon(python, extra_args)
    deadline_s = time.monotonic() + wait_s
    while time.monotonic() < deadline_s:
        run = find_daemon()
        if run is not None:
            return run
        if process.poll():  # a second start ends with 0 after adopting the first: keep looking then
            break
        time.sleep(_POLL_S)
    raise start_failure(process.poll(), wait_s)


def end_daemon() -> bool:
    """Tell this user's daemon to end, without talking to it: for one of another version. Whether there was one."""
    run = find_daemon()
    if run is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(run.pid, signal.SIGTERM)
    return True


def start_failure(exit_code: int | None, wait_s: float) -> LinkError:
    """What to say when a started daemon does not come up."""
    how = f"ended with exit code {exit_code}" if exit_code is not None else f"did not answer within {wait_s:g} s"
    return LinkError(
        ErrorCode.DAEMON_UNREACHABLE,
        f"the daemon was started but {how}",
        {"got": exit_code, "log": str(start_log()), "log_tail": _tail(start_log())},
    )


def start_log() -> Path:
    """Where a daemon that a client started writes until its own log is open."""
    return paths.log_dir() / "daemon-start.log"


def pid_exists(pid: int) -> bool:
    """Whether a process with this id exists."""
    if pid <= 0:
        return False
    if sys.platform == "win32":  # os.kill(pid, 0) would end the process there
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x1000, False, pid)
        if handle:
            kernel.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def daemon_python() -> str:
    """The Python that the daemon runs under: what the installer recorded, else this one."""
    return _recorded_python() or sys.executable


def _recorded_python() -> str | None:
    try:
        python = json.loads((paths.config_dir() / "install.json").read_text("utf-8")).get("python")
    except (OSError, ValueError, AttributeError):
        return None
    return python if isinstance(python, str) and Path(python).exists() else None


def _environment(program: str) -> dict[str, str]:
    # A host such as Blender may point Python at its own library; another interpreter must not inherit that.
    env = dict(os.environ)
    if program != sys.executable:
        for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP"):
            env.pop(name, None)
    return env


def _tail(path: Path, size: int = 2000) -> str:
    try:
        return path.read_bytes()[-size:].decode("utf-8", "replace")
    except OSError:
        return ""
