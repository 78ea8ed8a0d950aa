# SPDX-License-Identifier: Apache-2.0
"""Effector targets met: limbs in closed form, everything else as a chain, the root by moving it.

A target is a correction of where the joint is now: exact on its frames, eased in before and out after. On a frame
whose key fixes the same limb the key wins, and the neighbouring targets give way smoothly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve import blend, chain, correct, curves, two_bone
from kineograph_daemon.solve.body import Body, Limb
from kineograph_daemon.solve.goals import EffectorTrack, Goals
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

SPEED = 1.3
"""How fast a correction may move a limb while it comes and goes, leg lengths a second."""
HOLD_S = 1.0
"""Two targets at one place and not further apart than this hold the joint there in between, seconds."""
AGREES = 0.006
"""A key agrees with a target when it puts the joint this near to it, in leg lengths."""
ROUND_RAD = np.radians(150.0)
"""A limb swings round its top to targets no further round than this."""
CHAIN_JOINTS = 6
LEAN_FROM = 0.96
"""The trunk begins to help where an arm would be straighter than this share of its reach."""
LEAN_MOST = 0.45
"""How far a shoulder goes along, in leg lengths."""
WRIST_RAD = np.radians(25.0)
"""How far a hand keeps its direction in space while its arm is moved; beyond that it follows the arm."""


def meet(pose: Pose, body: Body, goals: Goals) -> dict[int, BoolArray]:
    """Meet all effector targets: the trunk's first, since they carry the limbs, then the limbs'.

    Before that the trunk leans towards what an arm alone cannot reach. Returns, by a limb's end joint, the frames
    (T,) on which a target pulls it.
    """
    tracks = sorted(goals.effectors, key=lambda e: (_limb_of(body, e.joint) is not None, _depth(body, e.joint)))
    for track in tracks:
        limb = _limb_of(body, track.joint)
        if limb is not None and not limb.is_leg:
            _lean(pose, body, goals, track, limb)
    pulled: dict[int, BoolArray] = {}
    for track in tracks:
        limb = _limb_of(body, track.joint)
        if only_root_above(body, track.joint):
            _meet_by_moving(pose, body, goals, track)
        elif limb is None:
            _meet_by_chain(pose, body, goals, track)
        else:
            busy = pulled.setdefault(limb.end, np.zeros(len(pose), bool))
            busy[_meet_by_limb(pose, body, goals, track, limb)] = True
            busy[np.setdiff1d(track.frames, still_frames(body, goals, track.joint))] = True
    return {end: busy for end, busy in pulled.items() if busy.any()}


def still_frames(body: Body, goals: Goals, joint: int) -> list[int]:
    """Frames, ascending, on which keys (of the root: paths too) leave targets of a joint nothing to move."""
    if only_root_above(body, joint):
        # Sideways the path has been met already, upwards the keys: a target moves the root only where it is free.
        return sorted({*goals.root_points()[0].tolist(), *goals.root_keys()})
    return correct.keyed_frames(goals, movers(body, joint))


def movers(body: Body, joint: int) -> list[int]:
    """The joints that turn to bring a joint somewhere, where it is not moved with the root."""
    limb = _limb_of(body, joint)
    return [*chain_above(body, joint), joint] if limb is None else [limb.top, limb.hinge, limb.end]


def _limb_of(body: Body, joint: int) -> Limb | None:
    return body.limb_above(joint)


def _depth(body: Body, joint: int) -> int:
    return len(body.skeleton.chain(joint))


def only_root_above(body: Body, joint: int) -> bool:
    """Whether no rotation can carry the joint anywhere sensible: the root itself, or hips right under it."""
    root = body.skeleton.root
    parent = int(body.skeleton.parents[joint])
    if joint == root:
        return True
    offset = float(np.linalg.norm(body.skeleton.rest_translations_m[joint]))
    hips_under_root = len(body.skeleton.children[root]) == 1 and any(f.limb.top != joint for f in body.feet)
    return parent == root and (offset < 1e-6 or hips_under_root)


@dataclass(frozen=True, eq=False)
class Corrections:
    """``offset_m`` (T, 3) and, where rotations were asked, ``turn_rad`` (T, 3) world rotation vectors."""

    offset_m: FloatArray
    turn_rad: FloatArray | None

    @property
    def frames(self) -> IntArray:
        """Frames on which anything is to be done."""
        busy = np.abs(self.offset_m).max(axis=1) > 1e-9
        if self.turn_rad is not None:
            busy |= np.abs(self.turn_rad).max(axis=1) > 1e-9
        return np.flatnonzero(busy)


def corrections(
    pose: Pose,
    body: Body,
    goals: Goals,
    track: EffectorTrack,
    still: list[int],
    limb: Limb | None = None,
    swings: bool = True,
) -> Corrections:
    """What is missing to the targets, over all frames; nothing on the ``still`` frames, which belong to keys.

    On a ``limb`` the joint comes to its targets and leaves them round the limb's top: straight across, it would pass
    close by its shoulder, and the elbow fold up on the way. What no leaning brings within its reach is drawn in.
    """
    track = held_between(track, goals, body.size_m)
    now = pose.positions_m[:, track.joint]
    arm = now if limb is None else now - pose.positions_m[:, limb.top]
    offset = track.positions_m - now[track.frames]
    if limb is not None:
        wanted = offset + arm[track.frames]
        far = np.linalg.norm(wanted, axis=1, keepdims=True)
        most = np.linalg.norm(now - pose.positions_m[:, limb.end], axis=1)[track.frames, None]
        most = most + limb.reach_m + LEAN_MOST * body.size_m
        offset = wanted * np.minimum(1.0, most / np.maximum(far, 1e-9)) - arm[track.frames]
    turn = None
    if track.rotations_xyzw is not None:
        turn = quat.to_rotvec(quat.mul(track.rotations_xyzw, quat.conj(pose.world_xyzw[track.frames, track.joint])))
    lost = np.isin(track.frames, still)
    give = _giving_way(track.frames, np.linalg.norm(offset, axis=1), lost, body.size_m, goals.fps_hz)
    offset = offset * give[:, None]
    fade = blend.fade_for(np.linalg.norm(offset, axis=1), SPEED * body.size_m, goals.fps_hz)
    keep = ~lost
    swing = None if limb is None else _swing(arm[track.frames], offset, limb)
    if swing is None:
        moved = blend.bumps(track.frames[keep], offset[keep], len(pose), fade[keep], still)
    else:
        swung = blend.bumps(track.frames[keep], swing[keep], len(pose), fade[keep], still)
        moved = quat.rotate(quat.from_rotvec(swung[:, :3]), arm) * np.exp(swung[:, 3:]) - arm
        if limb is not None and limb.is_leg:
            straight = blend.bumps(track.frames[keep], offset[keep], len(pose), fade[keep], still)
            moved[:, 1] = np.maximum(
                moved[:, 1], np.minimum(straight[:, 1], 0.0)
            )  # round its hip a foot would dip into the ground
        moved[track.frames[keep]] = offset[keep]
    if turn is not None:
        turn = turn * give[:, None]
        fade = np.maximum(fade, blend.fade_for(np.linalg.norm(turn, axis=1), 4.0, goals.fps_hz))
        turn = blend.bumps(track.frames[keep], turn[keep], len(pose), fade[keep], still)
    return Corrections(moved, turn)


def _swing(arm_m: FloatArray, offset_m: FloatArray, limb: Limb) -> FloatArray | None:
    """Offsets (N, 3) of a joint on a limb, seen from the limb's top at ``arm_m`` (N, 3), as turns about the top and
    logarithms of lengthening (N, 4), no further than the limb reaches; None where one lies too nearly opposite to say
    which way round."""
    wanted = arm_m + offset_m
    short, far = np.linalg.norm(arm_m, axis=1), np.linalg.norm(wanted, axis=1)
    if not len(arm_m) or min(short.min(), far.min()) < 1e-6:
        return None
    turn = quat.to_rotvec(quat.between(arm_m, wanted))
    if np.linalg.norm(turn, axis=1).max() > ROUND_RAD:
        return None
    far = np.minimum(far, np.maximum(short, limb.reach_m))
    return np.concatenate([turn, np.log(far / short)[:, None]], axis=1)


def held_between(track: EffectorTrack, goals: Goals, size_m: float) -> EffectorTrack:
    """Targets at one place, filled in between: a hand that was put twice on one spot stays there."""
    gap = np.diff(track.frames)
    same = np.linalg.norm(np.diff(track.positions_m, axis=0), axis=1) < 0.01 * size_m
    fill = np.flatnonzero((gap > 1) & same & (gap <= HOLD_S * goals.fps_hz))
    if not len(fill):
        return track
    frames, positions, rotations = [track.frames], [track.positions_m], []
    if track.rotations_xyzw is not None:
        rotations.append(track.rotations_xyzw)
    for i in fill:
        between = np.arange(track.frames[i] + 1, track.frames[i + 1])
        u = (between - track.frames[i]) / gap[i]
        frames.append(between)
        positions.append(track.positions_m[i] + u[:, None] * (track.positions_m[i + 1] - track.positions_m[i]))
        if track.rotations_xyzw is not None:
            rotations.append(quat.slerp(track.rotations_xyzw[i][None], track.rotations_xyzw[i + 1][None], u))
    order = np.argsort(np.concatenate(frames))
    return EffectorTrack(
        track.where,
        track.joint,
        np.concatenate(frames)[order],
        np.concatenate(positions)[order],
        np.concatenate(rotations)[order] if rotations else None,
    )


def _giving_way(
    frames: IntArray, miss_m: FloatArray, lost: NDArray[np.bool_], size_m: float, fps_hz: float
) -> FloatArray:
    """Weights (N,): targets near one that lost against a disagreeing key fade, where they are dense enough to pop."""
    weight = np.ones(len(frames))
    for i in np.flatnonzero(lost & (miss_m > AGREES * size_m)):
        reach = float(np.clip(miss_m[i] / (2.5 * size_m), 0.05, 0.3)) * fps_hz
        run = np.cumsum(np.r_[0, np.diff(frames) > max(2.0, 0.07 * fps_hz)])
        near = np.abs(frames - frames[i]) / reach
        weight = np.where(run == run[i], np.minimum(weight, curves.smootherstep(near)), weight)
    return weight


def _meet_by_moving(pose: Pose, body: Body, goals: Goals, track: EffectorTrack) -> None:
    todo = corrections(pose, body, goals, track, still_frames(body, goals, track.joint))
    if todo.turn_rad is not None:
        still = correct.keyed_frames(goals, [track.joint])
        frames = np.setdiff1d(np.arange(len(pose)), still)
        world = quat.mul(quat.from_rotvec(todo.turn_rad[frames]), pose.world_xyzw[frames, track.joint])
        pose.set_world(track.joint, frames, world, pose.parent_xyzw(track.joint, frames))
        pose.touch()
    pose.shift(todo.offset_m)


def _meet_by_chain(pose: Pose, body: Body, goals: Goals, track: EffectorTrack) -> None:
    joints = chain_above(body, track.joint)
    todo = corrections(pose, body, goals, track, still_frames(body, goals, track.joint))
    frames = todo.frames
    target = pose.positions_m[frames, track.joint] + todo.offset_m[frames]
    kept = pose.world_xyzw[frames, track.joint].copy()
    chain.solve(pose, joints, track.joint, frames, target)
    if todo.turn_rad is not None and len(frames):
        world = quat.mul(quat.from_rotvec(todo.turn_rad[frames]), kept)
        pose.set_world(track.joint, frames, world, pose.parent_xyzw(track.joint, frames))
        pose.touch()


def chain_above(body: Body, joint: int) -> list[int]:
    """The joints that may turn to bring ``joint`` somewhere, the outermost ancestor first; the root where it must.

    A body with legs stands on its root: a head that reaches out must not turn the hips away under it.
    """
    chain_ = body.skeleton.chain(joint)[:-1]
    root = body.skeleton.root
    if body.feet and len(chain_) > 1 and chain_[0] == root:
        hips = body.skeleton.chain(body.feet[0].limb.top)[:-1]
        free = [j for j in chain_ if j not in hips]
        chain_ = free or chain_[-1:]
        return chain_[-CHAIN_JOINTS:]
    return chain_


def _meet_by_limb(pose: Pose, body: Body, goals: Goals, track: EffectorTrack, limb: Limb) -> IntArray:
    todo = corrections(pose, body, goals, track, still_frames(body, goals, track.joint), limb)
    frames = todo.frames
    if not len(frames):
        return frames
    tip = pose.positions_m[frames, track.joint] + todo.offset_m[frames]
    target = pose.positions_m[frames, limb.end] + todo.offset_m[frames]
    kept = pose.world_xyzw[frames, limb.end].copy()
    if todo.turn_rad is not None and track.joint == limb.end:
        end = quat.mul(quat.from_rotvec(todo.turn_rad[frames]), kept)
    elif limb.is_leg:
        end = kept
    else:
        end = _softened(pose, limb, frames, target, kept)
        # A hand that turns takes its finger tips along: the wrist goes where that puts them on the target.
        carried = quat.rotate(quat.conj(kept), tip - target)
        target = tip - quat.rotate(end, carried)
    two_bone.solve(pose, limb, frames, target, end)
    if todo.turn_rad is not None and track.joint != limb.end:
        world = quat.mul(quat.from_rotvec(todo.turn_rad[frames]), pose.world_xyzw[frames, track.joint])
        pose.set_world(track.joint, frames, world, pose.parent_xyzw(track.joint, frames))
        pose.touch()
    return frames


def _lean(pose: Pose, body: Body, goals: Goals, track: EffectorTrack, limb: Limb) -> None:
    """Bend the trunk and the shoulder so far that an arm reaches its target; not on frames that key the trunk."""
    trunk = [j for j in chain_above(body, limb.top) if j != body.skeleton.root]
    if not trunk:
        return
    arm_keyed = still_frames(body, goals, track.joint)
    todo = corrections(pose, body, goals, track, arm_keyed, limb)
    at = np.setdiff1d(held_between(track, goals, body.size_m).frames, arm_keyed)
    target = pose.positions_m[at, limb.end] + todo.offset_m[at]
    beyond = two_bone.excess_m(pose, limb, at, target, LEAN_FROM)
    # Quadratic at first: the trunk starts to lean before the arm is straight, without a jolt.
    beyond = np.minimum(beyond**2 / (beyond + (1 - LEAN_FROM) * limb.reach_m), LEAN_MOST * body.size_m)
    away = target - pose.positions_m[at, limb.top]
    lean = beyond[:, None] * away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    # From upright straight into the lean: after an arm that swings round its shoulder the trunk would bow down first.
    fade = blend.fade_for(np.linalg.norm(todo.offset_m[at], axis=1), SPEED * body.size_m, goals.fps_hz)
    over = blend.bumps(at, lean, len(pose), fade, arm_keyed)
    over *= blend.away_from(correct.keyed_frames(goals, trunk), len(pose), 0.3 * goals.fps_hz)[:, None]
    frames = np.flatnonzero(np.abs(over).max(axis=1) > 1e-5)
    if len(frames):
        top = pose.positions_m[frames, limb.top]
        others = [a for a in body.limbs.values() if not a.is_leg and a.top != limb.top]
        hung = [pose.world_xyzw[frames, a.top].copy() for a in others]
        chain.solve(pose, trunk, limb.top, frames, top + over[frames])
        for arm, kept in zip(others, hung, strict=True):
            _keep_hanging(pose, goals, arm, frames, kept)


def _keep_hanging(pose: Pose, goals: Goals, arm: Limb, frames: IntArray, kept: FloatArray) -> None:
    """An arm that nobody asked for goes on hanging as it did while the trunk bends; its keys come first."""
    still = correct.keyed_frames(goals, [arm.top])
    weight = blend.away_from(still, len(pose), 0.3 * goals.fps_hz)[frames]
    world = quat.slerp(pose.world_xyzw[frames, arm.top], kept, weight)
    pose.set_world(arm.top, frames, world, pose.parent_xyzw(arm.top, frames))
    pose.touch()


def _softened(pose: Pose, limb: Limb, frames: IntArray, target: FloatArray, kept: FloatArray) -> FloatArray:
    """World rotations (N, 4) for a hand: kept in space for small moves, carried along by the forearm for large ones."""
    moved = None if pose.translations_m is None else pose.translations_m[frames]
    trial = Pose(pose.skeleton, pose.rotations_xyzw[frames], pose.root_m[frames], moved)
    two_bone.solve(trial, limb, np.arange(len(frames)), target, kept)
    carried = quat.mul(trial.parent_xyzw(limb.end), pose.rotations_xyzw[frames, limb.end])
    apart = quat.to_rotvec(quat.mul(kept, quat.conj(carried)))
    angle = np.linalg.norm(apart, axis=-1, keepdims=True)
    allowed = WRIST_RAD * np.tanh(angle / WRIST_RAD)
    return quat.mul(quat.from_rotvec(apart * allowed / np.maximum(angle, 1e-9)), carried)
