# SPDX-License-Identifier: GPL-3.0-or-later
"""The one module that every Python collects: it says when Blender's tests are left out."""

from __future__ import annotations

import pytest


def test_this_is_a_supported_blender() -> None:
    bpy = pytest.importorskip("bpy", reason="Blender's tests are left out: this Python has no bpy")
    assert bpy.app.version >= (4, 2, 0)
