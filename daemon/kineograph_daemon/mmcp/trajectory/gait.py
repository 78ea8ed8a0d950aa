# SPDX-License-Identifier: Apache-2.0
"""The travel path: the centre of mass with the gait taken out.

Averaged over the contact cycle while steps change, still over a fixed base, straight and even through the air.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.mmcp.trajectory.body import Body
from kineograph_daemon.mmcp.trajectory.rig import Complexes, Floats
from kineograph_daemon.mmcp.trajectory.smooth import average, key_times, runs

MOVE, BASE, FLIGHT = 0, 1, 2
Labels = NDArray[np.int8]

_LEAST_CYCLE_S, _LEAST_WINDOW_S, _MOST_WINDOW_S = 0.25, 0.3, 1.8
_LEAST_BASE_S, _BASE_SHIFT_M, _BASE_SPEED_M_S = 0.4, 0.03, 0.15
_SMOOTH_S = 0.2
_REPLANT_M = 0.05


class Gait:
    """One body's gait, each part worked out once."""

    def __init__(self, body: Body) -> None:
        self.body = body

    @cached_property
    def window(self) -> Floats:
        """The local contact cycle (a limb's touch-down to its next), in frames, ``(T,)``."""
        fps, n = self.body.fps, self.body.frames
        starts, lengths = self._cycles()
        window = np.full(n, _LEAST_WINDOW_S * fps)
        if len(lengths):
            away = np.abs((starts + lengths / 2) - np.arange(n)[:, None])
            near = away <= lengths / 2 + 1
            first, last = runs(near.T)
            count = near[first].sum(axis=1)
            spans = np.sort(np.where(near[first], lengths, np.inf), axis=1)
            rows, some = np.arange(len(first)), count > 0
            low, high = (
                spans[rows, np.maximum(count - 1, 0) // 2],
                spans[rows, np.minimum(count // 2, len(lengths) - 1)],
            )
            middle = (low[some] + high[some]) / 2
            at_run = np.full(len(first), _LEAST_WINDOW_S * fps)
            at_run[some] = np.clip(middle, _LEAST_WINDOW_S * fps, _MOST_WINDOW_S * fps)
            window = np.repeat(at_run, last - first + 1)
        return np.full(n, np.median(window)) if self.body.loop else window

    def _cycles(self) -> tuple[Floats, Floats]:
        """First frame and length in frames of every contact cycle long enough to be one."""
        touching, n = self.body.by_group(), self.body.frames
        down = np.zeros_like(touching)
        down[:, 1:] = touching[:, 1:] & ~touching[:, :-1]
        if self.body.loop:
            down[:, 0] = touching[:, 0] & ~touching[:, -1]
        group, frame = np.nonzero(down)
        same = group[1:] == group[:-1]
        start, length = frame[:-1][same], (frame[1:] - frame[:-1])[same]
        if self.body.loop and len(frame):
            first, last = runs(group)  # a loop's last touch-down leads to its first of the next cycle
            start = np.concatenate([start, frame[last]])
            length = np.concatenate([length, frame[first] + (n - 1) - frame[last]])
        kept = length >= _LEAST_CYCLE_S * self.body.fps
        return start[kept].astype(np.float64), length[kept].astype(np.float64)

    @cached_property
    def support(self) -> tuple[Complexes, NDArray[np.bool_]]:
        """``(anchor, flight)``: the middle of what touches the floor, carried on through the air, and when that is."""
        body = self.body
        count = body.touching.sum(axis=0)
        flight = count == 0
        if flight.all():
            return body.mass.copy(), flight
        anchor = np.where(body.touching, body.spots, 0).sum(axis=0) / np.maximum(count, 1)
        if flight.any():
            frames, grounded = np.arange(body.frames), np.flatnonzero(~flight)
            anchor = body.mass + np.interp(frames, grounded, (anchor - body.mass)[grounded])
        return anchor, flight

    @cached_property
    def path(self) -> tuple[Complexes, Labels]:
        """``(path, labels)``: the travel path ``(T,)`` and what the body does in each frame."""
        body = self.body
        if body.frames < 3:
            return body.mass.copy(), np.full(body.frames, BASE, np.int8)
        mean = average(body.mass, self.window, body.loop)
        anchor, flight = self.support
        if body.loop:
            labels = np.full(body.frames, MOVE, np.int8)
            if not flight.any() and not self._replants():
                return anchor[0] + (anchor[-1] - anchor[0]) * np.linspace(0, 1, body.frames), labels
            return mean, labels
        labels = self._labels(anchor, flight)
        return average(_joined(labels, mean, anchor), _SMOOTH_S * body.fps, False), labels

    @cached_property
    def keys_s(self) -> Floats:
        """Times at which this motion is keyed."""
        return key_times(self.path[1], self.body.fps)

    def _labels(self, anchor: Complexes, flight: NDArray[np.bool_]) -> Labels:
        first, last = runs(self.body.touching) if len(self.body.touching) else runs(flight)
        duration_s = (last - first + 1) / self.body.fps
        mass = self.body.mass
        fixed = (
            (duration_s >= _LEAST_BASE_S)
            & (np.abs(anchor[last] - anchor[first]) < _BASE_SHIFT_M)
            & (np.abs(mass[last] - mass[first]) / duration_s < _BASE_SPEED_M_S)
        )
        kind = np.where(flight[first], FLIGHT, np.where(fixed, BASE, MOVE))
        return np.repeat(kind, last - first + 1).astype(np.int8)

    def _replants(self) -> bool:
        """Whether any group of contacts comes down in two places."""
        body = self.body
        for group in np.unique(body.groups):
            rows = np.flatnonzero(body.groups == group)
            spots = [spot for row in rows for spot in _spots(body.touching[row], body.spots[row])]
            if len(spots) > 1 and np.abs(np.diff(spots)).max() > _REPLANT_M:
                return True
        return False


def _spots(touching: NDArray[np.bool_], positions: Complexes) -> list[complex]:
    """The mean place of each contact of one point."""
    first, last = runs(touching)
    return [complex(positions[i : j + 1].mean()) for i, j in zip(first, last, strict=True) if touching[i]]


def _joined(labels: Labels, mean: Complexes, anchor: Complexes) -> Complexes:
    """Bases hold still; moves follow the averaged mass, eased onto the bases beside them; flights join both sides."""
    path = mean.copy()
    first, last = runs(labels)
    kinds = labels[first]
    spans = list(zip(kinds.tolist(), first.tolist(), last.tolist(), strict=True))
    for kind, i, j in spans:
        if kind == BASE:
            path[i : j + 1] = anchor[i : j + 1].mean()
    for kind, i, j in spans:
        if kind == MOVE:
            before = path[i - 1] - mean[i] if i > 0 and labels[i - 1] == BASE else 0.0
            after = path[j + 1] - mean[j] if j + 1 < len(path) and labels[j + 1] == BASE else 0.0
            path[i : j + 1] = mean[i : j + 1] + before + (after - before) * np.linspace(0, 1, j - i + 1)
    for kind, i, j in spans:
        if kind == FLIGHT:
            before = path[i - 1] if i > 0 else mean[i]
            after = path[j + 1] if j + 1 < len(path) else mean[j]
            path[i : j + 1] = before + (after - before) * (np.arange(1, j - i + 2) / (j - i + 2))
    return path
