# SPDX-License-Identifier: Apache-2.0
"""A held foot rolls over its ball before its leg is drawn straight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, rigs

from kineograph.motion import quat
from kineograph_daemon.solve import roll
from kineograph_daemon.solve.body import Foot, read_body
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.measure import penetration_m
from kineograph_daemon.solve.meet import solve
from kineograph_daemon.solve.pose import Pose

HUMAN = rigs.human()
FRAMES = 40


def leaving(speed_mps: float = 1.2) -> tuple[Any, Any]:
    """A body on bent knees that glides away from where its left foot stands, (T, J, 4) and (T, 3)."""
    q = quat.identity(FRAMES, len(HUMAN))
    for side in ("Left", "Right"):
        q[:, HUMAN.index[side + "UpLeg"]] = asks.about_x(-22)
        q[:, HUMAN.index[side + "Leg"]] = asks.about_x(45)
    t = np.arange(FRAMES) / 30.0
    return q, np.stack([np.zeros(FRAMES), np.full(FRAMES, 0.93), speed_mps * np.maximum(t - 0.3, 0.0)], axis=1)


def left_foot() -> Foot:
    return next(f for f in read_body(HUMAN).feet if HUMAN.names[f.limb.end] == "LeftFoot")


def stretch(pose: Pose, foot: Foot) -> np.ndarray:
    """How straight a leg is (T,), as a share of its reach."""
    at, limb = pose.positions_m, foot.limb
    return np.asarray(np.linalg.norm(at[:, limb.end] - at[:, limb.top], axis=1) / limb.reach_m)


def test_the_heel_comes_up_and_ball_and_toes_stay() -> None:
    foot, (q, root) = left_foot(), leaving()
    pose = Pose(HUMAN, q, root)
    ankle = pose.positions_m[:, foot.limb.end].copy()
    ball, toes = pose.positions_m[:, foot.contact].copy(), pose.world_xyzw[:, foot.contact].copy()
    back = np.linspace(0.0, -0.36, FRAMES)[:, None] * [0.0, 0.0, 1.0]
    roll.bring(pose, foot, np.arange(FRAMES), ankle + back)
    held = stretch(Pose(HUMAN, q, root), foot) < roll.FROM
    assert held.all()
    assert stretch(pose, foot).max() < roll.MOST + 1e-4
    assert np.abs(pose.positions_m[:, foot.contact] - ball - back).max() < 2e-3
    assert quat.angle_between_rad(pose.world_xyzw[:, foot.contact], toes).max() < 1e-6
    heel_m = pose.positions_m[:, foot.limb.end, 1] - ankle[:, 1]
    assert heel_m[0] == pytest.approx(0.0, abs=1e-6)
    assert 0.01 < heel_m[-1] < 0.15


def test_no_foot_rolls_further_than_feet_do() -> None:
    foot, (q, root) = left_foot(), leaving()
    pose = Pose(HUMAN, q, root)
    far = pose.positions_m[:, foot.limb.end] - [0.0, 0.0, 3.0]
    _, turn = roll.over_ball(pose, foot, np.arange(FRAMES), far)
    assert quat.angle_between_rad(turn, quat.identity(FRAMES)).max() <= roll.ANGLE_RAD + 1e-9


def test_a_leg_that_stands_straight_by_itself_is_left_alone() -> None:
    foot = left_foot()
    pose = Pose(HUMAN, quat.identity(3, len(HUMAN)), np.tile(HUMAN.rest_positions_m[HUMAN.root], (3, 1)))
    before = pose.rotations_xyzw.copy()
    assert stretch(pose, foot).min() > roll.MOST
    roll.bring(pose, foot, np.arange(3), pose.positions_m[:, foot.limb.end].copy())
    assert quat.angle_between_rad(pose.rotations_xyzw, before).max() < 1e-6


def test_a_foot_held_to_the_end_of_its_reach_lets_no_knee_jerk() -> None:
    q, root = leaving()
    stands = np.arange(FRAMES) < 22
    goals = read_goals(asks.request(HUMAN, FRAMES, []), 30.0)
    solved = solve(goals, q, root, {"LeftToeBase": stands, "RightToeBase": np.zeros(FRAMES, bool)})
    knee = solved.pose.rotations_xyzw[:, HUMAN.index["LeftLeg"]]
    rate = quat.to_rotvec(quat.mul(knee[1:], quat.conj(knee[:-1]))) * 30.0
    hardest = np.linalg.norm(np.diff(rate, axis=0), axis=1).max() * 30.0
    ball = solved.pose.positions_m[stands][:, left_foot().contact]
    assert np.ptp(ball[:, 2]) < 0.01
    assert hardest < 300.0


def test_a_foot_that_is_held_by_its_heel_does_not_roll() -> None:
    """Its ball sweeps aside while the heel stays: rolled over that ball, the heel would slide."""
    q, root = leaving(1.1)
    sweep = np.radians(np.linspace(60.0, 0.0, FRAMES))
    q[:, HUMAN.index["LeftFoot"]] = quat.mul(quat.about_y(sweep), q[:, HUMAN.index["LeftFoot"]])
    stands = np.arange(FRAMES) < 26
    goals = read_goals(asks.request(HUMAN, FRAMES, []), 30.0)
    solved = solve(goals, q, root, {"LeftToeBase": stands, "RightToeBase": np.zeros(FRAMES, bool)})
    ankle = solved.pose.positions_m[stands][:, HUMAN.index["LeftFoot"]]
    assert np.ptp(ankle[:, [0, 2]], axis=0).max() < 2e-3


def test_closing_a_loop_leaves_no_foot_in_the_ground() -> None:
    q = quat.identity(FRAMES, len(HUMAN))
    bend = np.linspace(0.0, 0.5, FRAMES)
    for side in ("Left", "Right"):
        q[:, HUMAN.index[side + "UpLeg"]] = quat.from_axis_angle(np.array([1.0, 0, 0]), -bend)
        q[:, HUMAN.index[side + "Leg"]] = quat.from_axis_angle(np.array([1.0, 0, 0]), 2 * bend)
        q[:, HUMAN.index[side + "Foot"]] = quat.from_axis_angle(np.array([1.0, 0, 0]), -bend)
    high = 0.96 - 0.83 * (1 - np.cos(bend))
    root = np.stack([np.zeros(FRAMES), high, np.zeros(FRAMES)], axis=1)
    sent = asks.request(HUMAN, FRAMES, [], loop=True)
    solved = solve(read_goals(sent, 30.0), q, root, {})
    first, last = solved.pose.rotations_xyzw[[0, -1]]
    assert quat.angle_between_rad(first, last).max() < 1e-6
    assert penetration_m(solved.pose, solved.body, solved.ground) < 1e-3
