# SPDX-License-Identifier: Apache-2.0
"""Arms that nobody keyed: they hang at the sides and swing against the legs, instead of standing out in a T."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve import blend, correct
from kineograph_daemon.solve.body import Body, Limb
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

RAISED_RAD = np.radians(35.0)
"""An arm this far from hanging in the rest pose is there for skinning, not for standing."""
ASIDE = 0.16
FORWARD = 0.06
ELBOW_RAD = np.radians(16.0)
SWING = 0.55
"""How far an arm swings for each unit of the opposite leg's stride (a leg length)."""


def relax(pose: Pose, body: Body, goals: Goals) -> None:
    """Hang both arms of a two-legged body, where no key speaks about them. Changes the pose in place."""
    for arm in free(body, goals):
        _hang(pose, body, goals, arm)


def free(body: Body, goals: Goals) -> list[Limb]:
    """The arms that are hung: of a body with two legs and two arms those that its rest pose raises and no key turns."""
    arms = [limb for limb in body.limbs.values() if not limb.is_leg]
    if len(body.feet) != 2 or len(arms) != 2:
        return []
    return [a for a in arms if _is_raised(body, a) and not correct.keyed_frames(goals, [a.top, a.hinge])]


def _is_raised(body: Body, arm: Limb) -> bool:
    rest = body.skeleton.rest_positions_m
    along = rest[arm.end] - rest[arm.top]
    return bool(along[1] > -np.cos(RAISED_RAD) * np.linalg.norm(along))


def _hang(pose: Pose, body: Body, goals: Goals, arm: Limb) -> None:
    skeleton, rest = body.skeleton, body.skeleton.rest_positions_m
    along = rest[arm.end] - rest[arm.top]
    left = np.cross([0.0, 1.0, 0.0], body.front)
    side = left * float(np.sign((rest[arm.top] - rest[skeleton.root]) @ left))
    down = np.array([0.0, -1.0, 0.0]) + ASIDE * side + FORWARD * body.front
    lowered = quat.between(along, down)
    swing = _swing(pose, body, goals, side @ left > 0)
    turn = quat.mul(quat.from_axis_angle(-left, swing), lowered)
    _turn_from_rest(pose, body, arm.top, turn)
    axis = quat.rotate(skeleton.rest_world_rotations_xyzw[arm.top], arm.bend_axis)
    bend = ELBOW_RAD + 0.5 * np.maximum(swing, 0.0)
    _turn_from_rest(pose, body, arm.hinge, quat.from_axis_angle(axis, bend))


def _swing(pose: Pose, body: Body, goals: Goals, is_left: bool) -> FloatArray:
    """Angles (T,), positive forward: the opposite ankle's lead over its hip."""
    left = np.cross([0.0, 1.0, 0.0], body.front)
    rest = body.skeleton.rest_positions_m
    opposite = [f for f in body.feet if (float(rest[f.limb.top] @ left) > 0) != is_left] or list(body.feet)
    limb = opposite[0].limb
    root = goals.skeleton.root
    turned = quat.mul(pose.rotations_xyzw[:, root], quat.conj(goals.skeleton.rest_rotations_xyzw[root]))
    front = quat.rotate(quat.about_y(quat.heading_rad(turned)), body.front)
    lead = np.einsum("ti,ti->t", pose.positions_m[:, limb.end] - pose.positions_m[:, limb.top], front)
    return blend.smooth(SWING * lead / body.size_m, round(0.06 * goals.fps_hz))


def _turn_from_rest(pose: Pose, body: Body, joint: int, turn: FloatArray) -> None:
    """Give a joint its rest turned by ``turn`` (..., 4), a rotation told in the rest pose's world axes."""
    skeleton = body.skeleton
    parent = quat.conj(skeleton.rest_world_rotations_xyzw[skeleton.parents[joint]])
    local = quat.mul(parent, quat.mul(turn, skeleton.rest_world_rotations_xyzw[joint]))
    pose.rotations_xyzw[:, joint] = local
    pose.touch()
