# SPDX-License-Identifier: Apache-2.0
"""Quaternions: algebra for any rotation, and the singular ones by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.motion.strategies import SINGULAR_XYZW, rotations, vectors

from kineograph.motion import quat

HALF_TURN_X = np.array([1.0, 0, 0, 0])


def same(a: np.ndarray, b: np.ndarray, tolerance_rad: float = 1e-9) -> bool:
    return float(np.max(quat.angle_between_rad(a, b))) <= tolerance_rad


@given(rotations(), rotations(), vectors())
def test_a_product_turns_by_the_second_factor_first(a: np.ndarray, b: np.ndarray, v: np.ndarray) -> None:
    assert np.allclose(quat.rotate(quat.mul(a, b), v), quat.rotate(a, quat.rotate(b, v)), atol=1e-9)


@given(rotations(), vectors())
def test_the_conjugate_undoes(q: np.ndarray, v: np.ndarray) -> None:
    assert np.allclose(quat.rotate(quat.conj(q), quat.rotate(q, v)), v, atol=1e-9)


@given(rotations(), vectors())
def test_matrices_turn_as_quaternions_do_and_come_back(q: np.ndarray, v: np.ndarray) -> None:
    m = quat.to_matrix(q)
    assert np.allclose(m @ v, quat.rotate(q, v), atol=1e-9)
    assert np.allclose(m @ m.T, np.eye(3), atol=1e-12)
    assert same(quat.from_matrix(m), q, 1e-7)


@given(rotations())
def test_the_logarithm_and_the_exponential_are_inverse(q: np.ndarray) -> None:
    vector = quat.to_rotvec(q)
    assert np.linalg.norm(vector) <= np.pi + 1e-12
    assert same(quat.from_rotvec(vector), q, 1e-7)


@given(rotations())
def test_antipodal_quaternions_are_one_rotation(q: np.ndarray) -> None:
    assert np.allclose(quat.to_matrix(q), quat.to_matrix(-q))
    assert float(quat.angle_between_rad(q, -q)) < 1e-12
    if abs(q[3]) > 1e-6:  # at a half turn the sign of the logarithm is free
        assert np.allclose(quat.to_rotvec(q), quat.to_rotvec(-q))


@given(rotations(), rotations(), st.floats(0, 1))
def test_slerp_runs_along_the_shorter_arc_at_even_speed(a: np.ndarray, b: np.ndarray, t: float) -> None:
    whole = float(quat.angle_between_rad(a, b))
    middle = quat.slerp(a, b, t)
    assert abs(float(np.linalg.norm(middle)) - 1) < 1e-12
    assert float(quat.angle_between_rad(a, middle)) == pytest.approx(t * whole, abs=1e-6)
    assert float(quat.angle_between_rad(middle, b)) == pytest.approx((1 - t) * whole, abs=1e-6)


@given(rotations(), rotations())
def test_slerp_meets_its_ends(a: np.ndarray, b: np.ndarray) -> None:
    assert same(quat.slerp(a, b, 0.0), a, 1e-7)
    assert same(quat.slerp(a, b, 1.0), b, 1e-7)


def test_slerp_between_antipodal_quaternions_stays_in_place() -> None:
    q = quat.normalize(np.array([0.1, 0.2, 0.3, 0.9]))
    assert same(quat.slerp(q, -q, np.linspace(0, 1, 5)), q, 1e-7)


@given(vectors(1.0).filter(lambda v: np.linalg.norm(v) > 1e-3), vectors(1.0).filter(lambda v: np.linalg.norm(v) > 1e-3))
def test_between_takes_one_direction_to_the_other(a: np.ndarray, b: np.ndarray) -> None:
    q = quat.between(a, b)
    turned = quat.rotate(q, a / np.linalg.norm(a))
    assert np.allclose(turned, b / np.linalg.norm(b), atol=1e-4)


@pytest.mark.parametrize("v", [(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.6, 0.8, 0), (-0.5, 0.5, 0.7071)])
def test_between_opposite_directions_is_a_half_turn(v: tuple[float, float, float]) -> None:
    a = np.array(v)
    q = quat.between(a, -a)
    assert np.allclose(quat.rotate(q, a), -a, atol=1e-9)
    assert float(quat.angle_between_rad(quat.IDENTITY_XYZW, q)) == pytest.approx(np.pi)


@given(rotations(), vectors(1.0).filter(lambda v: np.linalg.norm(v) > 1e-2))
def test_swing_and_twist_make_the_rotation_again(q: np.ndarray, v: np.ndarray) -> None:
    axis = v / np.linalg.norm(v)
    swing, twist = quat.swing_twist(q, axis)
    assert same(quat.mul(swing, twist), q, 1e-6)
    assert np.allclose(quat.rotate(twist, axis), axis, atol=1e-6)


def test_a_half_turn_swing_has_the_identity_as_its_twist() -> None:
    swing, twist = quat.swing_twist(HALF_TURN_X, np.array([0, 1.0, 0]))
    assert np.array_equal(twist, quat.IDENTITY_XYZW)
    assert same(swing, HALF_TURN_X)


@given(st.floats(-3.1, 3.1))
def test_about_y_turns_z_towards_x_and_heading_reads_it(angle: float) -> None:
    q = quat.about_y(angle)
    assert np.allclose(quat.rotate(q, np.array([0, 0, 1.0])), [np.sin(angle), 0, np.cos(angle)], atol=1e-12)
    assert float(quat.heading_rad(q)) == pytest.approx(angle, abs=1e-9)
    assert float(quat.heading_rad(-q)) == pytest.approx(angle, abs=1e-9)


def test_heading_of_a_pure_half_turn_swing_is_zero() -> None:
    assert float(quat.heading_rad(HALF_TURN_X)) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_quaternion_too_long_to_be_squared_keeps_its_direction(dtype: type[np.floating[Any]]) -> None:
    most = np.finfo(dtype).max
    sent = np.array([[0, most, 0, 0], [most, most, most, most], [0, 0, 0, 2]], dtype)
    np.testing.assert_allclose(quat.normalize(sent), [[0, 1, 0, 0], [0.5] * 4, [0, 0, 0, 1]], rtol=1e-6)
    assert not quat.is_zero(sent).any()


def test_a_quaternion_of_length_zero_becomes_the_identity() -> None:
    assert np.array_equal(quat.normalize(np.zeros((2, 4))), quat.identity(2))
    assert quat.normalize(np.array([0, 0, 0, 2])).dtype == np.float64


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-6, 1e-4, np.pi - 1e-8, np.pi])
def test_small_and_half_turn_angles_are_exact(angle: float) -> None:
    v = angle * np.array([0.6, 0.0, 0.8])
    q = quat.from_rotvec(v)
    assert float(quat.angle_between_rad(quat.IDENTITY_XYZW, q)) == pytest.approx(angle, abs=1e-15, rel=1e-9)
    assert np.allclose(quat.to_rotvec(q), v, atol=1e-9) or np.allclose(quat.to_rotvec(q), -v, atol=1e-9)
    assert same(quat.from_axis_angle(np.array([0.6, 0.0, 0.8]), angle), q, 1e-12)


def test_continuous_removes_the_jumps_between_antipodes() -> None:
    rng = np.random.default_rng(1)
    steady = quat.from_rotvec(np.linspace(0, 6, 50)[:, None, None] * np.array([[0, 1.0, 0], [0, 0, 1.0]]))
    jumpy = steady * rng.choice([-1.0, 1.0], (50, 2, 1))
    out = quat.continuous(jumpy)
    assert (np.einsum("tji,tji->tj", out[1:], out[:-1]) > 0).all()
    assert same(out, steady)
    along = quat.continuous(jumpy.swapaxes(0, 1), axis=1)
    assert np.array_equal(along.swapaxes(0, 1), out)
    assert np.array_equal(quat.continuous(jumpy[:1]), jumpy[:1])


def test_float32_stays_float32() -> None:
    q = np.array(SINGULAR_XYZW, np.float32)
    for out in (quat.mul(q, q), quat.conj(q), quat.normalize(q), quat.slerp(q, q, 0.5), quat.continuous(q)):
        assert out.dtype == np.float32
    assert quat.rotate(q, np.ones((len(q), 3), np.float32)).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_make_unit_is_normalize_in_place_whatever_the_lengths(dtype: type) -> None:
    q = np.random.default_rng(2).normal(size=(50, 3, 4)).astype(dtype)
    q[3, 1], q[4, 2], q[5, 0] = 0.0, 1e30, 1e-3 * q[5, 0]
    wanted = quat.normalize(q.astype(np.float64))
    quat.make_unit(q)
    np.testing.assert_allclose(q, wanted, atol=1e-6)
    again = q.copy()
    quat.make_unit(q)
    np.testing.assert_allclose(q, again, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4,), (7, 4), (2, 300, 77, 4), (0, 4)])
def test_the_range_of_squared_lengths_is_theirs_and_ones(shape: tuple[int, ...], dtype: type) -> None:
    q = np.random.default_rng(len(shape)).normal(size=shape).astype(dtype)
    squares = quat.squared_length(q.astype(np.float64))
    least, greatest = quat.squared_length_range(q)
    assert least == pytest.approx(float(squares.min(initial=1.0)), rel=1e-6)
    assert greatest == pytest.approx(float(squares.max(initial=1.0)), rel=1e-6)
    assert quat.squared_length_range(np.moveaxis(q[None], 0, -2)[..., 0, :]) == (least, greatest)


@pytest.mark.parametrize("at", [(0, 0, 0), (1, 299, 3)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_a_number_that_is_not_finite_shows_in_the_range(at: tuple[int, ...], bad: float) -> None:
    q = np.ones((2, 300, 77, 4), np.float32)
    q[*at[:2], 5, at[2]] = bad
    assert not np.isfinite(quat.squared_length_range(q)[1])
