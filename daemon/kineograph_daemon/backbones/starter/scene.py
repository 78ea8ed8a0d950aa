# SPDX-License-Identifier: Apache-2.0
"""A request as the model sees it: full poses, a dense path with headings and steps, classes of motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from motionmcp.schemas import GenerateRequest
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.interpolate import keyed
from kineograph_daemon.backbones.starter import figure, words
from kineograph_daemon.backbones.starter.base import SETTLE, Ask
from kineograph_daemon.solve import curves
from kineograph_daemon.solve.curves import Ease
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.ground import Ground

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]

MOST_JOINTS = 0.7
"""A key that fixes at least this share of the joints, the pelvis among them, is a pose to the model."""
MOVES_MPS = 0.25
"""Below this speed along a path nobody steps."""
CLOSED_M = 0.05
"""A way that ends as near as this to where it began is closed."""
JOIN = 15
"""Frames at both ends of a loop over which headings are turned to meet."""
LEADS_M = 0.10
"""How far a foot is ahead of the other in a pose that tells the phase of a walk."""
_EASE = Ease("smooth", 0.0)


@dataclass(frozen=True, eq=False)
class Part:
    """Frames [start, stop) of one segment and what its prompt was read as."""

    start: int
    stop: int
    reading: words.Reading
    seed: int | None


@dataclass(frozen=True, eq=False)
class Scene:
    """T frames, all heights over the ground under the way. Shapes as in ``Ask`` without the batch."""

    rotations_xyzw: FloatArray
    root_m: FloatArray
    key: BoolArray
    on_path: BoolArray
    heading_rad: FloatArray
    faces: BoolArray
    parts: tuple[Part, ...]
    stride_hz: tuple[float, float]
    loop: bool

    def __len__(self) -> int:
        return len(self.key)

    def is_as(self, other: Scene) -> bool:
        """Whether the model would be asked the same: poses count on keys, place and heading there and along a way."""
        marks = ("key", "on_path", "faces")
        if not all(np.array_equal(getattr(self, name), getattr(other, name)) for name in marks):
            return False
        jumps = any(p.reading.name == words.JUMP for p in self.parts)  # it is looked for where to take off
        put = self.key | self.on_path | self.faces | jumps
        rows = (("rotations_xyzw", self.key), ("root_m", put), ("heading_rad", put))
        pairs = ((getattr(self, name)[at], getattr(other, name)[at]) for name, at in rows)
        return all(np.allclose(a, b, rtol=0.0, atol=1e-6) for a, b in pairs)

    @property
    def speed_mps(self) -> FloatArray:
        """How fast the root goes over the floor (T,)."""
        moved = np.gradient(self.root_m[:, [0, 2]], axis=0) if len(self) > 1 else np.zeros((1, 2))
        return np.asarray(np.linalg.norm(moved, axis=-1) * figure.FPS_HZ)

    def ask(self, phase_rad: FloatArray, steps: BoolArray) -> Ask:
        """All frames as one ask (B is 1), no style."""
        path = self.root_m[:, [0, 2]].astype(np.float32)
        f32 = np.float32
        return Ask(
            self.rotations_xyzw[None].astype(f32),
            self.root_m[None].astype(f32),
            self.key[None].copy(),
            path[None],
            self.on_path[None].copy(),
            self.heading_rad[None].astype(f32),
            self.faces[None].copy(),
            phase_rad[None].astype(f32),
            steps[None].copy(),
            np.zeros(1, np.int64),
        )

    def steps(self, offset_rad: float = 0.0) -> tuple[FloatArray, BoolArray]:
        """The phase of the steps along the path (T,) and where there are any.

        The rate follows the speed as it did in training; poses with one foot ahead set the phase there, and the
        stretch between two of them is bent to fit. ``offset_rad`` starts a path without such poses elsewhere.
        """
        speed = self.speed_mps
        walks = self.on_path & (speed > MOVES_MPS)
        rate = 2 * np.pi * (self.stride_hz[0] + self.stride_hz[1] * speed) / figure.FPS_HZ * walks
        phase = np.concatenate([[0.0], np.cumsum(rate)[:-1]])
        told = self._told_phases()
        if not told:
            whole = 2 * np.pi * max(1, round(phase[-1] / (2 * np.pi))) / max(phase[-1], 1e-6)
            return phase * (whole if self.loop and phase[-1] > np.pi else 1.0) + offset_rad, walks
        frames = np.array([f for f, _ in told])
        shift: list[float] = []
        for frame, wanted in told:
            near = shift[-1] if shift else 0.0
            off = wanted - phase[frame] - near
            shift.append(near + (off + np.pi) % (2 * np.pi) - np.pi)
        return phase + np.interp(np.arange(len(self)), frames, shift), walks

    def _told_phases(self) -> list[tuple[int, float]]:
        """Keys on the path in which one foot is ahead: frame and phase."""
        frames = np.flatnonzero(self.key & self.on_path)
        if not len(frames):
            return []
        local = self.rotations_xyzw[frames].copy()
        local[:, 0] = quat.mul(quat.about_y(-quat.heading_rad(local[:, 0])), local[:, 0])
        at, _ = kinematics.forward(figure.SKELETON, local, np.zeros((len(frames), 3)))
        lead = at[:, figure.INDEX["l_ankle"], 2] - at[:, figure.INDEX["r_ankle"], 2]
        return [(int(f), 0.0 if x > 0 else np.pi) for f, x in zip(frames, lead, strict=True) if abs(x) > LEADS_M]


def read(request: GenerateRequest, goals: Goals, ground: Ground, stride_hz: tuple[float, float]) -> Scene:
    """The scene of a checked request on the model's own skeleton at its own rate."""
    parts = _parts(request)
    path, way = _way(goals, ground)
    rotations = keyed.joint_rotations(goals, _EASE, skip=frozenset({0}))
    rotations[:, 0] = keyed.root_rotations(goals, way, _EASE)
    keyed_joints = set(goals.rotation_keys())
    for joint, pose in enumerate(figure.standing()):
        if joint not in keyed_joints and joint != 0:
            rotations[:, joint] = pose
    heights = path[:, 1] - ground.smooth_under(path[:, [0, 2]], goals.fps_hz)
    if not goals.root_keys():
        heights[:] = figure.STANDING_M
    root = np.stack([path[:, 0], heights, path[:, 2]], axis=1)
    key = np.zeros(goals.frames, bool)
    frames, table = goals.fixed
    if len(frames):
        key[frames[(table.mean(axis=1) >= MOST_JOINTS) & table[:, 0]]] = True
    on_path = _along(goals, key)
    faces = on_path & (bool(len(goals.headings()[0])) or way.moves)
    heading = np.unwrap(quat.heading_rad(rotations[:, 0]))
    told = len(goals.headings()[0]) > 0
    if goals.loop and not told and on_path.all() and not key.any() and _comes_round(goals.root_points()[1]):
        turn = _round_turn(heading)
        rotations[:, 0] = quat.mul(quat.about_y(turn), rotations[:, 0])
        heading = heading + turn
    made = Scene(rotations, root, key, on_path, heading, faces, parts, stride_hz, goals.loop)
    return _with_a_way(_with_a_pose(made), goals)


def _way(goals: Goals, ground: Ground) -> tuple[FloatArray, curves.Travel]:
    """The root's way (T, 3) through its points. It comes and goes at speed: no easing in and out at the ends of what
    was drawn, since a drawn walk is as fast at its first point as at its second."""
    path, way = keyed.root_motion(goals, ground, _EASE)
    frames, xz = goals.root_points()
    if len(frames) < 2 or (goals.loop and not _comes_round(xz)):
        return path, way
    # The points before and after: of the neighbouring rounds of a loop, else straight on.
    first, last = (-1, 0) if goals.loop else (0, -1)
    steps, ways = np.diff(frames), np.diff(xz, axis=0)
    frames = np.r_[frames[0] - steps[first], frames, frames[-1] + steps[last]]
    xz = np.concatenate([xz[:1] - ways[first], xz, xz[-1:] + ways[last]])
    at = np.arange(goals.frames, dtype=float)
    way = curves.travel(frames, xz, at, _EASE)
    path[:, [0, 2]] = way.xz_m
    if not goals.loop:
        for end, beyond, speed in (
            (1, at < frames[1], ways[0] / steps[0]),
            (-2, at > frames[-2], ways[-1] / steps[-1]),
        ):
            path[np.ix_(beyond, [0, 2])] = xz[end] + _coasted(at[beyond] - frames[end])[:, None] * speed
    return path, way


def _coasted(frames: FloatArray) -> FloatArray:
    """How far who is not asked to go on gets in so many frames (negative: before the first), as frames at full speed:
    the way dies away as that of keys does where no key follows."""
    left = 1.0 - np.clip(np.abs(frames) / SETTLE, 0.0, 1.0)
    return np.asarray(np.sign(frames) * SETTLE / 3.0 * (1.0 - left**3))


def _comes_round(xz_m: FloatArray) -> bool:
    """Whether a loop's way ends where it began, or going the way it began: then its rounds join smoothly."""
    out, home = xz_m[1] - xz_m[0], xz_m[-1] - xz_m[-2]
    closed = float(np.linalg.norm(xz_m[-1] - xz_m[0])) < CLOSED_M
    along = float(out @ home) > 0.8 * float(np.linalg.norm(out) * np.linalg.norm(home))
    return closed or along


def _round_turn(heading_rad: FloatArray) -> FloatArray:
    """What turns a loop's headings (T,) so that they end as they begin: eased in over both ends."""
    whole = 2 * np.pi * round((heading_rad[-1] - heading_rad[0]) / (2 * np.pi))
    miss = float(heading_rad[-1] - heading_rad[0] - whole)
    ends = min(JOIN, len(heading_rad) // 2)
    near = curves.smoothstep(1.0 - np.arange(len(heading_rad)) / ends)
    return np.asarray(miss / 2 * (near - near[::-1]))


def _parts(request: GenerateRequest) -> tuple[Part, ...]:
    out, start = [], 0
    for segment in request.segments:
        stop = start + segment.duration_frames
        prompt = str(getattr(segment, "prompt", "") or "")
        out.append(Part(start, stop, words.read(prompt), getattr(segment, "seed", None)))
        start = stop
    return tuple(out) or (Part(0, request.total_frames, words.Reading(), None),)


def _along(goals: Goals, key: BoolArray) -> BoolArray:
    """Frames between the first and the last point of a drawn path, and beyond them up to the next key: whoever comes
    to a path or leaves it does so where it begins and ends."""
    out = np.zeros(goals.frames, bool)
    drawn = [f for path in goals.paths for f in path.frames.tolist()]
    if len(drawn) > 1:
        first, last = min(drawn), max(drawn)
        before, after = np.flatnonzero(key[: first + 1]), np.flatnonzero(key[last:])
        out[before[-1] if len(before) else 0 : last + after[0] + 1 if len(after) else goals.frames] = True
    return out


def _with_a_pose(scene: Scene) -> Scene:
    """Where nothing at all is asked, a body that stands at both ends."""
    moving = any(p.reading.name in words.SPEED_MPS for p in scene.parts)
    if scene.key.any() or scene.on_path.any() or moving:
        return scene
    key, root = scene.key.copy(), scene.root_m.copy()
    key[[0, -1]] = True
    root[:, 1] = np.maximum(root[:, 1], figure.UPRIGHT_M)
    return _replaced(scene, key=key, root_m=root)


def _with_a_way(scene: Scene, goals: Goals) -> Scene:
    """Walking and running without a path go straight on at their usual speed, or turn off as the prompt says.

    Who goes round in a loop is on his way from the first frame, and ends facing where he faced.
    """
    known = len(goals.root_points()[0])
    if scene.on_path.any() or known > 1 or not any(p.reading.name in words.SPEED_MPS for p in scene.parts):
        return scene
    root, heading = scene.root_m.copy(), scene.heading_rad.copy()
    at, yaw = root[0, [0, 2]].copy(), float(heading[0])
    on_path = np.ones(len(scene), bool)
    for part in scene.parts:
        speed = words.SPEED_MPS.get(part.reading.name, 0.0) * part.reading.pace
        if part.reading.name == words.RUN:
            speed = max(speed, 1.1 * words.RUN_MPS)  # slower than that nobody runs
        n = part.stop - part.start
        on_path[part.start : part.stop] = part.reading.name != words.JUMP
        for i, frame in enumerate(range(part.start, part.stop)):
            root[frame, [0, 2]], heading[frame] = at, yaw
            eased = 1.0 if scene.loop else min(1.0, (i + 1) / 10)
            sign = -1.0 if part.reading.backwards else 1.0
            yaw += part.reading.aside_rad / n if speed and not scene.loop else 0.0
            at = at + np.array([np.sin(yaw), np.cos(yaw)]) * sign * speed * eased / figure.FPS_HZ
    rotations = scene.rotations_xyzw.copy()
    turn = heading - np.unwrap(quat.heading_rad(rotations[:, 0]))
    rotations[:, 0] = quat.mul(quat.about_y(np.where(scene.key, 0.0, turn)), rotations[:, 0])
    return _replaced(
        scene, rotations_xyzw=rotations, root_m=root, heading_rad=heading, on_path=on_path, faces=on_path.copy()
    )


def _replaced(scene: Scene, **changes: Any) -> Scene:
    return Scene(**{**vars(scene), **changes})
