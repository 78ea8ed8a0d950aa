# SPDX-License-Identifier: Apache-2.0
"""Key thinning by world error: fewer keys, while no point of the body moves by more than a tolerance.

A small turn of the hip moves a hand far, so keys are judged where they are seen, at all of ``body.BodyPoints``. The
keys left are read as glTF LINEAR does: slerp between rotations, straight lines between translations.

The search begins with the keys that must stay and bisects: where a point is too far off, the channel that carries most
of the blame gets a key. Then every other key is taken away again wherever the body still holds, and the bound is
verified on the whole body at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.body import BodyPoints
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]
Keyframes = dict[int, dict[str, list[int]]]

_ROUNDS = 4  # of taking keys away
_GAINED = 0.02  # of the keys: a round that takes fewer was the last
_MOVED_M = 1e-6


def thin(
    skeleton: Skeleton,
    rotations_xyzw: FloatArray,
    root_m: FloatArray,
    tolerance_m: float,
    keep: Iterable[int] = (),
    translations_m: FloatArray | None = None,
    between: Callable[[], None] = lambda: None,
) -> Keyframes:
    """Frames worth keying, ``{joint: {"rotation": [...], "translation": [...]}}``, of motion (T, J, 4), (T, 3).

    The root has a translation, and so has every other joint that leaves its rest in ``translations_m`` (T, J, 3).
    Batches (B, T, J, 4), (B, T, 3) share their keys. The first and last frame and ``keep`` stay in every channel.
    Read back by ``read_keys``, no joint, bone tip or bone side is off by more than ``tolerance_m``. Raises ValueError
    for a tolerance that is not above 0 or a frame in ``keep`` outside the clip. ``between`` is called between the
    steps of the search, which takes seconds for minutes of motion: what it raises ends it.
    """
    if not tolerance_m > 0:
        raise ValueError(f"a tolerance must be above 0 m, got {tolerance_m}")
    search = _Search(skeleton, rotations_xyzw, root_m, translations_m, tolerance_m, keep, between)
    search.add_keys()
    search.take_keys()
    search.add_keys()
    return search.keyframes()


def read_keys(
    keyframes: Keyframes, rotations_xyzw: FloatArray, root_m: FloatArray, root: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Rotations (T, J, 4) and root (T, 3) as a reader of the thinned keys sees them, dense again."""
    rotations, path = np.array(rotations_xyzw, dtype=np.float64), np.array(root_m, dtype=np.float64)
    frames = np.arange(len(path))
    for joint, channels in keyframes.items():
        if "rotation" in channels:
            low, high, t = _places(np.asarray(channels["rotation"]), frames)
            rotations[:, joint] = quat.slerp(rotations[low, joint], rotations[high, joint], t)
        if joint == root and "translation" in channels:
            low, high, t = _places(np.asarray(channels["translation"]), frames)
            path = path[low] + (path[high] - path[low]) * t[:, None]
    return rotations, path


class _Search:
    """The state of one thinning. Time is the first axis: rotations (T, B, J, 4), places (T, B, M, 3).

    Channels are the J rotations, then M translations (the root's first); ``keys`` (T, J + M) says what is keyed.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        rotations_xyzw: FloatArray,
        root_m: FloatArray,
        translations_m: FloatArray | None,
        tolerance_m: float,
        keep: Iterable[int],
        between: Callable[[], None],
    ) -> None:
        self.skeleton = skeleton
        self.between = between
        self.points = BodyPoints(skeleton)
        self.limit = tolerance_m * (1.0 - 1e-6)
        # In single precision a rotation is as much as 1e-7 too long, and then its own key would miss it.
        self.q = quat.normalize(_time_first(rotations_xyzw, 4))
        root = _time_first(root_m, 3)
        moved = None if translations_m is None else _time_first(translations_m, 4)
        self.frames, self.joints = len(root), len(skeleton)
        self.movers = _movers(skeleton, moved)
        self.moved = moved
        places = [root] + [moved[:, :, m] for m in self.movers[1:] if moved is not None]
        self.p = np.stack(places, axis=2)
        self.truth = self.points.place(self.q, root, moved)
        self._pair_up()
        self.fixed = np.zeros(self.frames, bool)
        self.fixed[self._checked(keep)] = True
        self.keys = np.repeat(self.fixed[:, None], self.joints + len(self.movers), axis=1)

    def _checked(self, keep: Iterable[int]) -> list[int]:
        frames = [0, self.frames - 1, *(int(f) for f in keep)]
        if min(frames) < 0 or max(frames) >= self.frames:
            raise ValueError(f"a frame to keep lies outside 0..{self.frames - 1}: {sorted(frames)}")
        return frames

    def _pair_up(self) -> None:
        """All (channel, point) pairs where the channel carries the point, and how long its lever is (T, B, P)."""
        carried = _carried(self.skeleton, self.points, self.movers)
        self.of_channel, self.of_point = np.nonzero(carried)
        lever = np.ones((*self.truth.shape[:2], len(self.of_point)), np.float32)
        turning = np.flatnonzero(self.of_channel < self.joints)
        arm = self.truth[:, :, self.of_point[turning]] - self.truth[:, :, self.of_channel[turning]]
        lever[:, :, turning] = np.sqrt(np.einsum("...i,...i->...", arm, arm))
        self.lever = lever
        self.by_point = np.argsort(self.of_point, kind="stable")
        self.point_starts = np.searchsorted(self.of_point[self.by_point], np.arange(len(self.points)))
        self.channel_starts = np.searchsorted(self.of_channel, np.arange(carried.shape[0]))

    def read(self) -> tuple[FloatArray, FloatArray]:
        """Rotations and translations as the present keys give them."""
        low, high, t = _gaps(self.keys)
        j = self.joints
        q = _lerp_columns(self.q, low[:, :j], high[:, :j], t[:, :j], turns=True)
        return q, _lerp_columns(self.p, low[:, j:], high[:, j:], t[:, j:], turns=False)

    def miss(self, q: FloatArray, p: FloatArray) -> FloatArray:
        """How far each point is off, metres (T, B, K)."""
        moved = self.moved
        if moved is not None:
            moved = np.array(moved, copy=True)
            moved[:, :, self.movers[1:]] = p[:, :, 1:]
        off = self.points.place(q, p[:, :, 0], moved) - self.truth
        return np.asarray(np.sqrt(np.einsum("...i,...i->...", off, off)))

    def strays(self, q: FloatArray, p: FloatArray) -> FloatArray:
        """How far each channel is from its truth (T, B, C): radians or metres."""
        off = p - self.p
        return np.concatenate(
            [quat.angle_between_rad(self.q, q), np.sqrt(np.einsum("...i,...i->...", off, off))], axis=-1
        )

    def add_keys(self) -> None:
        """Add keys until no point misses by more than the tolerance."""
        while True:
            self.between()
            q, p = self.read()
            bad = self.miss(q, p) > self.limit
            if not bad.any():
                return
            score = self._blame(bad, self.strays(q, p))
            before = int(self.keys.sum())
            for channel in np.flatnonzero(score.max(0) > 0).tolist():
                self._key_worst(channel, score[:, channel])
            if int(self.keys.sum()) == before:  # only rounding is left to blame: key those frames whole
                self.keys[bad.any(axis=(1, 2))] = True
            if int(self.keys.sum()) == before:  # keys can do no more: the tolerance is finer than numbers are
                return

    def _blame(self, bad: BoolArray, strays: FloatArray) -> FloatArray:
        """(T, C): the largest part a channel has in a miss, at points where no other channel has a larger one."""
        part = (strays[:, :, self.of_channel] * self.lever).astype(np.float32)
        worst = np.maximum.reduceat(part[:, :, self.by_point], self.point_starts, axis=-1)
        guilty = bad[:, :, self.of_point] & (part >= worst[:, :, self.of_point])
        score = np.maximum.reduceat(np.where(guilty, part, 0.0), self.channel_starts, axis=-1)
        return np.asarray(score.max(axis=1))

    def _key_worst(self, channel: int, score: FloatArray) -> None:
        """One key in each gap of a channel: where its blame is largest."""
        starts = np.flatnonzero(self.keys[:, channel])
        top = np.maximum.reduceat(score, starts)
        sizes = np.diff(np.append(starts, self.frames))
        chosen = np.flatnonzero((score > 0) & (score == np.repeat(top, sizes)))
        gap = np.searchsorted(starts, chosen, side="right")
        self.keys[chosen[np.unique(gap, return_index=True)[1]], channel] = True

    def take_keys(self) -> None:
        """Take away every other key of each channel wherever the body still holds, a few times."""
        for turn in range(_ROUNDS):
            before = int(self.keys.sum())
            q, p = self.read()
            slack = self.limit - self.miss(q, p)
            for channel in range(self.keys.shape[1]):
                self.between()
                self._take_from(channel, turn % 2, q, p, slack)
            if before - int(self.keys.sum()) < _GAINED * before:
                return

    def _take_from(self, channel: int, odd: int, q: FloatArray, p: FloatArray, slack: FloatArray) -> None:
        """Alternate keys of one channel, judged gap by gap: the change times its lever must fit what slack is left."""
        held = np.flatnonzero(self.keys[:, channel])
        free = held[~self.fixed[held]]
        out = free[odd::2]
        if not out.size:
            return
        tried = self.keys[:, channel : channel + 1].copy()
        tried[out] = False
        low, high, t = _gaps(tried)
        pairs = slice(self.channel_starts[channel], self._channel_end(channel))
        turns = channel < self.joints
        column = channel if turns else channel - self.joints
        now, source = (q, self.q) if turns else (p, self.p)
        new = _lerp_columns(source[:, :, column : column + 1], low, high, t, turns=turns)[:, :, 0]
        change = (
            quat.angle_between_rad(now[:, :, column], new)
            if turns
            else np.linalg.norm(new - now[:, :, column], axis=-1)
        )
        cost = change[:, :, None] * self.lever[:, :, pairs]
        points = self.of_point[pairs]
        fits = (cost <= slack[:, :, points]).all(axis=(1, 2))
        starts = np.flatnonzero(tried[:, 0])
        fine = np.logical_and.reduceat(fits, starts)
        gap_of = np.searchsorted(starts, np.arange(self.frames), side="right") - 1
        drop = out[fine[gap_of[out]]]
        if not drop.size:
            return
        self.keys[drop, channel] = False
        within = fine[gap_of]
        slack[np.ix_(within, np.arange(slack.shape[1]), points)] -= cost[within]
        now[within, :, column] = new[within]

    def _channel_end(self, channel: int) -> int:
        following = self.channel_starts[channel + 1 :]
        return int(following[0]) if following.size else len(self.of_point)

    def keyframes(self) -> Keyframes:
        """The keys in the form of a motion result."""
        out: Keyframes = {j: {"rotation": np.flatnonzero(self.keys[:, j]).tolist()} for j in range(self.joints)}
        for i, joint in enumerate(self.movers):
            out[joint]["translation"] = np.flatnonzero(self.keys[:, self.joints + i]).tolist()
        return out


def _time_first(values: FloatArray, ndim: int) -> FloatArray:
    """(T, ...) or (B, T, ...) as (T, B, ...) float64."""
    out = np.asarray(values, dtype=np.float64)
    return np.moveaxis(out[None] if out.ndim < ndim else out, 0, 1)


def _movers(skeleton: Skeleton, moved: FloatArray | None) -> list[int]:
    """Joints with a translation channel, the root first."""
    if moved is None:
        return [skeleton.root]
    far = np.abs(moved - skeleton.rest_translations_m).max(axis=(0, 1, 3))
    far[skeleton.root] = 0.0
    return [skeleton.root, *np.flatnonzero(far > _MOVED_M).tolist()]


def _carried(skeleton: Skeleton, points: BodyPoints, movers: list[int]) -> BoolArray:
    """(C, K): which channel moves which point."""
    below = np.eye(len(skeleton), dtype=bool)  # below[a, j]: a is j or above it
    for j, parent in enumerate(skeleton.parents.tolist()):
        if parent >= 0:
            below[:, j] |= below[:, parent]
    held = points.holder >= 0
    turned = np.zeros((len(skeleton), len(points)), bool)
    turned[:, held] = below[:, points.holder[held]]
    shifted = np.concatenate([below, below[:, points.attached_to]], axis=1)[movers]
    return np.concatenate([turned, shifted])


def _gaps(keys: BoolArray) -> tuple[IntArray, IntArray, FloatArray]:
    """For keys (T, C): the key at or before, the key at or after each frame, and how far between, all (T, C)."""
    frames = np.arange(len(keys))[:, None]
    low = np.maximum.accumulate(np.where(keys, frames, 0), axis=0)
    high = np.minimum.accumulate(np.where(keys, frames, len(keys) - 1)[::-1], axis=0)[::-1]
    return low, high, (frames - low) / np.maximum(high - low, 1)


def _places(keys: IntArray, frames: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    low = keys[np.clip(np.searchsorted(keys, frames, side="right") - 1, 0, len(keys) - 1)]
    high = keys[np.clip(np.searchsorted(keys, frames, side="left"), 0, len(keys) - 1)]
    return low, high, np.clip((frames - low) / np.maximum(high - low, 1), 0.0, 1.0)


def _lerp_columns(values: FloatArray, low: IntArray, high: IntArray, t: FloatArray, *, turns: bool) -> FloatArray:
    """Values (T, B, C, n) read between keys, column by column."""
    columns = np.arange(low.shape[1])
    a = np.moveaxis(values[low, :, columns], 2, 1)
    b = np.moveaxis(values[high, :, columns], 2, 1)
    weight = t[:, None, :]
    if turns:
        return quat.slerp(a, b, weight)
    return a + (b - a) * weight[..., None]
