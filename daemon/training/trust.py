# SPDX-License-Identifier: Apache-2.0
"""Where the model is to be believed, measured on recordings held back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics
from kineograph_daemon.backbones.starter import base as bases
from kineograph_daemon.backbones.starter import figure, fill, trust
from kineograph_daemon.backbones.starter.base import Ask
from kineograph_daemon.backbones.starter.net import Net
from training import tasks
from training.data import Piece
from training.validate import GAPS, PAST

FloatArray = NDArray[np.floating[Any]]

KNOWN = 384
ROUNDS = 12
EVERY = 24


def known_poses(pieces: list[Piece], count: int = KNOWN) -> FloatArray:
    """Typical poses of the training set: k-means over every third frame."""
    rng = np.random.default_rng(5)
    points = np.concatenate([trust.pose_points(p.rotations_xyzw[::3]) for p in pieces])
    centres = points[rng.choice(len(points), min(count, len(points)), replace=False)]
    for _ in range(ROUNDS):
        near = ((points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)[None]).argmin(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, near, points)
        counts = np.bincount(near, minlength=len(centres))[:, None]
        centres = np.where(counts > 0, sums / np.maximum(counts, 1), centres).astype(np.float32)
    return centres


def measure(net: Net, taught: list[Piece], held: list[Piece]) -> tuple[FloatArray, dict[str, Any]]:
    """Known poses, and the curve that ``kineograph_daemon.backbones.starter.trust.share`` reads.

    The share that brings the answer nearest to the truth, fitted as a line over both doubts by least squares: the
    residual's joint movements (times 1, distance, disagreement) against the true ones, each window counted by what the
    interpolation gets wrong on it.
    """
    known = known_poses(taught)
    net.weights["known"] = known
    rows: list[FloatArray] = []
    goals: list[FloatArray] = []
    doubts: list[tuple[float, float]] = []
    for gap in GAPS:
        frames = PAST + gap + 1
        for piece in held:
            for start in range(0, len(piece) - frames + 1, max(EVERY, gap // 2)):
                ask, true, plain = _window(piece, start, frames)
                out = fill.fill(net, ask, doubt=False)
                at = _at(out.rotations_xyzw, out.root_m)
                weight = 1.0 / max(float(np.linalg.norm(true - plain, axis=-1).mean()), 0.03)
                moved, wanted = (at - plain).ravel() * weight, (true - plain).ravel() * weight
                # The normal equations of one window: three columns that are multiples of one another.
                rows.append(np.array([moved @ moved, moved @ wanted]) / len(moved))
                goals.append(np.array([wanted @ wanted]) / len(moved))
                doubts.append((out.far_m, out.unsure))
    return known, _fitted(np.array(rows), np.array(doubts))


def _fitted(rows: FloatArray, doubts: FloatArray) -> dict[str, Any]:
    columns = [np.ones(len(doubts)), doubts[:, 0], doubts[:, 1]]
    fit = np.zeros(3)
    used = [0, 1, 2]
    while True:
        basis = np.column_stack([columns[i] for i in used])
        left = np.einsum("ni,nj,n->ij", basis, basis, rows[:, 0])
        found = dict(zip(used, np.linalg.solve(left, basis.T @ rows[:, 1]), strict=True))
        wrong = [i for i in used if i and found[i] > 0]  # a doubt never makes the answer better
        if not wrong:
            break
        used.remove(wrong[0])
    for i, value in found.items():
        fit[i] = value
    return {
        "at": round(float(fit[0]), 4),
        "by_far": round(float(fit[1]), 4),
        "by_unsure": round(float(fit[2]), 4),
        "far_limit_m": round(float(np.percentile(doubts[:, 0], 99)), 4),
        "unsure_limit": round(float(np.percentile(doubts[:, 1], 99)), 4),
        "windows": len(doubts),
        "far_m": [round(float(v), 4) for v in np.percentile(doubts[:, 0], [10, 50, 90, 99])],
        "unsure": [round(float(v), 4) for v in np.percentile(doubts[:, 1], [10, 50, 90, 99])],
    }


def _window(piece: Piece, start: int, frames: int) -> tuple[Ask, FloatArray, FloatArray]:
    cut = tasks.cut([(piece, start)], frames)
    key = np.zeros((1, frames), bool)
    key[:, :PAST] = key[:, -1] = True
    ask = Ask.keys_only(cut.rotations_xyzw, cut.root_m, key)
    base = bases.make(ask)
    return ask, piece.world_m[start : start + frames], _at(base.rotations_xyzw[0], base.root_m[0])


def _at(rotations_xyzw: FloatArray, root_m: FloatArray) -> FloatArray:
    return kinematics.forward(figure.SKELETON, rotations_xyzw.astype(float), root_m.astype(float))[0]
