# SPDX-License-Identifier: Apache-2.0
"""Curves through keys."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kineograph.motion import quat
from kineograph_daemon.solve import curves
from kineograph_daemon.solve.curves import Ease


def random_rotations(seed: int, *shape: int) -> np.ndarray:
    return quat.normalize(np.random.default_rng(seed).normal(size=(*shape, 4)))


@pytest.mark.parametrize("kind", ["smooth", "ease_in_out", "linear", "hold"])
def test_every_easing_meets_its_keys(kind: str) -> None:
    frames = np.array([0, 7, 20, 21, 50])
    q = random_rotations(1, 5, 3)
    v = np.random.default_rng(2).normal(size=(5, 3))
    at = np.arange(51.0)
    out = curves.rotations(frames, q, at, Ease(kind))
    assert np.degrees(quat.angle_between_rad(out[frames], q)).max() < 1e-5
    np.testing.assert_allclose(curves.scalars(frames, v, at, Ease(kind))[frames], v, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=8))
def test_scalars_never_overshoot(values: list[float]) -> None:
    frames = np.arange(len(values)) * 10
    out = curves.scalars(frames, np.array(values), np.arange(frames[-1] + 1.0))
    for k, (a, b) in enumerate(pairwise(values)):
        span = out[10 * k : 10 * k + 11]
        assert span.min() >= min(a, b) - 1e-9
        assert span.max() <= max(a, b) + 1e-9


def test_keys_next_to_nothing_apart_are_no_trouble() -> None:
    values = np.array([1.0, 0.0, -2.225073858507e-311])
    out = curves.scalars(np.array([0, 10, 20]), values, np.arange(21.0))
    assert np.isfinite(out).all()
    assert np.abs(out[10:]).max() < 1e-300


def test_equal_keys_stay_level_and_overshoot_is_what_it_says() -> None:
    frames, values = np.array([0, 10, 20, 30]), np.array([0.0, 1.0, 1.0, 0.0])
    at = np.arange(31.0)
    np.testing.assert_allclose(curves.scalars(frames, values, at)[10:21], 1.0)
    assert curves.scalars(frames, values, at, Ease("smooth", 1.0))[10:21].max() > 1.01


def test_rotation_between_equal_keys_does_not_move() -> None:
    q = random_rotations(3, 1)[0]
    keys = np.stack([quat.IDENTITY_XYZW, q, q, quat.IDENTITY_XYZW])
    out = curves.rotations(np.array([0, 10, 20, 30]), keys, np.arange(31.0))
    assert np.degrees(quat.angle_between_rad(out[10:21], q)).max() < 1e-6


def test_rotation_speed_is_continuous_through_a_key() -> None:
    """The end slope of one span and the start slope of the next are one angular velocity, also about other axes."""
    keys = random_rotations(4, 3)
    frames = np.array([0, 10, 20])
    step = 1e-4
    before, at, after = curves.rotations(frames, keys, np.array([10 - step, 10.0, 10 + step]), Ease("smooth", 1.0))
    left = quat.to_rotvec(quat.mul(quat.conj(before), at)) / step
    right = quat.to_rotvec(quat.mul(quat.conj(at), after)) / step
    assert np.linalg.norm(left) > 0.01
    np.testing.assert_allclose(left, right, atol=1e-3)


def test_rotations_do_not_depend_on_the_world() -> None:
    frames, q = np.array([0, 12, 30]), random_rotations(5, 3)
    turn = quat.about_y(1.1)
    at = np.arange(31.0)
    a = quat.mul(turn, curves.rotations(frames, q, at))
    b = curves.rotations(frames, quat.mul(turn, q), at)
    assert quat.angle_between_rad(a, b).max() < 1e-7


def test_travel_meets_its_points_goes_one_way_and_starts_and_ends_gently() -> None:
    frames = np.array([0, 20, 50, 90])
    points = np.array([[0.0, 0.0], [1.0, 0.5], [2.0, 3.0], [2.0, 5.0]])
    way = curves.travel(frames, points, np.arange(91.0))
    np.testing.assert_allclose(way.xz_m[frames], points, atol=1e-12)
    speed = np.linalg.norm(np.diff(way.xz_m, axis=0), axis=1)
    assert speed[0] < 0.3 * speed.max()
    assert speed[-1] < 0.3 * speed.max()
    along = np.einsum("ti,ti->t", np.diff(way.xz_m, axis=0), way.tangent[1:])
    assert along.min() > -1e-6


def test_travel_stands_still_between_equal_points_and_knows_where_it_faces() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    way = curves.travel(np.array([0, 10, 30, 40]), points, np.arange(41.0))
    np.testing.assert_allclose(way.xz_m[10:31], [[1.0, 0.0]] * 21, atol=1e-9)
    np.testing.assert_allclose(way.tangent, [[1.0, 0.0]] * 41, atol=1e-6)


def test_travel_there_and_back_does_not_loop() -> None:
    points = np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    way = curves.travel(np.array([0, 30, 60]), points, np.arange(61.0))
    assert np.abs(way.xz_m[:, 0]).max() < 1e-9
    assert way.xz_m[:, 1].max() <= 2.0 + 1e-9


def test_a_single_point_is_no_movement() -> None:
    way = curves.travel(np.array([5]), np.array([[1.0, 2.0]]), np.arange(10.0))
    assert not way.moves
    np.testing.assert_array_equal(way.xz_m, np.broadcast_to([1.0, 2.0], (10, 2)))
