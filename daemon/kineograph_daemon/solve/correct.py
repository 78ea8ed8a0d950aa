# SPDX-License-Identifier: Apache-2.0
"""Root points, headings and pose keys met exactly, by corrections blended over time.

A model's own motion stays what it is away from the keys; at the keys it is what was asked. The root's place and
heading carry on from the last point (a path does not snap back), a body's pose comes back to the model's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve import blend
from kineograph_daemon.solve.goals import Goals, groups
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

KEY_FADE_S = 0.5
"""How long a key's correction takes to come and go where no other key is near, seconds."""
_NOTHING = 1e-9


def place(pose: Pose, goals: Goals) -> None:
    """Move the root onto its constrained points, and turn it to its constrained headings."""
    _turn(pose, goals)
    frames, xz = goals.root_points()
    offset = np.zeros_like(pose.root_m)
    if len(frames):
        offset[:, [0, 2]] = blend.held(frames, xz - pose.root_m[frames][:, [0, 2]], len(pose))
    keys = goals.root_keys()
    if keys:
        at = np.array(sorted(keys))
        rise = np.array([keys[int(f)][1] for f in at]) - pose.root_m[at, 1]
        offset[:, 1] = blend.bumps(at, rise, len(pose), KEY_FADE_S * goals.fps_hz)
    if np.abs(offset).max(initial=0.0) > _NOTHING:
        pose.shift(offset)


def _turn(pose: Pose, goals: Goals) -> None:
    """Turn the root about +Y so that its heading is the path's, and on keyed frames the key's."""
    root = goals.skeleton.root
    rest = quat.conj(goals.skeleton.rest_rotations_xyzw[root])
    frames, headings = goals.headings()
    asked = dict(zip(frames.tolist(), headings.tolist(), strict=True))
    key_frames, keys = goals.rotation_keys().get(root, (np.empty(0, int), np.empty((0, 4))))
    asked |= dict(zip(key_frames.tolist(), quat.heading_rad(quat.mul(keys, rest)).tolist(), strict=True))
    if not asked:
        return
    at = np.array(sorted(asked))
    now = quat.heading_rad(quat.mul(pose.rotations_xyzw[at, root], rest))
    miss = np.array([asked[int(f)] for f in at]) - now
    miss = np.unwrap(np.arctan2(np.sin(miss), np.cos(miss)))
    if np.abs(miss).max() > _NOTHING:
        turn = quat.about_y(blend.held(at, miss, len(pose)))
        pose.rotations_xyzw[:, root] = quat.mul(turn, pose.rotations_xyzw[:, root])
        pose.touch()


def keys(pose: Pose, goals: Goals) -> None:
    """Turn every keyed joint into its keys, fading the correction out between distant keys."""
    for joints, frames, values in groups(goals.rotation_keys()):
        now = pose.rotations_xyzw[np.ix_(frames, joints)]
        miss = quat.to_rotvec(quat.mul(values, quat.conj(now)))
        moved = np.abs(miss).max(axis=(0, 2)) > _NOTHING
        if moved.any():
            track = blend.bumps(frames, miss[:, moved], len(pose), KEY_FADE_S * goals.fps_hz)
            pick = joints[moved]
            pose.rotations_xyzw[:, pick] = quat.mul(quat.from_rotvec(track), pose.rotations_xyzw[:, pick])
    pose.touch()


def pin(pose: Pose, goals: Goals) -> None:
    """Write keys and root points as they were given: the last word, to the last bit."""
    for joint, (frames, values) in goals.rotation_keys().items():
        pose.rotations_xyzw[frames, joint] = values
    frames, xz = goals.root_points()
    if len(frames):
        pose.root_m[frames[:, None], [0, 2]] = xz
    for frame, position in goals.root_keys().items():
        pose.root_m[frame] = position
    pose.touch()


def keyed_frames(goals: Goals, joints: list[int]) -> list[int]:
    """Frames on which a key fixes any of these joints, ascending."""
    return goals.frames_fixing(joints)
