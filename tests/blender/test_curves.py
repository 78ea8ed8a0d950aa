# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses worked out from curves are those that Blender shows; whatever else has a say sends the reader to Blender."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Euler
from tests.blender import measure, scenes

from kineograph_blender import compat
from kineograph_blender.bridge import guard, keyed
from kineograph_blender.bridge import rig as rigs
from kineograph_blender.bridge.curves import Poses

FRAMES = [1.0, 20.0, 37.5, 75.0, 112.0, 160.0]
MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


def worked_out(armature: Any) -> Poses | None:
    own = scenes.own(armature)
    rig = rigs.read(armature, bpy.context.scene)
    return Poses.of(armature, *own, rig, keyed.read(*own))


def is_what_blender_shows(armature: Any) -> None:
    found = worked_out(armature)
    assert found is not None
    rig = rigs.read(armature, bpy.context.scene)
    lines = compat.curves(*scenes.own(armature))
    asked = {k.where: np.array([lines[k.where].evaluate(f) for f in FRAMES]) for k in found.not_on_keys(FRAMES)}
    every = found.at(FRAMES, asked)
    got = [every[n] for n in range(len(FRAMES))]
    assert max(measure.miss(rig, got, measure.shown(armature, rig, FRAMES))) < 1e-5


@pytest.mark.parametrize("kind", scenes.RIGS)
def test_every_kind_of_rig(scene: Any, kind: str) -> None:
    armature = scenes.RIGS[kind]()
    names = [b.name for b in armature.data.bones][:30]
    scenes.key_poses(armature, names, names[0])
    is_what_blender_shows(armature)


@pytest.mark.parametrize("mode", MODES)
def test_every_rotation_mode_and_what_is_posed_but_not_keyed(scene: Any, mode: str) -> None:
    armature = scenes.simple()
    for bone in armature.pose.bones:
        bone.rotation_mode = mode
    scenes.key_poses(armature, ["Hips", "LeftArm", "Head"], "Hips")
    _, value = scenes.turn_value(armature, "Spine", Euler((0.2, 0.3, -0.4)).to_quaternion())
    setattr(armature.pose.bones["Spine"], scenes.datapath.rotation_prop(mode)[0], value)
    armature.pose.bones["LeftUpLeg"].location = (0.1, 0.0, 0.05)
    armature.data.bones["LeftUpLeg"].use_local_location = False
    is_what_blender_shows(armature)


def test_values_that_are_no_rotation(scene: Any) -> None:
    armature = scenes.simple()
    armature.pose.bones["LeftArm"].rotation_mode = "AXIS_ANGLE"
    scenes.key(armature, "LeftArm", "rotation_axis_angle", 1, (1.0, 0.0, 0.0, 0.0))
    scenes.key(armature, "Head", "rotation_quaternion", 1, (0.0, 0.0, 0.0, 0.0))
    scenes.key(armature, "Neck", "rotation_quaternion", 1, (2.0, 1.0, 0.0, 0.0))
    is_what_blender_shows(armature)


def test_a_turned_scaled_moved_object_below_a_still_parent(scene: Any) -> None:
    armature = scenes.mixamo()
    parent = scenes.empty((1.0, 2.0, 0.5), "Stage")
    parent.rotation_euler = (0.2, 0.1, 1.0)
    armature.parent = parent
    bpy.context.view_layer.update()
    scenes.key_poses(armature, [b.name for b in armature.data.bones], "mixamorig:Hips")
    is_what_blender_shows(armature)


def test_muted_curves_and_modifiers(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "LeftArm", "Head", "Spine"], "Hips")
    action, slot = scenes.own(armature)
    for curve in compat.curves(action, slot):
        if "Head" in curve.data_path:
            curve.mute = True
        if "LeftArm" in curve.data_path:
            curve.modifiers.new("NOISE")
    action.update_tag()  # as the animation editors do
    assert {k.channel.bone for k in keyed.read(action, slot).curves} == {"Hips", "LeftArm", "Spine"}
    bpy.context.view_layer.update()
    is_what_blender_shows(armature)


def _constraint(armature: Any) -> None:
    armature.pose.bones["Spine"].constraints.new("LIMIT_ROTATION")


def _driver(armature: Any) -> None:
    armature.pose.bones["Spine"].driver_add("rotation_quaternion", 1)


def _strip(armature: Any) -> None:
    track = armature.animation_data.nla_tracks.new()
    track.strips.new("below", 1, scenes.own(armature)[0])


def _scale(armature: Any) -> None:
    armature.pose.bones["Spine"].scale = (1.1, 1.0, 1.0)


def _keyed_scale(armature: Any) -> None:
    scenes.key(armature, "Spine", "scale", 10, (1.0, 2.0, 1.0))


def _object_key(armature: Any) -> None:
    armature.keyframe_insert("location", frame=1)


def _object_constraint(armature: Any) -> None:
    armature.constraints.new("LIMIT_LOCATION")


def _bone_parent(armature: Any) -> None:
    other = scenes.simple("Horse")
    armature.parent, armature.parent_type, armature.parent_bone = other, "BONE", "Spine"


def _vertex_parent(armature: Any) -> None:
    mesh = bpy.data.meshes.new("Ground")
    mesh.from_pydata([(0, 0, 0)], [], [])
    armature.parent, armature.parent_type = scenes.add(mesh, "Ground"), "VERTEX"


def _moved_parent(armature: Any) -> None:
    armature.parent = scenes.empty((0, 0, 0), "Cart")
    armature.parent.keyframe_insert("location", frame=1)


def _influence(armature: Any) -> None:
    armature.animation_data.action_influence = 0.5


def _muted_group(armature: Any) -> None:
    compat.groups(*scenes.own(armature))[0].mute = True


def _inherit(armature: Any) -> None:
    armature.data.bones["Spine"].use_inherit_rotation = False


OTHERS: dict[str, Callable[[Any], None]] = {
    f.__name__.strip("_"): f
    for f in (
        _constraint, _driver, _strip, _scale, _keyed_scale, _object_key, _object_constraint, _bone_parent,
        _vertex_parent, _moved_parent, _influence, _muted_group, _inherit,
    )
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_where_something_else_has_a_say_blender_is_asked(scene: Any, what: str) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "LeftArm"], "Hips")
    assert worked_out(armature) is not None
    OTHERS[what](armature)
    bpy.context.view_layer.update()
    assert worked_out(armature) is None
    before = guard.visits()
    out = measure.gather(armature)
    assert guard.visits() > before
    want = measure.shown(armature, out.rig, scenes.KEY_FRAMES)
    for constraint, pose in zip(measure.constraints(out, "pose_keyframe"), want, strict=True):
        for name, turn in constraint["joint_rotations"].items():
            assert np.abs(np.array(turn) - pose.local_xyzw[out.rig.skeleton.index[name]]).max() < 1e-6


def test_somebodys_handler_sends_the_reader_to_blender(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips"], "Hips")

    def handler(*_: Any) -> None:
        armature.pose.bones["Head"].location.x = 0.0

    bpy.app.handlers.frame_change_post.append(handler)
    try:
        assert worked_out(armature) is None
    finally:
        bpy.app.handlers.frame_change_post.remove(handler)
    assert worked_out(armature) is not None


def test_a_rig_that_only_keys_move_is_read_without_setting_a_frame(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "LeftArm"], "Hips")
    scene.frame_set(42)
    before = guard.visits()
    out = measure.gather(armature)
    assert guard.visits() == before
    assert len(measure.constraints(out, "pose_keyframe")) == len(scenes.KEY_FRAMES)
