# SPDX-License-Identifier: Apache-2.0
"""The figure that a draft shows at a frame: poses between keys, places on the path, a joint turned by hand.

J joints; right-handed, y up, metres, quaternions (x, y, z, w).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph.motion.skeleton import Skeleton
from kineograph_gui.model.draft import Draft, Key, headings_rad
from kineograph_gui.model.take import Goal, Take

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Pose:
    """``rotations_xyzw`` (J, 4) local; ``root_m`` (3,) world."""

    rotations_xyzw: FloatArray
    root_m: FloatArray

    def positions_m(self, rig: Skeleton) -> FloatArray:
        """World positions (J, 3)."""
        return kinematics.forward(rig, self.rotations_xyzw, self.root_m)[0]


def rest(rig: Skeleton) -> Pose:
    """The rest pose where it was built."""
    return Pose(rig.rest_rotations_xyzw.copy(), rig.rest_positions_m[rig.root].copy())


def of_key(key: Key, rig: Skeleton) -> Pose:
    """A key's pose; joints that it does not name stay at rest."""
    pose = rest(rig)
    for name, value in (key.constraint.get("joint_rotations") or {}).items():
        joint = rig.index.get(name)
        if joint is not None:
            pose.rotations_xyzw[joint] = np.asarray(value, float)
    root = key.constraint.get("root_position")
    return pose if root is None else Pose(pose.rotations_xyzw, np.asarray(root, float))


def at(draft: Draft, frame: int) -> Pose:
    """The pose at a frame: a key's own, a blend between two keys, else rest; placed by the path where there is one."""
    assert draft.rig is not None
    pose = _between(draft.keys, draft.rig, frame)
    on_key = any(k.frame == frame for k in draft.keys)
    return pose if on_key or not draft.waypoints else _placed(pose, draft, frame)


def _between(keys: list[Key], rig: Skeleton, frame: int) -> Pose:
    if not keys:
        return rest(rig)
    after = next((i for i, k in enumerate(keys) if k.frame >= frame), len(keys))
    if after == len(keys):
        return of_key(keys[-1], rig)
    if after == 0 or keys[after].frame == frame:
        return of_key(keys[after], rig)
    a, b = keys[after - 1], keys[after]
    share = (frame - a.frame) / (b.frame - a.frame)
    one, two = of_key(a, rig), of_key(b, rig)
    blended = quat.slerp(one.rotations_xyzw, two.rotations_xyzw, np.asarray(share))
    return Pose(blended, one.root_m + (two.root_m - one.root_m) * share)


def _placed(pose: Pose, draft: Draft, frame: int) -> Pose:
    assert draft.rig is not None
    frames = [w.frame for w in draft.waypoints]
    x = float(np.interp(frame, frames, [w.x_m for w in draft.waypoints]))
    z = float(np.interp(frame, frames, [w.z_m for w in draft.waypoints]))
    rotations = pose.rotations_xyzw
    if not draft.keys:
        heading = float(np.interp(frame, frames, np.unwrap(headings_rad(draft.waypoints))))
        rotations = rotations.copy()
        rotations[draft.rig.root] = quat.mul(quat.about_y(heading), rotations[draft.rig.root])
    return Pose(rotations, np.array([x, pose.root_m[1], z]))


def turned(pose: Pose, rig: Skeleton, joint: int, axis: FloatArray, angle_rad: float) -> Pose:
    """The pose with one joint turned about a world axis (3,) through it."""
    _, world = kinematics.forward(rig, pose.rotations_xyzw, pose.root_m)
    new = quat.mul(quat.from_axis_angle(np.asarray(axis, float), angle_rad), world[joint])
    parent = int(rig.parents[joint])
    local = new if parent < 0 else quat.mul(quat.conj(world[parent]), new)
    rotations = pose.rotations_xyzw.copy()
    rotations[joint] = local / np.linalg.norm(local)
    return Pose(rotations, pose.root_m)


def as_key(pose: Pose, rig: Skeleton, frame: int, said: str) -> Key:
    """The pose as a key."""
    constraint = {
        "type": "pose_keyframe",
        "frame": frame,
        "joint_rotations": {n: [float(v) for v in pose.rotations_xyzw[i]] for i, n in enumerate(rig.names)},
        "root_position": [float(v) for v in pose.root_m],
    }
    return Key(frame, constraint, said)


def as_take(draft: Draft, pose: Pose) -> Take:
    """The figure in a pose (frame 0), the keys' poses as ghosts after it, pins and path beside it."""
    assert draft.rig is not None
    rig = draft.rig
    shown = [pose.positions_m(rig), *(of_key(k, rig).positions_m(rig) for k in draft.keys)]
    positions = np.stack(shown)[None].astype(np.float32)
    goals = tuple(
        Goal(p.frame, np.asarray(p.position_m, float), pin.joint, None) for pin in draft.pins for p in pin.points
    )
    path = np.array([[w.x_m, 0.0, w.z_m] for w in draft.waypoints]) if draft.waypoints else None
    standing = np.zeros(positions.shape[:3], bool)
    keyed = tuple(range(1, len(shown)))
    return Take("", draft.fps_hz, rig, positions, standing, goals, path, keyed)
