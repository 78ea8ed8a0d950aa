# SPDX-License-Identifier: Apache-2.0
"""What the panel knows needs no window system: no widget, no display."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys

import kineograph_gui.model


def test_the_model_imports_no_widget_and_needs_no_display() -> None:
    names = [f"kineograph_gui.model.{m.name}" for m in pkgutil.iter_modules(kineograph_gui.model.__path__)]
    code = (
        f"import importlib, sys\nfor name in {['kineograph_gui.link', *names]!r}: importlib.import_module(name)\n"
        "print([m for m in sys.modules if m in ('PySide6.QtWidgets', 'PySide6.QtGui')])"
    )
    bare = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=bare)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
