# SPDX-License-Identifier: GPL-3.0-or-later
"""What a take wrote, kept with its action, and what differs from it now: those are the user's edits.

The comparison is with the stored values, never with Blender's key types: a key set over a baked key keeps the baked
one's type. A key that says what the take shows there anyway is no edit, so that keying the whole character constrains
just the bones that were moved.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import datapath, identity, stamps
from .action import Channels
from .datapath import Channel
from .pace import Pace, whole

FloatArray = NDArray[np.floating[Any]]
Place = tuple[Channel, int]
"""A channel, and which of its values."""

_RECORD = "kineograph_written"
_CARRIED = "kineograph_carried"

_TOLERANCE = 2e-6
"""On a key that the take wrote: float32 keeps seven digits."""
_BETWEEN = 2e-4
"""Between two keys that the take wrote, where Blender's own interpolation is compared with ours."""
_SAME_FRAME = 1e-3
_DEFAULTS = {"location": 0.0, "scale": 1.0}


@dataclass(frozen=True)
class UserKey:
    """A key that the user set on an applied take: ``values`` of all of the property's channels at a scene frame."""

    bone: str
    prop: str
    frame: float
    values: tuple[float, ...]


@dataclass
class Edits:
    """What differs from the stored take: key frames by channel that were set or changed, and that were removed.

    ``carried``: of those set, keys that an earlier take was edited with and that this one was made to meet.
    """

    keys: dict[Channel, set[float]] = field(default_factory=dict)
    removed: dict[Channel, set[float]] = field(default_factory=dict)
    carried: dict[Channel, set[float]] = field(default_factory=dict)
    is_known: bool = True

    @property
    def is_edited(self) -> bool:
        """Whether the user changed anything since the take was written."""
        return bool(self.removed) or any(at - self.carried.get(c, set()) for c, at in self.keys.items())

    @property
    def bones(self) -> list[str]:
        """Bones with something changed since the take was written."""
        changed = {c.bone for c, at in self.keys.items() if at - self.carried.get(c, set())}
        return sorted(changed | {c.bone for c in self.removed})


def store(action: Any, slot: Any, todo: Iterable[Channels], carried: Iterable[UserKey] = ()) -> None:
    """Keep beside an action what was written into it, and which of it are the user's own keys.

    What it took over from another action, and is not in ``todo``, is kept as it stands there.
    """
    for _ in storing(lambda: (action, slot), todo, carried):
        pass


def storing(
    made: Callable[[], tuple[Any, Any]], todo: Iterable[Channels], carried: Iterable[UserKey] = ()
) -> Iterator[None]:
    """``store`` in steps of about a millisecond. ``made`` finds the action and its slot anew: nothing of it is held."""
    pack, pace, waiting = _Pack(), Pace(20), list(todo)
    named = {Channel(item.bone, item.prop) for item in waiting}
    while waiting:
        with pace.piece() as count:
            some, waiting = waiting[:count], waiting[count:]
            for item in some:
                values = np.asarray(item.values, np.float32)
                for index in range(values.shape[1]):
                    pack.add(item.bone, item.prop, index, item.frames, values[:, index])
        yield
    for curve in compat.curves(*made()):
        channel = datapath.parse(curve.data_path)
        if channel is None or channel.prop not in datapath.TRANSFORM_PROPS or channel in named:
            continue
        frames, there = _co(curve)
        pack.add(*channel, curve.array_index, frames, there)
    yield
    head = json.dumps(pack.head)
    yield
    data = b"".join(pack.parts)
    yield
    action, _ = made()
    action[_RECORD] = {"head": head, "data": data}
    action[_CARRIED] = json.dumps([[k.bone, k.prop, k.frame] for k in carried])


class Record(Mapping[Place, tuple[FloatArray, FloatArray]]):
    """What was written: frames (N,) and values (N,) by channel and array index. Each is looked up when it is asked:
    there are hundreds, and to open a record holds nobody up."""

    def __init__(self, where: Mapping[Place, tuple[int, int, int]], data: bytes) -> None:
        self._where, self._data = where, data

    def __getitem__(self, place: Place) -> tuple[FloatArray, FloatArray]:
        count, frames_at, values_at = self._where[place]
        return np.frombuffer(self._data, "<f4", count, frames_at), np.frombuffer(self._data, "<f4", count, values_at)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)


class _Pack:
    """Rows of frames and values as one block of bytes; frames that many rows share stand there once."""

    def __init__(self) -> None:
        self.head: list[list[Any]] = []
        self.parts: list[bytes] = []
        self._known: dict[bytes, int] = {}
        self._size = 0

    def add(self, bone: str, prop: str, index: int, frames: FloatArray, values: FloatArray) -> None:
        stops = np.asarray(frames, "<f4").tobytes()
        where = self._known.get(stops)
        if where is None:
            where = self._known[stops] = self._put(stops)
        self.head.append([bone, prop, index, len(frames), where, self._put(np.asarray(values, "<f4").tobytes())])

    def _put(self, data: bytes) -> int:
        at, self._size = self._size, self._size + len(data)
        self.parts.append(data)
        return at


def load(action: Any, armature: Any = None) -> Record | None:
    """What ``store`` kept, under the names that the bones of ``armature`` have now; None where nothing readable is."""
    return whole(loading(lambda: (action, armature)))


def loading(find: Callable[[], tuple[Any, Any] | None]) -> Generator[None, None, Record | None]:
    """``load`` in pieces. ``find`` finds action and armature (or None) anew: none, once it is there no more."""
    there = find()
    found = None if there is None else there[0].get(_RECORD)
    if found is None:
        return None
    try:
        head, data = found["head"], bytes(found["data"])
        del there, found
        yield
        rows = json.loads(head)
        names = {row[0] for row in rows}
        yield
        there = find()
        now = {} if there is None or there[1] is None else identity.renamed(there[1], names)
        # What is kept under a bone's present name is the take's; what was only carried along may still have an old one.
        old = {_place(row, now): _where(row, len(data)) for row in rows if row[0] in now}
        yield
        return Record(old | {_place(row, {}): _where(row, len(data)) for row in rows if row[0] not in now}, data)
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def _place(row: list[Any], now: Mapping[str, str]) -> Place:
    return Channel(now.get(row[0], row[0]), row[1]), row[2]


def _where(row: list[Any], size: int) -> tuple[int, int, int]:
    count, frames_at, values_at = row[3:]
    last = size - 4 * count
    if any(type(x) is not int for x in row[3:]) or count < 0 or not (0 <= frames_at <= last and 0 <= values_at <= last):
        raise ValueError(row)
    return count, frames_at, values_at


def carried(action: Any, armature: Any = None) -> dict[Channel, set[float]]:
    """Keys of the user that a take was made to meet, frames by channel."""
    out: dict[Channel, set[float]] = {}
    try:
        rows = json.loads(action.get(_CARRIED) or "[]")
        now = {} if armature is None else identity.renamed(armature, {row[0] for row in rows})
        for bone, prop, frame in rows:
            out.setdefault(Channel(now.get(bone, bone), prop), set()).add(float(frame))
    except (ValueError, TypeError):
        return {}
    return out


def disown(action: Any, armature: Any, keys: Mapping[Channel, set[float]]) -> None:
    """Of the user's keys that a take was made to meet, these are no keys of the user's any more: the take stays."""
    try:
        rows = json.loads(action.get(_CARRIED) or "[]")
        now = identity.renamed(armature, {row[0] for row in rows})
        left = [r for r in rows if float(r[2]) not in keys.get(Channel(now.get(r[0], r[0]), r[1]), ())]
    except (ValueError, TypeError, IndexError):
        return  # then nobody takes any for the user's
    action[_CARRIED] = json.dumps(left)


def edits(action: Any, slot: Any, armature: Any) -> Edits:
    """What the user changed in an applied take. Without a record, as in takes of old files, nothing is known: none."""
    comparison = Comparison(load(action, armature), action, armature)
    comparison.look(compat.curves(action, slot), armature)
    return comparison.end(armature)


def comparing(find: Callable[[], tuple[Any, Any, Any] | None]) -> Generator[None, None, Edits]:
    """``edits`` in pieces. ``find`` finds action, slot and armature anew for each: none, once it is there no more."""

    def kept() -> tuple[Any, Any] | None:
        there = find()
        return None if there is None else (there[0], there[2])

    record = yield from loading(kept)
    yield
    found = find()
    if found is None:
        return Edits()
    action, _, armature = found
    comparison, pace, seen, more = Comparison(record, action, armature), Pace(20), 0, True
    while more:
        yield
        with pace.piece() as count:
            found = find()
            if found is None:
                return Edits()
            action, slot, armature = found
            some = compat.some_curves(action, slot, seen, count)
            comparison.look(some, armature)
            seen += count
            more = len(some) == count
    yield
    found = find()
    return Edits() if found is None else comparison.end(found[2])


class Comparison:
    """``edits`` in pieces, for a main thread that must not be held: begin, look at some curves at a time, end.
    ``record``: what was loaded of the action."""

    def __init__(self, record: Record | None, action: Any, armature: Any) -> None:
        self._record: Mapping[Place, tuple[FloatArray, FloatArray]] = record or {}
        self._unseen = set(self._record)
        self._out = Edits(is_known=record is not None)
        if record is not None:
            self._out.carried = carried(action, armature)

    def look(self, curves: Iterable[Any], armature: Any) -> None:
        """Compare some curves of the action."""
        bones = armature.pose.bones
        for curve in curves if self._out.is_known else ():
            channel = datapath.parse(curve.data_path)
            if channel is None or channel.prop not in datapath.TRANSFORM_PROPS or channel.bone not in bones:
                continue
            times, there = _co(curve)
            meant = self._record.get((channel, curve.array_index))
            self._unseen.discard((channel, curve.array_index))
            # Nearly always nothing was touched: one comparison then, and no more.
            if channel not in self._out.carried and _is_untouched(meant, times, there):
                continue
            _compare(self._out, channel, meant, times, there)

    def end(self, armature: Any) -> Edits:
        """What was found; curves that nobody showed are gone."""
        for channel, index in self._unseen:
            if channel.bone in armature.pose.bones:
                self._out.removed.setdefault(channel, set()).update(_rounded(self._record[channel, index][0]))
        return self._out


def _is_untouched(meant: tuple[FloatArray, FloatArray] | None, times: FloatArray, there: FloatArray) -> bool:
    return meant is not None and meant[0].tobytes() == times.tobytes() and meant[1].tobytes() == there.tobytes()


def _compare(
    out: Edits, channel: Channel, meant: tuple[FloatArray, FloatArray] | None, times: FloatArray, there: FloatArray
) -> None:
    kept = set(_rounded(times))
    ours = set(_rounded(times[_differs(meant, channel.prop, times, there)]))
    ours |= out.carried.get(channel, set()) & kept
    if ours:
        out.keys.setdefault(channel, set()).update(ours)
    gone = set(_rounded(meant[0])) - kept if meant is not None else set()
    if gone:
        out.removed.setdefault(channel, set()).update(gone)


def edited_take(armature: Any, found: Edits | None = None) -> Any:
    """The take that plays, when the user changed anything of it; None otherwise. ``found``: its edits, if known."""
    data = armature.animation_data
    action = None if data is None else data.action
    if action is None or stamps.take_of(action) is None:
        return None
    found = found or edits(action, compat.slot_of(data), armature)
    return action if found.is_edited else None


def carried_on(found: Edits, span: tuple[float, float], met: Iterable[UserKey]) -> list[UserKey]:
    """The user's own keys that a new take over scene frames ``span`` will hold: those ``met`` by it, and those of the
    take that plays now (``found``) where that one goes on beside it."""
    out = list(met)
    known = {(k.bone, k.prop, k.frame) for k in out}
    for channel, frames in found.keys.items():
        out += [UserKey(*channel, f, ()) for f in frames if (*channel, f) not in known and not _inside(f, span)]
    return out


def _inside(frame: float, span: tuple[float, float]) -> bool:
    return span[0] - _SAME_FRAME <= frame <= span[1] + _SAME_FRAME


def values_at(action: Any, slot: Any, channel: Channel, frame: float, now: Any) -> tuple[float, ...]:
    """A property's values at a frame as the curves say, and ``now`` (its current values) where there is no curve."""
    return values_in(by_path(action, slot), channel, frame, now)


def by_path(action: Any, slot: Any) -> dict[str, list[Any]]:
    """The curves of a slot by their data paths."""
    out: dict[str, list[Any]] = {}
    for curve in compat.curves(action, slot):
        out.setdefault(curve.data_path, []).append(curve)
    return out


def values_in(curves: Mapping[str, list[Any]], channel: Channel, frame: float, now: Any) -> tuple[float, ...]:
    """``values_at`` of the curves ``by_path``."""
    out = [float(x) for x in now]
    for curve in curves.get(datapath.path(*channel), ()):
        if curve.array_index < len(out):
            out[curve.array_index] = float(curve.evaluate(frame))
    return tuple(out)


def over(todo: list[Channels], keys: Iterable[UserKey]) -> list[Channels]:
    """``todo`` with the user's own values at the user's own keys, to the last bit."""
    wanted: dict[Channel, list[UserKey]] = {}
    for key in keys:
        wanted.setdefault(Channel(key.bone, key.prop), []).append(key)
    return [_over(item, wanted.get(Channel(item.bone, item.prop), [])) for item in todo]


def _over(item: Channels, keys: list[UserKey]) -> Channels:
    if not keys:
        return item
    frames, values = item.frames.copy(), np.array(item.values, float)
    for key in keys:
        row = np.asarray(key.values, float)
        if row.shape != (values.shape[1],):
            continue
        hit = np.flatnonzero(np.abs(frames - key.frame) < _SAME_FRAME)
        if len(hit):
            values[hit[0]] = row
            continue
        at = int(np.searchsorted(frames, key.frame))
        frames = np.insert(frames, at, np.float32(key.frame))
        values = np.insert(values, at, row, axis=0)
    return Channels(item.bone, item.prop, frames, values)


def _differs(
    meant: tuple[FloatArray, FloatArray] | None, prop: str, times: FloatArray, there: FloatArray
) -> NDArray[np.bool_]:
    """Which keys (N,) say something else than the take wrote."""
    if meant is None:
        still = _DEFAULTS.get(prop)
        return np.ones(len(times), bool) if still is None else np.abs(there - still) > _TOLERANCE
    frames, values = (np.asarray(m, float) for m in meant)
    wanted = np.interp(times, frames, values)
    near = np.clip(np.searchsorted(frames, times), 0, len(frames) - 1)
    before = np.maximum(near - 1, 0)
    on_key = np.minimum(np.abs(frames[near] - times), np.abs(frames[before] - times)) < _SAME_FRAME
    allowed = np.where(on_key, _TOLERANCE, _BETWEEN) * np.maximum(1.0, np.abs(wanted))
    return np.asarray(np.abs(there - wanted) > allowed)


def _co(curve: Any) -> tuple[FloatArray, FloatArray]:
    flat = np.empty(len(curve.keyframe_points) * 2, np.float32)
    curve.keyframe_points.foreach_get("co", flat)
    pairs = flat.reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _rounded(frames: FloatArray) -> list[float]:
    return [float(f) for f in np.asarray(frames, float).round(4)]
