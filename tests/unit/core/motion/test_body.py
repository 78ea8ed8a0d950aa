# SPDX-License-Identifier: Apache-2.0
"""The points that stand for a body."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from tests.fakes import rigs
from tests.unit.core.motion.strategies import clips

from kineograph.motion import quat
from kineograph.motion.body import BodyPoints
from kineograph.motion.clip import Clip


@given(clips())
def test_joints_come_first_and_the_rest_is_rigid(clip: Clip) -> None:
    points = BodyPoints(clip.skeleton)
    placed = points.place(clip.rotations_xyzw, clip.root_m)
    pos, rot = clip.world()
    j = len(clip.skeleton)
    assert placed.shape == (len(clip), len(points), 3)
    assert np.allclose(placed[:, :j], pos)
    local = quat.rotate(quat.conj(rot[:, points.attached_to]), placed[:, j:] - pos[:, points.attached_to])
    assert np.allclose(local, points.offsets_m, atol=1e-9)


def test_every_joint_has_something_that_shows_each_of_its_turns() -> None:
    for skeleton in (rigs.human(), rigs.quadruped(), rigs.chain(), rigs.single()):
        points = BodyPoints(skeleton)
        still = points.place(quat.identity(len(skeleton)), np.zeros(3))
        for joint in range(len(skeleton)):
            for axis in np.eye(3):
                turned = quat.identity(len(skeleton))
                turned[joint] = quat.from_rotvec(0.3 * axis)
                shown = np.linalg.norm(points.place(turned, np.zeros(3)) - still, axis=-1).max()
                assert shown > 0.002 * skeleton.height_m
