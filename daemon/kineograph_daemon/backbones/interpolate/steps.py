# SPDX-License-Identifier: Apache-2.0
"""Feet between keys: they stand, or they step; they do not slide.

Between two neighbouring keys a foot that stands at the same place in both stays there. A foot that stands at two
different places steps from one to the other, as often as the way is long. Where nobody keyed the legs and the body
travels along a path, the feet walk under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.interpolate import gait
from kineograph_daemon.solve import curves, feet
from kineograph_daemon.solve.body import Body, Foot
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.ground import Ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

SAME_PLACE = 0.045
"""A foot whose holding joint moves less than this between two keys, in leg lengths, stands at one place."""
LIFT = 0.09
"""How high a foot is lifted in a step, leg lengths."""
PUSH_RAD = np.radians(32.0)
STRIKE_RAD = np.radians(16.0)
MOST_DROP = 0.12
"""How far a body goes down, in leg lengths, for legs that do not reach their places."""
TURN_WAY = 0.45
"""Turning by a radian takes as many steps as travelling this many leg lengths."""
STILL = 0.02
"""A body that travels less than this between two keys, in leg lengths, stays."""
SUNK, TROT_SUNK = 0.04, 0.04
"""How much a body may sink, as a share of its hips' height, for longer strides; and how much more at a trot."""
LAST_OFF = 1.25
"""How much of a step, to both sides together, the last of many feet is left behind before it sets off from a stance."""
SPRAWLED = 0.25
"""Many feet that rest further than this out of their hips, in leg lengths, on average, stay that wide."""
WIDE = 0.06
"""How far out of its hip a walking foot stands, at most, in leg lengths."""
UNDER = 0.4
"""When a walker's foot lies under its hip, as a share of its stand: on its ball it reaches further back than ahead."""
BENT = 0.985
"""A walking leg is never straighter than this share of its reach: nearer to straight a knee snaps."""
REACHED = 0.03
"""A foot whose leg leaves it further than this from its place, in leg lengths, does not stand there."""
CROUCH = 0.018
"""How much a walking body sinks below standing upright, leg lengths."""


@dataclass(frozen=True, eq=False)
class State:
    """A foot at one frame: ankle position (3,), world rotation (4,), and whether it stands."""

    ankle_m: FloatArray
    end_xyzw: FloatArray
    stands: bool


@dataclass(eq=False)
class Track:
    """What becomes of one foot: ankle positions (T, 3) and world rotations (T, 4) where ``active`` (T,) is true."""

    foot: Foot
    ankle_m: FloatArray
    end_xyzw: FloatArray
    toe_rad: FloatArray
    active: BoolArray
    contact: BoolArray


def walk(pose: Pose, body: Body, goals: Goals, ground: Ground) -> dict[str, BoolArray]:
    """Let the feet stand and step; contacts (T,) by joint name. Changes the pose in place."""
    if not body.feet or len(pose) < 2:
        return {}
    walker = _Walker(pose, body, goals, ground)
    for together in walker.groups():
        for start, stop in walker.stretches(together):
            walker.fill(together, start, stop)
    walker.apply()
    names = body.skeleton.names
    return {names[t.foot.contact]: t.contact for t in walker.tracks}


class _Walker:
    def __init__(self, pose: Pose, body: Body, goals: Goals, ground: Ground) -> None:
        self.pose, self.body, self.goals, self.ground = pose, body, goals, ground
        self.size = body.size_m
        self.sprawls = _sprawls(body)
        root = goals.skeleton.root
        rest = quat.conj(goals.skeleton.rest_rotations_xyzw[root])
        self.heading = np.unwrap(quat.heading_rad(quat.mul(pose.rotations_xyzw[:, root], rest)))
        step = np.linalg.norm(np.diff(pose.root_m[:, [0, 2]], axis=0), axis=1)
        turn = self._turn_way() * np.abs(np.diff(self.heading))
        self.way = np.concatenate([[0.0], np.cumsum(step + turn)])
        self.speed = np.gradient(self.way) * goals.fps_hz
        # A key of one of a leg's joints places the foot: it is exact, and the others are where their curves have them.
        self.keyed = [goals.frames_fixing([f.limb.top, f.limb.hinge, f.limb.end]) for f in body.feet]
        self.keyed_set = [set(k) for k in self.keyed]
        self.clear = [feet.clearance(pose, f, ground) for f in body.feet]
        self.carried = self._carried()
        t = len(pose)
        self.tracks = [
            Track(
                f,
                pose.positions_m[:, f.limb.end].copy(),
                pose.world_xyzw[:, f.limb.end].copy(),
                np.zeros(t),
                np.zeros(t, bool),
                np.zeros(t, bool),
            )
            for f in body.feet
        ]

    def _carried(self) -> FloatArray | None:
        """How far (T, F, 2) the root's lean carries the top of each of many legs over the ground; under it the foot
        stands. None for two: a person's hips are where they are."""
        if len(self.body.feet) <= 2:
            return None
        rest, root = self.body.skeleton.rest_positions_m, self.body.skeleton.root
        tops = np.array([rest[f.limb.top] - rest[root] for f in self.body.feet])
        rest_root = quat.conj(self.body.skeleton.rest_world_rotations_xyzw[root])
        leaned = quat.mul(self.pose.rotations_xyzw[:, root], rest_root)
        level = quat.about_y(self.heading)
        return np.asarray((quat.rotate(leaned[:, None], tops) - quat.rotate(level[:, None], tops))[..., [0, 2]])

    def _turn_way(self) -> float:
        """How much travel (metres) turning by a radian counts as: the feet of a long body go round its root."""
        rest = self.body.skeleton.rest_positions_m
        away = [np.linalg.norm((rest[f.limb.end] - rest[self.body.skeleton.root])[[0, 2]]) for f in self.body.feet]
        return max(TURN_WAY * self.size, float(max(away)))

    def groups(self) -> list[list[int]]:
        """Feet that step together: those whose legs have keys on the same frames."""
        found: dict[tuple[int, ...], list[int]] = {}
        for i, frames in enumerate(self.keyed):
            found.setdefault(tuple(frames), []).append(i)
        return list(found.values())

    def stretches(self, together: list[int]) -> list[tuple[int, int]]:
        """Spans between neighbouring keys of the legs of a group, and the open ends."""
        borders = sorted({0, *self.keyed[together[0]], len(self.pose) - 1})
        return list(pairwise(borders))

    def fill(self, together: list[int], start: int, stop: int) -> None:
        """Decide for each foot of a group between two frames: stand, step, or follow its keys."""
        if stop - start < 2:
            self._touch(together, start, stop)
            return
        still = float(self.way[stop] - self.way[start]) < STILL * self.size
        before = {i: self._state(i, start, still) for i in together}
        after = {i: self._state(i, stop, still) for i in together}
        stepping = []
        for i in together:
            a, b = before[i], after[i]
            if not (a.stands and b.stands):
                continue
            if self._same_place(i, a, b) and not self._walks_off(i, start, stop):
                self._stand(i, start, stop, a, b)
            else:
                stepping.append(i)
        if stepping:
            self._step(stepping, start, stop, before, after)

    def _touch(self, together: list[int], start: int, stop: int) -> None:
        """Neighbouring frames that are both keyed: nothing lies between, but a foot may stand."""
        for i in together:
            track = self.tracks[i]
            if (
                start in self.keyed_set[i]
                and stop in self.keyed_set[i]
                and self.clear[i][[start, stop]].max() < feet.LOW * self.size
            ):
                at = self.pose.positions_m[[start, stop]][:, track.foot.joints][..., [0, 2]]
                nearest = float(np.linalg.norm(at[1] - at[0], axis=-1).min())
                track.contact[[start, stop]] |= nearest * self.goals.fps_hz < feet.SLOW * self.size

    def _state(self, i: int, frame: int, still: bool) -> State:
        """Where a foot is at the end of a stretch: as keyed, as posed where the body stays, else under the body."""
        foot = self.body.feet[i]
        if still or frame in self.keyed_set[i]:
            low = bool(self.clear[i][frame] < feet.LOW * self.size)
            end = foot.limb.end
            return State(self.pose.positions_m[frame, end], self.pose.world_xyzw[frame, end], low)
        return self._neutral(i, frame)

    def _neutral(self, i: int, frame: float) -> State:
        """A foot under its hip, flat on the ground, facing as the body does."""
        foot, skeleton = self.body.feet[i], self.body.skeleton
        end = foot.limb.end
        t = np.arange(len(self.pose))
        turn = quat.about_y(np.interp(frame, t, self.heading))
        rest = skeleton.rest_positions_m
        from_root = (rest[end] - rest[skeleton.root]) * [1.0, 0.0, 1.0] - self._splay(i)
        root = np.array([np.interp(frame, t, self.pose.root_m[:, k]) for k in range(3)])
        at = root + quat.rotate(turn, from_root)
        if self.carried is not None:
            at[[0, 2]] += [np.interp(frame, t, self.carried[:, i, k]) for k in (0, 1)]
        height = float(self.ground.under(at[[0, 2]]))
        below = bool(np.isfinite(height))
        at[1] = (height if below else self.ground.floor_m) + rest[end, 1] - self.ground.rest_floor_m
        return State(at, quat.mul(turn, skeleton.rest_world_rotations_xyzw[end]), below)

    def _splay(self, i: int) -> FloatArray:
        """How much wider than a walking stance a rest pose sets its foot."""
        across = np.cross([0.0, 1.0, 0.0], self.body.front)
        if self.sprawls:
            return np.zeros(3)
        rest, limb = self.body.skeleton.rest_positions_m, self.body.feet[i].limb
        wide = float((rest[limb.end] - rest[limb.top]) @ across)
        return np.asarray(across * (wide - float(np.clip(wide, -WIDE * self.size, WIDE * self.size))))

    def _same_place(self, i: int, a: State, b: State) -> bool:
        nearest = min(float(np.linalg.norm((p - q)[[0, 2]])) for p, q in self._holders(i, a, b))
        return nearest < SAME_PLACE * self.size

    def _holders(self, i: int, a: State, b: State) -> list[tuple[FloatArray, FloatArray]]:
        """Ankle and ball in both states."""
        ball = self._ball(i)
        return [
            (a.ankle_m, b.ankle_m),
            (a.ankle_m + quat.rotate(a.end_xyzw, ball), b.ankle_m + quat.rotate(b.end_xyzw, ball)),
        ]

    def _ball(self, i: int) -> FloatArray:
        """From ankle to ball, in the ankle's frame; zero where there is none."""
        foot, skeleton = self.body.feet[i], self.body.skeleton
        if foot.contact == foot.limb.end:
            return np.zeros(3)
        rest = skeleton.rest_positions_m
        away = rest[foot.contact] - rest[foot.limb.end]
        return quat.rotate(quat.conj(skeleton.rest_world_rotations_xyzw[foot.limb.end]), away)

    def _walks_off(self, i: int, start: int, stop: int) -> bool:
        """Whether the body goes a long way and comes back: feet that stay would be left behind."""
        at = self.pose.root_m[start : stop + 1, [0, 2]]
        return bool(np.linalg.norm(at - at[0], axis=1).max() > 0.75 * self.size)

    def _stand(self, i: int, start: int, stop: int, a: State, b: State) -> None:
        track, ball = self.tracks[i], self._ball(i)
        span = np.arange(start, stop + 1)
        u = curves.smoothstep((span - start) / (stop - start))
        rotation = quat.slerp(a.end_xyzw[None], b.end_xyzw[None], u)
        ankles, balls = self._holders(i, a, b)
        by_ball = np.linalg.norm((balls[0] - balls[1])[[0, 2]]) < np.linalg.norm((ankles[0] - ankles[1])[[0, 2]])
        p, q = balls if by_ball else ankles
        holder = p + u[:, None] * (q - p)
        ankle = holder - quat.rotate(rotation, np.broadcast_to(ball, (len(span), 3))) if by_ball else holder
        self._write(i, span, ankle, rotation)
        track.contact[span] = True

    def _write(self, i: int, span: IntArray, ankle: FloatArray, rotation: FloatArray) -> None:
        track = self.tracks[i]
        track.ankle_m[span], track.end_xyzw[span], track.active[span] = ankle, rotation, True

    def _step(
        self, stepping: list[int], start: int, stop: int, before: dict[int, State], after: dict[int, State]
    ) -> None:
        way = self.way[start : stop + 1]
        seconds = (stop - start) / self.goals.fps_hz
        moved = [float(np.linalg.norm((after[i].ankle_m - before[i].ankle_m)[[0, 2]])) for i in stepping]
        # With a foot standing, the other's own way counts: the body may hardly move.
        far = max(float(way[-1] - way[0]), max(moved) / 2)
        if far < 0.5 * SAME_PLACE * self.size:
            return
        gathered = (self._gathered(before, start), self._gathered(after, stop))
        trot = gait.trotting(len(stepping), far / seconds / self.size)
        stride = min(gait.stride_m(far / seconds, self.size), self._longest_stride(start, stop, trot))
        count = gait.step_count(len(stepping), far, seconds, stride, self.size, gathered)
        order = self._order(stepping, start, stop, before, trots=trot > 0)
        last = None if gathered[1] else self._furthest(stepping, start, stop, after)
        steps = gait.sequence(order, count, last)
        swings = gait.plan(steps, len(stepping), way, gathered, self.goals.fps_hz, trot)
        for i in stepping:
            own = [(s.start + start, s.stop + start) for s in swings if s.foot == i]
            self._walk_foot(i, start, stop, before[i], after[i], own)

    def _longest_stride(self, start: int, stop: int, trot: float) -> float:
        """What the shortest leg can cover while the foot stands and the body sinks only a little, more at a trot."""
        course = self._course(start, stop)
        half = min(self._room(foot, course, SUNK + TROT_SUNK * trot) for foot in self.body.feet)
        if self.sprawls:
            return half * 2 / LAST_OFF
        stands = 1 - gait.swing_share(len(self.body.feet), trot)
        # A foot that rolls over its ball reaches further back than a flat one.
        return half * 2 / stands * (1.3 if len(self.body.feet) == 2 else 1.0)

    def _room(self, foot: Foot, course: FloatArray, sunk: float) -> float:
        """How far a foot can go either way from its place under the body, metres."""
        rest, limb = self.body.skeleton.rest_positions_m, foot.limb
        reach = np.linalg.norm(rest[limb.hinge] - rest[limb.top]) + np.linalg.norm(rest[limb.end] - rest[limb.hinge])
        away = rest[limb.end] - rest[limb.top]
        high = (1 - sunk) * float(-away[1])
        free2 = float(reach) ** 2 - high * high
        if self.sprawls:
            along = abs(float(away @ course))
            beside2 = float(away[[0, 2]] @ away[[0, 2]]) - along * along
            return max(float(np.sqrt(max(free2 - beside2, 0.0))) - along, 0.1 * self.size)
        room = float(np.sqrt(max(free2, (0.2 * self.size) ** 2)))
        if len(self.body.feet) > 2:
            # A paw that rests behind or ahead of its shoulder has less way to go on that side.
            room = max(room - abs(float(away @ self.body.front)), 0.15 * self.size)
        return room

    def _course(self, start: int, stop: int) -> FloatArray:
        """The direction (3,) of a stretch's travel as the body sees it; to the side where it turns about its place."""
        gone = (self.pose.root_m[stop] - self.pose.root_m[start]) * [1.0, 0.0, 1.0]
        far = float(np.linalg.norm(gone))
        if far <= max(0.5 * float(self.way[stop] - self.way[start]), STILL * self.size):
            return np.cross([0.0, 1.0, 0.0], self.body.front)
        return quat.rotate(quat.about_y(-float(self.heading[(start + stop) // 2])), gone / far)

    def _gathered(self, states: dict[int, State], frame: int) -> bool:
        """Whether all feet stand together under the body."""
        away = [np.linalg.norm((s.ankle_m - self._neutral(i, frame).ankle_m)[[0, 2]]) for i, s in states.items()]
        return bool(max(away) < 0.2 * self.size)

    def _lead(self, i: int, frame: int, state: State, start: int, stop: int) -> float:
        """How far a foot is ahead of its place under the body, along the way."""
        direction = (self.pose.root_m[stop] - self.pose.root_m[start]) * [1.0, 0.0, 1.0]
        return float((state.ankle_m - self._neutral(i, frame).ankle_m) @ direction)

    def _furthest(self, stepping: list[int], start: int, stop: int, after: dict[int, State]) -> int:
        return max(stepping, key=lambda i: self._lead(i, stop, after[i], start, stop))

    def _order(self, stepping: list[int], start: int, stop: int, before: dict[int, State], *, trots: bool) -> list[int]:
        lag = [-self._lead(i, start, before[i], start, stop) for i in stepping]
        rest = self.body.skeleton.rest_positions_m
        ends = [self.body.feet[i].limb.end for i in stepping]
        side = np.cross([0.0, 1.0, 0.0], self.body.front)
        first = int(np.argmax(np.round(lag, 3)))
        order = gait.walking_order(rest[ends] @ side, rest[ends] @ self.body.front, first, trots)
        return [stepping[k] for k in order]

    def _walk_foot(self, i: int, start: int, stop: int, a: State, b: State, swings: list[tuple[float, float]]) -> None:
        span = np.arange(start, stop + 1)
        stands = self._stands(i, a, b, swings, start, stop)
        ankle = np.broadcast_to(a.ankle_m, (len(span), 3)).copy()
        rotation = np.broadcast_to(a.end_xyzw, (len(span), 4)).copy()
        pitch, contact = np.zeros(len(span)), np.ones(len(span), bool)
        for (t0, t1), p, q in zip(swings, stands[:-1], stands[1:], strict=True):
            u = (span - t0) / max(t1 - t0, 1e-6)
            air = (u > 0) & (u < 1)
            w = curves.smootherstep(u)[:, None]
            after_start = u > 0
            ankle[after_start] = (p.ankle_m + w * (q.ankle_m - p.ankle_m))[after_start]
            rotation[after_start] = quat.slerp(p.end_xyzw[None], q.end_xyzw[None], w[:, 0])[after_start]
            far = float(np.linalg.norm((q.ankle_m - p.ankle_m)[[0, 2]])) / self.size
            strength = min(1.0, far)
            ankle[:, 1] += self.size * LIFT * (0.35 + 0.65 * strength) * _hump(u)
            pitch += strength * self._pitch(u, span, (t0, t1), (start, stop))
            contact &= ~air
        ankle, rotation, toe = self._rolled(i, ankle, rotation, pitch)
        self._write(i, span, ankle, rotation)
        self.tracks[i].toe_rad[span] = toe
        self.tracks[i].contact[span] = contact

    def _stands(
        self, i: int, a: State, b: State, swings: list[tuple[float, float]], start: int, stop: int
    ) -> list[State]:
        """Where the foot stands before, between and after its swings."""
        middle = []
        under = UNDER if len(self.body.feet) == 2 else 0.5
        for (_, landed), (lifts, _) in pairwise(swings):
            middle.append(self._under_its_top(i, self._neutral(i, landed + under * (lifts - landed))))
        # Keys may set the feet wider or narrower than the rest pose: what lies between follows gradually.
        from_a = a.ankle_m - self._neutral(i, start).ankle_m
        from_b = b.ankle_m - self._neutral(i, stop).ankle_m
        for k, state in enumerate(middle):
            u = (k + 1) / (len(middle) + 1)
            aside = self._sideways((1 - u) * from_a + u * from_b, state)
            middle[k] = State(state.ankle_m + aside, state.end_xyzw, state.stands)
        return [a, *middle, b]

    def _under_its_top(self, i: int, state: State) -> State:
        """Of many feet each walks about the place under its own shoulder, where its leg has most room both ways."""
        if len(self.body.feet) <= 2 or self.sprawls:
            return state
        rest, limb = self.body.skeleton.rest_positions_m, self.body.feet[i].limb
        ahead = float((rest[limb.end] - rest[limb.top]) @ self.body.front)
        turn = quat.about_y(quat.heading_rad(quat.mul(state.end_xyzw, quat.conj(self._rest_end(i)))))
        return State(state.ankle_m - ahead * quat.rotate(turn, self.body.front), state.end_xyzw, state.stands)

    def _rest_end(self, i: int) -> FloatArray:
        rotation: FloatArray = self.body.skeleton.rest_world_rotations_xyzw[self.body.feet[i].limb.end]
        return rotation

    def _sideways(self, offset: FloatArray, state: State) -> FloatArray:
        """The part of an offset across the foot's direction: a stance's width, not its phase."""
        turn = quat.about_y(quat.heading_rad(state.end_xyzw))
        across = quat.rotate(turn, np.cross([0.0, 1.0, 0.0], self.body.front))
        return np.asarray(across * float(offset @ across))

    def _pitch(self, u: FloatArray, span: IntArray, swing: tuple[float, float], stretch: tuple[int, int]) -> FloatArray:
        """Toes down when pushing off, up when landing; nothing at the stretch's ends, which belong to keys."""
        if len(self.body.feet) != 2:
            return np.zeros(len(span))
        push = PUSH_RAD * curves.smoothstep((u + 0.55) / 0.55) * (1 - curves.smoothstep(u / 0.6))
        strike = STRIKE_RAD * curves.smoothstep((u - 0.45) / 0.45) * (1 - curves.smoothstep((u - 1) / 0.3))
        edge = 0.1 * self.goals.fps_hz
        guard = curves.smoothstep((span - stretch[0]) / edge) * curves.smoothstep((stretch[1] - span) / edge)
        return np.asarray((push - strike) * guard)

    def _rolled(
        self, i: int, ankle: FloatArray, rotation: FloatArray, pitch: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """A flat foot pitched about its ball (toes down) or its heel (toes up), so that it never enters the ground."""
        ball = self._ball(i)
        flat = quat.rotate(rotation, np.broadcast_to(ball, ankle.shape))
        forward = flat * [1.0, 0.0, 1.0]
        length = np.linalg.norm(forward, axis=1, keepdims=True)
        if float(length.max()) < 1e-6 or not np.abs(pitch).any():
            return ankle, rotation, np.zeros(len(pitch))
        axis = np.cross([0.0, 1.0, 0.0], forward / np.maximum(length, 1e-9))
        turn = quat.from_axis_angle(axis, pitch)
        heel = np.stack([np.zeros(len(flat)), flat[:, 1], np.zeros(len(flat))], axis=1) - 0.3 * forward
        pivot = np.where(pitch[:, None] > 0, flat, heel)
        return ankle + pivot - quat.rotate(turn, pivot), quat.mul(turn, rotation), np.maximum(pitch, 0.0)

    def apply(self) -> None:
        """Lower the body where legs would not reach, then bring the legs to their feet."""
        self._sink()
        feet.drop(self.pose, self.goals, self.body, self._locks(), MOST_DROP, BENT)
        for lock in self._locks():
            feet.apply(self.pose, lock)
        for track in self.tracks:
            self._bend_toes(track)
            away_m = np.linalg.norm(track.ankle_m - self.pose.positions_m[:, track.foot.limb.end], axis=1)
            track.contact &= away_m < REACHED * self.size

    def _sink(self) -> None:
        walking = np.zeros(len(self.pose))
        for track in self.tracks:
            walking = np.maximum(walking, (track.active & (self.speed > 0.15 * self.size)).astype(float))
        if walking.any():
            half = round(0.25 * self.goals.fps_hz)
            lower = (
                CROUCH
                * self.size
                * feet.eased_mask(walking, half, feet.fixing(self.goals, self.body), self.goals.fps_hz)
            )
            self.pose.shift(np.stack([np.zeros_like(lower), -lower, np.zeros_like(lower)], axis=1))

    def _locks(self) -> list[feet.Lock]:
        out = []
        for track, keyed in zip(self.tracks, self.keyed, strict=True):
            # On its keys' frames a leg is as the keys and its curves have it, in all its joints.
            active = track.active & ~np.isin(np.arange(len(self.pose)), keyed)
            if active.any():
                offset = track.ankle_m - self.pose.positions_m[:, track.foot.limb.end]
                out.append(feet.Lock(track.foot, offset, track.end_xyzw, active))
        return out

    def _bend_toes(self, track: Track) -> None:
        """Toes stay flat on the ground while the heel rises."""
        foot = track.foot
        if foot.contact == foot.limb.end or not track.toe_rad.any():
            return
        frames = np.flatnonzero(track.toe_rad > 1e-4)
        world = self.pose.world_xyzw[frames, foot.contact]
        forward = self.pose.positions_m[frames, foot.contact] - self.pose.positions_m[frames, foot.limb.end]
        forward = forward * [1.0, 0.0, 1.0]
        axis = np.cross([0.0, 1.0, 0.0], forward / np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9))
        flat = quat.mul(quat.from_axis_angle(axis, -track.toe_rad[frames]), world)
        self.pose.set_world(foot.contact, frames, flat, self.pose.parent_xyzw(foot.contact, frames))
        self.pose.touch()


def _sprawls(body: Body) -> bool:
    """Whether many legs stand out to the sides, as a spider's or a lizard's: such feet do not go under their hips."""
    rest, across = body.skeleton.rest_positions_m, np.cross([0.0, 1.0, 0.0], body.front)
    wide = [abs(float((rest[f.limb.end] - rest[f.limb.top]) @ across)) for f in body.feet]
    return len(body.feet) > 2 and float(np.mean(wide)) > SPRAWLED * body.size_m


def _hump(u: FloatArray) -> FloatArray:
    """0 to 1 to 0 over u in [0, 1], level at both ends, highest a little before the middle."""
    v = np.clip(u, 0.0, 1.0)
    return np.asarray(np.sin(np.pi * v**0.85) ** 2)
