# SPDX-License-Identifier: Apache-2.0
"""A walk made by hand, whose feet stand exactly still."""

from __future__ import annotations

import numpy as np

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.solve import two_bone
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.pose import Pose
from training import data

ANKLES = [figure.INDEX["l_ankle"], figure.INDEX["r_ankle"]]
HZ, SPEED_MPS, FRAMES = 0.9, 1.1, 120


def walk(style: str = "walk") -> data.Piece:
    """Each foot stands on one spot for half a stride and is carried over to its next spot in the other half."""
    t = np.arange(FRAMES) / 30
    pose = Pose(
        figure.SKELETON,
        np.broadcast_to(figure.standing(), (FRAMES, figure.JOINTS, 4)).copy(),
        np.stack([0 * t, 0.9 + 0 * t, SPEED_MPS * t], axis=1),
        None,
    )
    stride = SPEED_MPS / HZ
    for side, ankle in enumerate(ANKLES):
        turns = HZ * t + side / 2
        swings = np.clip(2 * (turns % 1), 0, 1)
        along = (np.floor(turns) + swings * swings * (3 - 2 * swings) - side / 2 - 0.25) * stride
        up = 0.05 + 0.08 * np.sin(np.pi * swings) ** 2
        at = np.stack([np.full(FRAMES, 0.09 - 0.18 * side), up, along], axis=1)
        limb = read_body(figure.SKELETON).limbs[ankle]
        two_bone.solve(pose, limb, np.arange(FRAMES), at, quat.identity(FRAMES))
    rotations = pose.rotations_xyzw.astype(np.float32)
    return data.Piece("w", f"a person {style}s", "made up", rotations, pose.root_m.astype(np.float32))
