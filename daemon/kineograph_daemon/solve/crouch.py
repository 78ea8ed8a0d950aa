# SPDX-License-Identifier: Apache-2.0
"""Going down to what lies low: knees bend before a back breaks.

A hand that is wanted further down than arm and a little bending of the trunk reach takes the whole body down, on
standing feet, whose knees bend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.solve import blend, correct, feet, two_bone
from kineograph_daemon.solve.body import Body, Limb
from kineograph_daemon.solve.goals import EffectorTrack, Goals
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

BEND = 0.08
"""How much of what an arm does not reach the trunk's bending takes over, in leg lengths."""
MOST = 0.6
"""How far a body goes down at most, in leg lengths."""
ASIDE = 0.95
"""A target further aside than this share of the reach is as one there."""
SPEED = 0.9
"""How fast it goes down and comes up, leg lengths a second."""


def lower(pose: Pose, body: Body, goals: Goals, stands: Mapping[int, BoolArray]) -> None:
    """Lower the root where arms' targets lie too low, while a foot stands and where no key says how high it is."""
    if not body.feet:
        return
    stood = np.logical_or.reduce([stands[i] for i in range(len(body.feet))])
    down = np.zeros(len(pose))
    for track in goals.effectors:
        limb = body.limb_above(track.joint)
        if limb is not None and not limb.is_leg:
            down = np.maximum(down, _needed(pose, body, goals, track, limb, stood))
    frames = np.flatnonzero(down > 1e-6)
    if not len(frames):
        return
    # Feet stay where they are, in the air too: only the body goes down between them.
    ends = [f.limb.end for f in body.feet]
    kept = [(pose.positions_m[frames, e].copy(), pose.world_xyzw[frames, e].copy()) for e in ends]
    pose.shift(np.stack([np.zeros_like(down), -down, np.zeros_like(down)], axis=1))
    for foot, (at_m, world_xyzw) in zip(body.feet, kept, strict=True):
        two_bone.solve(pose, foot.limb, frames, at_m, world_xyzw)


def _needed(pose: Pose, body: Body, goals: Goals, track: EffectorTrack, limb: Limb, stood: BoolArray) -> FloatArray:
    """How far (T,) the body must go down for one track, eased over time."""
    keyed = set(correct.keyed_frames(goals, [limb.top, limb.hinge, limb.end]))
    pick = np.array([bool(stood[f]) and f not in keyed for f in track.frames.tolist()], bool)
    if not pick.any():
        return np.zeros(len(pose))
    frames = track.frames[pick]
    at = pose.positions_m[frames]
    # The wrist goes where that puts the joint that was asked for.
    target = track.positions_m[pick] + at[:, limb.end] - at[:, track.joint]
    away = at[:, limb.top] - target
    reach = limb.reach_m + BEND * body.size_m
    # Going down brings nothing nearer that is out of reach sideways: a hand held out to the side is not gone down for.
    level2 = np.minimum(away[:, 0] ** 2 + away[:, 2] ** 2, (ASIDE * reach) ** 2)
    need = np.clip(away[:, 1] - np.sqrt(reach * reach - level2), 0.0, MOST * body.size_m)
    fade = blend.fade_for(need, SPEED * body.size_m, goals.fps_hz, 0.35, 1.0)
    return np.maximum(blend.bumps(frames, need, len(pose), fade, feet.fixing(goals, body)), 0.0)
