# SPDX-License-Identifier: Apache-2.0
"""``kineograph doctor``: is everything in place, and if not, what to do."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from rich.markup import escape

from kineograph import __version__, paths
from kineograph.cli.options import JsonOption, connect
from kineograph.cli.output import Exit, print_json, reports_errors, tell
from kineograph.errors import KineographError
from kineograph.extras import install_line

_MIN_FREE_BYTES = 500 * 2**20
_ELSEWHERE = "Give your user the right to write there, or set KINEOGRAPH_HOME to another folder."


@dataclass(frozen=True)
class Finding:
    """One thing looked at: fine or not, and what to do about it."""

    what: str
    fine: bool
    found: str
    fix: str = ""


@reports_errors
def doctor(as_json: JsonOption = False) -> None:
    """Look at the installation, the folders and the daemon, and say what to do about what is wrong.

    Example: [bold]kineograph doctor --json[/]
    """
    findings = [look() for look in _LOOKS]
    if as_json:
        print_json([asdict(f) for f in findings])
    else:
        for f in findings:
            tell(f"{'[green]ok[/]  ' if f.fine else '[red]fix[/] '} {f.what:12} {escape(f.found)}")
            if not f.fine:
                tell(f"     [cyan]-[/] {escape(f.fix)}")
    if not all(f.fine for f in findings):
        raise typer.Exit(Exit.FAILED)


def _python() -> Finding:
    found = f"Kineograph {__version__} on Python {sys.version.split()[0]}"
    return Finding("program", sys.version_info >= (3, 11), found, "Install Python 3.11 or later.")


def _parts() -> Finding:
    missing = [m for m in ("kineograph_daemon", "motionmcp", "pydantic") if importlib.util.find_spec(m) is None]
    if missing:
        return Finding("parts", False, f"missing: {', '.join(missing)}", install_line("daemon"))
    return Finding("parts", True, "daemon and command line")


def _folders() -> Finding:
    folders: list[Callable[[], Path]] = [paths.runtime_dir, paths.data_dir, paths.config_dir, paths.log_dir]
    for folder in folders:
        try:
            probe = folder() / ".doctor"
            probe.write_bytes(b"")
            probe.unlink()
        except (OSError, KineographError) as e:
            return Finding("folders", False, f"cannot write: {e}", _ELSEWHERE)
    return Finding("folders", True, str(paths.data_dir()))


def _disk() -> Finding:
    try:
        free = shutil.disk_usage(paths.data_dir()).free
    except (OSError, KineographError) as e:
        return Finding("disk", False, f"cannot be looked at: {e}", _ELSEWHERE)
    return Finding(
        "disk",
        free > _MIN_FREE_BYTES,
        f"{free / 2**30:.1f} GB free",
        "Free some space, or set KINEOGRAPH_HOME to another disk.",
    )


def _daemon() -> Finding:
    from kineograph.client import discovery

    try:
        if discovery.find_daemon() is None:
            return Finding("daemon", True, "not running; it starts when needed")
        with connect(None) as client:
            stats = client.stats()
            loading = [n for n, m in client.capabilities().models.items() if m.get("state") == "failed"]
    except OSError as e:
        return Finding("daemon", False, f"cannot be looked for: {e}", _ELSEWHERE)
    except KineographError as e:
        return Finding("daemon", False, e.message, f"kineograph daemon stop, then start it again{_log()}")
    if loading:
        return Finding(
            "daemon", False, f"models that failed: {', '.join(loading)}", "kineograph models list --json shows why"
        )
    return Finding(
        "daemon", True, f"process {stats.pid}, {stats.memory_bytes / 2**20:.0f} MB, up {stats.uptime_s:.0f} s"
    )


def _log() -> str:
    try:
        return f"; its log is in {paths.log_dir()}"
    except (OSError, KineographError):
        return ""


_LOOKS = (_python, _parts, _folders, _disk, _daemon)
