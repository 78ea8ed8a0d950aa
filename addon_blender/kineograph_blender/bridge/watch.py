# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether anything of a character changed in Blender while nobody of ours was at work: an edit, an undo, another file.

What Blender tells is counted by the ids of what matters; it is looked at between two turns and forgotten after each of
ours, so that what we do ourselves is none of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

import bpy

from . import action as actions
from . import marks, stamps

_watches: WeakSet[Watch] = WeakSet()


class Watch:
    """Counts from when it is made until it is ``closed``."""

    def __init__(self, armature: Any, scene: Any) -> None:
        self._ids = {int(thing.session_uid) for thing in _matters(armature, scene)}
        self._is_changed = False
        _watches.add(self)
        _hang_in()

    @property
    def is_changed(self) -> bool:
        """Whether something happened since ``forget``. What Blender has not told yet, it tells now."""
        bpy.context.view_layer.update()
        return self._is_changed

    def forget(self) -> None:
        """What happened up to now counts no more."""
        self._is_changed = False

    def close(self) -> None:
        """Nobody looks any more."""
        _watches.discard(self)
        if not _watches:
            _take_off()

    def hear(self, ids: set[int] | None) -> None:
        """These changed, or None: all may have."""
        if ids is None or self._ids & ids:
            self._is_changed = True


def _matters(armature: Any, scene: Any) -> Iterable[Any]:
    """What a request is read from: the character, what moves it, its marks, and what those hang on."""
    found: dict[int, Any] = {}
    waiting: list[Any] = [armature, stamps.own_action(armature)[0], actions.shown(armature)[0]]
    waiting += [marked for _, marked in marks.all_of(armature, scene)]
    for bone in armature.pose.bones:
        waiting += [getattr(constraint, "target", None) for constraint in bone.constraints]
    while waiting:
        thing = waiting.pop()
        if thing is None or int(thing.session_uid) in found:
            continue
        found[int(thing.session_uid)] = thing
        waiting.append(getattr(thing, "data", None))
        waiting.append(getattr(thing, "parent", None))
        waiting += [getattr(constraint, "target", None) for constraint in getattr(thing, "constraints", ())]
        data = getattr(thing, "animation_data", None)
        if data is not None:
            waiting.append(data.action)
    return found.values()


def _hang_in() -> None:
    for handlers, heard in _handlers():
        if heard not in handlers:
            handlers.append(heard)


def _take_off() -> None:
    for handlers, heard in _handlers():
        if heard in handlers:
            handlers.remove(heard)


def _handlers() -> list[tuple[Any, Any]]:
    every = bpy.app.handlers
    return [
        (every.depsgraph_update_post, _updated),
        (every.undo_post, _all_changed),
        (every.redo_post, _all_changed),
        (every.load_post, _all_changed),
    ]


def _updated(_scene: Any, depsgraph: Any) -> None:
    if not _watches:
        return
    # Of objects only what moves or shapes them: to select one is no change.
    ids = {
        int(update.id.original.session_uid)
        for update in depsgraph.updates
        if not isinstance(update.id, bpy.types.Object) or update.is_updated_transform or update.is_updated_geometry
    }
    for watch in tuple(_watches):
        watch.hear(ids)


def _all_changed(*_: object) -> None:
    for watch in tuple(_watches):
        watch.hear(None)


for _heard in (_updated, _all_changed):  # another file is a change, too
    bpy.app.handlers.persistent(_heard)
