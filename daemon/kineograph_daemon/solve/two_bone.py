# SPDX-License-Identifier: Apache-2.0
"""Two-bone inverse kinematics in closed form, for all frames at once.

The hinge opens or closes by the law of cosines, in the plane in which the limb bends now; then the whole limb swings
by the shortest arc onto its target. So a knee keeps its side and its direction, and nothing flips from frame to frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve.body import Limb
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

STRAIGHT = 0.9995
"""A limb never opens further than this share of its reach: past it a knee pops."""
_SURE_BEND = np.sin(np.radians(12.0))
"""A limb bent at least this much shows by itself which way it bends."""


def solve(pose: Pose, limb: Limb, frames: IntArray, target_m: FloatArray, end_xyzw: FloatArray) -> None:
    """Bring the limb's end to ``target_m`` (N, 3) at ``frames`` (N,), with world rotations ``end_xyzw`` (N, 4).

    A target out of reach is stretched towards. Changes the pose in place and drops its world arrays.
    """
    if not len(frames):
        return
    position, world = pose.world
    a, b, e = (position[frames, j] for j in (limb.top, limb.hinge, limb.end))
    fold = _fold(pose, limb, frames, a, b, e, target_m)
    bent = b + quat.rotate(fold, e - b)
    swing = quat.between(bent - a, target_m - a)
    top = quat.mul(swing, world[frames, limb.top])
    lower = quat.mul(swing, fold)
    above_hinge = quat.mul(swing, world[frames, pose.skeleton.parents[limb.hinge]])
    above_end = quat.mul(lower, world[frames, pose.skeleton.parents[limb.end]])
    hinge = quat.mul(lower, world[frames, limb.hinge])
    pose.set_world(limb.top, frames, top, pose.parent_xyzw(limb.top, frames))
    pose.set_world(limb.hinge, frames, hinge, above_hinge)
    pose.set_world(limb.end, frames, end_xyzw, above_end)
    pose.touch()


def _fold(
    pose: Pose, limb: Limb, frames: IntArray, a: FloatArray, b: FloatArray, e: FloatArray, target: FloatArray
) -> FloatArray:
    """The world turn (N, 4) of the lower bone about the hinge that gives the limb its new length."""
    upper, lower = b - a, e - b
    la, lb = _length(upper), _length(lower)
    longest, shortest = longest_m(a, e, target, la + lb, STRAIGHT), np.abs(la - lb) + 1e-3 * (la + lb)
    distance = np.clip(_length(target - a), shortest, longest)
    inner = (la * la + lb * lb - distance * distance) / np.maximum(2 * la * lb, 1e-12)
    bend = np.pi - np.arccos(np.clip(inner, -1.0, 1.0))
    axis = hinge_axis(pose, limb, frames)
    along = upper / np.maximum(la, 1e-12)[:, None]
    straight = along * lb[:, None]
    wanted = quat.rotate(quat.from_axis_angle(axis, bend), straight)
    return quat.between(lower, wanted)


def longest_m(
    top: FloatArray, end: FloatArray, target: FloatArray, reach: FloatArray, share: FloatArray | float
) -> FloatArray:
    """How far (N,) an end may be from its top: ``share`` of the reach, or as far as it is now where it hardly moves.

    A limb that stands straight in the pose itself stays so; one that is brought somewhere keeps a little bend.
    """
    now, moved = _length(end - top), _length(target - end)
    stays = np.exp(-((moved / (0.01 * np.maximum(reach, 1e-9))) ** 2))
    return np.asarray(reach * share + np.maximum(now - reach * share, 0.0) * stays)


def hinge_axis(pose: Pose, limb: Limb, frames: IntArray) -> FloatArray:
    """World axes (N, 3), perpendicular to the upper bone, about which the lower bone bends.

    A bent limb tells its own axis; the straighter it is, the more the rig's natural axis decides, so that a knee that
    an interpolation has pushed slightly backwards comes back to its own side.
    """
    position, world = pose.world
    upper = position[frames, limb.hinge] - position[frames, limb.top]
    lower = position[frames, limb.end] - position[frames, limb.hinge]
    scale = np.maximum(_length(upper) * _length(lower), 1e-12)[:, None]
    seen = np.cross(upper, lower) / scale
    natural = quat.rotate(world[frames, limb.top], np.broadcast_to(limb.bend_axis, seen.shape))
    doubt = np.maximum(0.0, 2 * _SURE_BEND - _length(seen))[:, None]
    axis = seen + natural * doubt
    along = upper / np.maximum(_length(upper), 1e-12)[:, None]
    axis = axis - along * np.einsum("ni,ni->n", axis, along)[:, None]
    return np.asarray(axis / np.maximum(_length(axis), 1e-12)[:, None])


def _length(v: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", v, v)))


def excess_m(pose: Pose, limb: Limb, frames: IntArray, target_m: FloatArray, share: float = 0.999) -> FloatArray:
    """How far (N,) each target lies beyond ``share`` of the limb's reach, metres; never negative."""
    position = pose.positions_m
    a, b, e = (position[frames, j] for j in (limb.top, limb.hinge, limb.end))
    return np.maximum(0.0, _length(target_m - a) - share * (_length(b - a) + _length(e - b)))
