# SPDX-License-Identifier: Apache-2.0
"""A simple figure around any skeleton, so that a motion can be seen: a capsule per bone, rigidly skinned.

A bone is as thick as what it carries, within what suits the body's height; a last bone ends in a rounded tip, and a
head is a head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats.asset import Mesh
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import Role, roles_of

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

_SIDES = 12
_RINGS = 3  # per rounded end
_GIRTH = 0.047  # radius, by the body's height, of a bone that carries a whole body's height of bones
_RADII = (0.006, 0.07)  # least and most radius by the body's height
_STOUT = 0.75  # most radius by the bone's length
_TAPER = 0.8  # radius at the far end by the near one
_HEAD = (0.055, 0.035)  # radius of a head, and how far its middle stands above its joint, by the body's height
_SHORT = 1e-3  # of the height: a bone too short to be drawn


def build(skeleton: Skeleton) -> Mesh:
    """The figure in the skeleton's rest pose; every vertex follows one joint."""
    bones = _bones(skeleton)
    capsules = [_capsule(bone) for bone in bones]
    counts = [len(points) for points, _, _ in capsules]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    joints = np.zeros((sum(counts), 4), np.int64)
    joints[:, 0] = np.repeat([bone.joint for bone in bones], counts)
    weights = np.zeros((sum(counts), 4))
    weights[:, 0] = 1.0
    return Mesh(
        np.concatenate([points for points, _, _ in capsules]),
        np.concatenate([normals for _, normals, _ in capsules]),
        np.concatenate([faces + start for (_, _, faces), start in zip(capsules, starts, strict=True)]),
        joints,
        weights,
        name="mannequin",
    )


@dataclass(frozen=True)
class _Bone:
    """A capsule's axis in the rest pose's world, metres, and the joint that carries it."""

    joint: int
    start_m: FloatArray
    end_m: FloatArray
    radius_m: float


def _bones(skeleton: Skeleton) -> list[_Bone]:
    """One bone from each joint to each of its children, a tip on each leaf, a head where the rig has one."""
    height = skeleton.height_m
    at = skeleton.rest_positions_m
    radii = _radii(skeleton)
    head = roles_of(skeleton.names, skeleton.parents, at).get(Role.HEAD)
    out: list[_Bone] = []
    for j, parent in enumerate(skeleton.parents.tolist()):
        length = float(np.linalg.norm(at[j] - at[parent]))
        if parent >= 0 and parent != head and length > _SHORT * height:
            radius = min(float(radii[j]), max(_STOUT * length, _RADII[0] * height))
            out.append(_Bone(parent, at[parent], at[j], radius))
    for j, children in enumerate(skeleton.children):
        if not children and head not in (j, int(skeleton.parents[j])):
            out.append(_Bone(j, at[j], at[j] + _way(skeleton, j) * radii[j], float(radii[j]) * _TAPER))
    if head is not None:
        way = _way(skeleton, head) * height
        out.append(_Bone(head, at[head] + way * _HEAD[1], at[head] + way * 2 * _HEAD[1], _HEAD[0] * height))
    return out


def _radii(skeleton: Skeleton) -> FloatArray:
    """The radius (J,) of the bone that ends at each joint.

    A bone is as stout as what it carries: cross-sections add up at a fork, as in Leonardo's rule for trees.
    """
    height = skeleton.height_m
    carried = np.linalg.norm(skeleton.rest_translations_m, axis=-1)
    carried[skeleton.root] = 0.0
    for j in range(len(skeleton) - 1, 0, -1):
        carried[skeleton.parents[j]] += carried[j]
    radii: FloatArray = np.clip(_GIRTH * np.sqrt(carried / height), *_RADII) * height
    return radii


def _way(skeleton: Skeleton, joint: int) -> FloatArray:
    """The direction in which a joint's bone goes on: to its one child, else as it came; a lone joint points up."""
    at = skeleton.rest_positions_m
    children, parent = skeleton.children[joint], int(skeleton.parents[joint])
    way = at[joint] - at[parent] if parent >= 0 else np.zeros(3)
    if len(children) == 1:
        way = at[children[0]] - at[joint]
    length = float(np.linalg.norm(way))
    return way / length if length > 0 else np.array([0.0, 1.0, 0.0])


def _capsule(bone: _Bone) -> tuple[FloatArray, FloatArray, IntArray]:
    """Vertices (V, 3), normals and triangles: rings along the axis, rounded at both ends."""
    axis = bone.end_m - bone.start_m
    length = float(np.linalg.norm(axis))
    axis = axis / length
    u = np.cross(axis, [1.0, 0, 0] if abs(axis[0]) < 0.7 else [0, 1.0, 0])
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    bend = np.linspace(0.0, 0.5 * np.pi, _RINGS + 1)
    near, far = bone.radius_m, bone.radius_m * _TAPER
    along = np.concatenate([-near * np.cos(bend), length + far * np.sin(bend)])
    radius = np.concatenate([near * np.sin(bend), far * np.cos(bend)])
    lean = np.concatenate([-np.cos(bend), np.sin(bend)])
    out = np.concatenate([np.sin(bend), np.cos(bend)])
    angle = 2.0 * np.pi * np.arange(_SIDES) / _SIDES
    spoke = np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v
    points = bone.start_m + along[:, None, None] * axis + radius[:, None, None] * spoke
    normals = lean[:, None, None] * axis + out[:, None, None] * spoke
    return points.reshape(-1, 3), normals.reshape(-1, 3), _tube(len(along))


def _tube(rings: int) -> IntArray:
    """Triangles between neighbouring rings of ``_SIDES`` vertices, counter-clockwise from outside.

    The outermost rings are points: their triangles without area are left out.
    """
    ring, side = np.meshgrid(np.arange(rings - 1), np.arange(_SIDES), indexing="ij")
    a = (ring * _SIDES + side).ravel()
    b = (ring * _SIDES + (side + 1) % _SIDES).ravel()
    lower = np.stack([a, b, b + _SIDES], axis=-1)[ring.ravel() > 0]
    upper = np.stack([a, b + _SIDES, a + _SIDES], axis=-1)[ring.ravel() < rings - 2]
    return np.concatenate([lower, upper])
