# SPDX-License-Identifier: Apache-2.0
"""No joint jerks harder than people's do: where one would, its turns are evened out over a few frames; and keys that
nobody asked for give way to what the model made around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.solve import blend

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

MOST = 300.0
"""Radians a second, a second: of a thousand frames of real walking one has a knee that turns harder."""
REACH = 3
"""Frames before and after that are evened out with it."""
ROUNDS = 2


def melt(rotations_xyzw: FloatArray, root_m: FloatArray, keys: BoolArray) -> None:
    """Frames of lone ``keys`` (T,) become the middle of their neighbours. Changes rotations (T, J, 4) and root (T, 3).

    A model is told a pose on one frame, and what it makes beside it is a hair off: the frame itself would twitch.
    """
    last = len(keys) - 1
    lone = keys & ~np.r_[False, keys[:-1]] & ~np.r_[keys[1:], False]
    for frame in np.flatnonzero(lone) if last > 1 else ():
        a, b = (frame - 1, frame + 1) if 0 < frame < last else (1, 2) if frame == 0 else (last - 2, last - 1)
        u = 0.5 if 0 < frame < last else -1.0 if frame == 0 else 2.0  # at the ends it goes on as it goes
        rotations_xyzw[frame] = quat.slerp(rotations_xyzw[a], rotations_xyzw[b], u)
        root_m[frame] = root_m[a] * (1 - u) + root_m[b] * u


def calm(rotations_xyzw: FloatArray, fixed: BoolArray) -> FloatArray:
    """Rotations (T, J, 4) without jerks; frames that are ``fixed`` (T,) stay as they are."""
    q = quat.continuous(np.asarray(rotations_xyzw, float))
    if len(q) < 2 * REACH + 1:
        return q
    window = np.hanning(2 * REACH + 3)[1:-1]
    window = window / window.sum()
    for _ in range(ROUNDS):
        hard = jerks(q)
        joints = np.flatnonzero(hard.any(axis=0))
        if not len(joints):
            break
        weight = np.stack([blend.spread(hard[:, j].astype(float), REACH) for j in joints], axis=1)
        weight[fixed] = 0.0
        padded = np.pad(q[:, joints], ((REACH, REACH), (0, 0), (0, 0)), mode="edge")
        even = np.lib.stride_tricks.sliding_window_view(padded, len(window), axis=0) @ window
        q[:, joints] = quat.slerp(q[:, joints], quat.normalize(even), weight)
    return q


def jerks(rotations_xyzw: FloatArray) -> BoolArray:
    """Where each joint turns harder than ``MOST`` (T, J)."""
    rate = quat.to_rotvec(quat.mul(rotations_xyzw[1:], quat.conj(rotations_xyzw[:-1]))) * figure.FPS_HZ
    out = np.zeros(rotations_xyzw.shape[:2], bool)
    out[1:-1] = np.linalg.norm(np.diff(rate, axis=0), axis=-1) * figure.FPS_HZ > MOST
    return out
