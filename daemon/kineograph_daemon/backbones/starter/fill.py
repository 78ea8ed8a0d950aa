# SPDX-License-Identifier: Apache-2.0
"""One window filled: what is known goes in, a whole motion with contacts and a measure of trust comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import base as bases
from kineograph_daemon.backbones.starter import features, figure, trust
from kineograph_daemon.backbones.starter.base import Ask, Base
from kineograph_daemon.backbones.starter.net import Net

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]


STANDS_FROM = -1.6
"""Logit from which a foot counts as standing. On recordings held back it is a little less right than 0 (F1 0.83 beside
0.87), late to let a foot go rather than early: feet of people not seen before slide half as far, and a foot that is
held too long rolls over its ball."""


@dataclass(frozen=True, eq=False)
class Filled:
    """T frames: ``rotations_xyzw`` (T, 22, 4), ``root_m`` (T, 3), ``contacts`` (T, 4) for ``figure.FEET``.

    ``share`` is what part of the model's answer was used, 0 is plain interpolation. ``far_m`` is how far the keys are
    from known poses, ``unsure`` how much the model disagrees with itself.
    """

    rotations_xyzw: FloatArray
    root_m: FloatArray
    contacts: BoolArray
    share: float
    far_m: float
    unsure: float


def fill(
    net: Net,
    ask: Ask,
    *,
    steps: int = 1,
    rng: np.random.Generator | None = None,
    between: Callable[[], None] = lambda: None,
    doubt: bool = True,
) -> Filled:
    """Fill one window (B is 1): the mean of all answers in one pass, or one drawn with ``rng`` in several steps.

    ``between`` is called before every pass. ``doubt`` False uses the whole answer whatever it is worth.
    """
    both = _stacked(ask, ask.mirrored())
    base = bases.make(both)
    inputs = features.inputs(both, base)
    free = (~both.key)[..., None]
    between()
    residual, logits = net.forward(inputs, None, 1.0, both.style)
    one, mirror_image = (_motion(features.apply(residual * free, base), i) for i in range(2))
    other = figure.mirror(*mirror_image)
    start = base.rotations_xyzw[0].astype(float), base.root_m[0].astype(float)
    far_m, unsure = _doubts(net, ask, start, one, other)
    share = trust.share(net.facts["trust"], far_m, unsure) if doubt else 1.0
    chance = (logits[0] + logits[1][:, [1, 0, 3, 2]]) / 2
    if steps > 1 and rng is not None:
        drawn, chances = _drawn(net, inputs[:1], ask, steps, rng, between)
        alone = Base(*(v[:1] for v in vars(base).values()))
        (rotations, root), chance = _motion(features.apply(drawn * free[:1], alone), 0), chances[0]
    else:
        rotations, root = quat.slerp(one[0], other[0], 0.5), (one[1] + other[1]) / 2
    if share < 1.0:
        rotations = quat.slerp(start[0], rotations, share)
        root = start[1] + (root - start[1]) * share
    return Filled(rotations, root, chance > STANDS_FROM, share, far_m, unsure)


def _motion(batch: tuple[FloatArray, FloatArray], i: int) -> tuple[FloatArray, FloatArray]:
    return batch[0][i], batch[1][i]


def _stacked(a: Ask, b: Ask) -> Ask:
    return Ask(*(np.concatenate([x, y]) for x, y in zip(vars(a).values(), vars(b).values(), strict=True)))


def _drawn(
    net: Net, inputs: FloatArray, ask: Ask, steps: int, rng: np.random.Generator, between: Callable[[], None]
) -> tuple[FloatArray, FloatArray]:
    """From noise to a motion along straight lines (Liu et al., "Flow straight and fast", 2022), in equal steps."""
    scale, free = net.weights["scale"], (~ask.key)[..., None]
    now: FloatArray = rng.standard_normal((*ask.key.shape, len(scale)), np.float32)
    residual, logits = np.zeros_like(now), np.zeros((*ask.key.shape, features.CONTACTS), np.float32)
    level = 1.0
    for step in range(steps):
        between()
        residual, logits = net.forward(inputs, now * free, level, ask.style)
        clean = residual / scale
        nearer = 1.0 - (step + 1) / steps
        now = clean + (now - clean) * np.float32(nearer / level)
        level = nearer
    return residual, logits


def _doubts(
    net: Net,
    ask: Ask,
    start: tuple[FloatArray, FloatArray],
    one: tuple[FloatArray, FloatArray],
    other: tuple[FloatArray, FloatArray],
) -> tuple[float, float]:
    """How far the keys are from known poses, metres; how far the two answers lie apart, as a share of what they do."""
    keyed = np.flatnonzero(ask.key[0])
    far = 0.0
    if len(keyed):
        pick = keyed[:: max(1, len(keyed) // 8)]
        known = net.weights["known"]
        far = float(trust.distance_m(trust.pose_points(ask.rotations_xyzw[0, pick]), known).mean())
    rest = np.flatnonzero(~ask.key[0])
    if not len(rest):
        return far, 0.0
    a, b, plain = (kinematics.forward(figure.SKELETON, q[rest], p[rest])[0] for q, p in (one, other, start))
    apart = np.linalg.norm(a - b, axis=-1).mean()
    moved = np.linalg.norm((a + b) / 2 - plain, axis=-1).mean()
    return far, float(apart / max(moved, 1e-3))
