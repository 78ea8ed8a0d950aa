# SPDX-License-Identifier: Apache-2.0
"""A motion while it is being solved: local rotations and root, with world positions kept in step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]


class Pose:
    """``rotations_xyzw`` (T, J, 4) local, ``root_m`` (T, 3), float64, changed in place by the stages of the solve.

    World arrays are computed when first asked for and dropped by ``touch``; ``world`` is the whole truth again.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        rotations_xyzw: FloatArray,
        root_m: FloatArray,
        translations_m: FloatArray | None = None,
    ) -> None:
        self.skeleton = skeleton
        self.rotations_xyzw: FloatArray = np.array(rotations_xyzw, np.float64)
        self.root_m: FloatArray = np.array(root_m, np.float64)
        self.translations_m = translations_m
        self._world: tuple[FloatArray, FloatArray] | None = None

    def __len__(self) -> int:
        return len(self.root_m)

    @property
    def world(self) -> tuple[FloatArray, FloatArray]:
        """World positions (T, J, 3) and rotations (T, J, 4)."""
        if self._world is None:
            self._world = kinematics.forward(self.skeleton, self.rotations_xyzw, self.root_m, self.translations_m)
        return self._world

    @property
    def positions_m(self) -> FloatArray:
        """World positions (T, J, 3)."""
        return self.world[0]

    @property
    def world_xyzw(self) -> FloatArray:
        """World rotations (T, J, 4)."""
        return self.world[1]

    def touch(self) -> None:
        """The local arrays changed."""
        self._world = None

    def parent_xyzw(self, joint: int, frames: IntArray | slice = slice(None)) -> FloatArray:
        """World rotation (N, 4) of a joint's parent; identity above the root."""
        parent = int(self.skeleton.parents[joint])
        if parent < 0:
            return quat.identity(len(self.root_m[frames]))
        return np.asarray(self.world_xyzw[frames, parent])

    def set_world(self, joint: int, frames: IntArray, world_xyzw: FloatArray, parent_xyzw: FloatArray) -> None:
        """Give a joint a world rotation at some frames, under a parent of the given world rotation."""
        self.rotations_xyzw[frames, joint] = quat.normalize(quat.mul(quat.conj(parent_xyzw), world_xyzw))

    def shift(self, offset_m: FloatArray) -> None:
        """Move the root, and with it everything, by (T, 3)."""
        self.root_m += offset_m
        if self._world is not None:
            self._world = (self._world[0] + offset_m[:, None, :], self._world[1])
