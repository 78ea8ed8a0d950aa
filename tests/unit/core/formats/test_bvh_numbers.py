# SPDX-License-Identifier: Apache-2.0
"""Numbers of a whole block at once are the numbers that are read and written one by one."""

from __future__ import annotations

import numpy as np
import pytest

from kineograph.formats.bvh import numbers
from kineograph.motion import euler


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 100.0, 1e6])
def test_written_as_one_by_one_and_read_back_to_the_last_bit(scale: float) -> None:
    values = np.random.default_rng(1).normal(size=(40, 11)) * scale
    values[3, 2], values[4, 4], values[5, 5] = 0.0, -0.0, -1e-9
    decimals = np.array([6] * 5 + [7] * 6)
    text = numbers.rows(values, decimals)
    assert text is not None
    slow = [" ".join(f"{x:.{int(d)}f}" for x, d in zip(row, decimals, strict=True)) for row in values]
    # A number that rounds to nothing has no sign.
    assert text.decode() == "".join(line + "\n" for line in slow).replace("-0.000000 ", "0.000000 ").replace(
        "-0.0000000", "0.0000000"
    )
    read = numbers.parse(text)
    assert read is not None
    assert np.array_equal(read, np.array(text.split(), float))


@pytest.mark.parametrize("text", [b"1 -2.5\t3.\n .25 007 -0", b"12345678.1234567", b" \n\t ", b""])
def test_plain_decimals_are_read_exactly(text: bytes) -> None:
    read = numbers.parse(text)
    assert read is not None
    assert np.array_equal(read, np.array(text.split(), float))
    assert np.array_equal(np.signbit(read), np.signbit(np.array(text.split(), float)))


@pytest.mark.parametrize("text", [
    b"1e5", b"+1", b"nan", b"inf", b"-", b".", b"-.", b"1-2", b"--1", b"1.2.3", b"1,5", b"1\x002", b"0x1f",
    b"1234567890.123456", b"\xff", b"1 2 three",
])  # fmt: skip
def test_anything_else_is_left_to_the_slower_way(text: bytes) -> None:
    assert numbers.parse(text) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e12])
def test_what_is_no_plain_decimal_is_not_written_so(bad: float) -> None:
    assert numbers.rows(np.array([[1.0, bad]]), np.array([6, 6])) is None


def test_angles_go_on_without_jumps_frame_by_frame() -> None:
    """As choosing the nearer form frame after frame does."""
    rng = np.random.default_rng(3)
    angles = rng.uniform(-np.pi, np.pi, (200, 5, 3)) * (1, 0.5, 1)
    out = euler.continuous(angles)
    before = angles[0]
    for t in range(1, len(angles)):
        forms = []
        for form in (
            angles[t],
            np.stack([angles[t, :, 0] + np.pi, np.pi - angles[t, :, 1], angles[t, :, 2] + np.pi], -1),
        ):
            forms.append(form + 2 * np.pi * np.round((before - form) / (2 * np.pi)))
        nearer = np.abs(forms[1] - before).sum(-1) < np.abs(forms[0] - before).sum(-1)
        before = np.where(nearer[:, None], forms[1], forms[0])
        np.testing.assert_allclose(out[t], before, atol=1e-9)
    assert euler.continuous(angles[:1]).shape == (1, 5, 3)
    assert euler.continuous(angles[:0]).shape == (0, 5, 3)
