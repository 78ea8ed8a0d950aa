# SPDX-License-Identifier: Apache-2.0
"""Who walks a bare path carries himself as people do; who was given a pose keeps its carriage."""

from __future__ import annotations

import numpy as np
import pytest

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import carriage, figure, stride
from kineograph_daemon.backbones.starter.net import Net
from kineograph_daemon.backbones.starter.scene import Scene

T = 90


@pytest.fixture(scope="module")
def strides() -> dict[str, stride.Stride]:
    net = Net.load()
    return stride.of(net.weights, net.facts)


def scene(speed_mps: float, heading_rad: float = 0.0, keys: tuple[int, ...] = ()) -> Scene:
    way = np.arange(T)[:, None] / 30 * speed_mps * np.array([np.sin(heading_rad), 0.0, np.cos(heading_rad)])
    key = np.zeros(T, bool)
    key[list(keys)] = True
    on = np.ones(T, bool)
    heading = np.full(T, heading_rad)
    poses = np.broadcast_to(figure.standing(), (T, figure.JOINTS, 4)).astype(float)
    return Scene(poses, way + np.array([0.0, 0.9, 0.0]), key, on, heading, on.copy(), (), (0.5, 0.3), False)


def bowed(heading_rad: float, by_rad: float) -> np.ndarray:
    """Standing with the spine bent forward and the head hanging."""
    poses = np.broadcast_to(figure.standing(), (T, figure.JOINTS, 4)).astype(float).copy()
    poses[:, 0] = quat.mul(quat.about_y(np.full(T, heading_rad)), poses[:, 0])
    for name in ("spine1", "neck"):
        bow = quat.from_rotvec(np.array([by_rad, 0.0, 0.0]))
        poses[:, figure.INDEX[name]] = quat.mul(bow, poses[:, figure.INDEX[name]])
    return poses


def leans(poses: np.ndarray, heading_rad: float) -> tuple[float, float]:
    at, _ = kinematics.forward(figure.SKELETON, poses, np.zeros((len(poses), 3)))
    ahead = np.array([np.sin(heading_rad), np.cos(heading_rad)])
    pelvis, neck, head = (at[:, figure.INDEX[n]] for n in ("pelvis", "neck", "head"))
    body, upper = neck - pelvis, head - neck
    return tuple(float(np.degrees(np.arctan2(d[:, [0, 2]] @ ahead, d[:, 1])).mean()) for d in (body, upper))  # type: ignore[return-value]


@pytest.mark.parametrize("heading_rad", [0.0, 2.0])
def test_who_walks_a_bare_path_is_upright(strides: dict[str, stride.Stride], heading_rad: float) -> None:
    poses = bowed(heading_rad, 0.25)
    before = leans(poses, heading_rad)
    carriage.carry(scene(1.3, heading_rad), strides, poses)
    body, head = leans(poses, heading_rad)
    assert min(before) > 8
    assert body < 5
    assert head == pytest.approx(2.0, abs=1.0)


def test_legs_and_pelvis_stay(strides: dict[str, stride.Stride]) -> None:
    poses = bowed(0.0, 0.25)
    was = poses.copy()
    carriage.carry(scene(1.3), strides, poses)
    moved = np.abs(poses - was).max(axis=(0, 2)) > 1e-9
    assert {figure.NAMES[j] for j in np.flatnonzero(moved)} == {"spine1", "spine2", "spine3", "neck"}


def test_keys_keep_their_carriage_and_what_is_near_them(strides: dict[str, stride.Stride]) -> None:
    poses = bowed(0.0, 0.25)
    was = poses.copy()
    carriage.carry(scene(1.3, keys=(0,)), strides, poses)
    np.testing.assert_allclose(poses[: carriage.FREE], was[: carriage.FREE], atol=1e-12)
    assert np.abs(np.diff(poses, axis=0)).max() < 0.02  # it comes in without a jump
    assert np.abs(poses[-1] - was[-1]).max() > 0.02


def test_runners_and_those_who_are_upright_stay_as_they_are(strides: dict[str, stride.Stride]) -> None:
    for poses, speed in ((bowed(0.0, 0.25), 3.0), (bowed(0.0, -0.1), 1.3)):
        was = poses.copy()
        carriage.carry(scene(speed), strides, poses)
        np.testing.assert_allclose(poses, was, atol=1e-12)


def test_without_a_table_of_walks_nothing_changes() -> None:
    poses = bowed(0.0, 0.25)
    was = poses.copy()
    carriage.carry(scene(1.3), {}, poses)
    np.testing.assert_array_equal(poses, was)
