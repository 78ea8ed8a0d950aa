# SPDX-License-Identifier: Apache-2.0
"""Which pose of the source stands for the target's rest pose, and how well it does.

Many files hold a rest pose in which nobody stands: all bones along one axis, or limbs folded. Candidates are scored by
the directions of limbs, trunk and feet in the body's own frame against the target's rest pose; 1 is the same pose, a
T-pose against an A-pose is about 0.85.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap, Role
from kineograph_daemon.retarget.options import Rest

FloatArray = NDArray[np.floating[Any]]

GOOD, USABLE = 0.8, 0.6
"""Below GOOD a note warns; below USABLE a person should choose."""

_BIND_MARGIN = 0.05
_SAMPLED = 48

_SEGMENTS: tuple[tuple[str, str, float], ...] = (
    ("upper_arm", "forearm", 1.0),
    ("forearm", "hand", 1.0),
    ("thigh", "calf", 1.0),
    ("calf", "foot", 1.0),
    ("foot", "toe", 0.5),
)


@dataclass(frozen=True, eq=False)
class RestPose:
    """World rotations (J, 4) and positions (J, 3) of a skeleton in the pose that counts as its rest."""

    world_xyzw: FloatArray
    positions_m: FloatArray
    kind: Rest
    score: float = 1.0
    frame: int | None = None


def bind(skeleton: Skeleton) -> RestPose:
    """The skeleton's own rest pose."""
    return RestPose(skeleton.rest_world_rotations_xyzw, skeleton.rest_positions_m, Rest.BIND)


def choose(clip: Clip, source: RigMap, target: RestPose, target_map: RigMap, wanted: Rest) -> RestPose:
    """The pose of the clip's skeleton that matches the target's rest best; the bind pose unless it is a bad one."""
    fits = directions(target.positions_m, target_map)
    candidates = _candidates(clip, wanted)
    first = _scored(next(candidates), source, fits)
    if wanted is Rest.AUTO and first.score >= GOOD:
        return first
    best = max([first, *(_scored(c, source, fits) for c in candidates)], key=lambda c: c.score)
    return first if wanted is Rest.AUTO and first.score >= best.score - _BIND_MARGIN else best


def _candidates(clip: Clip, wanted: Rest) -> Iterator[RestPose]:
    skeleton = clip.skeleton
    if wanted in (Rest.AUTO, Rest.BIND):
        yield bind(skeleton)
    if wanted in (Rest.AUTO, Rest.ZERO):
        position, world = kinematics.forward(skeleton, quat.identity(len(skeleton)), skeleton.rest_translations_m[0])
        yield RestPose(world, position, Rest.ZERO)
    frames = [0] if wanted is Rest.FIRST else []
    if wanted in (Rest.AUTO, Rest.BEST):
        frames = np.unique(np.linspace(0, len(clip) - 1, min(_SAMPLED, len(clip))).round().astype(int)).tolist()
    for f in frames:
        position, world = clip.slice(f, f + 1).world()
        kind = Rest.FIRST if f == 0 and wanted is not Rest.BEST else Rest.BEST
        yield RestPose(world[0].astype(float), position[0].astype(float), kind, frame=f)


def _scored(pose: RestPose, rig: RigMap, fits: dict[str, tuple[FloatArray, float]]) -> RestPose:
    own = directions(pose.positions_m, rig)
    shared = [(own[k][0], fits[k][0], fits[k][1]) for k in fits if k in own]
    total = sum(w for _, _, w in shared)
    score = sum(float(a @ b) * w for a, b, w in shared) / total if total else 0.0
    return RestPose(pose.world_xyzw, pose.positions_m, pose.kind, round(max(score, 0.0), 4), pose.frame)


def directions(positions_m: FloatArray, rig: RigMap) -> dict[str, tuple[FloatArray, float]]:
    """Unit directions of the scored segments in the body's own frame, with their weights."""
    frame = body_frame(positions_m, rig)
    out: dict[str, tuple[FloatArray, float]] = {}
    pairs = [(f"{s}_{a}", f"{s}_{b}", w) for a, b, w in _SEGMENTS for s in ("left", "right")]
    for a, b, weight in [*pairs, ("hips", "head", 1.0)]:
        ja, jb = rig.get(Role(a)), rig.get(Role(b))
        if ja is None or jb is None:
            continue
        way = positions_m[jb] - positions_m[ja]
        size = float(np.linalg.norm(way))
        if size > 1e-9:
            out[a] = (frame.T @ (way / size), weight)
    return out


def _is_on_all_fours(positions_m: FloatArray, rig: RigMap, high: FloatArray, low: FloatArray) -> bool:
    """Whether the trunk lies across legs that stand, and the front legs hang as the hind ones do."""
    leg, trunk = positions_m[rig[Role.HIPS]] - low, high - positions_m[rig[Role.HIPS]]
    fronts = []
    for side in ("left", "right"):
        a, b = rig.get(Role(f"{side}_upper_arm")), rig.get(Role(f"{side}_hand")) or rig.get(Role(f"{side}_forearm"))
        if a is None or b is None:
            return False
        fronts.append(positions_m[a] - positions_m[b])
    front = np.mean(fronts, axis=0)
    return _cosine(leg, trunk) < 0.6 and _cosine(leg, front) > 0.6


def _cosine(a: FloatArray, b: FloatArray) -> float:
    return float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)


def body_frame(positions_m: FloatArray, rig: RigMap) -> FloatArray:
    """(3, 3) columns left, up, front: up is the dominant axis of the trunk, left runs between the thighs."""
    ends = [rig.get(Role.HEAD), rig.get(Role.NECK), rig.get(Role.CHEST)]
    high = next((positions_m[j] for j in ends if j is not None), positions_m[0])
    feet = [rig.get(r) for r in (Role.LEFT_FOOT, Role.RIGHT_FOOT)]
    low = np.mean([positions_m[j] for j in feet if j is not None] or [positions_m[rig[Role.HIPS]]], axis=0)
    up = np.zeros(3)
    way = positions_m[rig[Role.HIPS]] - low if _is_on_all_fours(positions_m, rig, high, low) else high - low
    axis = int(np.argmax(np.abs(way)))
    up[axis] = 1.0 if way[axis] >= 0 else -1.0
    left = np.zeros(3)
    for part in ("thigh", "upper_arm", "clavicle"):
        a, b = rig.get(Role(f"left_{part}")), rig.get(Role(f"right_{part}"))
        if a is not None and b is not None:
            left = positions_m[a] - positions_m[b]
            left = left - up * (left @ up)
            if float(np.linalg.norm(left)) > 1e-6:
                break
    if float(np.linalg.norm(left)) <= 1e-6:
        left = np.roll(up, 1)
    left = left / np.linalg.norm(left)
    return np.stack([left, up, np.cross(left, up)], axis=-1)
