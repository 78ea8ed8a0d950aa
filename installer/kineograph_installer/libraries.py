# SPDX-License-Identifier: Apache-2.0
"""System libraries of Blender's module and of the panel: find what lacks, install it if allowed, else say the line."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from kineograph_installer.console import SetupError, run_logged, step

BLENDER: Mapping[str, str] = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libgomp.so.1": "libgomp1",
}
"""Shared library to Debian package, as ``import bpy`` and its renders need them on Linux."""

PANEL: Mapping[str, str] = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
}
"""What the panel's Qt loads, window or not."""

PANEL_WINDOW: Mapping[str, str] = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-randr.so.0": "libxcb-randr0",
}
"""What the panel's window needs beside them on X11."""


def ensure(wanted: Mapping[str, str], log: Path) -> None:
    """Install what is missing when root and apt is there. Raises SetupError with the line to type otherwise."""
    if not sys.platform.startswith("linux"):
        return
    missing = _missing(wanted)
    if not missing:
        return
    packages = sorted({wanted[name] for name in missing})
    line = f"apt-get install --yes --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetupError(f"These system libraries are missing: {', '.join(missing)}\n  Install them with: sudo {line}")
    with step(f"Installing system libraries: {' '.join(packages)}"):
        run_logged(["apt-get", "update"], log, what="apt-get update")
        command = ["env", "DEBIAN_FRONTEND=noninteractive", *line.split()]
        run_logged(command, log, what="Installing system libraries")
    still = _missing(wanted)
    if still:
        raise SetupError(f"Still missing after the installation: {', '.join(still)}")


def _missing(wanted: Mapping[str, str]) -> list[str]:
    return [name for name in wanted if not _loads(name)]


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
