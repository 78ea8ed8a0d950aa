# SPDX-License-Identifier: Apache-2.0
"""Run by a Python that has ``bpy``: the usual way to retarget in Blender, timed.

``python bake.py SOURCE.glb TARGET.glb PAIRS.json``: Copy Rotation (and Copy Location on the hips) on every paired bone,
then one visual bake of the pose. Prints {"frames", "seconds", "blender"} as its last line. Only the bake is timed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import bpy


def load(path: str, fps: int) -> Any:
    """Import a GLB; its armature."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps, 1.0
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=path)
    return next(o for o in bpy.data.objects if o not in before and o.type == "ARMATURE")


def constrain(source: Any, target: Any, pairs: list[tuple[str, str]], hips: str) -> None:
    """Copy the source's rotations onto the target's bones."""
    for from_name, to_name in pairs:
        bone = target.pose.bones[to_name]
        kinds = ["COPY_ROTATION", "COPY_LOCATION"] if to_name == hips else ["COPY_ROTATION"]
        for kind in kinds:
            constraint = bone.constraints.new(kind)
            constraint.target, constraint.subtarget = source, from_name


def main(source_path: str, target_path: str, pairs_path: str) -> None:
    """Import, constrain, bake, report."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    given = json.loads(Path(pairs_path).read_text(encoding="utf-8"))
    source, target = load(source_path, given["fps"]), load(target_path, given["fps"])
    constrain(source, target, given["pairs"], given["hips"])
    start, end = (int(f) for f in source.animation_data.action.frame_range)
    for other in bpy.context.view_layer.objects:
        other.select_set(other == target)
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="POSE")
    began = time.perf_counter()
    bpy.ops.nla.bake(
        frame_start=start, frame_end=end, only_selected=False, visual_keying=True, clear_constraints=True,
        bake_types={"POSE"},
    )  # fmt: skip
    seconds = time.perf_counter() - began
    done = {"frames": end - start + 1, "seconds": seconds, "blender": bpy.app.version_string}
    print("\n" + json.dumps(done), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
    os._exit(0)  # some Blenders crash or hang in their own clean-up when Python ends
