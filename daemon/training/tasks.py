# SPDX-License-Identifier: Apache-2.0
"""What the model is asked in training: windows of real motion with most of it hidden.

Batch ``k`` of seed ``s`` is a pure function of (s, k): training stopped and resumed reads the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.backbones.starter import base as bases
from kineograph_daemon.backbones.starter import features, figure
from kineograph_daemon.backbones.starter.base import Ask
from training import gaits
from training.data import MARK, Piece

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
Rng = np.random.Generator

SHARES = {"gap": 0.58, "sparse": 0.14, "path": 0.28}
PHASE_SHARE, WANDER_RAD = 0.35, 0.35
"""How often a gap in steps is told their phase, and how far that may be off: who tells it has only guessed."""
LONG_SHARE, LONG = 0.3, (40, 76)
"""Of gaps, those that are long ones in steps: what else happens in two seconds nobody can tell."""
STYLE_SHARE = 0.5
"""How often a window is told its class of motion."""


@dataclass(frozen=True, eq=False)
class Window:
    """True motion: B windows of T frames."""

    rotations_xyzw: FloatArray
    root_m: FloatArray
    yaw_rad: FloatArray
    phase_rad: FloatArray
    walks: BoolArray
    contacts: BoolArray
    style: NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Batch:
    """Arrays for one step: ``inputs`` (B, T, F), ``truth`` residual (B, T, R), ``free`` (B, T) frames to fill,
    ``contacts`` (B, T, 4), ``style`` (B,), and for the loss the base's six numbers and place in its floor frame."""

    inputs: FloatArray
    truth: FloatArray
    free: BoolArray
    contacts: BoolArray
    style: NDArray[np.integer[Any]]
    base_six: FloatArray
    base_place: FloatArray


class Source:
    """Windows drawn from pieces, each piece as often as its frames weigh."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = list(pieces)
        self.lengths = np.array([len(p) for p in self.pieces])
        self.weights = np.array([p.weight for p in self.pieces])
        self.steps = np.array([gaits.walks(p) for p in self.pieces])
        self.real = np.array([MARK not in p.name for p in self.pieces])

    def draw(self, rng: Rng, count: int, frames: int, *, real: bool = False, steps: bool = False) -> Window:
        """``count`` windows of ``frames`` frames; pieces that are shorter are not drawn, nor with ``real`` those made
        into other gaits and ways, nor with ``steps`` those that are not mostly steps."""
        room = np.maximum(self.lengths - frames + 1, 0) * self.weights
        room = room * (self.real if real else 1.0)
        walked = room * self.steps
        room = walked if steps and walked.any() else room
        chosen = rng.choice(len(self.pieces), count, p=room / room.sum())
        starts = [int(rng.integers(self.lengths[i] - frames + 1)) for i in chosen]
        return cut([(self.pieces[i], s) for i, s in zip(chosen, starts, strict=True)], frames)


def cut(places: Sequence[tuple[Piece, int]], frames: int) -> Window:
    """Windows at given pieces and starts."""

    def rows(get: Any) -> Any:
        return np.stack([get(p)[s : s + frames] for p, s in places])

    return Window(
        rows(lambda p: p.rotations_xyzw),
        rows(lambda p: p.root_m),
        rows(lambda p: p.yaw_rad),
        rows(lambda p: p.phase[0]),
        rows(lambda p: p.phase[1]),
        rows(lambda p: p.contacts),
        np.array([p.style for p, _ in places]),
    )


def ask_of(window: Window, kind: str, rng: Rng) -> Ask:
    """Hide what the model is to find."""
    b, t = window.walks.shape
    key = np.zeros((b, t), bool)
    path, faces, steps = key.copy(), key.copy(), key.copy()
    along, heading, phase = window.root_m[..., [0, 2]], window.yaw_rad, window.phase_rad
    match kind:
        case "gap":
            past, after = _gap_ends(rng, t)
            key[:, :past] = True
            key[:, t - after :] = True
            steps = window.walks & (rng.random((b, 1)) < PHASE_SHARE)
            phase = phase + _wander(rng, b, t)
        case "sparse":
            every = rng.integers(12, 61, (b, 1))
            key = (np.arange(t) - rng.integers(0, every)) % every == 0
        case "path":
            key = _path_keys(rng, b, t)
            sigma = float(rng.choice([0.0, 3.0, 6.0, 10.0]))
            along, heading = smoothed(window.root_m[..., [0, 2]], sigma), smoothed(window.yaw_rad, sigma)
            path[:] = True
            faces[:] = rng.random((b, 1)) < 0.7
            moving = np.linalg.norm(np.gradient(along, axis=1), axis=-1) * figure.FPS_HZ > 0.25
            steps = window.walks & moving & (rng.random((b, 1)) < 0.8)
    told = rng.random(b) < STYLE_SHARE
    return Ask(
        window.rotations_xyzw, window.root_m, key, along.astype(np.float32), path, heading.astype(np.float32), faces,
        phase.astype(np.float32), steps, np.where(told, window.style, 0),
    )  # fmt: skip


def _gap_ends(rng: Rng, t: int) -> tuple[int, int]:
    """Known frames before and after a gap in a window of t frames."""
    past = 10 if rng.random() < 0.7 else int(rng.integers(1, 16))
    after = 1 if rng.random() < 0.7 else int(rng.integers(0, 11))
    return min(past, t - 3), min(after, max(t - past - 3, 0))


def _wander(rng: Rng, b: int, t: int) -> FloatArray:
    """Slow errors of a phase (B, T): an offset and half a wave."""
    wave = np.cos(np.pi * (np.arange(t) / t + rng.random((b, 1))))
    return rng.normal(scale=WANDER_RAD, size=(b, 1)) * wave


def _path_keys(rng: Rng, b: int, t: int) -> BoolArray:
    """Start poses of some length, now and then a last key."""
    key = np.zeros((b, t), bool)
    past = rng.choice([0, 1, 10], size=b, p=[0.3, 0.3, 0.4])
    key |= np.arange(t) < past[:, None]
    key[:, -1] |= rng.random(b) < 0.35
    return key


def smoothed(values: FloatArray, sigma: float) -> FloatArray:
    """A Gaussian over time (B, T, ...), reflected through both end points, so that a straight line stays one."""
    pad = min(int(3 * sigma), values.shape[1] - 1)
    if pad < 1:
        return values
    before = 2 * values[:, :1] - values[:, pad:0:-1]
    after = 2 * values[:, -1:] - values[:, -2 : -pad - 2 : -1]
    padded = np.concatenate([before, values, after], axis=1)
    kernel = np.exp(-0.5 * (np.arange(-pad, pad + 1) / sigma) ** 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * pad + 1, axis=1)
    return np.asarray(windows @ (kernel / kernel.sum()))


def batch_of(window: Window, ask: Ask) -> Batch:
    """Everything that one step reads."""
    made = bases.make(ask)
    local, place = features.in_floor_frame(made.rotations_xyzw, made.root_m, made)
    b, t = ask.key.shape
    return Batch(
        features.inputs(ask, made),
        features.residual(window.rotations_xyzw, window.root_m, made),
        ~ask.key,
        window.contacts,
        ask.style,
        features.six(local).reshape(b, t, -1),
        place,
    )


def batch(source: Source, seed: int, step: int, frames: int) -> Batch:
    """Batch ``step``: one kind of task, one length, about ``frames`` frames in all."""
    rng = np.random.default_rng([seed, step])
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    long = kind == "gap" and rng.random() < LONG_SHARE
    t = {
        "gap": lambda: 11 + (int(rng.integers(*LONG)) if long else int(np.exp(rng.uniform(np.log(5), np.log(72))))),
        "sparse": lambda: int(rng.integers(40, 121)),
        "path": lambda: int(rng.integers(40, 121)) if rng.random() < 0.85 else int(rng.integers(121, 197)),
    }[kind]()
    t += t % 2
    # A path tells nothing of how its walker carries himself: made-up gaits would only blur the mean.
    window = source.draw(rng, max(4, frames // t), t, real=kind == "path", steps=long)
    return batch_of(window, ask_of(window, kind, rng))
