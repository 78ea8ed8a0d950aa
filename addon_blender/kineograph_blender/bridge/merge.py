# SPDX-License-Identifier: GPL-3.0-or-later
"""A range of a motion replaced, and the rest of it left as it is shown: what stands outside is read and written along.

Kept keys stay at their frames. Where the curve between two of them was not straight, every whole frame between is
keyed, so that each frame shows what it showed before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import datapath
from .action import Channels
from .datapath import Channel

FloatArray = NDArray[np.floating[Any]]

_LINEAR = 1
_SAME = 1e-3


@dataclass(frozen=True, eq=False)
class Outside:
    """What one property shows before and after the range: ``frames`` (N,), ``values`` (N, width)."""

    frames: NDArray[np.float32]
    values: FloatArray


def curves_by_channel(action: Any, slot: Any, *, every: bool = False) -> dict[Channel, dict[int, Any]]:
    """The F-curves of bone transforms, by channel and array index; ``every``: of the bones' own properties too."""
    out: dict[Channel, dict[int, Any]] = {}
    for curve in compat.curves(action, slot):
        channel = datapath.parse(curve.data_path)
        if channel is None or not len(curve.keyframe_points):
            continue
        if every or channel.prop in datapath.TRANSFORM_PROPS:
            out.setdefault(channel, {})[curve.array_index] = curve
    return out


def outside(curves: dict[int, Any], now: Sequence[float], first: float, last: float) -> Outside:
    """What the curves of one property show outside ``first`` to ``last``; ``now`` stands in for missing ones."""
    stops = {float(first) - 1.0, float(last) + 1.0}
    for curve in curves.values():
        stops |= _stops(curve, first, last)
    frames = np.array(sorted(stops))
    values = np.repeat(np.asarray(now, float)[None], len(frames), axis=0)
    for index, curve in curves.items():
        if index < values.shape[1]:
            values[:, index] = [curve.evaluate(f) for f in frames]
    return Outside(frames.astype(np.float32), values)


def joined(item: Channels, kept: Outside | None) -> Channels:
    """New values in the middle of what stands outside, without a jump of sign or of a whole turn at the seams."""
    if kept is None:
        return item
    first, last = float(item.frames[0]), float(item.frames[-1])
    before, after = kept.frames < first - _SAME, kept.frames > last + _SAME
    middle = np.asarray(item.values, float)
    tail = kept.values[after]
    if before.any():
        middle = _continued(item.prop, kept.values[before][-1], middle)
    if after.any():
        tail = _continued(item.prop, middle[-1], tail)
    frames = np.concatenate([kept.frames[before], item.frames, kept.frames[after]])
    return Channels(item.bone, item.prop, frames, np.concatenate([kept.values[before], middle, tail]))


def _stops(curve: Any, first: float, last: float) -> set[float]:
    count = len(curve.keyframe_points)
    co = np.empty(count * 2, np.float32)
    curve.keyframe_points.foreach_get("co", co)
    frames = co[::2].astype(float).round(4)
    kinds = np.empty(count, np.uint8)
    curve.keyframe_points.foreach_get("interpolation", kinds)
    stops = set(frames.tolist())
    if (kinds[:-1] != _LINEAR).any() or len(curve.modifiers):
        stops |= set(map(float, range(math.ceil(frames[0]), math.floor(frames[-1]) + 1)))
    return {f for f in stops if f < first - 1.0 or f > last + 1.0}


def _continued(prop: str, from_value: FloatArray, values: FloatArray) -> FloatArray:
    """The same rotations, written so that they go on from ``from_value``."""
    if not len(values):
        return values
    if prop == "rotation_quaternion":
        return -values if float(np.dot(from_value, values[0])) < 0.0 else values
    if prop == "rotation_euler":
        turns = np.round((from_value - values[0]) / math.tau) * math.tau
        out: FloatArray = values + turns
        return out
    return values
