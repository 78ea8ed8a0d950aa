# SPDX-License-Identifier: GPL-3.0-or-later
"""Run as a script: writes Rigify's metarigs and two generated rigs into a file.

In a process of its own, because Rigify leaves handlers behind in the one that enables it.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import bpy  # isort: skip  (addon_utils is found only once bpy is there)
import addon_utils

METARIGS = {"human": "human", "quadruped": "Basic.basic_quadruped", "basic": "Basic.basic_human"}


def metarig(name: str, kind: str) -> Any:
    """An armature object with one of Rigify's metarigs."""
    rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(rig)
    only(rig)
    bpy.ops.object.mode_set(mode="EDIT")
    importlib.import_module(f"rigify.metarigs.{kind}").create(rig)
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def only(rig: Any) -> None:
    """Active and selected, alone."""
    for other in bpy.context.view_layer.objects:
        other.select_set(other == rig)
    bpy.context.view_layer.objects.active = rig


def main(path: str) -> None:
    """Make all and save."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("rigify", default_set=True)
    made = {name: metarig(name, kind) for name, kind in METARIGS.items()}
    for meta, name in (("basic", "generated"), ("quadruped", "animal")):
        only(made[meta])
        bpy.ops.object.mode_set(mode="POSE")
        bpy.ops.pose.rigify_generate()
        bpy.ops.object.mode_set(mode="OBJECT")
        bpy.context.object.name = name
    bpy.ops.wm.save_as_mainfile(filepath=path)


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)
