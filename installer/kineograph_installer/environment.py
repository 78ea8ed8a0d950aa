# SPDX-License-Identifier: Apache-2.0
"""Virtual environments that repair themselves.

An environment carries a stamp: a hash of what was asked for. The stamp is written last, so an interrupted set-up has
none and is done again; an environment whose Python no longer starts, or that lacks a file of what was installed in it
(its console scripts too), is made anew: pip itself takes a package that was cut off for a whole one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kineograph_installer.alone import handed_on
from kineograph_installer.console import SetupError, run_logged, step

_STAMP = "kineograph.json"
_ROOM_MB = 100
"""Where less than this is left on a disk, a failure is most likely for want of room."""

_INCOMPLETE = """
import sys, sysconfig
from importlib import metadata
for found in metadata.distributions(path=[sysconfig.get_path("purelib")]):
    files = found.files
    if files is None or not all(f.suffix == ".pyc" or f.locate().exists() for f in files):
        sys.exit(f"{found.name} is not whole")
"""
"""Ends with an error where the list of what a package installed is missing, or a file of it."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment at ``folder`` made by ``python`` with ``packages`` (pip arguments) installed.

    ``probe`` is a line of Python that must run in it; ``inputs`` are files whose change asks for a new installation.
    """

    folder: Path
    packages: tuple[str, ...]
    probe: str
    python: Path
    inputs: tuple[Path, ...] = ()
    title: str = "packages"

    @property
    def executable(self) -> Path:
        """The environment's Python."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def script(self, name: str) -> Path:
        """A console script of the environment."""
        return self.executable.with_name(name + (".exe" if os.name == "nt" else ""))

    def ready(self) -> bool:
        """Whether the last set-up ended well and asked for the same, and its Python still works."""
        try:
            stamp = json.loads((self.folder / _STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return stamp.get("asked") == self._asked() and self._runs(_INCOMPLETE + self.probe)

    def ensure(self) -> None:
        """Make, repair or complete the environment; nothing to do when it is ready. Raises SetupError."""
        try:
            if not self.ready():
                self._make()
        except OSError as e:
            raise SetupError(self._no_place(e)) from e
        except SetupError as e:
            if self._free_mb() >= _ROOM_MB:
                raise
            raise SetupError(f"{e}\n  {self._no_room()}") from None

    def _make(self) -> None:
        (self.folder / _STAMP).unlink(missing_ok=True)
        log = self.folder / "install.log"
        if not self._runs(_INCOMPLETE + "import pip"):
            with step(f"Making {self.folder.name}"):
                self._create()
        with step(f"Installing {self.title}"):
            pip: list[str | Path] = [
                self.executable,
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-input",
            ]
            pip += self.packages
            run_logged(pip, log, what="Installing " + self.title, hand_on=handed_on())
        problem = self._trouble(self.probe)
        if problem:
            raise SetupError(f"{self.folder.name} was installed but does not work: {problem}")
        temporary = self.folder / (_STAMP + ".part")
        temporary.write_text(json.dumps({"asked": self._asked()}), encoding="utf-8")
        os.replace(temporary, self.folder / _STAMP)

    def _create(self) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        log = self.folder.with_name(f"{self.folder.name}.log")
        try:
            run_logged(
                [self.python, "-m", "venv", self.folder], log, what="Making the environment", hand_on=handed_on()
            )
        except SetupError as e:
            if subprocess.run([self.python, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0:
                raise
            raise SetupError(f"{e}\n  On Debian and Ubuntu: sudo apt-get install python3-venv") from None
        log.unlink(missing_ok=True)

    def _no_place(self, e: OSError) -> str:
        """What to do about an environment that cannot be written where it belongs."""
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            return self._no_room()
        reason = (e.strerror or type(e).__name__).lower()
        return (
            f"{self.folder.name} cannot be set up in {self.folder.parent}: {reason} ({e.filename or self.folder}).\n"
            "  Copy or clone Kineograph to a folder that you can write to, and run the same command there."
        )

    def _no_room(self) -> str:
        return (
            f"The disk of {self.folder.parent} is full: {self._free_mb()} MB are free.\n"
            "  Make room (2 GB are enough, 4 GB with the tests), then run the same command again."
        )

    def _free_mb(self) -> int:
        place = self.folder
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free // 2**20

    def _asked(self) -> str:
        digest = hashlib.sha256(repr((self.packages, str(self.python), sys.version_info[:2])).encode())
        for path in self.inputs:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def _runs(self, code: str) -> bool:
        return self.executable.exists() and not self._trouble(code)

    def _trouble(self, code: str) -> str:
        """What goes wrong when ``code`` runs in the environment; empty when nothing does."""
        try:
            done = subprocess.run(
                [self.executable, "-c", code], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            return str(e)
        return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it ended at once"])[-1]


def find_python(version: Sequence[int]) -> Path | None:
    """A Python of exactly ``version`` (major, minor) on this machine, or None."""
    if tuple(version) == sys.version_info[:2]:
        return Path(sys.executable)
    name = f"python{version[0]}.{version[1]}"
    places = [shutil.which(name), *sorted(Path.home().glob(f".pyenv/versions/{version[0]}.{version[1]}.*/bin/python"))]
    check = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != {tuple(version)!r})"
    for place in places:
        if place is None:
            continue
        try:
            if subprocess.run([place, "-c", check], capture_output=True, timeout=30).returncode == 0:
                return Path(place)
        except (OSError, subprocess.TimeoutExpired):
            continue
    return None
