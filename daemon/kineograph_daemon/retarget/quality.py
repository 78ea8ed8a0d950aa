# SPDX-License-Identifier: Apache-2.0
"""How good a retarget is, in numbers: what goes into the report beside a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap, Role
from kineograph_daemon.retarget import contacts, feet, soa
from kineograph_daemon.retarget.limbs import Leg, leg_length_m, legs
from kineograph_daemon.retarget.options import Options, RootPolicy
from kineograph_daemon.retarget.plan import Plan
from kineograph_daemon.retarget.restpose import RestPose, bind
from kineograph_daemon.retarget.root import source_ground_m
from kineograph_daemon.retarget.run import Result, retarget
from kineograph_daemon.retarget.track import Tracks

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

_ROUND_TRIP_FRAMES = 300
_MOVES_RAD = np.radians(0.05)
_JERK_JOINTS = ("hips", "head", "left_hand", "right_hand", "left_foot", "right_foot")
_SEGMENTS = ("upper_arm", "forearm", "thigh", "calf")
_BELOW = {"upper_arm": "forearm", "forearm": "hand", "thigh": "calf", "calf": "foot"}


def measure(result: Result) -> dict[str, Any]:
    """The report's figures. ``slide`` in cm/s while feet stand in the source; ``slide_seen`` while they look standing
    in the result itself, whatever the source did."""
    plan = result.plan
    source, target = _tracks(result.source), _tracks(result.clip)
    mirror = plan.options.mirror
    on = _standing(plan, source, result.source.fps_hz)
    target_legs = legs(plan.target, plan.target_map)
    return {
        "frames": len(result.clip),
        "fps_hz": result.clip.fps_hz,
        "scale": plan.scale,
        "rest": {"pose": str(plan.source_rest.kind), "score": plan.source_rest.score, "frame": plan.source_rest.frame},
        "slide_source_cm_per_s": _slide([(source.position(s), mask) for s, _, mask in on], result.clip.fps_hz),
        "slide_cm_per_s": _slide([(target.position(leg.tip), mask) for _, leg, mask in on], result.clip.fps_hz),
        "slide_seen_cm_per_s": slide_seen(plan.target, plan.target_map, target, result.clip.fps_hz),
        "penetration_cm": _penetration(plan, target, target_legs),
        "limb_error_deg": _limb_error(plan, source, target, mirror),
        "round_trip": round_trip(result),
        "jerk_ratio": _jerk_ratio(plan, source, target, result.clip.fps_hz),
        "knee_pop_deg": max((_pop(target, leg) for leg in target_legs), default=0.0),
        "knee_pop_source_deg": max((_pop(source, leg) for leg in legs(plan.source, plan.source_map)), default=0.0),
        "contacts": {plan.target.names[c.leg.tip]: len(c.spans) for c in result.contacts},
        "mapped": len(plan.pairs),
        "unmapped": {"source": _unmapped(plan.source, plan, 0), "target": _unmapped(plan.target, plan, 1)},
        "map_confidence": {"source": plan.source_map.confidence, "target": plan.target_map.confidence},
        "notes": list(result.notes),
    }


def _tracks(clip: Clip) -> Tracks:
    return Tracks(clip.skeleton, clip.rotations_xyzw, clip.root_m, clip.translations_m)


def _standing(plan: Plan, source: Tracks, fps_hz: float) -> list[tuple[int, Leg, BoolArray]]:
    """Source tip, target leg and when the source stands on it."""
    size = leg_length_m(plan.source_rest.positions_m, plan.source_map) / contacts.LEG_M
    ground = source_ground_m(source, plan.source_map)
    out = []
    for leg in legs(plan.target, plan.target_map):
        tip = plan.source_of.get(leg.tip, plan.source_of.get(leg.end))
        if tip is not None and not leg.is_arm:
            out.append((tip, leg, contacts.detect(source.position(tip), ground, fps_hz, size)))
    return out


def _slide(tracks: list[tuple[FloatArray, BoolArray]], fps_hz: float) -> float:
    """Mean horizontal speed in cm/s over pairs of neighbouring frames in contact."""
    speeds = []
    for position, on in tracks:
        step = np.diff(position[::2], axis=1)
        both = on[1:] & on[:-1]
        speeds.append(np.hypot(*step)[both] * fps_hz * 100.0)
    every = np.concatenate(speeds) if speeds else np.zeros(0)
    return float(every.mean()) if every.size else 0.0


def slide_seen(skeleton: Skeleton, rig: RigMap, tracks: Tracks, fps_hz: float) -> float:
    """Mean slide in cm/s of feet that look standing in this motion: low and slow by the same limits."""
    size = leg_length_m(skeleton.rest_positions_m, rig) / contacts.LEG_M
    ground = source_ground_m(tracks, rig)
    feet_of = [leg for leg in legs(skeleton, rig) if not leg.is_arm]
    masks = [
        (tracks.position(leg.tip), contacts.detect(tracks.position(leg.tip), ground, fps_hz, size)) for leg in feet_of
    ]
    return _slide(masks, fps_hz)


def _penetration(plan: Plan, target: Tracks, target_legs: list[Leg]) -> float:
    floor = plan.options.floor_m
    if floor is None or not target_legs:
        return 0.0
    lowest = min(float(feet.sole_height_m(plan.target, target, leg).min()) for leg in target_legs)
    return 100.0 * max(0.0, floor - lowest)


def _limb_error(plan: Plan, source: Tracks, target: Tracks, mirror: bool) -> dict[str, float]:
    """Angles between the limbs of source and result in the world, degrees."""
    angles = []
    for part in _SEGMENTS:
        for side in ("left", "right"):
            ends = [Role(f"{side}_{p}") for p in (part, _BELOW[part])]
            a = [plan.source_map.get(r.mirror if mirror else r) for r in ends]
            b = [plan.target_map.get(r) for r in ends]
            if None in a or None in b:
                continue
            seen = plan.mirror @ soa.rotate(plan.world_xyzw[:, None], _bone(source, a))
            angles.append(_angle_deg(seen, _bone(target, b)))
    if plan.options.root is RootPolicy.OBJECT or not angles:
        return {"mean": 0.0, "max": 0.0}
    every = np.concatenate(angles)
    return {"mean": float(every.mean()), "max": float(every.max())}


def _bone(tracks: Tracks, joints: list[Any]) -> FloatArray:
    return np.asarray(tracks.position(joints[1]) - tracks.position(joints[0]), np.float64)


def _angle_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.degrees(np.arctan2(soa.length(soa.cross(a, b)), soa.dot(a, b)))


def _pop(tracks: Tracks, leg: Leg) -> float:
    """The largest change of the hinge's angle from frame to frame, degrees."""
    upper = tracks.position(leg.hinge) - tracks.position(leg.top)
    lower = tracks.position(leg.end) - tracks.position(leg.hinge)
    bend = _angle_deg(upper.astype(np.float64), lower.astype(np.float64))
    return float(np.abs(np.diff(bend)).max()) if len(bend) > 1 else 0.0


def _jerk_ratio(plan: Plan, source: Tracks, target: Tracks, fps_hz: float) -> float:
    """Mean jerk of hips, head, hands and feet in the result over the source's, sizes taken out.

    The hips count by the travel's scale, what hangs from them by the length of its own chain: a large head on a small
    body goes further at the same turn. Measured at no more than 30 Hz: the third difference of a faster capture is its
    noise.
    """
    if plan.options.root is RootPolicy.OBJECT:
        return 1.0
    step = max(1, round(fps_hz / 30.0))
    means = []
    for tracks, rig, scale in ((source, plan.source_map, 1.0), (target, plan.target_map, plan.scale)):
        total = []
        hips = tracks.position(rig[Role.HIPS])[:, ::step].astype(np.float64)
        rest = tracks.skeleton.rest_positions_m
        for name in _JERK_JOINTS:
            role = Role(name)
            joint = rig.get(role.mirror if tracks is source and plan.options.mirror else role)
            if joint is not None:
                p = tracks.position(joint)[:, ::step].astype(np.float64) - hips
                size = _length_m(tracks.skeleton, rig[Role.HIPS], joint)
                p = hips / scale if role is Role.HIPS else p * (leg_length_m(rest, rig) / (scale * max(size, 1e-6)))
                total.append(soa.length(np.diff(p, 3, axis=1)).mean() if p.shape[1] > 3 else 0.0)
        means.append(float(np.mean(total)) if total else 0.0)
    return means[1] / means[0] if means[0] > 1e-9 else 1.0


def _length_m(skeleton: Skeleton, above: int, joint: int) -> float:
    """Length of the bones from a joint to one below it."""
    chain = skeleton.chain(joint)
    way = skeleton.rest_positions_m[chain[chain.index(above) :] if above in chain else chain]
    return float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())


def round_trip(result: Result, frames: int = _ROUND_TRIP_FRAMES) -> Mapping[str, float]:
    """There and back again without the foot lock, on mapped joints: largest turn (degrees) and distance (cm).

    What a joint did that the other rig has not (a second neck joint) is kept beside the clip and comes back with it.
    Joints that hang below one of which nothing was kept are counted apart, as ``cm_beyond_lost``.
    """
    plan = result.plan
    clip = result.source.slice(0, min(frames, len(result.source)))
    plain = replace(
        plan.options, feet=False, hands=False, fps_hz=None, root=RootPolicy.HIPS, travel_scale=None, floor_m=None
    )
    there = retarget(clip, plan.source_map, plan.target, plan.target_map, plain, source_rest=plan.source_rest)
    back = _back(there, plain)
    joints = [p.source for p in plan.pairs]
    pa, ra = clip.world()
    pb, rb = back.world()
    turn = quat.angle_between_rad(ra[:, joints].astype(float), rb[:, joints].astype(float))
    away = np.linalg.norm(pa[:, joints] - pb[:, joints], axis=-1)
    kept = set(there.clip.kept.turns_xyzw) if there.clip.kept is not None else set()
    whole = [_is_whole(plan, clip, j, kept) for j in joints]
    return {
        "degrees": float(np.degrees(turn.max())),
        "cm": float(100.0 * away[:, whole].max(initial=0.0)),
        "cm_beyond_lost": float(100.0 * away[:, np.logical_not(whole)].max(initial=0.0)),
    }


def _is_whole(plan: Plan, clip: Clip, joint: int, kept: set[str]) -> bool:
    """Whether everything that moves above a joint of the source is mapped, or kept for the way back."""
    mapped = {p.source for p in plan.pairs}
    rest = plan.source_rest.world_xyzw
    for above in plan.source.chain(joint)[:-1]:
        if above in mapped or plan.source.names[above] in kept:
            continue
        up = int(plan.source.parents[above])
        still = rest[above] if up < 0 else quat.mul(quat.conj(rest[up]), rest[above])
        turned = quat.angle_between_rad(clip.rotations_xyzw[:, above].astype(float), still)
        if float(np.max(turned)) > _MOVES_RAD:
            return False
    return True


def _back(there: Result, options: Options) -> Clip:
    plan = there.plan
    target = bind(plan.target)
    scale = 1.0 / plan.scale
    again = retarget(
        there.clip, plan.target_map, plan.source, plan.source_map, replace(options, travel_scale=scale),
        source_rest=RestPose(target.world_xyzw, target.positions_m, target.kind),
    )  # fmt: skip
    return again.clip


def _unmapped(skeleton: Skeleton, plan: Plan, which: int) -> list[str]:
    used = {(p.source, p.target)[which] for p in plan.pairs}
    used |= {joint for p in plan.pairs for joint, _ in p.shares} if which else set()
    used |= {p.between[0] for p in plan.pairs if p.between is not None and not which}
    return [name for j, name in enumerate(skeleton.names) if j not in used]
