# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action's curves say of bones, as plain numbers: read in pieces, compared in pieces with what is there now.

Nothing of Blender's is held: curves are found again by where they stand in their slot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import datapath
from .datapath import Channel
from .pace import Pace, whole

FloatArray = NDArray[np.floating[Any]]
Slot = tuple[Any, Any]
"""An action and its slot; both may be None."""

SAME_FRAME = 1e-4
_Head = tuple[str, int, bool, int, int]
"""A curve's data path, its index, whether it is muted, how many modifiers and how many keys it has."""


class KeyedCurve(NamedTuple):
    """One F-curve of a bone, for the ``part``th value of a property: ``frames`` (N,) of its keys.

    Frames are rounded where float32 ends. ``first``: where the values of its keys begin among those of all.
    ``is_plain``: at a key it says that key's value. ``where``: the how manyth of its slot it is. ``chosen`` (N,): which
    keys are selected, where that was asked.
    """

    where: int
    channel: Channel
    part: int
    frames: NDArray[np.float64]
    first: int
    is_plain: bool
    chosen: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Keyed:
    """What the curves of one slot say. ``curves``: those of bones that have keys and are not muted; ``only_bones``:
    none is of anything else; ``co`` (2 K,): frames and values of all keys."""

    curves: Sequence[KeyedCurve] = ()
    only_bones: bool = True
    heads: Sequence[_Head] = ()
    co: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def renamed(self, now: Mapping[str, str]) -> Keyed:
        """The same under the bones' present names."""
        if not now:
            return self
        named = [
            c._replace(channel=c.channel._replace(bone=now.get(c.channel.bone, c.channel.bone))) for c in self.curves
        ]
        return replace(self, curves=named)

    @property
    def values(self) -> FloatArray:
        """The values of all keys (K,)."""
        found: FloatArray = self.co[1::2]
        return found

    @property
    def bones(self) -> set[str]:
        """Bones that are named."""
        return {channel.bone for h in self.heads if (channel := datapath.parse(h[0])) is not None}


def read(action: Any, slot: Any, *, chosen: bool = False) -> Keyed:
    """All at once. ``chosen``: with which keys are selected."""
    return whole(reading(lambda: (action, slot), chosen=chosen))


def reading(find: Callable[[], Slot], *, chosen: bool = False) -> Generator[None, None, Keyed]:
    """``read`` in pieces of about a millisecond; ``find`` finds the slot anew for each. What changes meanwhile is for
    ``comparing`` to tell."""
    heads: list[_Head] = []
    parts: list[FloatArray] = []
    sorter = _Sorter()
    pace, more = Pace(100, least=20), True
    while more:
        with pace.piece() as count:
            some = compat.some_curves(*find(), len(heads), count)
            new = [_head(curve) for curve in some]
            parts.append(_co(some, new))
            picks = [_chosen(curve, head[4]) if chosen else None for curve, head in zip(some, new, strict=True)]
            sorter.add(new, parts[-1], picks)
            heads += new
            more = len(some) == count
        yield
    co = np.concatenate(parts)
    return Keyed(sorter.curves, all(datapath.parse(h[0]) is not None for h in heads), heads, co)


def comparing(was: Keyed, find: Callable[[], Slot]) -> Generator[None, None, bool]:
    """Whether the curves still say what they said, in pieces of about a millisecond."""
    pace, seen, at = Pace(200, least=20), 0, 0
    while True:
        with pace.piece() as count:
            some = compat.some_curves(*find(), seen, count)
            heads = was.heads[seen : seen + count]
            if len(some) != len(heads) or any(_head(c) != h for c, h in zip(some, heads, strict=True)):
                return False
            there = _co(some, heads)
            if there.tobytes() != was.co[at : at + len(there)].tobytes():
                return False
            seen, at = seen + len(some), at + len(there)
            if len(some) < count:
                return seen == len(was.heads)
        yield


def near(keys: FloatArray, frames: FloatArray) -> NDArray[np.intp] | None:
    """Which keys stand at ``frames``; None where one of them has none."""
    found = np.minimum(np.searchsorted(keys, frames - SAME_FRAME), len(keys) - 1)
    return found if (np.abs(keys[found] - frames) < SAME_FRAME).all() else None


def not_on_keys(curves: Collection[KeyedCurve], frames: FloatArray) -> list[KeyedCurve]:
    """Curves that have to be asked what they say at some frames."""
    known: dict[int, bool] = {}
    out = []
    for curve in curves:
        if curve.is_plain and id(curve.frames) not in known:
            known[id(curve.frames)] = near(curve.frames, frames) is not None
        if not curve.is_plain or not known[id(curve.frames)]:
            out.append(curve)
    return out


def evaluating(
    curves: Sequence[KeyedCurve], frames: FloatArray, find: Callable[[], Slot]
) -> Generator[None, None, dict[int, FloatArray]]:
    """What curves say at some frames (T,) as Blender interpolates, by where they stand, in pieces."""
    out: dict[int, FloatArray] = {}
    pace, stops = Pace(8), frames.tolist()
    left: Iterator[KeyedCurve] = iter(curves)
    while len(out) < len(curves):
        with pace.piece() as count:
            every = compat.curves(*find())
            for _, curve in zip(range(count), left, strict=False):
                asked = every[curve.where].evaluate
                out[curve.where] = np.array([asked(f) for f in stops])
        yield
    return out


def _head(curve: Any) -> _Head:
    return curve.data_path, curve.array_index, curve.mute, len(curve.modifiers), len(curve.keyframe_points)


def _co(curves: Sequence[Any], heads: Sequence[_Head]) -> FloatArray:
    """Frames and values of all keys (2 K,), one after the other."""
    out = np.empty(2 * sum(h[4] for h in heads), np.float32)
    at = 0
    for curve, head in zip(curves, heads, strict=True):
        to = at + 2 * head[4]
        curve.keyframe_points.foreach_get("co", out[at:to])
        at = to
    return out


def _chosen(curve: Any, count: int) -> NDArray[np.bool_]:
    out = np.empty(count, bool)
    curve.keyframe_points.foreach_get("select_control_point", out)
    return out


class _Sorter:
    """Curves that say something of a bone, from all of a slot."""

    def __init__(self) -> None:
        self.curves: list[KeyedCurve] = []
        self._where = self._at = 0
        # Most curves of a pose have their keys at the same frames: those share one array.
        self._known: dict[bytes, tuple[NDArray[np.float64], bool]] = {}

    def add(self, heads: Sequence[_Head], co: FloatArray, picks: Sequence[NDArray[np.bool_] | None]) -> None:
        """The next ones, with frames and values of their keys."""
        frames_of, at = np.ascontiguousarray(co[::2]), 0
        for (path, part, mute, modifiers, count), chosen in zip(heads, picks, strict=True):
            channel, first, at = datapath.parse(path), at, at + count
            if channel is not None and count and not mute:
                frames, is_plain = self._shared(frames_of[first:at])
                plain = is_plain and not modifiers
                self.curves.append(KeyedCurve(self._where, channel, part, frames, self._at + first, plain, chosen))
            self._where += 1
        self._at += at

    def _shared(self, frames: FloatArray) -> tuple[NDArray[np.float64], bool]:
        stops = frames.tobytes()
        found = self._known.get(stops)
        if found is None:
            rounded = frames.astype(np.float64).round(4)
            # Two keys at one frame: Blender says what that means.
            found = self._known[stops] = rounded, bool((np.diff(rounded) > SAME_FRAME).all())
        return found
