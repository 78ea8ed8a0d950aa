# SPDX-License-Identifier: Apache-2.0
"""Motion through keys: every joint on its own curve, the root along its path, facing where it goes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.interpolate import slope
from kineograph_daemon.solve import curves
from kineograph_daemon.solve.curves import Ease
from kineograph_daemon.solve.goals import Goals, groups
from kineograph_daemon.solve.ground import Ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

FACING_S = 0.25
"""Half-width of the window over which facing along a path is smoothed, seconds."""
RELEASE_S = 1.2
"""How long a key's own facing lasts beyond the outermost key before the path's tangent takes over, seconds."""


def plain(goals: Goals, ground: Ground, ease: Ease) -> Pose:
    """The curves alone: no feet, no arms, no variation."""
    root = goals.skeleton.root
    rotations = joint_rotations(goals, ease, skip=frozenset({root}))
    path, way = root_motion(goals, ground, ease)
    rotations[:, root] = root_rotations(goals, way, ease)
    slope.tilt(goals, ground, path, rotations[:, root])
    return Pose(goals.skeleton, rotations, path)


def joint_rotations(goals: Goals, ease: Ease, skip: frozenset[int] = frozenset()) -> FloatArray:
    """Local rotations (T, J, 4): curves through the keys of each joint, rest where a joint has none."""
    at = np.arange(goals.frames, dtype=float)
    rest = goals.skeleton.rest_rotations_xyzw
    out = np.broadcast_to(rest, (goals.frames, *rest.shape)).copy()
    tracks = {j: track for j, track in goals.rotation_keys().items() if j not in skip}
    if goals.loop:
        tracks = {j: _closed(f, q, goals.frames) for j, (f, q) in tracks.items()}
    for joints, frames, values in groups(tracks):
        out[:, joints] = curves.rotations(frames, values, at, ease, periodic=goals.loop)
    return out


def _closed(frames: IntArray, q: FloatArray, total: int) -> tuple[IntArray, FloatArray]:
    """A track whose last frame is its first again, unless keys stand on both."""
    last = total - 1
    if last == 0 or (frames[0] == 0 and frames[-1] == last):
        return frames, q
    if frames[-1] == last:
        return np.r_[0, frames], np.concatenate([q[-1:], q])
    if frames[0] == 0:
        return np.r_[frames, last], np.concatenate([q, q[:1]])
    # Neither end is keyed: the value at the seam lies on the way from the last key to the first.
    part = (last - frames[-1]) / (last - frames[-1] + frames[0])
    seam = quat.slerp(q[-1], q[0], float(part))[None]
    return np.r_[0, frames, last], np.concatenate([seam, q, seam])


def root_motion(goals: Goals, ground: Ground, ease: Ease) -> tuple[FloatArray, curves.Travel]:
    """The root's world positions (T, 3) and the way it travels."""
    at = np.arange(goals.frames, dtype=float)
    rest = goals.skeleton.rest_translations_m[goals.skeleton.root]
    frames, xz = goals.root_points()
    if not len(frames):
        frames, xz = np.array([0]), rest[None, [0, 2]]
    # Where the body is over time never overshoots: a path is a place, not a swing.
    way = curves.travel(frames, xz, at, Ease(ease.kind, 0.0), periodic=goals.loop)
    height = _heights(goals, ground, way.xz_m, float(rest[1]), ease)
    return np.stack([way.xz_m[:, 0], height, way.xz_m[:, 1]], axis=1), way


def _heights(goals: Goals, ground: Ground, xz: FloatArray, rest_y: float, ease: Ease) -> FloatArray:
    """Root heights (T,): keyed heights are kept exactly; between them the height above the ground is what eases."""
    floor = ground.smooth_under(xz, goals.fps_hz)
    keyed = {f: float(p[1] - floor[f]) for f, p in goals.root_keys().items()}
    frames = np.array(sorted(keyed), int)
    if not len(frames):
        return np.asarray(floor + (rest_y - ground.rest_floor_m))
    above = np.array([keyed[int(f)] for f in frames])
    at = np.arange(goals.frames, dtype=float)
    if goals.loop and not (frames[0] == 0 and frames[-1] == goals.frames - 1):
        last = goals.frames - 1
        around, first = np.unique(np.concatenate([frames - last, frames, frames + last]), return_index=True)
        return np.asarray(floor + curves.scalars(around, np.tile(above, 3)[first], at, ease))
    return np.asarray(floor + curves.scalars(frames, above, at, ease))


def root_rotations(goals: Goals, way: curves.Travel, ease: Ease) -> FloatArray:
    """The root's rotations (T, 4): keyed turns, headings of the path, else facing along the path."""
    at = np.arange(goals.frames, dtype=float)
    rest = goals.skeleton.rest_rotations_xyzw[goals.skeleton.root]
    keys = goals.rotation_keys().get(goals.skeleton.root)
    facing = _facing(goals, way, ease, keys is None)
    if facing is None:
        if keys is None:
            return np.broadcast_to(rest, (goals.frames, 4)).copy()
        frames, q = _closed(*keys, goals.frames) if goals.loop else keys
        return curves.rotations(frames, q, at, ease, periodic=goals.loop)
    turn = quat.about_y(facing)
    if keys is None:
        return quat.mul(turn, rest)
    frames, q = keys
    offset = quat.mul(quat.conj(turn[frames]), q)
    frames, offset = _released(goals, frames, offset, rest)
    return quat.mul(turn, curves.rotations(frames, offset, at, ease))


def _facing(goals: Goals, way: curves.Travel, ease: Ease, alone: bool) -> FloatArray | None:
    """Heading (T,) radians that the path gives, or None when no path says anything about facing."""
    frames, headings = goals.headings()
    tangent = np.unwrap(np.arctan2(way.tangent[:, 0], way.tangent[:, 1]))
    if len(frames):
        frames, headings = _with_keyed(goals, frames, headings)
        return curves.scalars(frames, headings, np.arange(goals.frames, dtype=float), ease)
    if not goals.paths or not way.moves:
        return np.zeros(goals.frames) if alone and goals.paths else None
    return _smoothed(tangent, goals.fps_hz)


def _with_keyed(goals: Goals, frames: IntArray, headings: FloatArray) -> tuple[IntArray, FloatArray]:
    """A path's headings together with those of keys that turn the root, so that neither disturbs the other."""
    root = goals.skeleton.root
    keyed = goals.rotation_keys().get(root)
    if keyed is None:
        return frames, headings
    rest = quat.conj(goals.skeleton.rest_rotations_xyzw[root])
    both = np.concatenate([frames, keyed[0]])
    values = np.concatenate([headings, quat.heading_rad(quat.mul(keyed[1], rest))])
    order = np.argsort(both)
    return both[order], np.unwrap(values[order])


def _smoothed(values: FloatArray, fps_hz: float) -> FloatArray:
    """A Hann-weighted mean over +-``FACING_S``."""
    half = round(FACING_S * fps_hz)
    if half < 1 or len(values) < 3:
        return values
    window = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")


def _released(goals: Goals, frames: IntArray, offset: FloatArray, rest: FloatArray) -> tuple[IntArray, FloatArray]:
    """Beyond the outermost key the body turns to where the path goes, keeping its lean."""
    reach = round(RELEASE_S * goals.fps_hz)
    heading = quat.heading_rad(quat.mul(offset, quat.conj(rest)))

    def straight(i: int) -> FloatArray:
        return quat.mul(quat.about_y(-heading[i]), offset[i])[None]

    if frames[-1] + reach < goals.frames - 1:
        frames, offset = np.r_[frames, frames[-1] + reach], np.concatenate([offset, straight(-1)])
    if frames[0] - reach > 0:
        frames, offset = np.r_[frames[0] - reach, frames], np.concatenate([straight(0), offset])
    return frames, offset
