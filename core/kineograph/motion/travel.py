# SPDX-License-Identifier: Apache-2.0
"""Travel and body: where a clip goes, split from what the body does on the way.

The travel is a smooth path on the ground (x, z) with a smooth unwrapped yaw. The body is the same clip seen from a
frame that follows it: near the origin, facing +Z. ``join(split(clip))`` is the clip again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip

FloatArray = NDArray[np.floating[Any]]

SMOOTH_S = 0.25  # standard deviation of the smoothing: takes out the sway of a stride, leaves a turn


@dataclass(frozen=True, eq=False)
class Travel:
    """``path_m`` (T, 2) as x, z on the ground; ``yaw_rad`` (T,) about +Y, without jumps; 0 faces +Z."""

    path_m: FloatArray
    yaw_rad: FloatArray


def split(clip: Clip, smooth_s: float = SMOOTH_S) -> tuple[Travel, Clip]:
    """The travel of a clip, and its body in the frame that travels.

    The body's root turns by ``about_y(-yaw)`` and moves by the same turn of (root - path); heights stay. ``smooth_s``
    0 takes path and yaw as they are.
    """
    root = clip.skeleton.root
    sigma = smooth_s * clip.fps_hz
    path = _smooth(np.asarray(clip.root_m[:, [0, 2]], dtype=np.float64), sigma)
    yaw = _smooth_yaw(_facing(clip), sigma)
    travel = Travel(path, yaw)
    back = quat.about_y(-yaw)
    rotations = np.array(clip.rotations_xyzw, dtype=np.float64)
    rotations[:, root] = quat.mul(back, rotations[:, root])
    return travel, replace(clip, rotations_xyzw=rotations, root_m=quat.rotate(back, clip.root_m - _ground(path)))


def join(travel: Travel, body: Clip) -> Clip:
    """The body on its way again. ``travel`` may be another one of the same length. Raises ValueError otherwise."""
    if travel.path_m.shape != (len(body), 2) or travel.yaw_rad.shape != (len(body),):
        raise ValueError(f"a travel of {len(travel.yaw_rad)} frames does not fit a body of {len(body)}")
    root = body.skeleton.root
    turn = quat.about_y(travel.yaw_rad)
    rotations = np.array(body.rotations_xyzw, dtype=np.float64)
    rotations[:, root] = quat.mul(turn, rotations[:, root])
    return replace(body, rotations_xyzw=rotations, root_m=quat.rotate(turn, body.root_m) + _ground(travel.path_m))


def _ground(path_m: FloatArray) -> FloatArray:
    return np.stack([path_m[:, 0], np.zeros(len(path_m)), path_m[:, 1]], axis=-1)


def _facing(clip: Clip) -> FloatArray:
    """(T, 2) sine and cosine of the heading, shorter the less there is of one.

    The heading is the twist about +Y of the root's turn from rest. For a body upside down (a pure half-turn swing) it
    does not exist; its weight goes to zero there, so that the neighbours decide.
    """
    root = clip.skeleton.root
    q = quat.mul(clip.rotations_xyzw[:, root].astype(np.float64), quat.conj(clip.skeleton.rest_rotations_xyzw[root]))
    y, w = q[:, 1], q[:, 3]
    return np.stack([2.0 * y * w, w * w - y * y], axis=-1)


def _smooth_yaw(facing: FloatArray, sigma: float) -> FloatArray:
    """Unwrapped yaw (T,) radians.

    Directions are averaged as vectors first, so that full turns and frames without a heading do no harm; the angles
    are then smoothed around that average, which would lag behind a turn at both ends.
    """
    mean = _smooth(facing, sigma, odd=False)
    known = np.hypot(mean[:, 0], mean[:, 1]) > 1e-6
    if not known.any():
        return np.zeros(len(facing))
    frames = np.arange(len(facing))
    rough = np.interp(frames, frames[known], np.unwrap(np.arctan2(mean[known, 0], mean[known, 1])))
    weight = np.hypot(facing[:, 0], facing[:, 1])
    off = np.arctan2(facing[:, 0], facing[:, 1]) - rough
    angle = rough + (off + np.pi) % (2.0 * np.pi) - np.pi
    steady = angle * weight + rough * (1.0 - weight)  # a heading counts as much as there is of it
    return _smooth(steady[:, None], sigma)[:, 0]


def _smooth(values: FloatArray, sigma: float, odd: bool = True) -> FloatArray:
    """A Gaussian over time (T, n). ``odd`` reflects through the end points, so that a straight path stays one."""
    reach = min(int(np.ceil(3.0 * sigma)), len(values) - 1)
    if reach < 1 or sigma <= 0:
        return values
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    before, after = values[reach:0:-1], values[-2 : -reach - 2 : -1]
    if odd:
        before, after = 2.0 * values[0] - before, 2.0 * values[-1] - after
    padded = np.concatenate([before, values, after])
    return np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], axis=-1)
