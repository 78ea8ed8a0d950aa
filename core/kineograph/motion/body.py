# SPDX-License-Identifier: Apache-2.0
"""Points that stand for a whole body: what must stay in place when keys or poses are changed.

Every joint, a tip at the end of every last bone, and a point beside every bone: a twist moves nothing that lies on
the bone's own axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

_SIDE = (0.25, 0.01)  # radius of a limb by its bone's length, and the least by the body's height
_TIP = 0.05  # of the body's height: a last bone whose length nothing tells


class BodyPoints:
    """Joints first (0..J-1), then points fixed to joints.

    ``holder`` (K,) is the joint whose rotation carries point k: for a joint's own position its parent (-1: the root).
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        bones = _bones(skeleton)
        length = np.linalg.norm(bones, axis=-1, keepdims=True)
        helper = np.where(np.abs(bones[:, :1]) < 0.7 * length, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
        side = np.cross(bones, helper)
        radius = np.maximum(_SIDE[0] * length, _SIDE[1] * skeleton.height_m)
        side *= radius / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-12)
        leaves = np.array([j for j, c in enumerate(skeleton.children) if not c], dtype=np.int64)
        everyone = np.arange(len(skeleton))
        self.attached_to: IntArray = np.concatenate([everyone, leaves])
        self.offsets_m: FloatArray = np.concatenate([side, bones[leaves]])
        self.holder: IntArray = np.concatenate([skeleton.parents.astype(np.int64), self.attached_to])

    def __len__(self) -> int:
        return len(self.holder)

    def place(
        self, rotations_xyzw: FloatArray, root_m: FloatArray, translations_m: FloatArray | None = None
    ) -> FloatArray:
        """World positions (..., K, 3) of all points, from local rotations (..., J, 4) and the root (..., 3)."""
        pos, rot = kinematics.forward(self.skeleton, rotations_xyzw, root_m, translations_m)
        beside = pos[..., self.attached_to, :] + quat.rotate(rot[..., self.attached_to, :], self.offsets_m)
        return np.concatenate([pos, beside], axis=-2)


def _bones(skeleton: Skeleton) -> FloatArray:
    """For each joint the vector along its bone, in its own frame at rest: to its children's middle, or on past a leaf.

    A leaf goes on the way its parent came, half as long.
    """
    out = np.zeros((len(skeleton), 3))
    for j, children in enumerate(skeleton.children):
        if children:
            out[j] = skeleton.rest_translations_m[list(children)].mean(0)
        elif skeleton.parents[j] >= 0:
            out[j] = 0.5 * quat.rotate(
                quat.conj(skeleton.rest_rotations_xyzw[j]), skeleton.rest_translations_m[j].astype(float)
            )
    short = np.linalg.norm(out, axis=-1) < 1e-4 * skeleton.height_m
    out[short] = [0.0, _TIP * skeleton.height_m, 0.0]
    return out
