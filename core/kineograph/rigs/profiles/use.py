# SPDX-License-Identifier: Apache-2.0
"""Reading a rig the way everybody does: by its profile where there is one, else by names, tree and positions.

Profiles are looked for in the project's folders, then in the user's own (what ``KINEOGRAPH_RIGS`` names, and
``profiles`` in the data folder), then among the built-in ones. A profile that cannot be read is logged and passed over:
one bad profile must not stop every rig. Other TOML, as projects keep it beside their rigs, is none of ours.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph import paths
from kineograph.errors import KineographError
from kineograph.rigs.mapping import RigMap, roles_of
from kineograph.rigs.profiles.files import MAX_BYTES, read
from kineograph.rigs.profiles.find import best_of
from kineograph.rigs.profiles.maps import to_map
from kineograph.rigs.profiles.model import Profile
from kineograph.rigs.profiles.signature import signature

FOLDERS_VARIABLE = "KINEOGRAPH_RIGS"
_PLACES = ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA")
"""What in the environment decides where the data folder is, if nobody named one."""
_MARK = b"kineograph_prof"
"""What a profile begins with, its last letters misspelt or not."""
_log = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int], ...]


def folders(project: Iterable[str | Path] = ()) -> list[Path]:
    """Where profiles of the user's own are, the project's first."""
    named = [Path(p) for p in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if p]
    return [*(Path(p) for p in project), *named, own_folder()]


def own_folder() -> Path:
    """Where this user's own profiles are kept."""
    named = os.environ.get(paths.HOME_VARIABLE)
    return _own_folder(named) if named else _own_folder(*map(os.environ.get, _PLACES))


@lru_cache(maxsize=8)
def _own_folder(*places: str | None) -> Path:
    # Looked for with every rig that is read: making sure of the data folder once is enough.
    return paths.data_dir() / "profiles"


def own_file(names: Sequence[str], parents: Sequence[int], otherwise: str = "") -> Path:
    """Where this user's own profile of exactly this rig is; else where it would be (``otherwise`` in their folder)."""
    hash_ = signature(names, parents)
    for path, profile in zip(*_readable(_stamp_of([own_folder()])), strict=True):
        if profile.match.hash == hash_:
            return path
    return own_folder() / (otherwise or f"{hash_}.toml")


def own_profiles(project: Iterable[str | Path] = ()) -> tuple[Profile, ...]:
    """Every profile in ``folders`` that can be read, in their order."""
    return _readable(stamp(project))[1]


def stamp(project: Iterable[str | Path] = ()) -> Stamp:
    """What is in ``folders`` now: changes when a profile is added, edited or removed."""
    return _stamp_of(folders(project))


def _stamp_of(places: Iterable[Path]) -> Stamp:
    out: list[tuple[str, int, int]] = []
    for folder in places:
        if not os.access(folder, os.F_OK):
            continue  # most people have none, and an error that is caught costs ten times the question
        try:
            with os.scandir(folder) as entries:
                files = [e for e in entries if e.name.endswith(".toml") and e.is_file()]
            for path, info in sorted((e.path, e.stat()) for e in files):
                out.append((path, info.st_mtime_ns, info.st_size))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as e:
            _log.warning("profiles in %s cannot be listed: %s", folder, e)
    return tuple(out)


@lru_cache(maxsize=8)
def _readable(now: Stamp) -> tuple[tuple[Path, ...], tuple[Profile, ...]]:
    where, found = [], []
    for path, _, _ in now:
        try:
            found.append(read(path))
        except KineographError as e:
            if _is_meant(path):
                _log.warning("a profile is passed over: %s", e)
        else:
            where.append(Path(path))
    return tuple(where), tuple(found)


def _is_meant(path: str) -> bool:
    """Whether a file that cannot be read as a profile was meant to be one, as far as anybody can tell."""
    try:
        with open(path, "rb") as file:
            return _MARK in file.read(MAX_BYTES)
    except OSError:
        return True


def profile_of(names: Sequence[str], parents: Sequence[int], project: Iterable[str | Path] = ()) -> Profile | None:
    """The profile that fits a rig best, or None."""
    return best_of(own_profiles(project), names, parents)


def read_rig(
    names: Sequence[str],
    parents: Sequence[int],
    rest_positions_m: NDArray[np.floating[Any]] | None = None,
    project: Iterable[str | Path] = (),
) -> RigMap:
    """The map of a rig. A profile that was only found does not insist on joints that this rig lacks."""
    profile = profile_of(names, parents, project)
    if profile is None:
        return roles_of(names, parents, rest_positions_m)
    return to_map(profile, names, parents, rest_positions_m, insist=False)
