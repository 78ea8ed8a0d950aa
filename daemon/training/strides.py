# SPDX-License-Identifier: Apache-2.0
"""How people walk and run, as small tables: the mean pose at each phase of a stride over all that was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.features import STYLES
from training.data import Piece, mirrored
from training.tasks import smoothed

FloatArray = NDArray[np.floating[Any]]

PHASES = 16
LEAST_MPS = {"walk": 0.7, "run": 2.0}
"""What is slower is none, or is done on the spot."""
SIGMA = 8.0
"""Frames over which the way that a body faces is evened out: the pelvis swings around it."""


def tables(pieces: list[Piece]) -> tuple[FloatArray, dict[str, Any]]:
    """Mean poses (2, 16, 22, 4) of walking and running, and by class what goes with them."""
    made = {name: _table(pieces, name) for name in LEAST_MPS}
    return np.stack([poses for poses, _ in made.values()]), {name: facts for name, (_, facts) in made.items()}


def _table(pieces: list[Piece], style: str) -> tuple[FloatArray, dict[str, Any]]:
    """Mean poses (16, 22, 4) faced to +z at even phases of a stride, left foot foremost at the first; with the pelvis's
    heights (metres), speed (metres a second) and strides a second."""
    runs = [p for p in pieces if p.style == STYLES.index(style) and _speed(p) > LEAST_MPS[style]]
    runs = [p for p in runs if p.phase[1].sum() > PHASES]
    if not runs:
        raise SystemExit(f"nobody does {style} in the recordings: nothing to make the table of")
    sums = np.zeros((PHASES, figure.JOINTS, 4, 4))
    heights, counts = np.zeros(PHASES), np.zeros(PHASES)
    rates = []
    for piece in [made for run in runs for made in (run, mirrored(run))]:
        phase, walks = piece.phase
        yaw = smoothed(piece.yaw_rad[None], SIGMA)[0]
        pose = piece.rotations_xyzw.astype(float)
        pose[:, 0] = quat.mul(quat.about_y(-yaw), pose[:, 0])
        bins = np.round(phase / (2 * np.pi) * PHASES).astype(int) % PHASES
        for frame in np.flatnonzero(walks):
            for b, share in ((bins[frame], 2.0), (bins[frame] - 1, 1.0), ((bins[frame] + 1) % PHASES, 1.0)):
                sums[b] += share * np.einsum("ji,jk->jik", pose[frame], pose[frame])
                heights[b] += share * piece.root_m[frame, 1]
                counts[b] += share
        rates.append(float(np.diff(np.unwrap(phase))[walks[1:] & walks[:-1]].mean() * figure.FPS_HZ / (2 * np.pi)))
    poses = np.linalg.eigh(sums)[1][..., -1]
    facts = {
        "recordings": len(runs),
        "height_m": [round(float(h), 3) for h in heights / counts],
        "mps": round(float(np.mean([_speed(p) for p in runs])), 2),
        "stride_hz": round(float(np.mean(rates)), 2),
    }
    return poses, facts


def _speed(piece: Piece) -> float:
    moved = np.diff(piece.root_m[:, [0, 2]], axis=0)
    return float(np.linalg.norm(moved, axis=-1).mean() * figure.FPS_HZ)
