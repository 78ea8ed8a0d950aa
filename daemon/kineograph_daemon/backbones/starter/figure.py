# SPDX-License-Identifier: Apache-2.0
"""The figure the model knows: 22 joints, T-pose facing +z, left is +x, rest rotations all identity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

FPS_HZ = 30.0
WINDOW_FRAMES = 196
"""The longest stretch of frames that the model sees at once."""

_ROWS: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("pelvis", -1, (0.0, 0.992, 0.0)),
    ("l_hip", 0, (0.093, -0.102, 0.035)),
    ("r_hip", 0, (-0.093, -0.102, 0.035)),
    ("spine1", 0, (0.0, 0.116, -0.008)),
    ("l_knee", 1, (0.0, -0.428, 0.0)),
    ("r_knee", 2, (0.0, -0.428, 0.0)),
    ("spine2", 3, (0.0, 0.117, -0.003)),
    ("l_ankle", 4, (0.0, -0.409, 0.0)),
    ("r_ankle", 5, (0.0, -0.409, 0.0)),
    ("spine3", 6, (0.0, 0.05, 0.0)),
    ("l_toe", 7, (0.0, -0.033, 0.122)),
    ("r_toe", 8, (0.0, -0.033, 0.122)),
    ("neck", 9, (0.0, 0.155, 0.008)),
    ("l_collar", 9, (0.02, 0.067, 0.0)),
    ("r_collar", 9, (-0.02, 0.067, 0.0)),
    ("head", 12, (0.0, 0.088, -0.005)),
    ("l_shoulder", 13, (0.183, 0.048, -0.012)),
    ("r_shoulder", 14, (-0.183, 0.048, -0.012)),
    ("l_elbow", 16, (0.279, 0.0, 0.0)),
    ("r_elbow", 17, (-0.279, 0.0, 0.0)),
    ("l_wrist", 18, (0.19, 0.0, 0.0)),
    ("r_wrist", 19, (-0.19, 0.0, 0.0)),
)
NAMES = tuple(row[0] for row in _ROWS)
PARENTS = np.array([row[1] for row in _ROWS], np.int64)
OFFSETS_M = np.array([row[2] for row in _ROWS], np.float64)
JOINTS = len(NAMES)
INDEX = {name: i for i, name in enumerate(NAMES)}
FEET = tuple(INDEX[n] for n in ("l_ankle", "r_ankle", "l_toe", "r_toe"))
"""The joints whose contacts the model predicts, in the order of its output."""
STANDING_M = 0.93
"""Height of the pelvis over flat ground when nothing tells it."""
UPRIGHT_M = 0.99
"""The same of a body that stands still on all but straight legs."""
LEG_M = 0.837

MIRRORED = np.array([INDEX[{"l": "r_", "r": "l_"}[n[0]] + n[2:]] if n[1] == "_" else INDEX[n] for n in NAMES])
"""For each joint the one on the other side."""

SKELETON = Skeleton.build(NAMES, PARENTS, OFFSETS_M)


def mirror(rotations_xyzw: FloatArray, root_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The motion (..., 22, 4) and (..., 3) with left and right exchanged: a reflection at x = 0."""
    sign = np.array([1, -1, -1, 1], rotations_xyzw.dtype)
    return rotations_xyzw[..., MIRRORED, :] * sign, root_m * np.array([-1, 1, 1], root_m.dtype)


def standing() -> FloatArray:
    """A pose (22, 4) to begin from where no key tells one: upright, arms at the sides."""
    pose = quat.identity(JOINTS)
    down = np.radians(75.0)
    pose[INDEX["l_shoulder"]] = quat.from_axis_angle(np.array([0.0, 0.0, 1.0]), -down)
    pose[INDEX["r_shoulder"]] = quat.from_axis_angle(np.array([0.0, 0.0, 1.0]), down)
    return pose
