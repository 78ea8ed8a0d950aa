# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones are sent, in what tree, in what frame; and what is refused, with its fix."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from tests.blender import measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph_blender import session
from kineograph_blender.bridge import bones as bone_choice
from kineograph_blender.bridge import rig as rigs
from kineograph_blender.bridge.bones import Which


@pytest.mark.parametrize("kind", scenes.RIGS)
def test_rests_are_world_aligned_and_y_up(scene: Any, kind: str) -> None:
    armature = scenes.RIGS[kind]()
    skeleton = measure.gather(armature).request["skeleton"]
    assert skeleton["coordinate_system"] == "right_handed_y_up"
    assert all(j["rest_rotation"] == [0.0, 0.0, 0.0, 1.0] for j in skeleton["joints"])
    rig = rigs.read(armature, scene)
    for i, name in enumerate(rig.names):
        x, y, z = (armature.matrix_world @ armature.data.bones[name].matrix_local).translation
        assert rig.skeleton.rest_positions_m[i] == pytest.approx((x, z, -y), abs=2e-6)


def test_a_character_faces_plus_z(scene: Any) -> None:
    rig = rigs.read(scenes.simple(), scene)
    at = dict(zip(rig.names, rig.skeleton.rest_positions_m, strict=True))
    assert at["LeftToeBase"][2] > at["LeftFoot"][2] + 0.05, "the toes are in front"
    assert at["LeftHand"][0] > 0.5, "the left hand is at +X"


def test_several_roots_are_named_with_a_fix(scene: Any) -> None:
    rows = [*scenes.BODY, ("IK_foot", None, (0, 0, 0), (0, 0.1, 0)), ("weapon", None, (1, 0, 1), (1, 0.1, 1))]
    armature = scenes.armature("Hero", rows)
    with pytest.raises(KineographError) as e:
        rigs.read(armature, scene)
    assert e.value.code is ErrorCode.INVALID_SKELETON
    assert e.value.details["roots"] == ["Hips", "IK_foot", "weapon"]
    assert e.value.details["suggestions"] == ["Hips"]
    problem = session.problem_of(e.value)
    assert problem.text == "The rig has 3 roots: Hips, IK_foot, weapon."
    assert {f.id for f in problem.fixes} >= {"choose_root", "use_deform_bones"}
    assert len(rigs.read(armature, scene, root=e.value.details["suggestions"][0]).names) == len(scenes.BODY)


def test_deform_bones_leave_controls_out(scene: Any) -> None:
    rows = [*scenes.BODY, ("IK_foot", None, (0, 0, 0), (0, 0.1, 0))]
    armature = scenes.armature("Hero", rows)
    armature.data.bones["IK_foot"].use_deform = False
    assert "IK_foot" not in rigs.read(armature, scene).names
    with pytest.raises(KineographError):
        rigs.read(armature, scene, Which.ALL)


def test_several_deform_roots_are_joined_by_the_bone_above_them(scene: Any) -> None:
    rows = [
        ("root", None, (0, 0, 0), (0, 0.2, 0)),
        ("hips", "root", (0, 0, 1), (0, 0, 1.2)),
        ("tail", "root", (0, 0.3, 1), (0, 0.6, 1)),
    ]
    armature = scenes.armature("Cat", rows)
    armature.data.bones["root"].use_deform = False
    rig = rigs.read(armature, scene)
    assert rig.names[0] == "root"
    assert rig.skeleton.parents.tolist() == [-1, 0, 0]


def test_only_what_is_below_a_chosen_root(scene: Any) -> None:
    rig = rigs.read(scenes.simple(), scene, root="LeftShoulder")
    assert rig.names == ("LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand")


def test_an_unknown_root_is_refused(scene: Any) -> None:
    with pytest.raises(KineographError) as e:
        rigs.read(scenes.simple(), scene, root="Pelvis")
    assert e.value.code is ErrorCode.UNKNOWN_JOINT
    assert e.value.details["got"] == "Pelvis"


def test_an_armature_without_bones(scene: Any) -> None:
    with pytest.raises(KineographError) as e:
        rigs.read(scenes.armature("Empty", ()), scene)
    assert e.value.code is ErrorCode.INVALID_SKELETON


def test_a_generated_rigify_rig_takes_its_tree_from_the_org_bones() -> None:
    parents = {
        "root": None,
        "ORG-spine": "root",
        "ORG-pelvis.L": "ORG-spine",
        "ORG-thigh.L": "ORG-spine",
        "ORG-shin.L": "ORG-thigh.L",
        "ORG-face": "ORG-spine",
        "MCH-lid.L": "ORG-face",
        "DEF-spine": "root",
        "DEF-pelvis.L": "ORG-pelvis.L",
        "DEF-thigh.L": "ORG-spine",
        "DEF-thigh.L.001": "DEF-thigh.L",
        "DEF-shin.L": "DEF-thigh.L.001",
        "DEF-lid.L": "MCH-lid.L",
    }
    deform = {n for n in parents if n.startswith("DEF-")}
    tree = bone_choice.choose("rig", parents, deform, Which.DEFORM, None)
    assert tree == {
        "DEF-spine": None,
        "DEF-pelvis.L": "DEF-spine",
        "DEF-thigh.L": "DEF-spine",
        "DEF-thigh.L.001": "DEF-thigh.L",
        "DEF-shin.L": "DEF-thigh.L.001",
        "DEF-lid.L": "DEF-spine",
    }


def test_a_tail_of_a_generated_animal_hangs_on_its_spine() -> None:
    """Its bones hang on one another from the tip, and the tip's controls on a tweak of the spine."""
    parents = {
        "root": None,
        "torso": "root",
        "spine_fk.004": "torso",
        "tweak_spine.004": "spine_fk.004",
        "ORG-spine.004": "tweak_spine.004",
        "DEF-spine.004": "root",
        "MCH-ROT-tail": "tweak_spine.004",
        "spine.003": "MCH-ROT-tail",
        "spine": "spine.003",
        "tweak_spine": "spine",
        "ORG-spine": "tweak_spine",
        "DEF-spine": "ORG-spine",
        "DEF-spine.003": "DEF-spine",
    }
    deform = {n for n in parents if n.startswith("DEF-")}
    tree = bone_choice.choose("rig", parents, deform, Which.DEFORM, None)
    assert tree == {"DEF-spine.004": None, "DEF-spine": "DEF-spine.004", "DEF-spine.003": "DEF-spine"}


@pytest.mark.parametrize(
    ("scale", "words"), [((1, 1, 1.2), "not the same"), ((-1, 1, 1), "negative"), ((-1, -1, -1), "negative")]
)
def test_a_scale_that_is_not_uniform_or_negative(scene: Any, scale: Any, words: str) -> None:
    armature = scenes.simple()
    armature.scale = scale
    bpy.context.view_layer.update()
    with pytest.raises(KineographError, match=words) as e:
        measure.gather(armature)
    assert e.value.code is ErrorCode.APPLY_BLOCKED
    assert session.problem_of(e.value).fixes[0].id == "apply_scale"
    assert session.problem_of(e.value).text == "'Hero' is scaled unevenly or mirrored."
    scenes.activate(armature)
    bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
    assert measure.gather(armature).rig.scale == pytest.approx(1.0), "the fix works"


def test_a_sheared_object_is_refused(scene: Any) -> None:
    armature = scenes.simple()
    parent = scenes.empty((0, 0, 0), "Stretched")
    parent.scale = (2, 1, 1)
    armature.parent = parent
    armature.rotation_euler.z = math.radians(45)
    bpy.context.view_layer.update()
    with pytest.raises(KineographError) as e:
        measure.gather(armature)
    assert e.value.details["blocker"] == "scale"


def test_an_edited_rest_is_noticed_and_a_moved_object_is_not(scene: Any) -> None:
    armature = scenes.simple()
    rig = rigs.read(armature, scene)
    armature.matrix_world = Matrix.Translation((1, 2, 3)) @ Matrix.Rotation(1.0, 4, "Z")
    bpy.context.view_layer.update()
    assert rigs.what_changed(rig, armature) == []
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones["LeftArm"].tail.z += 0.05
    bpy.ops.object.mode_set(mode="OBJECT")
    assert any("LeftArm" in line for line in rigs.what_changed(rig, armature))
    armature.data.bones["Head"].name = "Skull"
    assert rigs.what_changed(rig, armature) == ["bone 'Head' is gone"]


def test_a_renamed_armature_is_found_again(scene: Any) -> None:
    armature = scenes.simple()
    rig = rigs.read(armature, scene)
    armature.name = "Somebody else"
    assert rigs.find(rig) == armature
    bpy.data.objects.remove(armature)
    assert rigs.find(rig) is None


def test_matrices_become_quaternions_in_double_precision(scene: Any) -> None:
    armature = scenes.mixamo()
    pose = measure.shown(armature, rigs.read(armature, scene), [1])[0]
    assert pose.local_xyzw.dtype == np.float64
    assert np.abs(np.linalg.norm(pose.local_xyzw, axis=-1) - 1.0).max() < 1e-12
    assert np.abs(pose.local_xyzw[:, :3]).max() < 1e-6, "at rest nothing is turned"
