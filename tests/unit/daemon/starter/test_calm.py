# SPDX-License-Identifier: Apache-2.0
"""Jerks are evened out, asked poses are not touched, and poses that nobody asked for do not twitch."""

from __future__ import annotations

from typing import Any

import numpy as np

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import calm

X = np.array([1.0, 0.0, 0.0])


def bent(angles_rad: Any) -> Any:
    """One joint (T, 1, 4) bent by angles."""
    return quat.from_axis_angle(X, np.asarray(angles_rad, float))[:, None]


def test_a_joint_that_snaps_is_evened_out_and_nothing_else_is() -> None:
    t = np.arange(40)
    snap, swing = np.where(t < 20, 0.6, 0.1), 0.4 * np.sin(t / 6)
    q = np.concatenate([bent(snap), bent(swing)], axis=1)
    out = calm.calm(q, np.zeros(40, bool))
    assert calm.jerks(q)[:, 0].any()
    assert not calm.jerks(out).any()
    np.testing.assert_allclose(out[:, 1], q[:, 1])
    np.testing.assert_allclose(out[[0, 10, 30, 39], 0], q[[0, 10, 30, 39], 0], atol=1e-9)


def test_asked_frames_stay() -> None:
    q = bent(np.where(np.arange(40) == 20, 0.9, 0.1))
    fixed = np.arange(40) == 20
    np.testing.assert_array_equal(calm.calm(q, fixed)[20], q[20])
    few = bent([0.0, 1.0, 0.0])
    np.testing.assert_allclose(calm.calm(few, np.zeros(3, bool)), few)


def test_a_lone_key_of_the_models_own_melts_into_its_neighbours() -> None:
    t = np.arange(30) / 30.0
    q, root = bent(t), np.stack([0 * t, 0.9 + 0 * t, t], axis=1)
    twitching, off = q.copy(), root.copy()
    keys = np.zeros(30, bool)
    keys[[0, 12, 29]] = True
    twitching[keys] = bent([0.5, 0.9, 0.2])
    off[keys, 1] += 0.05
    calm.melt(twitching, off, keys)
    assert np.degrees(quat.angle_between_rad(twitching, q).max()) < 0.01
    np.testing.assert_allclose(off, root, atol=1e-6)
    dense = np.ones(30, bool)
    kept = q.copy()
    calm.melt(kept, root, dense)
    np.testing.assert_array_equal(kept, q)
    calm.melt(q[:1], root[:1], np.ones(1, bool))
