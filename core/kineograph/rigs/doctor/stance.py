# SPDX-License-Identifier: Apache-2.0
"""Which way a rest pose stands, faces and holds its arms, and how much like a standing figure it is.

Scores are mean cosines between limb directions in the body's own frame and those of a T-pose or an A-pose (arms 45
degrees down): 1 is the pose itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.rigs.mapping import RigMap
from kineograph.rigs.roles import Role

FloatArray = NDArray[np.floating[Any]]

_BONES = (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "calf"), ("calf", "foot"))
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Stance:
    """``up`` and ``front`` as axes such as ``y`` and ``-z``; ``pose`` is ``t``, ``a`` or ``other``; ``score`` 0..1."""

    up: str
    front: str
    pose: str
    score: float


def stance(rig: RigMap, positions_m: FloatArray) -> Stance | None:
    """The stance of a rest pose, ``positions_m`` (J, 3) world; None where hips, head and thighs are not known."""
    frame = _frame(rig, positions_m)
    if frame is None:
        return None
    scores = {}
    for pose, arm_down in (("t", 0.0), ("a", np.radians(45.0))):
        found = []
        for a, b in _BONES:
            for side, s in (("left", 1.0), ("right", -1.0)):
                ja, jb = rig.get(Role(f"{side}_{a}")), rig.get(Role(f"{side}_{b}"))
                if ja is None or jb is None:
                    continue
                way = frame.T @ (positions_m[jb] - positions_m[ja])
                size = float(np.linalg.norm(way))
                is_arm = "arm" in a
                wanted = np.array([s * np.cos(arm_down), -np.sin(arm_down), 0.0]) if is_arm else np.array([0.0, -1, 0])
                found.append(float(way @ wanted) / size if size > 1e-9 else 0.0)
        scores[pose] = float(np.mean(found)) if found else 0.0
    best = max(scores, key=lambda p: scores[p])
    score = max(0.0, scores[best])
    up, front = _axis(frame[:, 1]), _axis(frame[:, 2])
    return Stance(up, front, best if score >= 0.8 else "other", round(score, 3))


def _frame(rig: RigMap, positions_m: FloatArray) -> FloatArray | None:
    """(3, 3) columns left, up, front of the body."""
    hips, head = rig.get(Role.HIPS), rig.get(Role.HEAD)
    a, b = rig.get(Role.LEFT_THIGH), rig.get(Role.RIGHT_THIGH)
    if hips is None or head is None or a is None or b is None:
        return None
    up = positions_m[head] - positions_m[hips]
    left = positions_m[a] - positions_m[b]
    if float(np.linalg.norm(up)) < 1e-9:
        return None
    up = up / np.linalg.norm(up)
    left = left - up * (left @ up)
    if float(np.linalg.norm(left)) < 1e-9:
        return None
    left = left / np.linalg.norm(left)
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _axis(v: FloatArray) -> str:
    i = int(np.argmax(np.abs(v)))
    return ("-" if v[i] < 0 else "") + _AXES[i]
