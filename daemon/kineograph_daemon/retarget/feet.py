# SPDX-License-Identifier: Apache-2.0
"""Foot lock: what stands on the ground in the source stands still on the target, on the target's own legs.

Each span of contact is pinned to its mean on the floor. Before and after, the correction fades over 0.15 s with the
foot's own speed carried on, so that nothing jerks. Feet that would sink are lifted, hips that stand too high for a leg
come down; feet keep their world rotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.retarget import contacts, soa, two_bone
from kineograph_daemon.retarget.contacts import Contact
from kineograph_daemon.retarget.limbs import Leg, leg_length_m, legs, stands_on_hands
from kineograph_daemon.retarget.plan import Plan
from kineograph_daemon.retarget.restpose import body_frame
from kineograph_daemon.retarget.root import rest_floor_m, sole_m, source_ground_m
from kineograph_daemon.retarget.track import Tracks
from kineograph_daemon.retarget.transfer import in_blocks

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]

FADE_S = 0.15
REACH = 0.999
"""Hips come down when a leg would be longer than this share of its reach."""
_GIVE = 0.01
"""How much further, as a share of its reach, a leg may stretch while it fades than where it stood."""
_LIFT_S, _DROP_S = 0.10, 0.20
_HAND_SLOW_M = 0.05
_IDLE_M = 2e-5


@dataclass(eq=False)
class _Held:
    """One leg on its way through the lock; arrays (3, T)."""

    leg: Leg
    source_tip: int
    on: BoolArray
    goal_m: FloatArray


def lock(
    plan: Plan, source: Tracks, rotations_xyzw: FloatArray, hips_m: FloatArray, fps_hz: float
) -> tuple[Contact, ...]:
    """Hold feet in contact. Changes ``rotations_xyzw`` (T, J, 4) and ``hips_m`` (T, 3) in place."""
    held = _contacts(plan, source, fps_hz)
    if not held:
        return ()
    target = hips_tracks(plan, rotations_xyzw, hips_m)
    floor = 0.0 if plan.options.floor_m is None else plan.options.floor_m
    for h in held:
        end, tip = target.position(h.leg.end), target.position(h.leg.tip)
        is_foot = not h.leg.is_arm or stands_on_hands(plan.target, plan.target_map)
        offset = offsets(h.on, tip, floor + sole_m(plan.target, h.leg.tip) if is_foot else None, fps_hz)
        h.goal_m = end + offset
        if is_foot:
            h.goal_m[1] += _lift(plan.target, target, h.leg, offset[1], floor, fps_hz)
    drop = _drop(target, held, fps_hz)
    for h in held:
        h.goal_m = _within_reach(target, h, drop)
    _solve(plan, target, held, drop, rotations_xyzw)
    hips_m[:, 1] -= drop
    return tuple(Contact(h.leg, h.on, contacts.spans(h.on)) for h in held)


def hips_tracks(plan: Plan, rotations_xyzw: FloatArray, hips_m: FloatArray) -> Tracks:
    """Tracks of the target with its hips at ``hips_m`` and everything above them at rest."""
    tracks = Tracks(plan.target, rotations_xyzw, hips_m)
    hips = plan.hips.target
    up = int(plan.target.parents[hips])
    above = quat.identity() if up < 0 else plan.target.rest_world_rotations_xyzw[up]
    tracks.seed(hips, above.astype(np.float32)[:, None], hips_m)
    return tracks


def _contacts(plan: Plan, source: Tracks, fps_hz: float) -> list[_Held]:
    source_of = plan.source_of
    size = leg_length_m(plan.source_rest.positions_m, plan.source_map) / contacts.LEG_M
    ground = source_ground_m(source, plan.source_map)
    four = stands_on_hands(plan.target, plan.target_map)
    out = []
    for leg in legs(plan.target, plan.target_map, plan.options.hands):
        tip = source_of.get(leg.tip, source_of.get(leg.end))
        if (
            tip is None
            or (leg.is_arm and not (four or plan.options.hands))
            or (not leg.is_arm and not plan.options.feet)
        ):
            continue
        track = source.position(tip)
        if leg.is_arm and not four:
            on = _hand_contact(track, fps_hz, size)
        else:
            own = ground if not leg.is_arm else float(np.percentile(track[1], 2.0))
            on = contacts.detect(track, own, fps_hz, size)
        out.append(_Held(leg, tip, on, track))
    return out


def _hand_contact(track: FloatArray, fps_hz: float, size: float) -> BoolArray:
    """A hand that stays still in the world for a while holds on to something or rests there."""
    still = contacts.speed(track, fps_hz) < _HAND_SLOW_M * size
    on = np.zeros(track.shape[1], bool)
    for a, b in contacts.spans(still):
        if b - a >= 0.2 * fps_hz:
            on[a:b] = True
    return on


def offsets(on: BoolArray, tip_m: FloatArray, floor_m: float | None, fps_hz: float) -> FloatArray:
    """Corrections (3, T) that hold the tip at the mean of each span (at height ``floor_m``, or its own mean).

    Outside the spans a cubic carries the correction to zero within FADE_S: it starts with the correction and the
    opposite of the tip's speed there, so that the tip leaves and comes to rest smoothly.
    """
    out = np.zeros_like(tip_m)
    found = contacts.spans(on)
    if not len(found):
        return out
    start, end = found[:, 0], found[:, 1]
    sums = np.concatenate([np.zeros((3, 1)), np.cumsum(tip_m, axis=1, dtype=np.float64)], axis=1)
    pin = (sums[:, end] - sums[:, start]) / (end - start)
    if floor_m is not None:
        pin[1] = floor_m
    frames = tip_m.shape[1]
    t = np.arange(frames)
    of = np.searchsorted(start, t, side="right") - 1  # the span that began last
    inside = on
    out[:, inside] = (pin[:, of[inside]] - tip_m[:, inside]).astype(tip_m.dtype)
    fade = max(1.0, FADE_S * fps_hz)
    velocity = np.gradient(tip_m, axis=1) if frames > 1 else np.zeros_like(tip_m)
    after = np.flatnonzero(~inside & (of >= 0))
    if after.size:
        edge = end[of[after]] - 1
        gap = np.where(of[after] + 1 < len(start), start[np.minimum(of[after] + 1, len(start) - 1)] - edge, 2 * frames)
        out[:, after] += _fading(out[:, edge], -velocity[:, edge], after - edge, np.minimum(fade, gap / 2))
    before = np.flatnonzero(~inside & (of + 1 < len(start)))
    if before.size:
        edge = start[of[before] + 1]
        gap = np.where(of[before] >= 0, edge - end[np.maximum(of[before], 0)] + 1, 2 * frames)
        out[:, before] += _fading(out[:, edge], velocity[:, edge], edge - before, np.minimum(fade, gap / 2))
    return out


def _fading(value: FloatArray, slope: FloatArray, away: IntArray, length: FloatArray) -> FloatArray:
    """A cubic from (value, slope a frame) at 0 to (0, 0) at ``length`` frames, sampled ``away`` frames on."""
    u = np.clip(away / np.maximum(length, 1e-9), 0.0, 1.0)
    stay = (1 + 2 * u) * (1 - u) ** 2
    run = u * (1 - u) ** 2 * length
    return np.asarray(value * stay + slope * run, value.dtype)


def _lift(
    skeleton: Skeleton, target: Tracks, leg: Leg, raised: FloatArray, floor_m: float, fps_hz: float
) -> FloatArray:
    """How much (T,) a foot must rise so that no part of its sole is below the floor; it comes and goes smoothly."""
    lowest = sole_height_m(skeleton, target, leg) + raised
    return envelope(np.maximum(0.0, floor_m - lowest), max(1, round(_LIFT_S * fps_hz)))


def sole_height_m(skeleton: Skeleton, target: Tracks, leg: Leg) -> FloatArray:
    """Height (T,) of the lowest part of the sole: under heel, ball and tip, each where it touches at rest."""
    lowest: FloatArray | None = None
    rest = skeleton.rest_positions_m
    floor = rest_floor_m(skeleton)
    for joint in sole_joints(skeleton, leg):
        down = np.array([0.0, floor - rest[joint, 1], 0.0])
        local = quat.rotate(quat.conj(skeleton.rest_world_rotations_xyzw[joint]), down).astype(np.float32)
        y = (target.position(joint) + soa.rotate(target.rotation(joint), local[:, None]))[1]
        lowest = y if lowest is None else np.minimum(lowest, y)
    assert lowest is not None
    return lowest


def sole_joints(skeleton: Skeleton, leg: Leg) -> list[int]:
    """End, tip and what carries on from the tip."""
    out = list(dict.fromkeys([leg.end, leg.tip]))
    below = skeleton.children[leg.tip]
    return [*out, below[0]] if len(below) == 1 and leg.tip != leg.end else out


def envelope(values: FloatArray, half: int) -> FloatArray:
    """A smooth curve (T,) that is nowhere below ``values``: a running maximum, then a Hann mean, over +-``half``."""
    if not float(values.max()) > 0.0:
        return np.zeros_like(values)
    padded = np.pad(values, 2 * half, mode="edge")
    top = _running_max(padded, 2 * half + 1)
    window = np.hanning(2 * half + 3)[1:-1]
    smooth: FloatArray = np.convolve(top, window / window.sum(), mode="valid").astype(values.dtype)
    return smooth


def _running_max(values: FloatArray, size: int) -> FloatArray:
    """Maxima of all windows of ``size``, by doubling: log2(size) passes."""
    out, span = values, 1
    while 2 * span <= size:
        out = np.maximum(out[:-span], out[span:])
        span *= 2
    rest = size - span
    return np.maximum(out[: len(out) - rest], out[rest:]) if rest else out


def _within_reach(target: Tracks, held: _Held, drop: FloatArray) -> FloatArray:
    """The goals (3, T), drawn towards the hip where a fading correction alone would stretch the leg.

    A foot that comes or goes carries its speed on, and so it may trail behind a hip that moves on: the knee would
    snap straight for a frame. Nothing has to be reached there, so the leg gets no longer than the motion has it, or
    than it was when the foot stood; beyond that it gives by ``_GIVE`` at most, along an exponential, without a kink.
    """
    free = np.flatnonzero(~held.on)
    if not free.size or free.size == len(held.on):
        return held.goal_m
    top, hinge, end = (target.position(j) for j in (held.leg.top, held.leg.hinge, held.leg.end))
    reach = soa.length(hinge - top) + soa.length(end - hinge)
    way = held.goal_m - top
    way[1] += drop
    share = soa.length(way) / reach
    found = contacts.spans(held.on)
    after = np.searchsorted(found[:, 0], free) - 1  # the span that ended last, and the next one
    before = np.minimum(after + 1, len(found) - 1)
    after = np.maximum(after, 0)
    stood = np.maximum(share[found[after, 1] - 1], share[found[before, 0]])
    most = np.maximum(soa.length(end - top)[free] / reach[free], stood)
    over = np.maximum(share[free] - most, 0.0)
    factor = (most + _GIVE * (1.0 - np.exp(-over / _GIVE))) / np.maximum(share[free], 1e-9)
    goal: FloatArray = held.goal_m.copy()
    goal[:, free] += (way[:, free] * (np.where(over > 0.0, factor, 1.0) - 1.0)).astype(goal.dtype)
    return goal


def _drop(target: Tracks, held: list[_Held], fps_hz: float) -> FloatArray:
    """How far (T,) the hips come down so that every leg reaches its goal where it stands."""
    need = np.zeros(held[0].goal_m.shape[1], np.float32)
    for h in held:
        if h.leg.is_arm:
            continue
        top, hinge, end = (target.position(j) for j in (h.leg.top, h.leg.hinge, h.leg.end))
        reach = REACH * (soa.length(hinge - top) + soa.length(end - hinge))
        way = h.goal_m - top
        beyond = h.on & (soa.length(way) > reach)
        side = np.minimum(way[0] ** 2 + way[2] ** 2, reach * reach)
        down = -way[1] - np.sqrt(reach * reach - side)
        need = np.maximum(need, np.where(beyond, np.maximum(down, 0.0), 0.0))
        # No drop helps a goal far off to the side; nor should the hips fall to the ground for one.
        need = np.minimum(need, 0.25 * reach)
    return envelope(need, max(1, round(_DROP_S * fps_hz)))


def _solve(plan: Plan, target: Tracks, held: list[_Held], drop: FloatArray, rotations_xyzw: FloatArray) -> None:
    for h in held:
        moved = np.abs(h.goal_m - target.position(h.leg.end)).max(axis=0) > _IDLE_M
        frames = np.flatnonzero(moved | (drop > _IDLE_M))
        if not frames.size:
            continue
        everything = frames.size > 0.8 * len(drop)
        pick = slice(None) if everything else frames
        natural = _natural(plan.target, plan, target, h.leg)
        bones = [_state(target, h.leg, pick, drop)]
        goal = h.goal_m[:, pick]
        size = goal.shape[1]
        tracks = [np.empty((size, 4), np.float32) for _ in range(3)]

        def work(
            part: slice,
            bones: two_bone.Bones = bones[0],
            goal: FloatArray = goal,
            natural: FloatArray = natural,
            tracks: list[FloatArray] = tracks,
        ) -> None:
            for into, q in zip(tracks, two_bone.solve(_part(bones, part), goal[:, part], natural), strict=True):
                into[part] = q.T

        in_blocks(size, plan.options.threads, work, 4096)
        for joint, q in zip((h.leg.top, h.leg.hinge, h.leg.end), tracks, strict=True):
            rotations_xyzw[pick, joint] = q


def _state(target: Tracks, leg: Leg, pick: Any, drop: FloatArray) -> two_bone.Bones:
    parents = target.skeleton.parents
    down = np.zeros((3, len(drop)), np.float32)
    down[1] = drop

    def at(joint: int) -> FloatArray:
        return np.asarray(target.position(joint)[:, pick] - down[:, pick])

    def turn(joint: int) -> FloatArray:
        q = target.rotation(joint)
        return q if q.shape[1] == 1 else q[:, pick]

    a, b, e = leg.top, leg.hinge, leg.end
    return two_bone.Bones(
        at(a), at(b), at(e), turn(a), turn(b), turn(e),
        turn(int(parents[a])), turn(int(parents[b])), turn(int(parents[e])),
    )  # fmt: skip


def _part(bones: two_bone.Bones, part: slice) -> two_bone.Bones:
    values = (getattr(bones, name) for name in two_bone.Bones.__dataclass_fields__)
    return two_bone.Bones(*(v if v.shape[1] == 1 else v[:, part] for v in values))


def _natural(skeleton: Skeleton, plan: Plan, target: Tracks, leg: Leg) -> FloatArray:
    position = [target.position(j) for j in (leg.top, leg.hinge, leg.end)]
    a, b, e = (skeleton.rest_positions_m[j] for j in (leg.top, leg.hinge, leg.end))
    front = body_frame(skeleton.rest_positions_m, plan.target_map)[:, 2]
    side = np.cross(-front if leg.is_arm else front, e - a)
    bent = np.cross(b - a, e - b)
    sure = float(np.linalg.norm(bent)) > 0.1 * float(np.linalg.norm(b - a) * np.linalg.norm(e - b))
    axis = bent if sure else side
    axis = axis / max(float(np.linalg.norm(axis)), 1e-12)
    rest = quat.rotate(quat.conj(skeleton.rest_world_rotations_xyzw[leg.top]), axis)
    step = max(1, position[0].shape[1] // 512)
    return two_bone.natural_axis(
        target.rotation(leg.top)[:, ::step], (position[1] - position[0])[:, ::step],
        (position[2] - position[1])[:, ::step], rest,
    )  # fmt: skip
