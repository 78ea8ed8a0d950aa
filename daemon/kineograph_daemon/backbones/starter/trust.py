# SPDX-License-Identifier: Apache-2.0
"""How far the model is to be believed: less the further its keys are from what it was trained on, and the more it
disagrees with itself about the mirrored request. What it adds to the interpolation is scaled by that share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure

FloatArray = NDArray[np.floating[Any]]

FLOOR = 0.3
"""Below this share the interpolation alone is better: nothing of the model is used."""


def pose_points(rotations_xyzw: FloatArray) -> FloatArray:
    """Poses (N, 22, 4) as joint positions around the pelvis, turned to one heading, (N, 63) metres."""
    local = np.array(rotations_xyzw, np.float32)
    local[:, 0] = quat.mul(quat.about_y(-quat.heading_rad(local[:, 0])).astype(np.float32), local[:, 0])
    at, _ = kinematics.forward(figure.SKELETON, local, np.zeros((len(local), 3), np.float32))
    return at[:, 1:].reshape(len(local), -1)


def distance_m(points: FloatArray, known: FloatArray) -> FloatArray:
    """How far each pose (N, 63) is from the nearest known one (K, 63), root mean square over joints, metres."""
    squares = (points**2).sum(1)[:, None] - 2 * points @ known.T + (known**2).sum(1)[None]
    return np.asarray(np.sqrt(np.maximum(squares.min(axis=1), 0.0) / (figure.JOINTS - 1)))


def share(curve: Mapping[str, Any], far_m: float, unsure: float) -> float:
    """What part of the residual to use, 0 to 1. ``far_m`` is the mean distance of the keys, ``unsure`` how far the
    two mirrored answers lie apart compared with how far they move away from the base."""
    line = curve["at"] + curve["by_far"] * far_m + curve["by_unsure"] * unsure
    raw = float(np.clip(line, 0.0, 1.0)) * _within(far_m, curve["far_limit_m"]) * _within(unsure, curve["unsure_limit"])
    return raw if raw >= FLOOR else 0.0


def _within(value: float, limit: float) -> float:
    """1 up to the limit, the most that was seen on recordings held back, and down to 0 at half as much again."""
    return float(np.clip((1.5 * limit - value) / max(0.5 * limit, 1e-9), 0.0, 1.0))
