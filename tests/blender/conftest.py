# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests inside real Blender. Without bpy nothing here is collected, and one line says so."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Any

import pytest

HAS_BPY = find_spec("bpy") is not None
collect_ignore_glob = [] if HAS_BPY else ["test_*.py"]

if HAS_BPY:
    import bpy
    from tests.blender import scenes


def pytest_report_header() -> str:
    """Which Blender this is."""
    if not HAS_BPY:
        return "tests/blender: left out, this Python has no bpy"
    return f"Blender {bpy.app.version_string}, Python {sys.version.split()[0]}"


@pytest.fixture
def scene() -> Any:
    """An empty scene at 24 fps, frames 1 to 150."""
    return scenes.fresh()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """4.2 and 4.5 crash or hang in their own clean-up when Python ends: leave with pytest's own exit code."""
    if HAS_BPY and _STATUS:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_STATUS[-1])


_STATUS: list[int] = []


def pytest_sessionfinish(exitstatus: int) -> None:
    """Remember how it went."""
    _STATUS.append(int(exitstatus))
