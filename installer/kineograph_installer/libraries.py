# SPDX-License-Identifier: Apache-2.0
"""System libraries that Blender's module needs: find what lacks, install it when allowed, else say the line."""

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
