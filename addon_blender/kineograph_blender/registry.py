# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which Blender hears of things, and back.

Every part is a module or package with any of: ``CLASSES`` (registered in that order, removed in reverse), ``attach()``
(pointers, handlers, drawing; after the classes) and ``detach()`` (before they go). Parts are switched on in the order
of ``PARTS`` and off in reverse; a part that fails takes down what stood before it, so that nothing is left behind.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import bpy

log = logging.getLogger(__name__)

PARTS = ("preferences", "props", "direction", "ops", "ui", "draw", "session", "link")
"""Settings before what reads them; panels by ``ui`` before those that hang below them."""

_standing: list[Any] = []


def register(parts: Sequence[str] = PARTS) -> None:
    """Switch everything on, or nothing. A second call without ``unregister`` starts afresh."""
    if _standing:
        unregister()
    try:
        for name in parts:
            _switch_on(importlib.import_module(f".{name}", __package__))
    except BaseException:
        unregister()
        raise


def unregister() -> None:
    """Switch everything off, also after a failure in the middle."""
    while _standing:
        part = _standing.pop()
        for step in (*_detachers(part), *_removers(part)):
            _quietly(step)


def _switch_on(part: Any) -> None:
    _standing.append(part)
    for cls in getattr(part, "CLASSES", ()):
        bpy.utils.register_class(cls)
    attach = getattr(part, "attach", None)
    if attach is not None:
        attach()


def _detachers(part: Any) -> list[Callable[[], None]]:
    detach = getattr(part, "detach", None)
    return [] if detach is None else [detach]


def _removers(part: Any) -> list[Callable[[], None]]:
    return [_remover(cls) for cls in reversed(getattr(part, "CLASSES", ()))]


def _remover(cls: Any) -> Callable[[], None]:
    def remove() -> None:
        if getattr(cls, "is_registered", False):
            bpy.utils.unregister_class(cls)

    return remove


def _quietly(step: Callable[[], None]) -> None:
    # Blender switches add-ons off at exit too: one part's trouble must not leave the others standing.
    try:
        step()
    except Exception:
        log.exception("a part did not come down")
