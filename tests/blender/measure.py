# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender shows, measured against what was meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np

from kineograph.motion import kinematics, quat
from kineograph.motion.clip import Clip
from kineograph_blender.bridge import bake, gathering, guard, poses
from kineograph_blender.bridge.bake_options import BakeOptions, BakeReport
from kineograph_blender.bridge.poses import Pose
from kineograph_blender.bridge.request import Direction, Outgoing
from kineograph_blender.bridge.rig import Rig


def gather(rig: Any, **direction: Any) -> Outgoing:
    """What would be sent for the scene's whole range."""
    scene = bpy.context.scene
    wanted = {"model": "m", "start": scene.frame_start, "end": scene.frame_end} | direction
    return gathering.gather(rig, scene, Direction(**wanted))


def shown(armature: Any, rig: Rig, frames: Iterable[float]) -> list[Pose]:
    """Evaluated poses at scene frames."""
    out = []
    for frame in frames:
        guard.go_to(bpy.context.scene, frame)
        out.append(poses.read(armature, rig))
    return out


def clip_of(rig: Rig, seen: list[Pose], fps_hz: float = 24.0) -> Clip:
    """Poses as a clip."""
    return Clip(rig.skeleton, fps_hz, np.stack([p.local_xyzw for p in seen]), np.stack([p.root_m for p in seen]))


def baked(rig: Rig, clip: Clip, start: float = 1.0, take: str = "take", **options: Any) -> BakeReport:
    """A clip on the armature, all at once."""
    return bake.Bake(rig, clip, start, take, BakeOptions(**options)).finish()


def miss(rig: Rig, got: list[Pose], want: list[Pose]) -> tuple[float, float]:
    """The largest distance (metres) and world turn (radians) between two lists of poses, over all joints."""
    far = max(float(np.abs(g.positions_m - w.positions_m).max()) for g, w in zip(got, want, strict=True))
    turned = 0.0
    for g, w in zip(got, want, strict=True):
        a = kinematics.forward(rig.skeleton, g.local_xyzw, g.root_m)[1]
        b = kinematics.forward(rig.skeleton, w.local_xyzw, w.root_m)[1]
        turned = max(turned, float(quat.angle_between_rad(a, b).max()))
    return far, turned


def wander(rig: Rig, frames: int, seed: int = 5, fps_hz: float = 24.0) -> Clip:
    """A smooth motion with large turns of every joint, past half turns, and a travelling root."""
    rng = np.random.default_rng(seed)
    count = len(rig.names)
    t = np.linspace(0.0, 1.0, frames)[:, None, None]
    axes = rng.normal(size=(2, 1, count, 3))
    turns = quat.mul(
        quat.from_rotvec(axes[0] * np.sin(2 * np.pi * t * rng.uniform(0.5, 1.5, (1, count, 1)))),
        quat.from_rotvec(axes[1] * t),
    )
    root = rig.skeleton.rest_positions_m[0] + np.concatenate([t[:, 0], 0.3 * t[:, 0] ** 2, -2.0 * t[:, 0]], axis=-1)
    return Clip(rig.skeleton, fps_hz, turns, root)


def of_clip(clip: Clip) -> list[Pose]:
    """A clip's frames as poses."""
    points, _ = clip.world()
    turns = clip.rotations_xyzw.astype(float)
    straight, _ = kinematics.forward(clip.skeleton, turns, points[:, 0])
    none = np.zeros(len(clip.skeleton))
    off = points - straight
    return [Pose(q, p[0], none, o, clip.skeleton) for q, p, o in zip(turns, points, off, strict=True)]


def constraints(outgoing: Outgoing, kind: str) -> list[dict[str, Any]]:
    """The constraints of one type."""
    return [c for c in outgoing.request["constraints"] if c["type"] == kind]
