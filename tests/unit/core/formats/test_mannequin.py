# SPDX-License-Identifier: Apache-2.0
"""The figure: closed skin around any skeleton, each vertex on the bone that carries it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from tests.fakes import rigs
from tests.unit.core.motion.strategies import skeletons

from kineograph.formats import Mesh, mannequin
from kineograph.motion.skeleton import Skeleton

RIGS = [rigs.human, rigs.quadruped, rigs.chain, rigs.single]


def outward(mesh: Mesh) -> np.ndarray:
    """For each triangle, whether its winding agrees with its vertices' normals."""
    a, b, c = (mesh.positions_m[mesh.triangles[:, i]] for i in range(3))
    return np.einsum("fi,fi->f", np.cross(b - a, c - a), mesh.normals[mesh.triangles].mean(1))


@settings(deadline=None)
@given(skeletons())
def test_any_skeleton_gets_a_sound_mesh(skeleton: Skeleton) -> None:
    mesh = mannequin.build(skeleton)
    assert np.isfinite(mesh.positions_m).all()
    assert np.allclose(np.linalg.norm(mesh.normals, axis=-1), 1)
    assert np.allclose(mesh.weights.sum(-1), 1)
    assert 0 <= mesh.joints.min() <= mesh.joints.max() < len(skeleton)
    assert (outward(mesh) > 0).all()


@pytest.mark.parametrize("rig", RIGS)
def test_every_capsule_is_closed(rig: Callable[[], Skeleton]) -> None:
    """Each edge belongs to two triangles, once the points at a capsule's ends are taken for one."""
    mesh = mannequin.build(rig())
    _, point = np.unique(np.round(mesh.positions_m, 9), axis=0, return_inverse=True)
    sides = point.reshape(-1)[mesh.triangles]
    edges = np.concatenate([sides[:, [0, 1]], sides[:, [1, 2]], sides[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    there = {tuple(edge) for edge in edges.tolist()}
    assert all((b, a) in there for a, b in there)


@pytest.mark.parametrize("rig", RIGS)
def test_the_figure_has_the_skeletons_size_and_every_bone(rig: Callable[[], Skeleton]) -> None:
    skeleton = rig()
    mesh = mannequin.build(skeleton)
    joints = skeleton.rest_positions_m
    grown = np.ptp(mesh.positions_m, axis=0) - np.ptp(joints, axis=0)
    assert (grown > 0).all()
    assert (grown < 0.3 * skeleton.height_m).all()
    carrying = {j for j, c in enumerate(skeleton.children) if c}
    assert carrying <= set(mesh.joints[:, 0].tolist())
    far = [np.linalg.norm(mesh.positions_m - at, axis=-1).min() for at in joints]
    assert max(far) < 0.12 * skeleton.height_m


def test_a_person_has_a_head_and_a_trunk_stouter_than_arms() -> None:
    skeleton = rigs.human()
    mesh = mannequin.build(skeleton)

    def width(joint: str, axis: int) -> float:
        return float(np.ptp(mesh.positions_m[mesh.joints[:, 0] == skeleton.index[joint], axis]))

    assert width("Head", 2) > 0.15
    assert width("Spine1", 2) > 1.2 * width("LeftArm", 2) > 1.2 * width("LeftForeArm", 2)


def test_joints_in_one_place_do_no_harm() -> None:
    skeleton = Skeleton.build(["a", "b", "c"], [-1, 0, 0], np.zeros((3, 3)))
    assert np.isfinite(mannequin.build(skeleton).positions_m).all()


def test_a_mesh_checks_its_arrays() -> None:
    good = mannequin.build(rigs.chain())
    with pytest.raises(ValueError, match="shapes"):
        Mesh(good.positions_m, good.normals[:-1], good.triangles, good.joints, good.weights)
    with pytest.raises(ValueError, match="outside"):
        Mesh(good.positions_m, good.normals, good.triangles + 10**6, good.joints, good.weights)
