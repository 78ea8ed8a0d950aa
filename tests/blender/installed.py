# SPDX-License-Identifier: GPL-3.0-or-later
"""Run as a script, in a Blender with an empty user folder: installs a zip, works with it, switches it off and on.

Arguments: the zip, and how often to switch. Prints one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from typing import Any

import bpy  # isort: skip  (addon_utils is found only once bpy is there)
import addon_utils

ID = "bl_ext.user_default.kineograph"
BONES = (("Hips", None, 1.0), ("Spine", "Hips", 1.2), ("Head", "Spine", 1.6))


def standing() -> dict[str, Any]:
    """What hangs on Blender: handlers, classes, threads."""
    lists = {n: getattr(bpy.app.handlers, n) for n in dir(bpy.app.handlers)}
    return {
        "handlers": {n: len(found) for n, found in lists.items() if isinstance(found, list)},
        "classes": sorted(n for n in dir(bpy.types) if n.startswith("KINEOGRAPH")),
        "threads": sorted(t.name for t in threading.enumerate() if t.name.startswith("kineograph")),
        "owners": [hasattr(bpy.types.Scene, "kineograph"), hasattr(bpy.types.Object, "kineograph")],
    }


def figure() -> Any:
    """Three bones, two keys."""
    rig = bpy.data.objects.new("Hero", bpy.data.armatures.new("Hero"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name, parent, height in BONES:
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail = (0, 0, height), (0, 0, height + 0.2)
        bone.parent = rig.data.edit_bones.get(parent) if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    for frame, turn in ((1, 0.0), (20, 0.5)):
        rig.pose.bones["Spine"].rotation_quaternion = (1.0, turn, 0.0, 0.0)
        rig.pose.bones["Spine"].keyframe_insert("rotation_quaternion", frame=frame)
    return rig


def main(path: str, times: int) -> dict[str, Any]:
    """Install, generate, apply, switch."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    before = standing()
    bpy.ops.extensions.package_install_files(filepath=path, repo="user_default", enable_on_install=True)
    import kineograph

    rig = figure()
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 20
    bpy.ops.kineograph.choose_model(model="kineograph-interpolate")
    bpy.ops.kineograph.generate()
    session = importlib.import_module(f"{ID}.session")
    job = session.current().jobs[-1]
    done = session.current().wait(job, 60.0)
    bpy.ops.kineograph.take_apply()
    action = rig.animation_data.action.name
    address = bpy.context.preferences.addons[ID].preferences.address
    for _ in range(times):
        addon_utils.disable(ID)
        after_off = standing()
        addon_utils.enable(ID)
        importlib.import_module(f"{ID}.session").current()
    on = standing()
    addon_utils.disable(ID)
    end_s = time.monotonic() + 5.0
    while standing()["threads"] and time.monotonic() < end_s:
        time.sleep(0.01)
    return {
        "core": kineograph.__file__,
        "user": os.environ["BLENDER_USER_RESOURCES"],
        "done": bool(done),
        "error": str(job.error),
        "action": action,
        "address": address,
        "clean": standing() == before == after_off,
        "on": on["classes"],
    }


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(sys.argv[1], int(sys.argv[2]))))
    sys.stdout.flush()
    os._exit(0)
