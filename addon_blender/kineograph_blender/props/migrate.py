# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings carry the version they were written with; a file of an older one is brought up step by step. No bpy.

Settings are read by name, with ``get`` and ``[...]`` for what newer versions no longer declare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Step = Callable[[Any], None]

VERSION = 1
"""Of the scene's and the characters' settings."""

STEPS: Mapping[int, Step] = {}
"""From a version to the next: what changes in settings that were written with it."""


def migrate(settings: Any, steps: Mapping[int, Step] = STEPS, version: int = VERSION) -> list[str]:
    """Bring settings to ``version``; returns what was said about it. Untouched settings (0) and newer ones stay."""
    written = int(settings.version)
    if written == 0:
        return []
    if written > version:
        return [f"written by a newer Kineograph (settings {written}, this one knows {version}); kept as they are"]
    said = []
    for at in range(written, version):
        step = steps.get(at)
        if step is not None:
            step(settings)
        settings.version = at + 1
        said.append(f"brought from settings {at} to {at + 1}")
    return said


def touch(settings: Any) -> None:
    """Settings that are used for the first time say which version wrote them."""
    if settings.version == 0:
        settings.version = VERSION
