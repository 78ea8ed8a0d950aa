# SPDX-License-Identifier: Apache-2.0
"""Corrections over time."""

from __future__ import annotations

import numpy as np

from kineograph.motion import quat
from kineograph_daemon.solve import blend


def test_bumps_are_exact_fade_and_keep_still_frames_still() -> None:
    frames, values = np.array([20, 60]), np.array([[1.0, 0, 0], [0, 2.0, 0]])
    out = blend.bumps(frames, values, 100, 10.0, still=[25, 90])
    np.testing.assert_allclose(out[frames], values)
    np.testing.assert_allclose(out[[0, 9, 25, 35, 45, 90, 99]], 0.0, atol=1e-12)
    step = np.abs(np.diff(out, axis=0)).max(axis=1)
    assert step.max() < 0.6


def test_near_bumps_flow_into_each_other() -> None:
    out = blend.bumps(np.array([10, 14]), np.array([[1.0], [1.0]]), 30, 8.0)
    assert out[10:15].min() > 0.99


def test_bumps_turn_with_their_values() -> None:
    rng = np.random.default_rng(0)
    frames, values = np.array([3, 9, 11, 30]), rng.normal(size=(4, 3))
    turn = quat.about_y(0.8)
    a = quat.rotate(turn, blend.bumps(frames, values, 40, 6.0, still=[5]))
    b = blend.bumps(frames, quat.rotate(turn, values), 40, 6.0, still=[5])
    np.testing.assert_allclose(a, b, atol=1e-12)


def test_no_corrections_are_nothing() -> None:
    assert not blend.bumps(np.array([], int), np.zeros((0, 3)), 5, 3.0, still=[2]).any()


def test_held_carries_on_outside() -> None:
    out = blend.held(np.array([5, 10]), np.array([[1.0], [3.0]]), 20)
    assert out[0, 0] == 1.0
    assert out[19, 0] == 3.0
    assert out[7, 0] > 1.0


def test_spread_never_falls_below_what_it_covers() -> None:
    values = np.random.default_rng(1).uniform(size=60)
    assert (blend.spread(values, 4) >= values - 1e-12).all()


def test_away_from_is_zero_on_its_frames_only() -> None:
    out = blend.away_from([10], 30, 5.0)
    assert out[10] == 0.0
    assert out[4] == 1.0
    assert out[15] == 1.0
    assert 0 < out[12] < 1
