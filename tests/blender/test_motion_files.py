# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that we write, opened by Blender's own importers, and files that Blender writes, opened by us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest
from tests.blender import scenes
from tests.fakes import rigs
from tests.unit.core.motion.samples import smooth

from kineograph import formats
from kineograph.formats import bvh, glb, mannequin
from kineograph.motion import axes, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FRAMES = (0, 1, 17, 39)


def evaluated(armature: Any, names: tuple[str, ...], frame: int) -> np.ndarray:
    """World positions (J, 3) of the bones' heads in Blender's evaluated pose, turned to y up."""
    bpy.context.scene.frame_set(frame)
    bpy.context.view_layer.update()
    own = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    heads = [(own.matrix_world @ own.pose.bones[name].matrix).translation[:] for name in names]
    return axes.y_up_from_z_up(np.array(heads))


def the_armature() -> Any:
    found = [ob for ob in bpy.data.objects if ob.type == "ARMATURE"]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("rig", [rigs.human, rigs.quadruped, rigs.chain])
def test_a_glb_becomes_an_armature_with_the_same_poses(scene: Any, tmp_path: Path, rig: Callable[[], Skeleton]) -> None:
    clip = smooth(rig(), 40, fps_hz=24.0)
    formats.save(tmp_path / "a.glb", clip.skeleton, [clip], mesh=mannequin.build(clip.skeleton))
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "a.glb"))
    armature = the_armature()
    assert {b.name for b in armature.data.bones} == set(clip.skeleton.names)
    assert any(ob.type == "MESH" and ob.find_armature() == armature for ob in bpy.data.objects)
    pos, _ = clip.world()
    for frame in FRAMES:
        assert np.abs(evaluated(armature, clip.skeleton.names, frame) - pos[frame]).max() < 1e-4


def test_the_skin_follows_its_bones(scene: Any, tmp_path: Path) -> None:
    """A skinned vertex of Blender's evaluated mesh is where its joint carries it."""
    clip = smooth(rigs.human(), 40, fps_hz=24.0)
    mesh = mannequin.build(clip.skeleton)
    formats.save(tmp_path / "a.glb", clip.skeleton, [clip], mesh=mesh)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "a.glb"))
    body = next(ob for ob in bpy.data.objects if ob.type == "MESH" and ob.find_armature())
    scene.frame_set(17)
    own = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    seen = axes.y_up_from_z_up(np.array([(own.matrix_world @ v.co)[:] for v in own.data.vertices]))
    low, high = seen.min(0), seen.max(0)
    expected = _skinned(clip, mesh, 17)
    assert np.allclose(low, expected.min(0), atol=1e-3)
    assert np.allclose(high, expected.max(0), atol=1e-3)


def _skinned(clip: Clip, mesh: formats.Mesh, frame: int) -> np.ndarray:
    pos, rot = clip.world()
    joint = mesh.joints[:, 0]
    local = mesh.positions_m - clip.skeleton.rest_positions_m[joint]
    back = quat.conj(clip.skeleton.rest_world_rotations_xyzw[joint])
    return pos[frame, joint] + quat.rotate(rot[frame, joint], quat.rotate(back, local))


def test_a_bvh_becomes_an_armature_with_the_same_poses(scene: Any, tmp_path: Path) -> None:
    addon_utils.enable("io_anim_bvh", default_set=False)
    clip = smooth(rigs.human(), 40, fps_hz=24.0)
    formats.save(tmp_path / "a.bvh", clip.skeleton, [clip])
    bpy.ops.import_anim.bvh(filepath=str(tmp_path / "a.bvh"), axis_forward="-Z", axis_up="Y", frame_start=1)
    armature = the_armature()
    names = tuple(name for name in clip.skeleton.names if name in armature.pose.bones)
    assert len(names) >= len(clip.skeleton) - 6
    index = [clip.skeleton.index[name] for name in names]
    pos, _ = clip.world()
    for frame in FRAMES:
        assert np.abs(evaluated(armature, names, frame + 1) - pos[frame, index]).max() < 1e-4


def test_we_read_the_bvh_that_blender_writes(scene: Any, tmp_path: Path) -> None:
    """Six channels on every joint, z up."""
    addon_utils.enable("io_anim_bvh", default_set=False)
    armature, names = _keyed(scene)
    bpy.ops.export_anim.bvh(filepath=str(tmp_path / "b.bvh"), frame_start=1, frame_end=20, rotate_mode="NATIVE")
    asset = bvh.read(tmp_path / "b.bvh", up="z")
    _same(asset, armature, names, first_frame=1)


def test_we_read_the_glb_that_blender_writes(scene: Any, tmp_path: Path) -> None:
    armature, names = _keyed(scene)
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "b.glb"), export_yup=True, export_frame_range=False)
    asset = glb.read(tmp_path / "b.glb")
    _same(asset, armature, names, first_frame=1)


def _keyed(scene: Any) -> tuple[Any, tuple[str, ...]]:
    """The plain armature, moved, with a key on every bone at frames 1, 10 and 20."""
    armature = scenes.simple()
    rng = np.random.default_rng(3)
    bpy.context.view_layer.objects.active = armature
    armature.select_set(True)
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    for frame in (1, 10, 20):
        for bone in armature.pose.bones:
            turn = np.array([1.0, *rng.uniform(-0.3, 0.3, 3)])
            bone.rotation_quaternion = (turn / np.linalg.norm(turn)).tolist()
            bone.keyframe_insert("rotation_quaternion", frame=frame)
            if bone.parent is None:
                bone.location = rng.uniform(-0.5, 0.5, 3).tolist()
                bone.keyframe_insert("location", frame=frame)
    scene.frame_end = 20
    return armature, tuple(bone.name for bone in armature.data.bones)


def _same(asset: formats.Asset, armature: Any, names: tuple[str, ...], first_frame: int) -> None:
    clip = asset.clips[0]
    assert len(clip) == 20
    assert clip.fps_hz == 24.0
    index = [asset.skeleton.index[name] for name in names]
    pos, _ = clip.world()
    for frame in (0, 5, 13, 19):
        there = evaluated(armature, names, frame + first_frame)
        assert np.abs(pos[frame, index] - there).max() < 1e-4
