# SPDX-License-Identifier: GPL-3.0-or-later
"""Turned, moved and parented characters: the same direction gives the same motion, turned with them."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from tests.blender import measure, scenes

from kineograph.motion import quat
from kineograph_blender import api
from kineograph_blender.bridge import marks, poses, stamps

MODEL = "kineograph-interpolate"
FRAMES = (1, 20, 40)

pytestmark = pytest.mark.daemon


def directed(turn: Matrix, *, parented: bool = False) -> Any:
    """A character with keys, a path, a pin and a waypoint, all turned and moved together by ``turn``."""
    armature = scenes.simple()
    scenes.key_poses(armature, ["LeftArm", "Head"], "Hips", frames=(1, 40), travel=0.0)
    if parented:
        cart = scenes.empty((0, 0, 0), "Cart")
        cart.matrix_world = turn
        armature.parent = cart
    else:
        armature.matrix_world = turn
    curve = scenes.curve_path([(0, 0, 0), (0.5, -1, 0)])
    curve.matrix_world = turn
    pin = scenes.empty((0.4, -0.6, 1.2))
    pin.matrix_world = turn @ pin.matrix_world
    bpy.context.view_layer.update()
    marks.mark_path(curve, armature, frames=(1, 30))
    marks.mark_pin(pin, armature, "RightHand", frames=(20, 20))
    return armature


def world_poses(armature: Any) -> list[np.ndarray[Any, Any]]:
    """World matrices (J, 4, 4) at some frames, of what a take shows."""
    take = api.generate(armature, model=MODEL, start=1, end=40, seed=3).wait(timeout_s=60)
    take.apply()
    assert stamps.take_of(armature.animation_data.action)
    out = []
    for frame in FRAMES:
        measure.guard.go_to(bpy.context.scene, frame)
        out.append(poses.world_matrices(armature, take.rig))
    return out


@pytest.mark.parametrize("parented", [False, True])
def test_the_world_pose_is_the_unturned_one_turned(scene: Any, daemon: Any, parented: bool) -> None:
    plain = world_poses(directed(Matrix.Identity(4)))
    for degrees in (0.0, 30.0, 174.29, 180.0):
        scenes.fresh()
        turn = Matrix.Translation((3.0, -2.0, 0.0)) @ Matrix.Rotation(math.radians(degrees), 4, "Z")
        found = world_poses(directed(turn, parented=parented))
        for got, want in zip(found, plain, strict=True):
            meant = np.array(turn) @ want
            assert np.abs(got[:, :3, 3] - meant[:, :3, 3]).max() < 2e-5, degrees
            assert np.abs(got[:, :3, :3] - meant[:, :3, :3]).max() < 2e-5, degrees


@pytest.mark.parametrize("degrees", [0.0, 30.0, 174.29, 180.0])
def test_a_path_towards_plus_x_makes_the_character_face_plus_x(scene: Any, daemon: Any, degrees: float) -> None:
    armature = scenes.simple()
    armature.rotation_euler.z = math.radians(degrees)
    bpy.context.view_layer.update()
    marks.mark_path(scenes.curve_path([(0, 0, 0), (1, 0, 0), (2, 0, 0)]), armature)
    take = api.generate(armature, model=MODEL, start=1, end=60).wait(timeout_s=60)
    take.apply()
    for frame in (10, 30, 50):
        measure.guard.go_to(bpy.context.scene, frame)
        hips = armature.matrix_world @ armature.pose.bones["Hips"].matrix
        rest = armature.data.bones["Hips"].matrix_local
        ahead = (hips.to_3x3() @ rest.to_3x3().inverted()) @ scenes.Vector((0, -1, 0))
        assert math.degrees(math.atan2(ahead.y, ahead.x)) == pytest.approx(0.0, abs=1.0)
        assert hips.translation.x == pytest.approx((frame - 1) / 59 * 2, abs=0.02)


def test_a_character_on_a_turning_parent(scene: Any, daemon: Any) -> None:
    armature = scenes.simple()
    cart = scenes.empty((1, 0, 0), "Cart")
    armature.parent = cart
    for frame, angle in ((1, 0.0), (40, 1.0)):
        cart.rotation_euler.z = angle
        cart.keyframe_insert("rotation_euler", frame=frame)
    scenes.key_poses(armature, ["LeftArm"], "Hips", frames=(1, 40), travel=0.2)
    take = api.generate(armature, model=MODEL, start=1, end=40).wait(timeout_s=60)
    take.apply()
    want = measure.of_clip(take.clip())
    got = measure.shown(armature, take.rig, range(1, 41))
    far, turned = measure.miss(take.rig, got, want)
    assert far < 1e-5
    assert turned < 1e-5
    assert float(quat.angle_between_rad(got[0].local_xyzw[0], got[-1].local_xyzw[0])) < 0.2
