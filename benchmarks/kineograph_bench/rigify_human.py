# SPDX-License-Identifier: Apache-2.0
"""Run by a Python that has ``bpy``: the rest pose of Rigify's human, as JSON on standard output's last line.

``python rigify_human.py`` prints {"names", "parents", "translations_m", "rotations_xyzw"}, y up.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def human() -> Any:
    """The human metarig of 159 bones as an armature object."""
    import bpy  # isort: skip  (addon_utils is found only once bpy is there)
    import addon_utils

    addon_utils.enable("rigify", default_set=True)
    armature = bpy.data.armatures.new("metarig")
    rig = bpy.data.objects.new("metarig", armature)
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    importlib.import_module("rigify.metarigs.human").create(rig)
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def rest(rig: Any) -> dict[str, Any]:
    """Names, parents and local rest transforms of an armature, z up turned to y up."""
    import mathutils

    turn = mathutils.Matrix.Rotation(-1.5707963267948966, 4, "X")
    bones = list(rig.data.bones)
    # One root above all others, as a skeleton has: loose bones hang from the first one.
    index = {b.name: i for i, b in enumerate(bones)}
    world = {b.name: turn @ b.matrix_local for b in bones}
    out: dict[str, Any] = {"names": [], "parents": [], "translations_m": [], "rotations_xyzw": []}
    for i, bone in enumerate(bones):
        up = bone.parent.name if bone.parent else (bones[0].name if i else None)
        local = world[bone.name] if up is None else world[up].inverted() @ world[bone.name]
        q = local.to_quaternion()
        out["names"].append(bone.name)
        out["parents"].append(-1 if up is None else index[up])
        out["translations_m"].append(list(local.to_translation()))
        out["rotations_xyzw"].append([q.x, q.y, q.z, q.w])
    return out


if __name__ == "__main__":
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    document = json.dumps(rest(human()))
    sys.stdout.flush()
    print("\n" + document, flush=True)
    os._exit(0)  # some Blenders crash or hang in their own clean-up when Python ends
