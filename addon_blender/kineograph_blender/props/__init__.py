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
    return found.kineograph


def of_character(armature: Any) -> Any:
    """A character's settings, to be written to: with a version and an id."""
    settings = armature.kineograph
    touch(settings)
    if not settings.uid:
        settings.uid = uuid.uuid4().hex
    return settings


def _loaded(*_: Any) -> None:
    for owner in (*bpy.data.scenes, *(o for o in bpy.data.objects if o.type == "ARMATURE")):
        for said in migrate.migrate(owner.kineograph):
            log.info("%s: %s", owner.name, said)
