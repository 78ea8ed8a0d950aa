# SPDX-License-Identifier: Apache-2.0
"""A standing foot rolls over its ball before its leg is drawn straight: the heel comes up, the ball stays where it is.

A leg that is held until it is straight lets its knee jerk; people lift the heel before. The ankle goes on a circle
about the ball, in the plane of ball, ankle and hip, until the leg has its bend.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve import curves, two_bone
from kineograph_daemon.solve.body import Foot
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

FROM, MOST = 0.96, 0.99
"""The heel begins to come up where a leg would be straighter than the first share of its reach, and keeps the leg under
the second."""
ANGLE_RAD = np.radians(35.0)
"""No foot rolls further than this."""
HEEL = 0.03
"""A foot whose ball is this share of the leg higher than its heel stands on the heel, and does not roll."""
ON_HEEL = 0.993
"""How straight a leg may be on its heel, as a share of its reach: the hips come down instead."""
MOVED = 0.01
"""A leg that is brought less than this share of its reach elsewhere is as straight as the motion has it."""


def bring(pose: Pose, foot: Foot, frames: IntArray, ankle_m: FloatArray, rolls: FloatArray | float = 1.0) -> None:
    """Bring a foot's ankle to ``ankle_m`` (N, 3) at ``frames`` (N,), the foot's direction in space kept, or rolled over
    its ball where the leg would be straight, as far as ``rolls`` (N,) from 0 to 1; toes beyond the ball stay."""
    limb, ball = foot.limb, foot.contact
    end = pose.world_xyzw[frames, limb.end].copy()
    if ball == limb.end or not len(frames):
        two_bone.solve(pose, limb, frames, ankle_m, end)
        return
    toes = pose.world_xyzw[frames, ball].copy()
    rolled_m, turn = over_ball(pose, foot, frames, ankle_m, rolls)
    two_bone.solve(pose, limb, frames, rolled_m, quat.mul(turn, end))
    rolled = quat.angle_between_rad(turn, quat.identity(len(frames))) > 1e-9
    if rolled.any():
        pose.set_world(ball, frames[rolled], toes[rolled], pose.parent_xyzw(ball, frames[rolled]))
        pose.touch()


def over_ball(
    pose: Pose, foot: Foot, frames: IntArray, ankle_m: FloatArray, rolls: FloatArray | float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Where the ankle (N, 3) of a foot goes that is brought to ``ankle_m`` and rolls over its ball so that its leg
    stays bent, and the foot's world turns (N, 4)."""
    limb = foot.limb
    top, hinge, end = (pose.positions_m[frames, j] for j in (limb.top, limb.hinge, limb.end))
    lever = end - pose.positions_m[frames, foot.contact]
    reach = _length(hinge - top) + _length(end - hinge)
    now, wanted = _length(end - top), _length(ankle_m - top)
    over = np.maximum(wanted / np.maximum(reach, 1e-12) - FROM, 0.0)
    bent = np.minimum(wanted, reach * (FROM + (MOST - FROM) * np.tanh(over / (MOST - FROM))))
    # Where the lock hardly moves it, a leg may stay as straight as it is: keys and their neighbours are not touched.
    stays = np.exp(-((_length(ankle_m - end) / np.maximum(MOVED * reach, 1e-12)) ** 2))
    limit = bent + np.maximum(np.minimum(now, wanted) - bent, 0.0) * stays
    turn = _turn(lever, top - ankle_m + lever, wanted + (limit - wanted) * rolls * bears(pose, foot, frames))
    return ankle_m + quat.rotate(turn, lever) - lever, turn


def bears(pose: Pose, foot: Foot, frames: IntArray) -> FloatArray:
    """How far (N,) from 0 to 1 a foot stands on its ball: not where its heel comes down first."""
    joints = foot.joints.tolist()
    ball, heel = (
        pose.positions_m[frames, j, 1] - foot.rest_height_m[joints.index(j)] for j in (foot.contact, foot.limb.end)
    )
    return np.asarray(1.0 - curves.smootherstep((ball - heel) / max(HEEL * foot.limb.reach_m, 1e-9)))


def straightest(pose: Pose, foot: Foot, frames: IntArray, most: float, rolls: FloatArray | float = 1.0) -> FloatArray:
    """How straight (N,) a standing leg may be, as a share of its reach: on its heel a foot has nothing to roll over."""
    return most - max(most - ON_HEEL, 0.0) * (1.0 - rolls * bears(pose, foot, frames))


def _turn(ankle: FloatArray, hip: FloatArray, apart_m: FloatArray) -> FloatArray:
    """Turns (N, 4) that bring the ankle (N, 3) within ``apart_m`` (N,) of the hip (N, 3), both seen from the ball; as
    near as ``ANGLE_RAD`` lets it."""
    short, far = _length(ankle), _length(hip)
    both = np.maximum(2 * short * far, 1e-12)
    axis = np.cross(ankle, hip)
    size = _length(axis)
    now = np.arctan2(size, np.einsum("ni,ni->n", ankle, hip))
    then = np.arccos(np.clip((short * short + far * far - apart_m * apart_m) / both, -1.0, 1.0))
    angle = ANGLE_RAD * np.tanh(np.maximum(now - then, 0.0) / ANGLE_RAD)
    # Hip, ankle and ball in one line: nothing says which way to roll.
    angle = np.where(size > 1e-3 * short * far, angle, 0.0)
    return quat.from_axis_angle(axis / np.maximum(size, 1e-12)[:, None], angle)


def _length(v: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", v, v)))
