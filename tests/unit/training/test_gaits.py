# SPDX-License-Identifier: Apache-2.0
"""Walks made into other people's gaits: steps stay steps, and what stands stands."""

from __future__ import annotations

import numpy as np
import pytest

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.solve import two_bone
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.pose import Pose
from training import data, gaits

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
