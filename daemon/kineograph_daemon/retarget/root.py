# SPDX-License-Identifier: Apache-2.0
"""Where the hips go: travel scaled by the legs, set on the floor, and put where the root policy says.

Rest heights say nothing (many files rest at the origin): the ground is where the soles are. It is the 2nd percentile
of the toes' clearance, which a single bad frame does not move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import carry, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap, Role
from kineograph_daemon.retarget import soa
from kineograph_daemon.retarget.limbs import legs
from kineograph_daemon.retarget.options import RootPolicy
from kineograph_daemon.retarget.plan import Plan
from kineograph_daemon.retarget.track import Tracks

FloatArray = NDArray[np.floating[Any]]

FLOOR_PERCENTILE = 2.0
_SAMPLED = 600


@dataclass(frozen=True, eq=False)
class Travel:
    """The path taken off the skeleton by the root policy ``object``: floor path (T, 3) and yaw (T,) about +Y."""

    path_m: FloatArray
    yaw_rad: FloatArray


def rest_floor_m(skeleton: Skeleton) -> float:
    """The height the rest pose stands on: 0, with a sole below the lowest joint, or else the lowest joint."""
    lowest = float(skeleton.rest_positions_m[:, 1].min())
    return 0.0 if 0.0 <= lowest < 0.12 * skeleton.height_m else lowest


def sole_m(skeleton: Skeleton, joint: int) -> float:
    """How high a joint of the foot stands above the floor at rest."""
    return float(skeleton.rest_positions_m[joint, 1]) - rest_floor_m(skeleton)


def hips_path(plan: Plan, source: Tracks) -> FloatArray:
    """World positions (T, 3) float32 of the target's hips before they are set on the floor."""
    seen = source.position(plan.hips.source).astype(np.float64)
    turned = soa.rotate(plan.world_xyzw[:, None], seen)
    return np.asarray(plan.scale * (plan.mirror @ turned).T, np.float32)


def floor_shift_m(plan: Plan, rotations_xyzw: FloatArray, hips_m: FloatArray) -> float:
    """What to add to the hips' height so that the result stands on its floor."""
    floor = plan.options.floor_m
    if floor is None:
        return 0.0
    pick = np.unique(np.linspace(0, len(hips_m) - 1, min(_SAMPLED, len(hips_m))).round().astype(int))
    root, moved = _raw_root(plan, rotations_xyzw[pick], hips_m[pick])
    low = ground_level_m(plan.target, plan.target_map, rotations_xyzw[pick], root, moved)
    return floor - low


def ground_level_m(
    skeleton: Skeleton, rig: RigMap, rotations_xyzw: FloatArray, root_m: FloatArray, translations_m: FloatArray | None
) -> float:
    """The 2nd percentile of the toes' clearance over all feet and frames."""
    tracks = Tracks(skeleton, rotations_xyzw, root_m, translations_m)
    heights = [tracks.position(leg.tip)[1] - sole_m(skeleton, leg.tip) for leg in legs(skeleton, rig)]
    return float(np.percentile(np.concatenate(heights), FLOOR_PERCENTILE)) if heights else 0.0


def source_ground_m(source: Tracks, rig: RigMap) -> float:
    """The height of the source's toes when they stand: its rest pose may be anywhere, so no sole is taken off."""
    heights = [source.position(leg.tip)[1] for leg in legs(source.skeleton, rig)]
    return float(np.percentile(np.concatenate(heights), FLOOR_PERCENTILE)) if heights else 0.0


def place(
    plan: Plan, rotations_xyzw: FloatArray, hips_m: FloatArray
) -> tuple[FloatArray, FloatArray | None, Travel | None]:
    """The root's path (T, 3), translations (T, J, 3) or None, and the travel taken off.

    Changes ``rotations_xyzw`` in place where the policy gives the yaw to another joint.
    """
    root = plan.target.root
    match plan.options.root:
        case RootPolicy.HIPS:
            return (*_raw_root(plan, rotations_xyzw, hips_m), None)
        case RootPolicy.ROOT if plan.hips.target != root:
            travel = _travel(plan, rotations_xyzw, hips_m)
            inside = _take_off(plan, rotations_xyzw, hips_m, travel)
            root_m, moved = _raw_root(plan, rotations_xyzw, inside)
            turn = quat.about_y(travel.yaw_rad)
            rotations_xyzw[:, root] = quat.mul(turn, rotations_xyzw[:, root])
            return (quat.rotate(turn, root_m) + travel.path_m).astype(np.float32), moved, None
        case RootPolicy.OBJECT:
            travel = _travel(plan, rotations_xyzw, hips_m)
            inside = _take_off(plan, rotations_xyzw, hips_m, travel)
            return (*_raw_root(plan, rotations_xyzw, inside), travel)
        case _:
            return (*_raw_root(plan, rotations_xyzw, hips_m), None)


def _raw_root(plan: Plan, rotations_xyzw: FloatArray, hips_m: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """Hips at ``hips_m`` (T, 3) under ancestors at rest."""
    target, hips = plan.target, plan.hips.target
    if hips == target.root:
        return hips_m, None
    up = int(target.parents[hips])
    local = quat.rotate(quat.conj(target.rest_world_rotations_xyzw[up]), hips_m - target.rest_positions_m[up])
    moved = np.broadcast_to(target.rest_translations_m.astype(np.float32), (len(hips_m), len(target), 3)).copy()
    moved[:, hips] = local
    start = target.rest_positions_m[target.root].astype(np.float32)
    return np.broadcast_to(start, (len(hips_m), 3)).copy(), moved


def _travel(plan: Plan, rotations_xyzw: FloatArray, hips_m: FloatArray) -> Travel:
    """The floor path and yaw of the hips, measured from rest."""
    hips = plan.hips.target
    up = plan.target.parents[hips]
    above = plan.target.rest_world_rotations_xyzw[up] if up >= 0 else quat.identity()
    world = quat.mul(above, rotations_xyzw[:, hips].astype(float))
    turned = quat.mul(world, quat.conj(plan.target.rest_world_rotations_xyzw[hips]))
    yaw = np.unwrap(quat.heading_rad(turned))
    start = plan.target.rest_positions_m[hips] * (1, 0, 1)
    path = hips_m * (1, 0, 1) - quat.rotate(quat.about_y(yaw), start)
    return Travel(path, yaw)


def _take_off(plan: Plan, rotations_xyzw: FloatArray, hips_m: FloatArray, travel: Travel) -> FloatArray:
    """The hips' path seen from the travel; their rotation loses the yaw, in place."""
    hips = plan.hips.target
    back = quat.about_y(-travel.yaw_rad)
    up = plan.target.parents[hips]
    above = plan.target.rest_world_rotations_xyzw[up] if up >= 0 else quat.identity()
    inside = quat.mul(quat.mul(quat.conj(above), back), above)
    rotations_xyzw[:, hips] = quat.mul(inside, rotations_xyzw[:, hips].astype(float))
    return np.asarray(quat.rotate(back, hips_m - travel.path_m))


def carried(clip: Clip, travel: Travel, name: str = "Object") -> Clip:
    """A clip under one more joint that carries the travel: what an object policy looks like in a file."""
    return carry.carried(clip, travel.path_m, travel.yaw_rad, name)


def has_root_bone(plan: Plan) -> bool:
    """Whether there is a joint above the hips that can carry the travel."""
    return plan.hips.target != plan.target.root and Role.HIPS in plan.target_map.matches
