# SPDX-License-Identifier: Apache-2.0
"""The measures of the report against motions whose misses, slide, depth and jerk are known beforehand.

Everything else that says "met" or "missed" is read off these, so they are tried on numbers of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from motionmcp import MotionResult
from motionmcp.schemas import GenerateRequest
from tests.fakes import asks, rigs

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.backbones.base import KineographBackbone
from kineograph_daemon.solve import measure
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.ground import read_ground
from kineograph_daemon.solve.pose import Pose

HUMAN = rigs.human()
REST = HUMAN.rest_translations_m[0]
HEAD, HAND = HUMAN.index["Head"], HUMAN.index["LeftHand"]


def resting(frames: int = 20, skeleton: Skeleton = HUMAN) -> Pose:
    """Everything at rest, the root where it rests."""
    q = np.broadcast_to(skeleton.rest_rotations_xyzw, (frames, len(skeleton), 4))
    return Pose(skeleton, q, np.tile(skeleton.rest_translations_m[0], (frames, 1)))


def missed(pose: Pose, constraint: asks.Spec) -> measure.Miss:
    goals = read_goals(asks.request(pose.skeleton, len(pose), [constraint]), 30.0)
    return measure.misses(pose, goals)[0]


def test_a_keys_miss_is_the_worst_joints_angle_and_the_roots_distance() -> None:
    turned = {"Head": asks.about_x(12), "Spine": asks.about_y(5)}
    miss = missed(resting(), asks.key(HUMAN, 7, turned, (REST + np.array([0.03, 0.04, 0.0])).tolist()))
    assert miss.frames.tolist() == [7]
    assert miss.deg == pytest.approx([12.0])
    assert miss.cm == pytest.approx([5.0])
    assert missed(resting(), asks.key(HUMAN, 7, turned)).cm is None, "a key that says nothing of the root"


def test_a_keys_miss_is_looked_for_at_its_own_frame() -> None:
    pose = resting()
    pose.rotations_xyzw[7, HEAD] = asks.about_x(12)
    pose.touch()
    for frame, deg in ((6, 12.0), (7, 0.0), (8, 12.0)):
        assert missed(pose, asks.key(HUMAN, frame, {"Head": asks.about_x(12)})).deg == pytest.approx([deg], abs=1e-5)


def test_a_paths_miss_is_flat_and_its_headings_the_short_way_round() -> None:
    pose = resting()
    pose.root_m[:, 1] += 5.0  # height is none of a path's business
    pose.rotations_xyzw[:, 0] = asks.about_y(170)
    pose.touch()
    away = [[REST[0] + 0.06, REST[2] + 0.08], [REST[0], REST[2]]]
    miss = missed(pose, asks.path([3, 9], away, [np.radians(-170), np.radians(160)]))
    assert miss.cm == pytest.approx([10.0, 0.0])
    assert miss.deg == pytest.approx([20.0, 10.0])
    assert missed(pose, asks.path([3, 9], away)).deg is None


def test_a_targets_miss_is_in_the_world_place_and_rotation() -> None:
    pose = resting()
    pose.rotations_xyzw[:, 0] = asks.about_y(90)
    pose.touch()
    at = pose.positions_m[4, HAND]
    miss = missed(pose, asks.target("LeftHand", [4, 5], [at + np.array([0.0, 0.02, 0.0]), at], [asks.about_y(60)] * 2))
    assert miss.cm == pytest.approx([2.0, 0.0])
    assert miss.deg == pytest.approx([30.0, 30.0])


def test_jerk_is_the_third_derivative_of_places() -> None:
    pose = resting(40)
    t = np.arange(40) / 25.0
    pose.root_m[:, 2] += 2.0 * t**3  # its third derivative is 12
    pose.touch()
    assert measure.jerk_m_s3(pose, 25.0) == pytest.approx(12.0)
    assert measure.jerk_m_s3(resting(40), 25.0) == 0.0


def test_slide_depth_and_hover_of_standing_feet() -> None:
    pose = resting(30)
    pose.root_m[:, 0] += 0.01 * np.arange(30)  # 30 cm/s at 30 Hz
    pose.root_m[10, 1] -= 0.02
    pose.root_m[20, 1] += 0.03
    pose.touch()
    body = read_body(HUMAN)
    goals = read_goals(asks.request(HUMAN, 30), 30.0)
    stands = {i: np.ones(30, bool) for i in range(len(body.feet))}
    found = measure.quality(pose, body, read_ground(goals), stands, resting(30), 30.0)
    assert found.slide_mean_cm_s == pytest.approx(30.0, abs=1e-3)
    assert found.slide_worst_cm_s == pytest.approx(30.0, abs=1e-3)
    assert found.standing_share == 1.0
    assert found.penetration_cm == pytest.approx(2.0, abs=1e-3)
    assert found.hover_cm == pytest.approx(3.0, abs=1e-3)
    assert found.jerk_ratio is None, "beside a motion that stands still a ratio says nothing"
    shaken = measure.quality(pose, body, read_ground(goals), stands, pose, 30.0)
    assert shaken.jerk_ratio == pytest.approx(1.0)
    lifted = {i: np.zeros(30, bool) for i in stands}
    assert measure.quality(pose, body, read_ground(goals), lifted, pose, 30.0).slide_worst_cm_s == 0.0


class Deaf(KineographBackbone):
    """Stands at rest, the second sample with its head turned by 40 degrees and 7 cm to the left."""

    any_fps = True

    def capabilities(self) -> Any:
        return asks.INTERPOLATE.capabilities()

    def generate(self, request: GenerateRequest) -> MotionResult:
        q = quat.identity(2, request.total_frames, len(HUMAN)).astype(np.float32)
        q[1, :, HEAD] = asks.about_y(40)
        root = np.tile(REST, (2, request.total_frames, 1)).astype(np.float32)
        root[1, :, 0] += 0.07
        return MotionResult(rotations=q, root_translations=root)


def test_the_report_tells_the_worst_of_all_samples_frame_by_frame() -> None:
    key = asks.key(HUMAN, 5, {}, REST.tolist())
    path = asks.path([5, 9], [[0.0, 0.0], [0.03, 0.0]])
    asked = asks.request(HUMAN, 12, [key, path], num_samples=2, post_processing=False)
    first, second = asks.run(asked, Deaf()).report["constraints"]
    assert (first["miss_deg"], first["miss_cm"]) == ([pytest.approx(40.0)], [pytest.approx(7.0)])
    assert (first["worst_deg"], first["worst_cm"]) == (pytest.approx(40.0), pytest.approx(7.0))
    assert second["miss_cm"] == [pytest.approx(7.0), pytest.approx(4.0)]
