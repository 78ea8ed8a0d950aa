# SPDX-License-Identifier: Apache-2.0
"""Euler angles: all six orders, at gimbal lock too, and curves without jumps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.motion.strategies import rotations

from kineograph.motion import euler, quat


@given(rotations(), st.sampled_from(euler.ORDERS))
def test_angles_give_the_rotation_back(q: np.ndarray, order: str) -> None:
    angles = euler.from_quat(q, order)
    assert abs(angles[1]) <= np.pi / 2 + 1e-12
    assert float(quat.angle_between_rad(euler.to_quat(angles, order), q)) < 1e-7


@pytest.mark.parametrize("order", euler.ORDERS)
@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2, np.pi / 2 - 1e-9, -np.pi / 2 + 1e-12])
def test_gimbal_lock_is_exact(order: str, middle: float) -> None:
    angles = np.random.default_rng(2).uniform(-3, 3, (50, 3))
    angles[:, 1] = middle
    q = euler.to_quat(angles, order)
    assert quat.angle_between_rad(euler.to_quat(euler.from_quat(q, order), order), q).max() < 1e-12


def test_the_last_axis_turns_first() -> None:
    q = euler.to_quat(np.array([np.pi / 2, np.pi / 2]), "ZX")
    assert np.allclose(quat.rotate(q, np.array([0, 1.0, 0])), [0, 0, 1.0], atol=1e-12)  # X takes y to z, Z leaves it


def test_no_axes_are_the_identity_and_axes_may_repeat() -> None:
    assert np.array_equal(euler.to_quat(np.zeros((3, 0)), ""), quat.identity(3))
    twice = euler.to_quat(np.array([0.3, 0.0, 0.4]), "XYX")
    assert float(quat.angle_between_rad(twice, euler.to_quat(np.array([0.7]), "X"))) < 1e-12


def test_curves_do_not_jump() -> None:
    t = np.linspace(0, 12, 400)
    q = quat.mul(quat.about_y(t), quat.from_rotvec(np.stack([1.5 * np.sin(t), 0 * t, 1.2 * np.cos(2 * t)], -1)))
    angles = euler.continuous(euler.from_quat(q, "ZYX"))
    raw = euler.from_quat(q, "ZYX")
    assert quat.angle_between_rad(euler.to_quat(angles, "ZYX"), q).max() < 1e-9
    assert np.abs(np.diff(raw, axis=0)).max() > 3.0
    assert np.abs(np.diff(angles, axis=0)).max() < 1.0


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match="XYZ"):
        euler.from_quat(quat.identity(), "XYX")
