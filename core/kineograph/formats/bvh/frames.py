# SPDX-License-Identifier: Apache-2.0
"""The MOTION section: the frame count, the frame time, and one number per channel and frame."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import SceneError
from kineograph.formats.bvh import numbers
from kineograph.formats.failure import incomplete, unreadable

FloatArray = NDArray[np.floating[Any]]

_HEAD = re.compile(rb"\s*Frames\s*:?\s*(\S+)\s+Frame\s+Time\s*:?\s*(\S+)[^\S\n]*", re.IGNORECASE)
_LINES_AT_ONCE = 64
_DEFAULT_FPS_HZ = 30.0
_FEW_DIGITS = 0.02  # a frame time printed as 0.033 is 1 % off; more is no rounding


def parse(path: Path, text: bytes, first_line: int, channels: int) -> tuple[float, FloatArray]:
    """The rate in Hz and values (T, ``channels``), from what follows the word MOTION in line ``first_line``.

    The claimed number of frames is compared with what is there; it never decides how much memory is taken. A file
    without channels has no frames, whatever it says.
    """
    head = _HEAD.match(text)
    if head is None:
        raise _bad_head(path, text, first_line)
    line = first_line + text.count(b"\n", 0, head.end())
    frames = _frame_count(path, head[1], first_line + text.count(b"\n", 0, head.start(1)))
    fps_hz = _rate(path, head[2], line, frames)
    if channels == 0 and frames > 1:
        raise unreadable(path, f"says {frames} frames, but no joint has a channel", line=line, got=frames)
    values = _numbers(path, text[head.end() :].split(b"\n"), line)
    if channels == 0 and not values.size:
        return fps_hz, np.zeros((0, 0))
    if values.size != frames * channels:
        raise _wrong_size(path, text[head.end() :].split(b"\n"), line, frames, channels)
    return fps_hz, values.reshape(frames, channels)


def rate_of(frame_time: str) -> float:
    """The rate in Hz that a printed frame time stands for.

    Frame times are printed with few digits (.0083333 is 120 Hz): a whole or NTSC rate within the last digit wins.
    """
    digits = Decimal(frame_time)
    exponent = digits.as_tuple().exponent
    last_digit = float(Decimal((0, (1,), exponent if isinstance(exponent, int) else 0)))
    time_s = float(digits)
    whole = max(1.0, np.rint(1.0 / time_s))
    ntsc = max(1.0, np.rint(1.001 / time_s)) / 1.001
    best = min((whole, ntsc), key=lambda hz: abs(1.0 / hz - time_s))
    for rate in (whole, best):
        if abs(1.0 / rate - time_s) <= min(last_digit, _FEW_DIGITS * time_s):
            return float(rate)
    return 1.0 / time_s


def _frame_count(path: Path, token: bytes, line: int) -> int:
    if not token.isdigit() or len(token) > 12:
        got = token[:40].decode("latin-1")
        raise unreadable(path, f"{got!r} is no number of frames", line=line, got=got)
    return int(token)


def _rate(path: Path, token: bytes, line: int, frames: int) -> float:
    text = token[:40].decode("latin-1")
    try:
        time_s = Decimal(text)
    except InvalidOperation:
        time_s = Decimal("nan")
    if frames <= 1 and time_s == 0:
        return _DEFAULT_FPS_HZ
    if not time_s.is_finite() or not Decimal("1e-6") <= time_s <= Decimal("1e4"):
        raise unreadable(path, f"{text!r} is no frame time in seconds", line=line, got=text)
    return rate_of(text)


def _numbers(path: Path, lines: list[bytes], first_line: int) -> FloatArray:
    """All numbers of ``lines``, flat. A block at a time, so that tokens never fill the memory."""
    blocks: list[FloatArray] = []
    for start in range(0, len(lines), _LINES_AT_ONCE):
        block = lines[start : start + _LINES_AT_ONCE]
        text = b" ".join(block)
        values = numbers.parse(text)
        try:
            if values is None:
                values = np.array(text.split(), dtype=np.float64)
        except ValueError:
            raise _bad_number(path, block, first_line + start) from None
        if not np.isfinite(values).all():
            raise _bad_number(path, block, first_line + start)
        blocks.append(values)
    return np.concatenate(blocks)


def _bad_number(path: Path, lines: list[bytes], first_line: int) -> SceneError:
    for number, line in enumerate(lines, first_line):
        for column, token in enumerate(line.split(), 1):
            try:
                fine = math.isfinite(float(token))
            except ValueError:
                fine = False
            if not fine:
                got = token[:40].decode("latin-1")
                return unreadable(path, f"{got!r} is no finite number (column {column})", line=number, got=got)
    return unreadable(path, "a number cannot be read", line=first_line)


def _wrong_size(path: Path, lines: list[bytes], first_line: int, frames: int, channels: int) -> SceneError:
    counts = [len(line.split()) for line in lines]
    filled = [i for i, count in enumerate(counts) if count]
    last = first_line + (filled[-1] if filled else 0)
    odd = next((i for i in filled[:-1] if counts[i] != channels), None)
    have = sum(counts)
    if odd is not None:
        said = f"a frame has {counts[odd]} numbers where the joints have {channels} channels"
        return unreadable(path, said, line=first_line + odd, got=counts[odd], allowed=channels)
    if have < frames * channels:
        whole = have // channels if channels else 0
        said = f"ends after {whole} of {frames} frames" + (" (in the middle of one)" if have % max(channels, 1) else "")
        return incomplete(path, said, line=last, got=whole, allowed=frames)
    said = f"says {frames} frames of {channels} numbers and holds {have} numbers"
    return unreadable(path, said, line=last, got=have, allowed=frames * channels)


def _bad_head(path: Path, text: bytes, first_line: int) -> SceneError:
    words = text[:400].split()
    if len(words) < 5 and len(text) < 400:
        return incomplete(path, "ends in the head of its MOTION section", line=first_line + text.count(b"\n"))
    return unreadable(path, "MOTION is not followed by 'Frames:' and 'Frame Time:'", line=first_line)
