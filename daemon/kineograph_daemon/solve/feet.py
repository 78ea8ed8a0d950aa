# SPDX-License-Identifier: Apache-2.0
"""Feet: where they stand, that they stay there, and that nothing sinks into the ground.

A foot's clearance is how much higher its lowest part is than when it stands flat: 0 on the heel, on the sole and on the
toes. A standing foot is held by whichever of its joints moves least, so that it may roll over heel or ball.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.solve import blend, correct, roll, two_bone
from kineograph_daemon.solve.body import Body, Foot
from kineograph_daemon.solve.goals import Goals, runs
from kineograph_daemon.solve.ground import Ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

LOW = 0.07
"""A standing foot's clearance is below this share of a leg's length."""
SLOW = 0.36
"""A standing foot moves slower than this, leg lengths a second."""
LEAVE = 1.5
"""A foot that stands goes on standing until it is this much higher or faster: no flicker at the border."""
SHORTEST_S = 0.1
HAIR = 0.005
"""How deep a key may set a foot into the ground, as a share of a leg, without its being raised between keys."""
FADE_S = 0.15
REACH = 0.999
"""The hips come down before a leg is straighter than this share of its reach."""


def clearance(pose: Pose, foot: Foot, ground: Ground) -> FloatArray:
    """Height (T,) of the foot's lowest part above standing flat, metres; +inf where there is no ground under it."""
    at = pose.positions_m[:, foot.joints]
    above = at[..., 1] - ground.under(at[..., [0, 2]]) - foot.rest_height_m
    lowest = np.where(np.isfinite(above), above, np.inf).min(axis=1)
    return np.asarray(lowest)


def detect(pose: Pose, body: Body, foot: Foot, ground: Ground, fps_hz: float) -> BoolArray:
    """Where a foot stands (T,): low and slow, with hysteresis."""
    at = pose.positions_m[:, foot.joints]
    speed = np.zeros(len(pose))
    if len(pose) > 1:
        velocity = np.gradient(at, axis=0) * fps_hz
        speed = np.linalg.norm(velocity, axis=-1).min(axis=1)
    low = clearance(pose, foot, ground) / (LOW * body.size_m)
    slow = speed / (SLOW * body.size_m)
    sure, maybe = (low < 1) & (slow < 1), (low < LEAVE) & (slow < LEAVE)
    out = np.zeros(len(pose), bool)
    for start, stop in runs(maybe):
        if sure[start:stop].any() and stop - start >= SHORTEST_S * fps_hz:
            out[start:stop] = True
    return out


def contacts_of(
    pose: Pose, body: Body, given: Mapping[str, BoolArray], ground: Ground, fps_hz: float
) -> dict[int, BoolArray]:
    """Where each foot stands, by its place in ``body.feet``: as the model says, else as the motion shows."""
    out: dict[int, BoolArray] = {}
    for i, foot in enumerate(body.feet):
        said = [given[n] for n in (body.skeleton.names[j] for j in foot.joints) if n in given]
        out[i] = np.logical_or.reduce(said) if said else detect(pose, body, foot, ground, fps_hz)
    return out


@dataclass(frozen=True, eq=False)
class Lock:
    """Where a foot is to be: ``offset_m`` (T, 3) from where its ankle is; ``end_xyzw`` (T, 4) its world rotations.

    Without ``end_xyzw`` the foot keeps its direction in space, or rolls over its ball where ``rolls`` (T,) is 1 and not
    where it is 0. Frames without an offset are left alone.
    """

    foot: Foot
    offset_m: FloatArray
    end_xyzw: FloatArray | None = None
    active: BoolArray | None = None
    rolls: FloatArray | None = None

    @property
    def frames(self) -> IntArray:
        """Frames on which there is something to do."""
        if self.active is not None:
            return np.flatnonzero(self.active)
        return np.flatnonzero(np.abs(self.offset_m).max(axis=1) > 1e-7)


def locks(
    pose: Pose,
    body: Body,
    goals: Goals,
    contacts: Mapping[int, BoolArray],
    ground: Ground,
    busy: Mapping[int, BoolArray],
) -> list[Lock]:
    """Offsets that hold every standing foot where it stands, on the ground. ``busy`` (T,) frames belong to targets."""
    out = []
    for i, foot in enumerate(body.feet):
        still = correct.keyed_frames(goals, [foot.limb.top, foot.limb.hinge, foot.limb.end])
        frames: list[IntArray] = []
        values: list[FloatArray] = []
        on_ball: list[FloatArray] = []
        for start, stop in runs(contacts[i]):
            span = np.arange(start, stop)
            anchors = [f for f in still if start <= f < stop]
            held_by = stillest(pose.positions_m[np.ix_(span, foot.joints)][..., [0, 2]])
            offset = _standing(pose, foot, ground, span, anchors, held_by)
            # A key beside the stand has the foot elsewhere: hold it ever less towards that key, or it jumps there.
            beside = [f for f in still if not start <= f < stop]
            offset *= blend.away_from(beside, len(pose), FADE_S * goals.fps_hz)[span, None]
            free = ~(np.isin(span, still) | busy[i][start:stop])
            frames.append(span[free])
            values.append(offset[free])
            on_ball.append(np.full(len(span[free]), float(foot.joints[held_by] != foot.limb.end)))
        if not frames or not sum(len(f) for f in frames):
            continue
        at = np.concatenate(frames)
        track = blend.bumps(at, np.concatenate(values), len(pose), FADE_S * goals.fps_hz, still)
        track[busy[i]] = 0.0
        out.append(Lock(foot, track, rolls=_nearest(at, np.concatenate(on_ball), len(pose))))
    return out


def stillest(joints_xz_m: FloatArray) -> int:
    """Which of a foot's joints (T, J, 2) moves least: the one that goes least far from its mean place.

    Measured as a distance, not along x and z: a motion turned as a whole is held by the same joint.
    """
    return int(np.linalg.norm(joints_xz_m - joints_xz_m.mean(axis=0), axis=-1).max(axis=0).argmin())


def _nearest(frames: IntArray, values: FloatArray, total: int) -> FloatArray:
    """What holds at the nearest of ``frames`` (N,), over all frames (T,), eased."""
    t = np.arange(total)
    after = np.clip(np.searchsorted(frames, t), 0, len(frames) - 1)
    before = np.maximum(after - 1, 0)
    near = np.where(np.abs(frames[after] - t) <= np.abs(t - frames[before]), after, before)
    return blend.smooth(values[near], 2)


def _standing(pose: Pose, foot: Foot, ground: Ground, span: IntArray, anchors: list[int], held_by: int) -> FloatArray:
    """Offsets (N, 3) over one stretch of standing: its joint ``held_by`` sideways to its place, the foot up or down to
    the ground."""
    at = pose.positions_m[np.ix_(span, foot.joints)]
    holder = at[:, held_by]
    keyed = np.searchsorted(span, anchors)
    if len(anchors):
        wanted = np.stack([np.interp(span, anchors, holder[keyed, k]) for k in (0, 2)], axis=1)
    else:
        wanted = np.broadcast_to(holder[:, [0, 2]].mean(axis=0), (len(span), 2))
    offset = np.zeros((len(span), 3))
    offset[:, [0, 2]] = wanted - holder[:, [0, 2]]
    moved_to = at[..., [0, 2]] + offset[:, None, [0, 2]]
    above = at[..., 1] - ground.under(moved_to) - foot.rest_height_m
    lowest = np.where(np.isfinite(above), above, np.inf).min(axis=1)
    rise = np.where(np.isfinite(lowest), -lowest, 0.0)
    if len(anchors):
        # A keyed foot may stand a little above or in the ground; in between, the foot follows what the keys say.
        rise = rise - np.interp(span, anchors, rise[keyed])
    offset[:, 1] = rise
    return offset


def apply(pose: Pose, lock: Lock) -> None:
    """Bring a foot to its place with its leg, turned as the lock says; else as it is, rolled over its ball where the
    leg would be drawn straight."""
    frames, limb = lock.frames, lock.foot.limb
    target = pose.positions_m[frames, limb.end] + lock.offset_m[frames]
    if lock.end_xyzw is not None:
        two_bone.solve(pose, limb, frames, target, lock.end_xyzw[frames])
    else:
        roll.bring(pose, lock.foot, frames, target, 1.0 if lock.rolls is None else lock.rolls[frames])


def fixing(goals: Goals, body: Body) -> list[int]:
    """Frames, ascending, that fix how high the root is: by a key of its place, or of a leg, whose foot goes with it."""
    legs = [j for f in body.feet for j in (f.limb.top, f.limb.hinge, f.limb.end)]
    return sorted({*goals.root_keys(), *correct.keyed_frames(goals, legs)})


def drop(pose: Pose, goals: Goals, body: Body, wanted: list[Lock], most: float = 0.25, straight: float = REACH) -> None:
    """Lower the root where a leg could not reach its place, smoothly, and never on a frame that fixes its height.

    ``straight`` is the share of its reach beyond which no leg shall go.
    """
    need = np.zeros(len(pose))
    for lock in wanted:
        limb = lock.foot.limb
        at = pose.positions_m
        upper = np.linalg.norm(at[:, limb.hinge] - at[:, limb.top], axis=-1)
        whole = upper + np.linalg.norm(at[:, limb.end] - at[:, limb.hinge], axis=-1)
        target: FloatArray = at[:, limb.end] + lock.offset_m
        share: FloatArray | float = straight
        if lock.end_xyzw is None:
            every = np.arange(len(pose))
            rolls = 1.0 if lock.rolls is None else lock.rolls
            target = roll.over_ball(pose, lock.foot, every, target, rolls)[0]
            share = roll.straightest(pose, lock.foot, every, straight, rolls)
        reach = two_bone.longest_m(at[:, limb.top], at[:, limb.end], target, whole, share)
        away = at[:, limb.top] - target
        level2 = away[:, 0] ** 2 + away[:, 2] ** 2
        high = away[:, 1] - np.sqrt(np.maximum(reach * reach - level2, 0.0))
        asked = np.zeros(len(pose), bool)
        asked[lock.frames] = True
        # Long legs that stand out to the sides carry a low body: half of its height is the most that it goes down.
        deepest = np.minimum(most * body.size_m, np.maximum(0.5 * away[:, 1], 0.0))
        need = np.maximum(need, np.where(asked, np.clip(high, 0.0, deepest), 0.0))
    if need.max(initial=0.0) < 1e-6:
        return
    half = max(1, round(0.12 * goals.fps_hz))
    lower = blend.spread(need, half) * blend.away_from(fixing(goals, body), len(pose), 0.25 * goals.fps_hz)
    pose.shift(np.stack([np.zeros_like(lower), -lower, np.zeros_like(lower)], axis=1))


def lift_sunk(
    pose: Pose,
    body: Body,
    goals: Goals,
    ground: Ground,
    busy: Mapping[int, BoolArray],
    fixed_frames: Iterable[int] = (),
) -> None:
    """Raise feet and hands that went into the ground, smoothly; keyed and ``fixed_frames`` stay as they are."""
    for limb in body.limbs.values():
        foot = body.foot_of(limb)
        if foot is None:
            at = pose.positions_m[:, limb.end]
            sunk = _positive(ground.under(at[:, [0, 2]]) - at[:, 1])
        else:
            sunk = _positive(-clearance(pose, foot, ground))
        sunk[busy.get(limb.end, np.zeros(len(pose), bool))] = 0.0
        still = sorted({*correct.keyed_frames(goals, [limb.top, limb.hinge, limb.end]), *fixed_frames})
        if still:
            # A foot keyed a hair into the ground stands there between its keys as well: a straight leg that must
            # come up by two millimetres bends its knee by five degrees.
            sunk = _positive(sunk - np.minimum(np.interp(np.arange(len(pose)), still, sunk[still]), HAIR * body.size_m))
        if sunk.max(initial=0.0) < 1e-4:
            continue
        half = max(1, round(0.05 * goals.fps_hz))
        # A key that itself stands in the ground is kept: the deeper it does, the slower the foot comes out around it.
        deep = max((float(sunk[f]) for f in still), default=0.0) / body.size_m
        rise = blend.spread(sunk, half) * blend.away_from(still, len(pose), (0.1 + 5.0 * deep) * goals.fps_hz)
        frames = np.flatnonzero(rise > 1e-6)
        target = pose.positions_m[frames, limb.end].copy()
        target[:, 1] += rise[frames]
        two_bone.solve(pose, limb, frames, target, pose.world_xyzw[frames, limb.end].copy())


def eased_mask(mask: FloatArray, half: int, fixed_frames: Iterable[int], fps_hz: float) -> FloatArray:
    """A (T,) mask eased in and out over ``half`` frames, and 0 on frames that fix the root's height."""
    return blend.spread(mask, half) * blend.away_from(fixed_frames, len(mask), 0.25 * fps_hz)


def _positive(values: FloatArray) -> FloatArray:
    """Values above zero; what is not finite counts as zero."""
    return np.asarray(np.where(np.isfinite(values), np.maximum(values, 0.0), 0.0))
