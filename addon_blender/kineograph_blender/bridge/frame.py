# SPDX-License-Identifier: GPL-3.0-or-later
"""The request's frame: Blender's z-up world turned, moved and scaled into MMCP's y-up metres.

C takes (x, y, z) to (x, z, -y). A character whose object is turned about the vertical, or stands far from the
origin, is sent as if it stood at the origin unturned, so that a heading means the same for every character and no
precision is lost far away; the answer is turned and moved back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat

FloatArray = NDArray[np.floating[Any]]

_C_XYZW = np.array([-np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
"""C as a rotation: a quarter turn about -X."""


@dataclass(frozen=True, eq=False)
class Frame:
    """``origin_bu`` (3,) and ``yaw_rad``: where the character's object stands, in Blender units and world axes;
    ``metres_per_bu`` the scene's unit scale."""

    origin_bu: FloatArray
    yaw_rad: float
    metres_per_bu: float

    @classmethod
    def of_object(cls, world: FloatArray, metres_per_bu: float, ground_bu: float = 0.0) -> Frame:
        """From an object's world matrix (4, 4): its yaw and floor position; its height stays in the data."""
        rotation = rotation_of(world)
        yaw = 2.0 * float(np.arctan2(rotation[2], rotation[3]))
        return cls(np.array([world[0, 3], world[1, 3], ground_bu]), yaw, metres_per_bu)

    @property
    def turn_xyzw(self) -> FloatArray:
        """The rotation from Blender's world axes to the request's."""
        half = -0.5 * self.yaw_rad
        return quat.mul(_C_XYZW, np.array([0.0, 0.0, np.sin(half), np.cos(half)]))

    def points_m(self, world_bu: FloatArray) -> FloatArray:
        """World points (..., 3) in Blender units -> the request's metres."""
        return quat.rotate(self.turn_xyzw, (np.asarray(world_bu, float) - self.origin_bu) * self.metres_per_bu)

    def points_bu(self, points_m: FloatArray) -> FloatArray:
        """The inverse of ``points_m``."""
        back = quat.rotate(quat.conj(self.turn_xyzw), np.asarray(points_m, float))
        return back / self.metres_per_bu + self.origin_bu

    def deltas_xyzw(self, world_xyzw: FloatArray, rest_xyzw: FloatArray) -> FloatArray:
        """World rotations (..., 4) in Blender's axes -> the change from ``rest_xyzw``, in the request's axes."""
        turn = self.turn_xyzw
        return quat.mul(quat.mul(turn, quat.mul(world_xyzw, quat.conj(rest_xyzw))), quat.conj(turn))

    def world_xyzw(self, deltas_xyzw: FloatArray, rest_xyzw: FloatArray) -> FloatArray:
        """The inverse of ``deltas_xyzw``."""
        turn = self.turn_xyzw
        return quat.mul(quat.mul(quat.conj(turn), quat.mul(deltas_xyzw, turn)), rest_xyzw)


def rotation_of(matrices: FloatArray) -> FloatArray:
    """Rotations (..., 4) xyzw of float matrices (..., 4, 4) with uniform positive scale, in float64."""
    m = np.asarray(matrices, float)[..., :3, :3]
    return quat.from_matrix(m / np.linalg.norm(m, axis=-2, keepdims=True))


def scale_of(matrices: FloatArray) -> FloatArray:
    """Axis lengths (..., 3) of matrices (..., 4, 4)."""
    out: FloatArray = np.linalg.norm(np.asarray(matrices, float)[..., :3, :3], axis=-2)
    return out


def read_matrices(bones: Any, attribute: str, names: Sequence[str]) -> FloatArray:
    """A matrix property of some bones (J, 4, 4), read in one go: a bone at a time takes twenty times as long."""
    flat = np.empty(len(bones) * 16, np.float32)
    bones.foreach_get(attribute, flat)
    # Blender stores columns one after the other.
    every = flat.reshape(-1, 4, 4).transpose(0, 2, 1).astype(float)
    index = {name: i for i, name in enumerate(bones.keys())}
    return every[[index[name] for name in names]]
