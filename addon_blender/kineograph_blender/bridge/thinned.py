# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys: which frames of a take are keyed, so that what Blender shows between keys stays within a tolerance.

The daemon says which frames are worth a key for a reader that turns on the shortest arc. Blender reads each channel on
its own, in the bone's own rotation mode: that is looked at here, and where a point of the body would be further off
than allowed, keys are put back. In numpy alone, on plain values: it runs beside Blender's main thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import euler, quat
from kineograph.motion.body import BodyPoints
from kineograph.motion.clip import Clip

from .action import Channels
from .rig import Rig
from .written import UserKey

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]
Frames = Mapping[str, tuple[int, ...]]

_AXES = {"X": 0, "Y": 1, "Z": 2}
_SHARE = 0.5
"""Of the largest part in a miss: channels with as much get a key too."""


@dataclass(frozen=True)
class Wanted:
    """Which frames of a take, counted from its first, are worth a key: by bone, of its ``rotation`` and its
    ``translation``. No point of the body may be off by more than ``tolerance_m``."""

    tolerance_m: float
    frames: Mapping[str, Frames] = field(default_factory=dict)


def thin(
    todo: list[Channels],
    wanted: Wanted,
    rig: Rig,
    clip: Clip,
    start: float,
    modes: Mapping[str, str],
    met: Iterable[UserKey] = (),
) -> list[Channels]:
    """``todo`` with the keys that matter. Keys before and after the take, and single ones, stay as they are.

    ``start`` is the scene frame of the clip's first; ``met``: keys of the user's, which stay in their channels;
    ``modes``: rotation mode by bone.
    """
    return _Thinner(todo, wanted, rig, clip, start, modes, met).result()


class _Thinner:
    """Rows of a take's own frames: rotations by joint, places by joint; ``keyed`` and ``placed`` say what is kept."""

    def __init__(
        self,
        todo: list[Channels],
        wanted: Wanted,
        rig: Rig,
        clip: Clip,
        start: float,
        modes: Mapping[str, str],
        met: Iterable[UserKey],
    ) -> None:
        self.start = start
        self.todo, self.rig, self.modes, self.limit = todo, rig, modes, wanted.tolerance_m * 0.999
        self.count, self.index = len(clip), rig.skeleton.index
        self.true = np.asarray(clip.rotations_xyzw, float)
        self.root = np.asarray(clip.root_m, float)
        self.moved = None if clip.translations_m is None else np.asarray(clip.translations_m, float)
        self.points = BodyPoints(rig.skeleton)
        self.truth = self.points.place(self.true, self.root, self.moved)
        self.reach = _reach(rig)
        self.turns = {self.index[c.bone]: n for n, c in enumerate(todo) if c.prop.startswith("rotation") and self.of(c)}
        self.places = {self.index[c.bone]: n for n, c in enumerate(todo) if c.prop == "location" and self.of(c)}
        self.keyed = self._first_keys(wanted, "rotation", self.turns)
        self.placed = self._first_keys(wanted, "translation", self.places)
        for key in met:
            self._keep(key)

    def of(self, item: Channels) -> bool:
        """Whether a property is written on every frame of the take."""
        return item.bone in self.index and int(self._inside(item).sum()) == self.count

    def result(self) -> list[Channels]:
        """Keys are put back until nothing is off by more than it may be; then the others are left out."""
        while self._put_back():
            pass
        kept = {n: self.keyed[:, j] for j, n in self.turns.items()}
        kept |= {n: self.placed[:, j] for j, n in self.places.items()}
        return [self._thinned(item, kept.get(n)) for n, item in enumerate(self.todo)]

    def _thinned(self, item: Channels, kept: BoolArray | None) -> Channels:
        if kept is None:
            return item
        stays = ~self._inside(item)
        stays[~stays] = kept
        return Channels(item.bone, item.prop, item.frames[stays], item.values[stays])

    def _inside(self, item: Channels) -> BoolArray:
        last = self.start + self.count - 1
        return np.asarray((item.frames > self.start - 0.5) & (item.frames < last + 0.5))

    def _first_keys(self, wanted: Wanted, what: str, rows: Mapping[int, int]) -> BoolArray:
        keys = np.zeros((self.count, len(self.rig.names)), bool)
        keys[[0, -1]] = True
        for name, frames in wanted.frames.items():
            if name in self.index:
                some = [f for f in frames.get(what, ()) if 0 <= f < self.count]
                keys[some, self.index[name]] = True
        return keys

    def _keep(self, key: UserKey) -> None:
        at = round(key.frame - self.start)
        if key.bone in self.index and 0 <= at < self.count:
            keys = self.placed if key.prop == "location" else self.keyed
            keys[at, self.index[key.bone]] = True

    def _put_back(self) -> bool:
        turned = self._off_turned()
        shifted = self._off_shifted()
        turns = quat.mul(self.true, turned)
        seen = self.points.place(turns, self.root, self.moved)
        miss = np.linalg.norm(seen - self.truth, axis=-1).max(axis=-1) + shifted.sum(axis=-1)
        bad = miss > self.limit
        if not bad.any():
            return False
        angle = 2.0 * np.arctan2(np.linalg.norm(turned[..., :3], axis=-1), np.abs(turned[..., 3]))
        parts = np.concatenate([angle * self.reach, shifted], axis=-1)
        free = ~np.concatenate([self.keyed, self.placed], axis=-1)
        for at in _worst(miss, bad):
            blamed = (parts[at] >= _SHARE * (parts[at] * free[at]).max()) & free[at]
            turn, place = np.split(blamed, 2)
            self.keyed[at] |= turn
            self.placed[at] |= place
        return True

    def _off_turned(self) -> FloatArray:
        """How each joint's rotation differs from the truth (T, J, 4), in its own frame and the request's axes."""
        out = quat.identity(self.count, len(self.rig.names))
        turn = self.rig.frame.turn_xyzw
        for j, n in self.turns.items():
            item, mode = self.todo[n], self.modes[self.rig.names[j]]
            values = np.asarray(item.values, float)[self._inside(item)]
            seen = _turns(mode, _between(values, self.keyed[:, j]))
            off = quat.mul(quat.conj(_turns(mode, values)), seen)
            rest = quat.mul(turn, self.rig.rest_world_xyzw[j])
            out[:, j] = quat.mul(quat.mul(rest, off), quat.conj(rest))
        return out

    def _off_shifted(self) -> FloatArray:
        """How far each joint's own place is off (T, J), metres."""
        out = np.zeros((self.count, len(self.rig.names)))
        metres = self.rig.frame.metres_per_bu * self.rig.scale
        for j, n in self.places.items():
            values = np.asarray(self.todo[n].values, float)[self._inside(self.todo[n])]
            out[:, j] = np.linalg.norm(_between(values, self.placed[:, j]) - values, axis=-1) * metres
        return out


def _between(values: FloatArray, keyed: BoolArray) -> FloatArray:
    """Values (T, width) as straight lines between keys show them."""
    frames = np.arange(len(values))
    stops = np.flatnonzero(keyed)
    return np.stack([np.interp(frames, stops, values[stops, c]) for c in range(values.shape[1])], axis=-1)


def _turns(mode: str, values: FloatArray) -> FloatArray:
    """Rotations (T, 4) that Blender makes of a bone's channels."""
    if mode == "QUATERNION":
        return quat.normalize(values[:, [1, 2, 3, 0]])
    if mode == "AXIS_ANGLE":
        length = np.linalg.norm(values[:, 1:], axis=-1, keepdims=True)
        axis = np.where(length > 1e-9, values[:, 1:] / np.maximum(length, 1e-9), [0.0, 1.0, 0.0])
        return quat.from_axis_angle(axis, values[:, 0])
    in_order = values[:, [_AXES[axis] for axis in mode]]
    return euler.to_quat(in_order[:, ::-1], mode[::-1])


def _reach(rig: Rig) -> FloatArray:
    """How far from each joint (J,) what hangs below it reaches at rest, metres."""
    at, parents = rig.skeleton.rest_positions_m, rig.skeleton.parents
    out = np.full(len(parents), 0.05 * rig.skeleton.height_m)
    for j in range(len(parents)):
        up = int(parents[j])
        while up >= 0:
            out[up] = max(out[up], float(np.linalg.norm(at[j] - at[up])))
            up = int(parents[up])
    return out


def _worst(miss: FloatArray, bad: BoolArray) -> list[int]:
    """In each run of bad frames the worst one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(int)))
    return [int(a + np.argmax(miss[a:b])) for a, b in zip(edges[::2], edges[1::2], strict=True)]
