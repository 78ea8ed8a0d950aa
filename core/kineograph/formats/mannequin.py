# SPDX-License-Identifier: Apache-2.0
"""A simple figure around any skeleton, so that a motion can be seen: a capsule per bone, rigidly skinned.

Thickness follows the bone's length, within what suits the body's height; a last bone ends in a rounded tip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats.asset import Mesh
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

_SIDES = 10
_RINGS = 3  # per rounded end
_THICK = 0.2  # radius of a bone by its length
_RADII = (0.009, 0.055)  # least and most radius by the body's height
_TAPER = 0.75  # radius at the far end by the near one
_SHORT = 1e-4  # of the height: a bone too short to be drawn


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
    """One bone from each joint to each of its children; a tip for each leaf, as thick as the bone before it."""
    height = skeleton.height_m
    at = skeleton.rest_positions_m
    out: list[_Bone] = []
    radius_of = np.full(len(skeleton), _RADII[0] * height)
    for j, parent in enumerate(skeleton.parents.tolist()):
        if parent < 0:
            continue
        length = float(np.linalg.norm(at[j] - at[parent]))
        radius = float(np.clip(_THICK * length, _RADII[0] * height, _RADII[1] * height))
        radius_of[j] = radius
        if length > _SHORT * height:
            out.append(_Bone(parent, at[parent], at[j], radius))
    for j, children in enumerate(skeleton.children):
        if not children:
            out.append(_tip(skeleton, j, float(radius_of[j])))
    return out


def _tip(skeleton: Skeleton, joint: int, radius: float) -> _Bone:
    """A short end on a leaf, along the way its bone came; a lone joint becomes an upright pin."""
    at = skeleton.rest_positions_m[joint]
    parent = int(skeleton.parents[joint])
    way = at - skeleton.rest_positions_m[parent] if parent >= 0 else np.array([0.0, 1.0, 0.0])
    length = float(np.linalg.norm(way))
    way = way / length if length > 0 else np.array([0.0, 1.0, 0.0])
    return _Bone(joint, at, at + way * radius, radius * _TAPER)


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
