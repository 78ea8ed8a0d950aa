# SPDX-License-Identifier: Apache-2.0
"""Straight walks bent along ways that turn: the floor is bent, and what stands on it stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.steps import ANKLES, walk

from kineograph_daemon.backbones.starter import figure
from training import bends, data

TOES = [figure.INDEX["l_toe"], figure.INDEX["r_toe"]]


def still(piece: data.Piece) -> np.ndarray:
    """(T - 1, 2) where a toe stays on its spot."""
    moved = np.linalg.norm(np.diff(piece.world_m[:, TOES][..., [0, 2]], axis=0), axis=-1) * 30
    return np.asarray(moved < 1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_a_foot_that_stands_stands_on_a_bent_way(seed: int) -> None:
    before = walk()
    after = bends.bent(before, np.random.default_rng(seed))
    stands = still(before)
    assert stands.sum() > 40
    moved = np.linalg.norm(np.diff(after.world_m[:, TOES][..., [0, 2]], axis=0), axis=-1) * 30
    assert moved[stands].max() < 0.06  # where a leg cannot reach, the foot gives a little
    assert np.median(moved[stands]) < 1e-3


def test_ways_turn_and_walkers_turn_with_them() -> None:
    before = walk()
    made = [bends.bent(before, np.random.default_rng(k)) for k in range(12)]
    turned = np.array([np.ptp(m.yaw_rad) for m in made])
    assert turned.max() > 0.8
    for m in made:
        way = np.gradient(m.root_m[:, [0, 2]].astype(float), axis=0)
        off = np.angle(np.exp(1j * (m.yaw_rad - np.arctan2(way[:, 0], way[:, 1]))))
        assert np.median(np.abs(off)) < 0.3
        assert m.phase[1].mean() > 0.8
    assert not bends.straight(made[int(turned.argmax())])


def test_points_of_a_floor_move_together() -> None:
    floor = bends.bent_floor(walk(), np.random.default_rng(3))
    spots = np.array([[0.1, 0.5], [0.1, 0.5], [-0.1, 1.5]])
    put, turn = floor.moved(spots)
    np.testing.assert_array_equal(put[0], put[1])
    near, _ = floor.moved(spots + np.array([0.001, 0.0]))
    np.testing.assert_allclose(np.linalg.norm(near - put, axis=-1), 0.001, rtol=1e-6)  # aside, nothing is stretched
    assert turn.shape == (3,)


def test_pace_changes_and_the_way_stays() -> None:
    before = walk()
    after = bends.rushed(before, np.random.default_rng(1))
    steps = np.diff(after.root_m[:, 2])
    assert steps.max() / steps.min() > 1.1
    assert len(after) <= len(before) + 1  # who is slower does not get as far
    assert np.all(steps > 0)
    assert after.root_m[-1, 2] <= before.root_m[-1, 2]


def test_only_straight_walks_are_bent_and_copies_tell_themselves() -> None:
    walks = walk()
    turning = bends.bent(walks, np.random.default_rng(2))
    idle = replace(
        walks, rotations_xyzw=walks.rotations_xyzw[:1].repeat(120, 0), root_m=walks.root_m[:1].repeat(120, 0)
    )
    made = bends.copies([walks, turning, idle], 8)
    assert bends.straight(walks)
    assert not bends.straight(idle)
    assert [m.name for m in made[:8]] == [f"w{data.BENT}{i}" for i in range(8)]
    assert made[0].weight == pytest.approx(data.BENT_WEIGHT * walks.weight)
    again = bends.copies([walks, turning, idle], 8)
    assert all(np.array_equal(a.root_m, b.root_m) for a, b in zip(made, again, strict=True))
    assert all(np.isfinite(m.rotations_xyzw).all() and m.world_m[:, ANKLES, 1].min() > -0.1 for m in made)
