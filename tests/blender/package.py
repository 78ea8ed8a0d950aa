# SPDX-License-Identifier: GPL-3.0-or-later
"""Which add-on is tested: the one that the built zip installs into a clean user folder, or the sources.

``KINEOGRAPH_ADDON`` says which: ``zip`` builds and installs it, the path of a zip installs that one, ``source`` (the
default of a run by hand) takes the working tree. Tests import ``kineograph_blender`` in both cases; in the first that
is another name of the extension's own package, and the core, pyzmq and msgpack are those of its wheels.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (ROOT / "core", ROOT / "addon_blender")
NAME = "kineograph_blender"
EXTENSION = "bl_ext.user_default.kineograph"
SWITCH = "KINEOGRAPH_ADDON"

zip_path: Path | None = None
"""The zip that is installed here; None while the sources are tested."""
why_source = ""
"""Why the sources are tested though the zip was asked for; empty otherwise."""
_folders: list[Path] = []
_is_taken_up = False


def take_up() -> None:
    """Make ``kineograph_blender`` importable. The first to import bpy: Blender reads its user folder once."""
    global zip_path, why_source, _is_taken_up
    if _is_taken_up:
        return
    _is_taken_up = True
    wanted = os.environ.get(SWITCH, "source")
    if wanted != "source":
        try:
            zip_path = build(_folder("kg-zip-")) if wanted == "zip" else Path(wanted)
        except Unbuilt as e:
            why_source = str(e)
    if zip_path is None:
        sys.path[:0] = [str(p) for p in SOURCES]
        return
    sys.path[:] = [p for p in sys.path if Path(p).resolve() not in SOURCES]
    _install(zip_path)
    sys.meta_path[:0] = [_Alias(), _Beside()]


class Unbuilt(Exception):
    """The zip cannot be built here: its wheels cannot be had."""


def build(folder: Path) -> Path:
    """The zip for this computer. Raises ``Unbuilt``."""
    sys.path.append(str(ROOT / "installer"))
    from kineograph_installer import extension
    from kineograph_installer.console import SetupError

    try:
        (one,) = extension.build(folder, platforms=[extension.platform_here()])
    except SetupError as e:
        raise Unbuilt(f"the extension's wheels cannot be had here: {e}") from e
    return one.path


def apart() -> dict[str, str]:
    """The environment of a Blender beside this one, with a user folder of its own."""
    return {**os.environ, "BLENDER_USER_RESOURCES": str(_folder("kg-user-"))}


def clean_up() -> None:
    """Remove what was made."""
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


def in_words() -> str:
    """What is tested, for the header of a run."""
    if zip_path is not None:
        return f"the add-on as {zip_path.name} installs it"
    return "the add-on's sources" + (f": {why_source}" if why_source else "")


def _install(path: Path) -> None:
    user = _folder("kg-user-")
    os.environ["BLENDER_USER_RESOURCES"] = str(user)
    # Blender puts its wheels last; here they come before what this environment has for runs on the sources.
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    wheels = user / "extensions" / ".local" / "lib" / python / "site-packages"
    wheels.mkdir(parents=True)  # Python remembers a folder that is not there
    sys.path.insert(0, str(wheels))
    import bpy

    bpy.ops.extensions.package_install_files(filepath=str(path), repo="user_default", enable_on_install=True)
    # It stays enabled in the preferences, or its wheels would go; tests register and unregister it themselves.
    importlib.import_module(EXTENSION).unregister()


class _Beside(MetaPathFinder):
    """The program that reads FBX: no part of the extension, and beside its sources."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """That one package."""
        return PathFinder.find_spec(fullname, [str(ROOT / "addon_blender")]) if fullname == "kineograph_fbx" else None


def _folder(prefix: str) -> Path:
    _folders.append(Path(mkdtemp(prefix=prefix)))
    return _folders[-1]


class _Alias(MetaPathFinder, Loader):
    """``kineograph_blender.x`` is the module ``bl_ext.user_default.kineograph.x``, and no second copy of it."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Names below ``kineograph_blender`` only."""
        return ModuleSpec(fullname, self) if fullname.partition(".")[0] == NAME else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The extension's module."""
        module = importlib.import_module(EXTENSION + spec.name.removeprefix(NAME))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It ran already; it keeps its own spec, by which its relative imports go."""
        assert module.__spec__ is not None
        module.__spec__ = self._specs[module.__spec__.name]
