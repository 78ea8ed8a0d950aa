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
_FIRST = 30
"""Curves to begin with: those of a take have a key on each frame, and take ten times as long as those of poses."""
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
    """What the curves of one slot say. ``runs``: those of bones that have keys and are not muted, such as follow each
    other and are of one channel, at the same keys and all plain or none, together; ``only_bones``: none is of anything
    else; ``co`` (2 K,): frames and values of all keys."""

    runs: Sequence[Sequence[KeyedCurve]] = ()
    only_bones: bool = True
    heads: Sequence[_Head] = ()
    co: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def renamed(self, now: Mapping[str, str]) -> Keyed:
        """The same under the bones' present names."""
        if not now:
            return self
        return replace(self, runs=[_renamed(run, now) for run in self.runs])

    @property
    def curves(self) -> list[KeyedCurve]:
        """All of them, one after the other."""
        return [curve for run in self.runs for curve in run]

    @property
    def values(self) -> FloatArray:
        """The values of all keys (K,)."""
        found: FloatArray = self.co[1::2]
        return found

    @property
    def bones(self) -> set[str]:
        """Bones that are named."""
        paths = {head[0] for head in self.heads}
        return {channel.bone for path in paths if (channel := datapath.parse(path)) is not None}


def paths_of(action: Any, slot: Any) -> list[str]:
    """The data paths of all curves."""
    return [curve.data_path for curve in compat.curves(action, slot)]


def are_of_bones(paths: Collection[str]) -> bool:
    """Whether these data paths are all of bones."""
    return None not in map(datapath.parse, paths)


def read(action: Any, slot: Any, *, chosen: bool = False) -> Keyed:
    """All at once. ``chosen``: with which keys are selected."""
    return whole(reading(lambda: (action, slot), chosen=chosen))


def reading(
    find: Callable[[], Slot], *, chosen: bool = False, paths: Sequence[str] = ()
) -> Generator[None, None, Keyed]:
    """``read`` in pieces of about a millisecond; ``find`` finds the slot anew for each. What changes meanwhile is for
    ``comparing`` to tell. ``paths``: the curves' data paths, where they were read a moment ago."""
    heads: list[_Head] = []
    parts: list[FloatArray] = []
    sorter = _Sorter()
    pace, more = Pace(_FIRST, least=_FIRST), True
    while more:
        with pace.piece() as count:
            some = compat.some_curves(*find(), len(heads), count)
            known = paths[len(heads) : len(heads) + count]
            keys = [curve.keyframe_points for curve in some]
            new = _heads(some, keys, known if len(known) == len(some) else [curve.data_path for curve in some])
            parts.append(_co(keys, new))
            sorter.add(new, parts[-1], [_chosen(k) for k in keys] if chosen else [None] * len(some))
            heads += new
            more = len(some) == count
        yield
    return Keyed(sorter.runs, are_of_bones([head[0] for head in heads]), heads, np.concatenate(parts))


def comparing(was: Keyed, find: Callable[[], Slot]) -> Generator[None, None, bool]:
    """Whether the curves still say what they said, in pieces of about a millisecond."""
    pace, seen, at = Pace(_FIRST, least=_FIRST), 0, 0
    while True:
        with pace.piece() as count:
            some = compat.some_curves(*find(), seen, count)
            keys = [curve.keyframe_points for curve in some]
            heads = _heads(some, keys, [curve.data_path for curve in some])
            if heads != [*was.heads[seen : seen + count]]:
                return False
            there = _co(keys, heads)
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


def not_on_keys(runs: Collection[Sequence[KeyedCurve]], frames: FloatArray) -> list[KeyedCurve]:
    """Curves that have to be asked what they say at some frames."""
    known: dict[int, bool] = {}
    out: list[KeyedCurve] = []
    for run in runs:
        stops = run[0].frames
        if run[0].is_plain and id(stops) not in known:
            known[id(stops)] = near(stops, frames) is not None
        if not run[0].is_plain or not known[id(stops)]:
            out += run
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


def _renamed(run: Sequence[KeyedCurve], now: Mapping[str, str]) -> Sequence[KeyedCurve]:
    channel = run[0].channel
    if channel.bone not in now:
        return run
    channel = channel._replace(bone=now[channel.bone])
    return [curve._replace(channel=channel) for curve in run]


def _heads(curves: Sequence[Any], keys: Sequence[Any], paths: Sequence[str]) -> list[_Head]:
    return [
        (path, curve.array_index, curve.mute, len(curve.modifiers), len(points))
        for curve, points, path in zip(curves, keys, paths, strict=True)
    ]


def _co(keys: Sequence[Any], heads: Sequence[_Head]) -> FloatArray:
    """Frames and values of all keys (2 K,), one after the other."""
    out = np.empty(2 * sum([h[4] for h in heads]), np.float32)
    at = 0
    for points, head in zip(keys, heads, strict=True):
        to = at + 2 * head[4]
        points.foreach_get("co", out[at:to])
        at = to
    return out


def _chosen(points: Any) -> NDArray[np.bool_]:
    out = np.empty(len(points), bool)
    points.foreach_get("select_control_point", out)
    return out


class _Sorter:
    """Curves that say something of a bone, from all of a slot."""

    def __init__(self) -> None:
        self.runs: list[list[KeyedCurve]] = []
        self._last: tuple[Channel, NDArray[np.float64], bool] | None = None
        self._where = self._at = 0
        # Most curves of a pose have their keys at the same frames: those share one array.
        self._known: dict[bytes, tuple[NDArray[np.float64], bool]] = {}

    def add(self, heads: Sequence[_Head], co: FloatArray, picks: Sequence[NDArray[np.bool_] | None]) -> None:
        """The next ones, with frames and values of their keys."""
        # Bytes: to cut and to compare them takes a third of what it takes with arrays.
        stops_of, at = co[::2].tobytes(), 0
        width, known, last = co.itemsize, self._known, self._last
        for where, ((path, part, mute, modifiers, count), chosen) in enumerate(
            zip(heads, picks, strict=True), self._where
        ):
            channel, first, at = datapath.parse(path), at, at + count
            if channel is None or mute or not count:
                continue
            stops = stops_of[width * first : width * at]
            frames, is_plain = known.get(stops) or self._shared(stops)
            is_plain &= not modifiers
            curve = KeyedCurve(where, channel, part, frames, self._at + first, is_plain, chosen)
            if last is not None and last[0] is channel and last[1] is frames and last[2] is is_plain:
                self.runs[-1].append(curve)
            else:
                self.runs.append([curve])
                last = self._last = channel, frames, is_plain
        self._where += len(heads)
        self._at += at

    def _shared(self, stops: bytes) -> tuple[NDArray[np.float64], bool]:
        rounded = np.frombuffer(stops, np.float32).astype(np.float64).round(4)
        # Two keys at one frame: Blender says what that means.
        found = self._known[stops] = rounded, bool((np.diff(rounded) > SAME_FRAME).all())
        return found
