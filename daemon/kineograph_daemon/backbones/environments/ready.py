# SPDX-License-Identifier: Apache-2.0
"""Which environments there are and work. Standard library only: the front asks this."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from kineograph import files, paths

_log = logging.getLogger(__name__)
_NOTE = "ready.json"


@dataclass(frozen=True)
class Installed:
    """A finished environment: its Python, what that hosts, and of which recipe and release it was made."""

    name: str
    python: str
    backbones: tuple[str, ...]
    recipe_sha256: str
    version: str


def folder() -> Path:
    """Where environments live."""
    return paths.data_dir() / "environments"


def python_of(name: str) -> Path:
    """An environment's own Python, whether it is there or not."""
    place = folder() / name / "env"
    return place / "Scripts" / "python.exe" if sys.platform == "win32" else place / "bin" / "python"


def read(name: str) -> Installed | None:
    """One environment; None when it was never finished or cannot be read."""
    try:
        raw = json.loads((folder() / name / _NOTE).read_text("utf-8"))
        return Installed(
            str(raw["name"]),
            str(raw["python"]),
            tuple(map(str, raw["backbones"])),
            str(raw["recipe_sha256"]),
            str(raw["version"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as e:
        _log.error("the environment of %s cannot be read: %s", name, e)
        return None


def write(made: Installed) -> None:
    """Say that an environment is finished."""
    files.write_json(folder() / made.name / _NOTE, asdict(made))


def forget(name: str) -> None:
    """Say that it is not finished, or no more."""
    (folder() / name / _NOTE).unlink(missing_ok=True)


def marks() -> dict[str, files.Stamp]:
    """What changes when an environment is finished, made again or taken away, by name: a look at the folder's notes."""
    try:
        names = os.listdir(paths.data_dir() / "environments")
    except OSError:
        return {}
    found = {name: files.stamp_of(folder() / name / _NOTE) for name in sorted(names)}
    return {name: mark for name, mark in found.items() if mark is not None}


def installed() -> list[Installed]:
    """Every finished environment whose Python is there, by name."""
    if not folder().is_dir():
        return []
    found = [read(place.name) for place in sorted(folder().iterdir()) if place.is_dir()]
    return [one for one in found if one is not None and Path(one.python).exists()]
