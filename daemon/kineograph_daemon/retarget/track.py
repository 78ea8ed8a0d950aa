# SPDX-License-Identifier: Apache-2.0
"""World tracks of a few joints of a clip: forward kinematics only along the chains that lead to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.retarget import soa

FloatArray = NDArray[np.floating[Any]]


class Tracks:
    """World rotations (4, F) and positions (3, F), float32, made on demand and kept.

    ``rotations_xyzw`` (F, J, 4) local, ``root_m`` (F, 3), ``translations_m`` (F, J, 3) or None, as in a clip.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        rotations_xyzw: FloatArray,
        root_m: FloatArray,
        translations_m: FloatArray | None = None,
    ) -> None:
        self.skeleton = skeleton
        self._local, self._root, self._moved = rotations_xyzw, root_m, translations_m
        self._rotation: dict[int, FloatArray] = {}
        self._position: dict[int, FloatArray] = {}

    def seed(self, joint: int, above_xyzw: FloatArray, position_m: FloatArray) -> None:
        """Put a joint at ``position_m`` (F, 3) under a parent turned by ``above_xyzw`` (4, 1 or F)."""
        self._rotation[joint] = soa.mul(above_xyzw, self.local(joint))
        self._position[joint] = np.ascontiguousarray(position_m.T, np.float32)
        up = int(self.skeleton.parents[joint])
        if up >= 0:
            self._rotation[up] = above_xyzw

    def local(self, joint: int) -> FloatArray:
        """Local rotations (4, F)."""
        return soa.column(self._local, joint)

    def rotation(self, joint: int) -> FloatArray:
        """World rotations (4, F); the identity above the root."""
        if joint < 0:
            return np.array([[0.0], [0.0], [0.0], [1.0]], np.float32)
        if joint not in self._rotation:
            up = int(self.skeleton.parents[joint])
            own = self.local(joint)
            self._rotation[joint] = own if up < 0 else soa.mul(self.rotation(up), own)
        return self._rotation[joint]

    def position(self, joint: int) -> FloatArray:
        """World positions (3, F)."""
        if joint not in self._position:
            up = int(self.skeleton.parents[joint])
            if up < 0:
                self._position[joint] = np.ascontiguousarray(self._root.T, np.float32)
            else:
                self._position[joint] = self.position(up) + soa.rotate(self.rotation(up), self._offset(joint))
        return self._position[joint]

    def _offset(self, joint: int) -> FloatArray:
        if self._moved is not None:
            return soa.column(self._moved, joint)
        return np.asarray(self.skeleton.rest_translations_m[joint].astype(np.float32)[:, None])
