# SPDX-License-Identifier: Apache-2.0
"""Reference clips: this model does not learn from a clip, it plays it, and keys and paths are met on top.

A clip longer than its segment is cut, a shorter one is repeated as a cycle that travels on. A clip of another rig is
carried over by joint names, else by roles, as changes from the rest pose in space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from motionmcp.schemas import GenerateRequest, MotionReferenceSegment
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.solve import curves
from kineograph_daemon.solve.body import Body, Limb, read_body
from kineograph_daemon.solve.goals import Goals, skeleton_of
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

SHORTEST_CYCLE = 3
"""Frames; a shorter clip is no cycle that could be repeated."""


@dataclass(frozen=True, eq=False)
class Played:
    """A clip on the request's skeleton at the request's rate, filling [start, stop): (N, J, 4) and (N, 3)."""

    start: int
    stop: int
    rotations_xyzw: FloatArray
    root_m: FloatArray


def read(request: GenerateRequest, goals: Goals, body: Body) -> list[Played]:
    """Every clip of a request, ready to play."""
    out, start = [], 0
    for segment in request.segments:
        stop = start + segment.duration_frames
        if isinstance(segment, MotionReferenceSegment):
            rotations, root = _on_skeleton(segment, goals.skeleton, body)
            have = min(frames_at(segment, goals.fps_hz), stop - start)  # what is cut off is not made first
            rotations, root = _at_rate(rotations, root, segment.fps / goals.fps_hz, have)
            out.append(Played(start, stop, *_filled(rotations, root, stop - start, goals.skeleton)))
        start = stop
    return out


def frames_at(segment: MotionReferenceSegment, fps_hz: float) -> int:
    """How many frames a clip has at a rate; a billion stands for more."""
    frames = (len(segment.root_positions) - 1) / segment.fps * fps_hz + 1e-6
    return int(min(frames, 1e9)) + 1


def _on_skeleton(segment: MotionReferenceSegment, skeleton: Skeleton, body: Body) -> tuple[FloatArray, FloatArray]:
    """The clip's own frames on the request's skeleton."""
    sent = quat.normalize(np.asarray(segment.rotations, float))
    root = np.asarray(segment.root_positions, float)
    if segment.skeleton is None:
        out = np.broadcast_to(skeleton.rest_rotations_xyzw, (len(root), len(skeleton), 4)).copy()
        out[:, [skeleton.index[n] for n in segment.joint_names]] = sent
        return out, root
    source = skeleton_of(segment.skeleton)
    local = np.broadcast_to(source.rest_rotations_xyzw, (len(root), len(source), 4)).copy()
    local[:, [source.index[n] for n in segment.joint_names]] = sent
    return _carried(source, local, root, skeleton, body)


def _carried(
    source: Skeleton, local: FloatArray, root: FloatArray, skeleton: Skeleton, body: Body
) -> tuple[FloatArray, FloatArray]:
    """World changes from rest, joint by joint; travel and height by the ratio of leg lengths."""
    other = read_body(source)
    pairs = _pairs(other, body)
    at, world = kinematics.forward(source, local, root)
    change = quat.mul(world, quat.conj(source.rest_world_rotations_xyzw))
    aligned = _aligned_rest(other, body)
    out = np.empty((len(root), len(skeleton), 4))
    placed = np.empty_like(out)
    for joint in range(len(skeleton)):
        parent = int(skeleton.parents[joint])
        above = quat.identity(len(root)) if parent < 0 else placed[:, parent]
        if joint in pairs:
            placed[:, joint] = quat.mul(change[:, pairs[joint]], aligned[joint])
            out[:, joint] = quat.mul(quat.conj(above), placed[:, joint])
        else:
            out[:, joint] = skeleton.rest_rotations_xyzw[joint]
            placed[:, joint] = quat.mul(above, out[:, joint])
    scale = body.size_m / max(other.size_m, 1e-6)
    feet = [j for f in other.feet for j in f.joints.tolist()] or list(range(len(source)))
    thickness = min((float(f.rest_height_m.min()) for f in other.feet), default=0.0)
    floor = float(np.percentile(at[:, feet, 1].min(axis=1), 2)) - thickness
    return out, (root - [0.0, floor, 0.0]) * scale


def _aligned_rest(source: Body, target: Body) -> FloatArray:
    """The target's world rest rotations (J, 4) with its limbs laid along the source's: an A-pose meets a T-pose."""
    out = target.skeleton.rest_world_rotations_xyzw.copy()
    ours, theirs = target.skeleton.rest_positions_m, source.skeleton.rest_positions_m
    for a, b in _limb_pairs(source, target):
        for here, child, there, their_child in (
            (a.top, a.hinge, b.top, b.hinge),
            (a.hinge, a.end, b.hinge, b.end),
        ):
            turn = quat.between(ours[child] - ours[here], theirs[their_child] - theirs[there])
            out[here] = quat.mul(turn, out[here])
    return out


def _limb_pairs(source: Body, target: Body) -> list[tuple[Limb, Limb]]:
    """Limbs of both bodies that play the same role, the target's first."""
    by_role = {source.roles.roles.get(limb.end): limb for limb in source.limbs.values()}
    pairs = [(limb, by_role.get(target.roles.roles.get(limb.end))) for limb in target.limbs.values()]
    return [(ours, theirs) for ours, theirs in pairs if theirs is not None]


def _pairs(source: Body, target: Body) -> dict[int, int]:
    """Target joint to source joint: by name, else by role; the roots always."""
    out = {target.skeleton.root: source.skeleton.root}
    theirs = source.roles.joints
    for joint, name in enumerate(target.skeleton.names):
        if name in source.skeleton.index:
            out[joint] = source.skeleton.index[name]
    for role, joint in target.roles.joints.items():
        if joint not in out and role in theirs:
            out[joint] = theirs[role]
    return out


def _at_rate(rotations: FloatArray, root: FloatArray, step: float, frames: int) -> tuple[FloatArray, FloatArray]:
    """A clip's first ``frames`` at another rate: every ``step`` of its own."""
    last = len(root) - 1
    at = np.arange(frames) * step
    low = np.clip(np.floor(at + 1e-9).astype(int), 0, last)
    high = np.minimum(low + 1, last)
    part = np.clip(at - low, 0.0, 1.0)[:, None]
    return quat.slerp(rotations[low], rotations[high], part), root[low] * (1 - part) + root[high] * part


def _filled(rotations: FloatArray, root: FloatArray, frames: int, skeleton: Skeleton) -> tuple[FloatArray, FloatArray]:
    """Exactly ``frames`` frames: cut, or repeated with each cycle going on from where the last one ended."""
    have = len(root)
    if have >= frames or have < SHORTEST_CYCLE:
        pick = np.minimum(np.arange(frames), have - 1)
        return rotations[pick], root[pick]
    blend = max(1, min(have // 4, 8))
    rotations, root = _seamless(rotations, root, blend, skeleton)
    out_q, out_p = [rotations], [root]
    while sum(map(len, out_p)) < frames:
        turn, shift = _join(out_q[-1][-1], out_p[-1][-1], rotations[0], root[0], skeleton)
        again = rotations[1:].copy()
        again[:, skeleton.root] = quat.mul(turn, again[:, skeleton.root])
        out_q.append(again)
        out_p.append(quat.rotate(turn, root[1:]) + shift)
    return np.concatenate(out_q)[:frames], np.concatenate(out_p)[:frames]


def _join(
    end_q: FloatArray, end_p: FloatArray, start_q: FloatArray, start_p: FloatArray, skeleton: Skeleton
) -> tuple[FloatArray, FloatArray]:
    """The turn about +Y and the shift that put a clip's start where the motion has come to."""
    rest = quat.conj(skeleton.rest_rotations_xyzw[skeleton.root])
    heading = [quat.heading_rad(quat.mul(q[skeleton.root], rest)) for q in (end_q, start_q)]
    turn = quat.about_y(float(heading[0] - heading[1]))
    shift = (end_p - quat.rotate(turn, start_p)) * [1.0, 0.0, 1.0]
    return turn, shift


def _seamless(
    rotations: FloatArray, root: FloatArray, frames: int, skeleton: Skeleton
) -> tuple[FloatArray, FloatArray]:
    """Bend the last frames of a clip towards its first, so that the cycle closes in pose and height."""
    rotations, root = rotations.copy(), root.copy()
    turn, _ = _join(rotations[-1], root[-1], rotations[0], root[0], skeleton)
    first = rotations[0].copy()
    first[skeleton.root] = quat.mul(turn, first[skeleton.root])
    w = curves.smoothstep(np.arange(1, frames + 1) / frames)
    miss = quat.to_rotvec(quat.mul(quat.conj(rotations[-1]), first))
    rotations[-frames:] = quat.mul(rotations[-frames:], quat.from_rotvec(miss[None] * w[:, None, None]))
    root[-frames:, 1] += w * (root[0, 1] - root[-1, 1])
    return rotations, root


def play(clips: list[Played], goals: Goals, border_frames: int) -> Pose:
    """All clips in a row; what lies between and around them holds the nearest clip's pose, blended at the borders."""
    skeleton = goals.skeleton
    rotations = np.empty((goals.frames, len(skeleton), 4))
    root = np.empty((goals.frames, 3))
    end = 0
    for k, clip in enumerate(clips):
        q, p = clip.rotations_xyzw.copy(), clip.root_m
        if k > 0:
            turn, shift = _join(rotations[end - 1], root[end - 1], q[0], p[0], skeleton)
            q[:, skeleton.root] = quat.mul(turn, q[:, skeleton.root])
            p = quat.rotate(turn, p) + shift
        held_from = end
        rotations[clip.start : clip.stop], root[clip.start : clip.stop] = q, p
        if k == 0:
            rotations[: clip.start], root[: clip.start] = q[0], p[0]
        else:
            _bridge(rotations, root, held_from, clip.start, border_frames)
        end = clip.stop
    rotations[end:], root[end:] = rotations[end - 1], root[end - 1]
    return Pose(skeleton, rotations, root)


def _bridge(rotations: FloatArray, root: FloatArray, end: int, start: int, border_frames: int) -> None:
    """From the last frame of one clip to the first of the next: across the gap, or over the first border frames."""
    from_q, from_p = rotations[end - 1].copy(), root[end - 1].copy()
    if start > end:
        u = curves.smoothstep(np.arange(1, start - end + 1) / (start - end + 1))
        rotations[end:start] = quat.slerp(from_q[None], rotations[start][None], u[:, None])
        root[end:start] = from_p + u[:, None] * (root[start] - from_p)
        return
    frames = min(border_frames, len(root) - start)
    if frames < 1:
        return
    fade = 1 - curves.smoothstep(np.arange(1, frames + 1) / (frames + 1))
    miss = quat.to_rotvec(quat.mul(from_q, quat.conj(rotations[start])))
    span = slice(start, start + frames)
    root[span, 1] += fade * (from_p[1] - root[start, 1])
    rotations[span] = quat.mul(quat.from_rotvec(miss[None] * fade[:, None, None]), rotations[span])
