# SPDX-License-Identifier: Apache-2.0
"""Where Kineograph keeps its files: per user, per platform, every folder private (mode 0700).

``KINEOGRAPH_HOME`` puts everything below one folder: tests, portable installations, several daemons side by side.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from kineograph.errors import ErrorCode, LinkError

HOME_VARIABLE = "KINEOGRAPH_HOME"
_APP = "kineograph"
_MAX_SOCKET_PATH = 100
"""A Unix socket's path holds 104 (macOS) or 108 (Linux) bytes with its terminator; this leaves some for libzmq."""


def home() -> Path | None:
    """The folder that ``KINEOGRAPH_HOME`` names, or None when the platform's own folders are used."""
    value = os.environ.get(HOME_VARIABLE)
    return Path(value).expanduser().absolute() if value else None


def runtime_dir() -> Path:
    """Sockets, the run file and the lock: gone after a reboot, and that is right."""
    return private(_below_home("run") or _platform_runtime())


def data_dir() -> Path:
    """Jobs, results, rig profiles, models."""
    return private(_below_home("data") or _platform_dir("XDG_DATA_HOME", ".local/share", "data"))


def config_dir() -> Path:
    """Settings, keys, how Kineograph was installed."""
    return private(_below_home("config") or _platform_dir("XDG_CONFIG_HOME", ".config", "config"))


def log_dir() -> Path:
    """Logs."""
    return private(_below_home("log") or _platform_dir("XDG_STATE_HOME", ".local/state", "log"))


def private(folder: Path) -> Path:
    """``folder``, made if need be, readable by this user only. Raises ``connection_failed`` for another user's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform == "win32":
        return folder  # a profile folder's access list is private already
    info = folder.lstat()
    if stat.S_ISLNK(info.st_mode) and home() is not None:
        info = folder.stat()  # an own home may be a link; in a shared temporary folder a link is an attack
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise LinkError(
            ErrorCode.CONNECTION_FAILED,
            f"{folder} is not a folder of this user",
            {"got": str(folder), "path": str(folder)},
        )
    if stat.S_IMODE(info.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder


def ipc_endpoint(name: str) -> str:
    """``ipc://<runtime_dir>/<name>``; a path too long for a Unix socket moves to a short private folder."""
    path = runtime_dir() / name
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        return f"ipc://{path}"
    digest = hashlib.sha256(os.fsencode(path.parent)).hexdigest()[:12]
    short = private(Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()) / f"{_APP}-{os.getuid()}-{digest}")
    return f"ipc://{short / name}"


def _below_home(part: str) -> Path | None:
    base = home()
    return None if base is None else base / part


def _platform_runtime() -> Path:
    if sys.platform == "win32":
        return _windows_base() / "run"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/Kineograph/run"
    # A service or a cron job has no XDG_RUNTIME_DIR, yet must find the same daemon as the desktop session.
    for candidate in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.getuid()}"):
        if candidate and os.path.isdir(candidate) and os.access(candidate, os.W_OK):
            return Path(candidate) / _APP
    return Path(tempfile.gettempdir()) / f"{_APP}-{os.getuid()}"


def _platform_dir(variable: str, unix: str, part: str) -> Path:
    if sys.platform == "win32":
        return _windows_base() / part
    if sys.platform == "darwin":
        base = Path.home() / "Library"
        return base / "Logs/Kineograph" if part == "log" else base / "Application Support/Kineograph" / part
    value = os.environ.get(variable)
    return (Path(value) if value and os.path.isabs(value) else Path.home() / unix) / _APP


def _windows_base() -> Path:
    return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "Kineograph"
