# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip made to fit where it goes: without its travel, out of and into another motion. numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat, travel
from kineograph.motion.clip import Clip

from .poses import Pose

FloatArray = NDArray[np.floating[Any]]


def way_m(clip: Clip) -> FloatArray:
    """How far a clip has come over the floor at each frame (T, 3), metres; all zero at the first."""
    path = travel.split(clip)[0].path_m
    gone = np.zeros((len(path), 3))
    gone[:, [0, 2]] = path - path[0]
    return gone


def in_place(clip: Clip) -> Clip:
    """The same motion without its way over the floor: it stays where it starts. Turns, sway and height stay."""
    way, body = travel.split(clip)
    still = np.repeat(way.path_m[:1], len(clip), axis=0)
    return travel.join(replace(way, path_m=still), body)


def weights(frames: int) -> FloatArray:
    """How much of the new motion shows at each of so many frames (N,): an S-curve from just above 0 to just below 1."""
    t = (np.arange(frames) + 1.0) / (frames + 1.0)
    out: FloatArray = t * t * (3.0 - 2.0 * t)
    return out


def blended(clip: Clip, before: Sequence[Pose], after: Sequence[Pose]) -> Clip:
    """The clip coming out of ``before`` over its first frames and going into ``after`` over its last ones.

    ``before`` and ``after`` are what the armature shows there without the clip, in time's order; together they are no
    longer than the clip.
    """
    rotations = np.array(clip.rotations_xyzw, float)
    root = np.array(clip.root_m, float)
    _mix(rotations, root, range(len(before)), before, weights(len(before)))
    _mix(rotations, root, range(len(clip) - len(after), len(clip)), after, weights(len(after))[::-1])
    return replace(clip, rotations_xyzw=rotations, root_m=root)


def _mix(rotations: FloatArray, root: FloatArray, frames: range, poses: Sequence[Pose], how_much: FloatArray) -> None:
    for frame, pose, weight in zip(frames, poses, how_much, strict=True):
        rotations[frame] = quat.slerp(pose.local_xyzw, rotations[frame], float(weight))
        root[frame] = pose.root_m + (root[frame] - pose.root_m) * weight
