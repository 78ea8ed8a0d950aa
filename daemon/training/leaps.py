# SPDX-License-Identifier: Apache-2.0
"""How people jump, as a small table: the mean pose of five moments over all jumps that were trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.features import STYLES
from training.data import Piece, mirrored

FloatArray = NDArray[np.floating[Any]]

CLEAR_M = 0.06
"""Both feet are higher than this over where they stand: a flight."""
FLIGHT = (7, 22)
"""Frames of a flight; shorter ones are steps of a run, longer ones hang on something."""
AROUND = 20
"""Frames before and after a flight in which the body crouches."""


def table(pieces: list[Piece]) -> tuple[FloatArray, dict[str, Any]]:
    """Mean poses (5, 22, 4), faced to +z and symmetric, of crouching, taking off, the top, touching down and
    cushioning; and their mean times in frames from take-off. Every recording counts once, however often it jumps."""
    found = [list(_events(piece)) for piece in pieces if piece.style == STYLES.index("jump")]
    found = [events for events in found if events]
    if not found:
        raise SystemExit("no jumps among the recordings: nothing to make the table of")
    poses = np.stack([_mean(np.stack([pose for pose, _ in events])) for events in found])
    frames = np.mean([np.mean([times for _, times in events], axis=0) for events in found], axis=0)
    return _mean(poses), {"recordings": len(found), "frames": [round(float(f)) for f in frames]}


def _mean(poses_xyzw: FloatArray) -> FloatArray:
    alike = np.where((poses_xyzw * poses_xyzw[:1]).sum(-1, keepdims=True) < 0, -poses_xyzw, poses_xyzw)
    return quat.normalize(alike.mean(axis=0))


def _events(piece: Piece) -> Iterator[tuple[FloatArray, list[int]]]:
    """Poses (5, 22, 4) of every jump of a recording and of its mirror image, with their times."""
    height = piece.world_m[:, 0, 1]
    rest = figure.SKELETON.rest_positions_m[list(figure.FEET), 1]
    flies = (piece.world_m[:, list(figure.FEET), 1] - rest).min(axis=1) > CLEAR_M
    edges = np.flatnonzero(np.diff(flies.astype(np.int8), prepend=0, append=0))
    for start, stop in edges.reshape(-1, 2).tolist():
        low, high = start - AROUND, stop + AROUND
        if not FLIGHT[0] <= stop - start <= FLIGHT[1] or low < 0 or high > len(piece):
            continue
        moments = [
            low + int(height[low:start].argmin()),
            start,
            start + int(height[start:stop].argmax()),
            stop,
            stop + int(height[stop:high].argmin()),
        ]
        for made in (piece, mirrored(piece)):
            pose = made.rotations_xyzw[moments].astype(float)
            pose[:, 0] = quat.mul(quat.about_y(-quat.heading_rad(pose[:, 0])), pose[:, 0])
            yield pose, [m - start for m in moments]
