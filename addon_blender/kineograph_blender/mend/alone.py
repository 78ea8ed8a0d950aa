# SPDX-License-Identifier: GPL-3.0-or-later
"""One object alone selected and active, for an operator of Blender's that acts on what is selected.

Not by ``temp_override``: an operator that runs inside one asks Python's override for its window without holding
Python's lock, whenever another thread happens to hold it (Python 3.11; Blender 4.2 to 5.1), and ends Blender with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_HIDING = ("hide_viewport", "hide_select")


@contextmanager
def alone(view_layer: Any, scene: Any, thing: Any) -> Iterator[None]:
    """Select ``thing`` only, shown even where it is hidden; what was selected, active and hidden is so again."""
    objects, root = view_layer.objects, scene.collection.objects
    chosen, active = [other for other in objects if other.select_get(view_layer=view_layer)], objects.active
    is_elsewhere = not thing.visible_get(view_layer=view_layer) and root.get(thing.name) != thing
    if is_elsewhere:  # its own collections may be hidden; a scene's first one never is
        root.link(thing)
    hidden = {name: getattr(thing, name) for name in _HIDING}
    is_hidden = thing.hide_get(view_layer=view_layer)
    try:
        for other in chosen:
            other.select_set(False, view_layer=view_layer)
        for name in _HIDING:
            setattr(thing, name, False)
        thing.hide_set(False, view_layer=view_layer)
        view_layer.update()
        thing.select_set(True, view_layer=view_layer)
        objects.active = thing
        yield
    finally:
        for name, was in hidden.items():
            setattr(thing, name, was)
        view_layer.update()
        thing.hide_set(is_hidden, view_layer=view_layer)
        thing.select_set(False, view_layer=view_layer)
        if is_elsewhere:
            root.unlink(thing)
        for other in chosen:
            other.select_set(True, view_layer=view_layer)
        objects.active = active
