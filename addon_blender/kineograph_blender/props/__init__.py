# SPDX-License-Identifier: GPL-3.0-or-later
"""What is saved in the file: ``scene.kineograph`` and, on an armature object, ``object.kineograph``."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import bpy

from . import character, migrate, scene
from .migrate import touch

log = logging.getLogger(__name__)

_ids: dict[int, str] = {}
"""Ids by ``session_uid``, which Blender keeps through undo and gives to nothing else as long as it runs."""

CLASSES = (*scene.CLASSES, *character.CLASSES)


def attach() -> None:
    """Hang the settings on scenes and objects, and bring files of older versions up when they are loaded."""
    bpy.types.Scene.kineograph = bpy.props.PointerProperty(type=scene.KINEOGRAPH_PG_scene)
    bpy.types.Object.kineograph = bpy.props.PointerProperty(type=character.KINEOGRAPH_PG_character)
    bpy.app.handlers.load_post.append(bpy.app.handlers.persistent(_loaded))


def detach() -> None:
    """Take them off again; what was saved stays in the file."""
    if _loaded in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_loaded)
    for owner in (bpy.types.Object, bpy.types.Scene):
        if hasattr(owner, "kineograph"):
            del owner.kineograph


def of_scene(found: Any) -> Any:
    """A scene's settings, to be written to: they say their version from now on."""
    touch(found.kineograph)
    _let_go(found)
    return found.kineograph


def is_in(scene: Any, thing: Any) -> bool:
    """Whether an object stands in a scene: one that was deleted lives on as long as something points at it."""
    return scene.objects.get(thing.name) == thing or scene in thing.users_scene


def _let_go(scene: Any) -> None:
    """A character that was deleted is pinned no longer: the pin alone would keep it in the file."""
    settings = scene.kineograph
    if settings.character is not None and not is_in(scene, settings.character):
        settings.character, settings.is_pinned = None, False


def of_character(armature: Any) -> Any:
    """A character's settings, to be written to: with a version and an id."""
    settings = armature.kineograph
    touch(settings)
    if not settings.uid:
        settings.uid = uid_of(armature) or uuid.uuid4().hex
    remember(armature, settings.uid)
    return settings


def uid_of(armature: Any) -> str:
    """A character's id; empty where it has none. One that an undo took away is still known."""
    settings = getattr(armature, "kineograph", None)
    return "" if settings is None else str(settings.uid or _ids.get(int(armature.session_uid), ""))


def remember(armature: Any, uid: str) -> None:
    """Say who an armature is, without writing into the file: takes of it are found again."""
    _ids[int(armature.session_uid)] = uid


def _loaded(*_: Any) -> None:
    for owner in (*bpy.data.scenes, *(o for o in bpy.data.objects if o.type == "ARMATURE")):
        for said in migrate.migrate(owner.kineograph):
            log.info("%s: %s", owner.name, said)
    for found in bpy.data.scenes:
        if found.is_editable:
            _let_go(found)
