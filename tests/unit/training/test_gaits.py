# SPDX-License-Identifier: Apache-2.0
"""Walks made into other people's gaits: steps stay steps, and what stands stands."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.steps import ANKLES, walk

from kineograph_daemon.backbones.starter import figure
from training import data, gaits


@pytest.mark.parametrize("seed", range(6))
def test_a_foot_that_stands_stands_in_every_gait(seed: int) -> None:
    before = walk()
    after = gaits.changed(before, figure.standing(), np.random.default_rng(seed))
    assert before.contacts[:, :2].mean() > 0.3
    moved = np.linalg.norm(np.diff(after.world_m[:, ANKLES][..., [0, 2]], axis=0), axis=-1) * 30
    stands = before.contacts[1:, :2] & before.contacts[:-1, :2]
    slow = np.linalg.norm(np.diff(before.world_m[:, ANKLES][..., [0, 2]], axis=0), axis=-1) * 30 < 1e-3
    assert (stands & slow).sum() > 40
    assert moved[stands & slow].max() < 0.02


def test_gaits_differ_in_length_of_steps_and_height() -> None:
    before = walk()
    made = [gaits.changed(before, figure.standing(), np.random.default_rng(k)) for k in range(8)]
    ways = np.array([m.root_m[-1, 2] - m.root_m[0, 2] for m in made]) / (before.root_m[-1, 2] - before.root_m[0, 2])
    assert gaits.LENGTH[0] <= ways.min() < 0.9 < 1.0 < ways.max() <= gaits.LENGTH[1]
    assert np.ptp([m.root_m[:, 1].mean() for m in made]) > 0.05
    assert all(m.phase[1].mean() > 0.8 for m in made)


def test_only_walks_get_copies_the_same_each_time_and_named_after_their_recording() -> None:
    still = data.Piece(
        "s",
        "a person waits",
        "made up",
        np.broadcast_to(figure.standing(), (90, figure.JOINTS, 4)).astype(np.float32),
        np.tile(np.array([0, 0.95, 0], np.float32), (90, 1)),
    )
    one, two = gaits.copies([walk(), still], 4), gaits.copies([walk(), still], 4)
    assert [m.name for m in one] == [f"w{data.MARK}{i}" for i in range(4)]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.rotations_xyzw, b.rotations_xyzw)
    assert len({len(m) for m in one}) > 1
