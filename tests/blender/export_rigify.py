# SPDX-License-Identifier: GPL-3.0-or-later
"""Run as a script: Rigify's human with a skinned block on every bone, exported as FBX, GLB and BVH into a folder.

In a process of its own, because Rigify leaves handlers behind in the one that enables it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import bpy  # isort: skip  (what follows imports what is found only once bpy is there)
import addon_utils

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_rigify import metarig, only  # type: ignore[import-not-found]

_CORNERS = [(x, y, z) for x in (-1, 1) for y in (0, 1) for z in (-1, 1)]
_FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def blocks(rig: Any) -> Any:
    """A mesh with a block along each bone, each bound to its bone."""
    points, faces = [], []
    for bone in rig.data.bones:
        thick = min(0.15 * bone.length, 0.04)
        faces += [tuple(len(points) + i for i in face) for face in _FACES]
        points += [bone.matrix_local @ _vector(x * thick, y * bone.length, z * thick) for x, y, z in _CORNERS]
    data = bpy.data.meshes.new("blocks")
    data.from_pydata([tuple(p) for p in points], [], faces)
    mesh = bpy.data.objects.new("blocks", data)
    bpy.context.scene.collection.objects.link(mesh)
    for i, bone in enumerate(rig.data.bones):
        mesh.vertex_groups.new(name=bone.name).add(range(8 * i, 8 * i + 8), 1.0, "REPLACE")
    mesh.parent = rig
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    return mesh


def _vector(x: float, y: float, z: float) -> Any:
    from mathutils import Vector

    return Vector((x, y, z))


def main(folder: str) -> None:
    """Export all three."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("rigify", default_set=True)
    rig = metarig("human", "human")
    mesh = blocks(rig)
    only(rig)
    mesh.select_set(True)
    addon_utils.enable("io_scene_fbx", default_set=True)
    bpy.ops.export_scene.fbx(filepath=os.path.join(folder, "human.fbx"), add_leaf_bones=False, bake_anim=False)
    bpy.ops.export_scene.gltf(filepath=os.path.join(folder, "human.glb"), export_animations=False)
    only(rig)
    bpy.context.scene.frame_end = 1
    bpy.ops.export_anim.bvh(filepath=os.path.join(folder, "human.bvh"), frame_end=1)


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)
