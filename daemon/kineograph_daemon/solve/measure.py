# SPDX-License-Identifier: Apache-2.0
"""What a finished motion is like: misses of every constraint, foot slide, penetration, jerk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.rigs import Role
from kineograph_daemon.solve import feet
from kineograph_daemon.solve.body import Body
from kineograph_daemon.solve.goals import EffectorTrack, Goals, KeyPose, RootPath
from kineograph_daemon.solve.ground import Ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

STILL_M_S3 = 0.5
"""Mean jerk below which a motion counts as still: a ratio to it would say nothing."""


@dataclass(frozen=True, eq=False)
class Miss:
    """Per constrained frame (N,): distance in cm and, where a direction was asked, the angle in degrees."""

    frames: IntArray
    cm: FloatArray | None
    deg: FloatArray | None

    def worse(self, other: Miss) -> Miss:
        """The larger of two samples' misses, frame by frame."""
        return Miss(self.frames, _larger(self.cm, other.cm), _larger(self.deg, other.deg))


def _larger(a: FloatArray | None, b: FloatArray | None) -> FloatArray | None:
    return a if b is None else b if a is None else np.maximum(a, b)


def key_miss(pose: Pose, key: KeyPose) -> Miss:
    """The worst keyed joint's angle, and the root's distance where the key places it."""
    now = pose.rotations_xyzw[key.frame, key.joints]
    deg = np.degrees(quat.angle_between_rad(now, key.rotations_xyzw).max(keepdims=True))
    cm = None
    if key.root_m is not None:
        cm = np.array([100 * np.linalg.norm(pose.root_m[key.frame] - key.root_m)])
    return Miss(np.array([key.frame]), cm, deg)


def path_miss(pose: Pose, path: RootPath) -> Miss:
    """Horizontal distance of the root, and its heading's angle where one was asked."""
    cm = 100 * np.linalg.norm(pose.root_m[path.frames][:, [0, 2]] - path.xz_m, axis=1)
    if path.heading_rad is None:
        return Miss(path.frames, cm, None)
    root = pose.skeleton.root
    rest = quat.conj(pose.skeleton.rest_rotations_xyzw[root])
    heading = quat.heading_rad(quat.mul(pose.rotations_xyzw[path.frames, root], rest))
    off = heading - path.heading_rad
    return Miss(path.frames, cm, np.degrees(np.abs(np.arctan2(np.sin(off), np.cos(off)))))


def target_miss(pose: Pose, track: EffectorTrack) -> Miss:
    """Distance of the joint, and its angle where a rotation was asked."""
    cm = 100 * np.linalg.norm(pose.positions_m[track.frames, track.joint] - track.positions_m, axis=1)
    if track.rotations_xyzw is None:
        return Miss(track.frames, cm, None)
    now = pose.world_xyzw[track.frames, track.joint]
    return Miss(track.frames, cm, np.degrees(quat.angle_between_rad(now, track.rotations_xyzw)))


def misses(pose: Pose, goals: Goals) -> dict[int, Miss]:
    """The miss of every keyed, drawn or pinned constraint, by its place in the request."""
    out: dict[int, Miss] = {k.where: key_miss(pose, k) for k in goals.keys}
    out |= {p.where: path_miss(pose, p) for p in goals.paths}
    out |= {e.where: target_miss(pose, e) for e in goals.effectors}
    return out


@dataclass(frozen=True)
class Quality:
    """How one sample moves. ``jerk_ratio`` compares with the model's own motion, None where that stands still."""

    slide_mean_cm_s: float
    slide_worst_cm_s: float
    standing_share: float
    penetration_cm: float
    hover_cm: float
    jerk_m_s3: float
    jerk_ratio: float | None


def quality(
    pose: Pose, body: Body, ground: Ground, contacts: Mapping[int, BoolArray], raw: Pose, fps_hz: float
) -> Quality:
    """Foot slide while standing, the deepest dip below the ground, hovering, and jerk."""
    slides: list[FloatArray] = [np.zeros(0)]
    hovers: list[FloatArray] = [np.zeros(0)]
    standing = [0.0]
    for i, foot in enumerate(body.feet):
        stands = contacts.get(i, np.zeros(len(pose), bool))
        slides.append(_slide(pose.positions_m[:, foot.joints][..., [0, 2]], stands, fps_hz))
        above = feet.clearance(pose, foot, ground)[stands]
        hovers.append(above[np.isfinite(above)])
        standing.append(float(stands.mean()))
    slide, hover = np.concatenate(slides), np.concatenate(hovers)
    now, before = jerk_m_s3(pose, fps_hz), jerk_m_s3(raw, fps_hz)
    return Quality(
        slide_mean_cm_s=round(100 * float(slide.mean()) if len(slide) else 0.0, 3),
        slide_worst_cm_s=round(100 * float(slide.max(initial=0.0)), 3),
        standing_share=round(float(np.mean(standing[1:])) if body.feet else 0.0, 3),
        penetration_cm=round(100 * penetration_m(pose, body, ground), 3),
        hover_cm=round(100 * max(0.0, float(hover.max(initial=0.0))), 3),
        jerk_m_s3=round(now, 3),
        jerk_ratio=round(now / before, 3) if before > STILL_M_S3 else None,
    )


def _slide(at_xz: FloatArray, stands: BoolArray, fps_hz: float) -> FloatArray:
    """Speed (M,) m/s, between standing frames, of the slowest joint of a foot: rolling over the ball is no slide."""
    both = stands[1:] & stands[:-1]
    speed = np.linalg.norm(np.diff(at_xz, axis=0), axis=-1) * fps_hz
    return np.asarray(speed.min(axis=1)[both])


def penetration_m(pose: Pose, body: Body, ground: Ground) -> float:
    """The deepest any foot goes below standing flat, or any other joint below the ground, metres."""
    deepest = 0.0
    in_feet: set[int] = set()
    for foot in body.feet:
        sunk = -feet.clearance(pose, foot, ground)
        deepest = max(deepest, float(np.where(np.isfinite(sunk), sunk, 0.0).max(initial=0.0)))
        in_feet |= set(_under(body, foot.limb.end))
    rest_below = body.skeleton.rest_positions_m[:, 1] < ground.rest_floor_m
    # A root bone on the floor and what else hangs beside the hips (IK helpers) has no flesh to sink.
    hips = body.roles.get(Role.HIPS)
    flesh = set(_under(body, body.skeleton.root if hips is None else hips))
    others = [j for j in sorted(flesh) if j not in in_feet and not rest_below[j]]
    at = pose.positions_m[:, others]
    sunk = ground.under(at[..., [0, 2]]) - at[..., 1]
    return max(deepest, float(np.where(np.isfinite(sunk), sunk, 0.0).max(initial=0.0)))


def _under(body: Body, joint: int) -> list[int]:
    out = [joint]
    for j in out:
        out.extend(body.skeleton.children[j])
    return out


def jerk_m_s3(pose: Pose, fps_hz: float) -> float:
    """Mean magnitude of the third derivative of all joints' world positions."""
    if len(pose) < 4:
        return 0.0
    third = np.diff(pose.positions_m, n=3, axis=0) * fps_hz**3
    return float(np.sqrt(np.einsum("tji,tji->tj", third, third)).mean())
