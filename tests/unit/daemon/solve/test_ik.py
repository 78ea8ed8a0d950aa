# SPDX-License-Identifier: Apache-2.0
"""Inverse kinematics: two bones in closed form, chains by damped least squares."""

from __future__ import annotations

import numpy as np
from tests.fakes import rigs

from kineograph.motion import kinematics, quat
from kineograph_daemon.solve import chain, two_bone
from kineograph_daemon.solve.body import Limb, read_body
from kineograph_daemon.solve.pose import Pose

HUMAN = rigs.human()


def limb_of(end: str) -> Limb:
    return read_body(HUMAN).limbs[HUMAN.index[end]]


def posed(frames: int, seed: int = 0, spread_rad: float = 0.3) -> Pose:
    rng = np.random.default_rng(seed)
    q = quat.from_rotvec(rng.normal(scale=spread_rad, size=(frames, len(HUMAN), 3)))
    return Pose(HUMAN, q, np.broadcast_to([0.0, 0.96, 0.0], (frames, 3)))


def knee_side(pose: Pose, limb: Limb) -> np.ndarray:
    """How far the hinge is in front of the line from top to end, along the limb's natural bend direction."""
    at, world = pose.world
    a, b, e = at[:, limb.top], at[:, limb.hinge], at[:, limb.end]
    along = (e - a) / np.linalg.norm(e - a, axis=1, keepdims=True)
    axis = quat.rotate(world[:, limb.top], np.broadcast_to(limb.bend_axis, b.shape))
    return np.einsum("ti,ti->t", b - a, np.cross(along, axis))


def test_reachable_targets_are_met_exactly_and_the_end_keeps_its_rotation() -> None:
    pose, limb = posed(50), limb_of("LeftHand")
    frames = np.arange(50)
    rng = np.random.default_rng(1)
    direction = rng.normal(size=(50, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    target = pose.positions_m[:, limb.top] + direction * rng.uniform(0.1, 0.53, size=(50, 1))
    kept = pose.world_xyzw[:, limb.end].copy()
    two_bone.solve(pose, limb, frames, target, kept)
    assert np.abs(pose.positions_m[:, limb.end] - target).max() < 1e-6
    assert quat.angle_between_rad(pose.world_xyzw[:, limb.end], kept).max() < 1e-6


def test_a_target_out_of_reach_is_stretched_towards() -> None:
    pose, limb = posed(1), limb_of("LeftHand")
    top = pose.positions_m[0, limb.top].copy()
    target = (top + np.array([0.0, 0.0, 2.0]))[None]
    two_bone.solve(pose, limb, np.array([0]), target, pose.world_xyzw[:, limb.end].copy())
    away = pose.positions_m[0, limb.end] - top
    assert np.linalg.norm(away) > 0.999 * limb.reach_m
    assert np.linalg.norm(away) < limb.reach_m
    np.testing.assert_allclose(away / np.linalg.norm(away), [0, 0, 1], atol=1e-6)


def test_a_straight_leg_bends_its_knee_to_the_front() -> None:
    pose = Pose(HUMAN, quat.identity(1, len(HUMAN)), np.array([[0.0, 0.96, 0.0]]))
    limb = limb_of("LeftFoot")
    target = pose.positions_m[:, limb.end] + [[0.0, 0.25, 0.0]]
    two_bone.solve(pose, limb, np.array([0]), target, pose.world_xyzw[:, limb.end].copy())
    at = pose.positions_m[0]
    assert at[limb.hinge, 2] > at[limb.top, 2] + 0.2


def test_a_knee_pushed_slightly_backwards_comes_back_to_its_side() -> None:
    q = quat.identity(1, len(HUMAN))
    q[0, HUMAN.index["LeftLeg"]] = quat.from_axis_angle(np.array([1.0, 0, 0]), np.radians(-6))
    pose, limb = Pose(HUMAN, q, np.array([[0.0, 0.96, 0.0]])), limb_of("LeftFoot")
    target = pose.positions_m[:, limb.end] + [[0.0, 0.2, 0.0]]
    two_bone.solve(pose, limb, np.array([0]), target, pose.world_xyzw[:, limb.end].copy())
    assert pose.positions_m[0, limb.hinge, 2] > pose.positions_m[0, limb.top, 2] + 0.1


def test_the_knee_never_flips_along_a_smooth_target() -> None:
    frames = 200
    pose = Pose(HUMAN, quat.identity(frames, len(HUMAN)), np.broadcast_to([0.0, 0.96, 0.0], (frames, 3)))
    limb = limb_of("RightFoot")
    angle = np.linspace(0, 4 * np.pi, frames)
    circle = np.stack([0.1 * np.sin(angle), 0.2 - 0.2 * np.cos(angle), 0.35 * np.sin(2 * angle)], axis=1)
    target = pose.positions_m[:, limb.end] + circle
    two_bone.solve(pose, limb, np.arange(frames), target, pose.world_xyzw[:, limb.end].copy())
    knee = pose.positions_m[:, limb.hinge]
    assert np.linalg.norm(np.diff(knee, axis=0), axis=1).max() < 0.08
    assert knee_side(pose, limb).min() > -1e-6


def test_a_chain_reaches_and_spreads_its_bend() -> None:
    s = rigs.chain(9)
    start = quat.from_rotvec(np.full((3, 9, 3), 0.05))
    pose = Pose(s, start, np.zeros((3, 3)))
    target = np.array([[0.8, 0.7, 0.3], [-0.4, 1.1, 0.2], [0.0, 0.9, -0.9]])
    chain.solve(pose, list(range(8)), 8, np.arange(3), target)
    at, _ = kinematics.forward(s, pose.rotations_xyzw, pose.root_m)
    assert np.linalg.norm(at[:, 8] - target, axis=1).max() < 1e-4
    turned = quat.angle_between_rad(pose.rotations_xyzw[:, :8], start[:, :8])
    assert turned.max() < 1.5


def test_a_chain_points_at_what_it_cannot_reach_and_keeps_joints_of_weight_zero() -> None:
    s = rigs.chain(5)
    pose = Pose(s, quat.from_rotvec(np.full((1, 5, 3), 0.1)), np.zeros((1, 3)))
    before = pose.rotations_xyzw[0, 1].copy()
    weights = np.array([1.0, 0.0, 1.0, 1.0])
    chain.solve(pose, [0, 1, 2, 3], 4, np.array([0]), np.array([[5.0, 0.0, 0.0]]), weights, steps=200)
    at = pose.positions_m[0]
    np.testing.assert_allclose(pose.rotations_xyzw[0, 1], before, atol=1e-12)
    assert at[4] @ [1.0, 0.0, 0.0] > 0.775


def test_no_frames_no_change() -> None:
    pose, limb = posed(2), limb_of("LeftHand")
    before = pose.rotations_xyzw.copy()
    two_bone.solve(pose, limb, np.array([], int), np.zeros((0, 3)), np.zeros((0, 4)))
    chain.solve(pose, [0], 1, np.array([], int), np.zeros((0, 3)))
    np.testing.assert_array_equal(pose.rotations_xyzw, before)
