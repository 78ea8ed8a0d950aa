# SPDX-License-Identifier: Apache-2.0
"""Pixar's library, imported when a file needs it, with a clear word where it is missing."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kineograph.extras import install_line
from kineograph.formats.failure import unreadable

_MODULES = ("Gf", "Sdf", "Tf", "Usd", "UsdGeom", "UsdSkel", "Vt")


def load(path: Path) -> Any:
    """The modules of ``pxr``. Raises ``file_unreadable`` for ``path`` with the line that installs them."""
    try:
        return SimpleNamespace(**{name: importlib.import_module(f"pxr.{name}") for name in _MODULES})
    except ImportError as problem:
        install = install_line("usd")
        said = f"is USD, and usd-core is not installed here. Install it with: {install}"
        raise unreadable(path, said, needs="kineograph[usd]", install=install) from problem
