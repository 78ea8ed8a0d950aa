# SPDX-License-Identifier: Apache-2.0
"""Decimal numbers to and from text, all of a block at once: a BVH file is little else.

Exact: digits are summed as whole numbers below 2^53 and divided once by a power of ten, which rounds as reading each
number by itself does (Clinger, "How to read floating point numbers accurately", 1990, the fast path).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

_MOST_DIGITS = 15
_TENS = 10.0 ** np.arange(_MOST_DIGITS + 1)
_SPACE = 32
_CONTROLS = [bytes([c]) for c in range(_SPACE) if c not in b"\t\n\v\f\r"]
_ZERO, _MINUS, _DOT = ord("0"), ord("-"), ord(".")
_LARGEST = 1e9


def parse(text: bytes) -> FloatArray | None:
    """The numbers of ``text``, flat; None for anything but plain decimals of up to 15 digits (a slower way reads it,
    or says what is wrong)."""
    data = np.frombuffer(b" " + text + b" ", np.uint8)
    digit = data - _ZERO  # wraps: what is no digit is 10 or more
    is_digit, is_space = digit < 10, data <= _SPACE
    dots = np.flatnonzero(data == _DOT)
    edges = np.flatnonzero(is_space[1:] != is_space[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return np.zeros(0)
    signed = data[starts] == _MINUS
    known = sum(map(np.count_nonzero, (is_digit, is_space, signed))) + len(dots)
    if known != len(data) or any(control in text for control in _CONTROLS):
        return None
    decimals = _decimals(starts, ends, dots)
    if decimals is None:
        return None
    digits = ends - starts - signed - (decimals >= 0)
    if not 1 <= int(digits.min()) <= int(digits.max()) <= _MOST_DIGITS:
        return None
    out = _whole(digit[is_digit], digits).astype(np.float64) / _TENS[np.maximum(decimals, 0)]
    out[signed] *= -1.0
    return out


def _decimals(starts: IntArray, ends: IntArray, dots: IntArray) -> IntArray | None:
    """How many places (N,) each number has after its dot, -1 without one; None where one has two."""
    if len(dots) == len(starts) and bool(((dots >= starts) & (dots < ends)).all()):
        return np.asarray(ends - dots - 1)
    owner = np.searchsorted(starts, dots, "right") - 1
    if (np.diff(owner) == 0).any():
        return None
    out = np.full(len(starts), -1)
    out[owner] = ends[owner] - dots - 1
    return out


def _whole(digit: NDArray[np.uint8], digits: IntArray) -> IntArray:
    """Whole numbers (N,) from their digits, all in a row; ``digits`` (N,) says how many each has."""
    most = int(digits.max())
    row = np.concatenate([np.zeros(most, np.uint8), digit])
    first = np.cumsum(digits)  # the place of each number's first digit, were all ``most`` digits long
    missing = most - digits
    out = np.zeros(len(digits), np.int64)
    for k in range(most):
        column = row[first + k]
        column[missing > k] = 0  # the end of the number before
        out *= 10
        out += column
    return out


def rows(values: FloatArray, decimals: IntArray) -> bytes | None:
    """``values`` (T, C) as T lines of numbers with ``decimals`` (C,) places each; None for what is no plain decimal
    of a sensible size."""
    if not values.size or not float(np.abs(values).max()) < _LARGEST:
        return None
    most = int(decimals.max())
    scaled = np.rint(np.abs(values) * _TENS[decimals])
    whole = np.floor(scaled / _TENS[decimals])
    part = ((scaled - whole * _TENS[decimals]) * _TENS[most - decimals]).astype(np.uint32).reshape(-1)
    left = whole.astype(np.uint32).reshape(-1)
    wide = len(str(int(left.max())))
    text = np.empty((values.size, wide + most + 3), np.uint8)  # sign, digits, dot, decimals, space
    text[:, 0] = _MINUS
    for column in range(wide, 0, -1):
        rest = left // 10
        text[:, column] = left - rest * 10 + _ZERO
        left = rest
    text[:, wide + 1] = _DOT
    for column in range(wide + 1 + most, wide + 1, -1):
        rest = part // 10
        text[:, column] = part - rest * 10 + _ZERO
        part = rest
    text[:, -1] = ord(" ")
    lines = text.reshape(*values.shape, -1)
    lines[:, -1, -1] = ord("\n")
    shown = np.ones(lines.shape, bool)
    shown[..., 0] = (values < 0) & (scaled > 0)
    for column in range(1, wide):
        shown[..., column] = whole >= _TENS[wide - column]
    for column in np.flatnonzero(decimals < most).tolist():
        shown[:, column, wide + 2 + decimals[column] : -1] = False
    return lines[shown].tobytes()
