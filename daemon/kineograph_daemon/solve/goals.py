# SPDX-License-Identifier: Apache-2.0
"""What a request asks of the motion, as arrays: keys, root points, effector tracks, ground.

Conflicts are settled here, once: where two constraints speak about the same joint or root at the same frame, a pose
key wins over everything, and among equals the one that stands later in the request wins. What lost is remembered, so
that the report can say so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from motionmcp.schemas import (
    EffectorTargetConstraint,
    GenerateRequest,
    GroundHeightConstraint,
    PoseKeyframeConstraint,
    RootPathConstraint,
)
from motionmcp.schemas import Skeleton as MmcpSkeleton
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class KeyPose:
    """A pose key: ``joints`` (K,) indices, ``rotations_xyzw`` (K, 4) local, an optional root position (3,).

    ``asked`` is how many of the joints the request names; the rest come from ``fill_mode: "rest"``. ``unturned`` are
    those whose rotation was sent with length zero, which is taken as none.
    """

    where: int
    frame: int
    joints: IntArray
    rotations_xyzw: FloatArray
    root_m: FloatArray | None
    asked: int
    unturned: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class RootPath:
    """Root points: ``frames`` (N,), ``xz_m`` (N, 2), ``heading_rad`` (N,) or None."""

    where: int
    frames: IntArray
    xz_m: FloatArray
    heading_rad: FloatArray | None


@dataclass(frozen=True, eq=False)
class EffectorTrack:
    """Targets of one joint: ``frames`` (N,), ``positions_m`` (N, 3) world, ``rotations_xyzw`` (N, 4) world or None.

    ``unturned`` are frames whose rotation was sent with length zero, which is taken as none.
    """

    where: int
    joint: int
    frames: IntArray
    positions_m: FloatArray
    rotations_xyzw: FloatArray | None
    unturned: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Goals:
    """Everything a request asks of ``frames`` frames at ``fps_hz``. ``ground_m`` (P, 3) are x, y, z surface points."""

    skeleton: Skeleton
    frames: int
    fps_hz: float
    keys: tuple[KeyPose, ...] = ()
    paths: tuple[RootPath, ...] = ()
    effectors: tuple[EffectorTrack, ...] = ()
    ground_m: FloatArray | None = None
    loop: bool = False
    ground_where: tuple[int, ...] = field(default=())

    @property
    def key_frames(self) -> list[int]:
        """Every frame that carries a pose key, ascending."""
        return sorted({k.frame for k in self.keys})

    @cached_property
    def fixed(self) -> tuple[IntArray, BoolArray]:
        """Key frames (F,), ascending, and which joints keys fix there (F, J)."""
        frames = np.array(self.key_frames, int)
        table = np.zeros((len(frames), len(self.skeleton)), bool)
        for key in self.keys:
            table[np.searchsorted(frames, key.frame), key.joints] = True
        return frames, table

    @cached_property
    def unturned(self) -> dict[int, tuple[int, ...]]:
        """By the place of a key its joints, of a target its frames, whose rotation was sent with length zero."""
        keys = {k.where: k.unturned for k in self.keys if k.unturned}
        return keys | {e.where: e.unturned for e in self.effectors if e.unturned}

    @cached_property
    def is_all_keyed(self) -> bool:
        """Whether keys fix every joint and the root's place on every frame."""
        if len(self.keys) < self.frames:
            return False
        frames, table = self.fixed
        return len(frames) == self.frames == len(self.root_keys()) and bool(table.all())

    def frames_fixing(self, joints: Sequence[int], *, all_of_them: bool = False) -> list[int]:
        """Frames whose keys fix any of these joints (or all of them), ascending."""
        frames, table = self.fixed
        pick = table[:, list(joints)]
        hit = pick.all(axis=1) if all_of_them else pick.any(axis=1)
        return [int(f) for f in frames[hit]]

    def rotation_keys(self) -> dict[int, tuple[IntArray, FloatArray]]:
        """Joint to (frames (K,), rotations (K, 4)), frames ascending; the later constraint wins a frame."""
        return self._rotation_keys

    @cached_property
    def _rotation_keys(self) -> dict[int, tuple[IntArray, FloatArray]]:
        found: dict[int, dict[int, FloatArray]] = {}
        for key in self.keys:
            for joint, rotation in zip(key.joints.tolist(), key.rotations_xyzw, strict=True):
                found.setdefault(joint, {})[key.frame] = rotation
        return {j: _sorted_track(at) for j, at in found.items()}

    def root_keys(self) -> dict[int, FloatArray]:
        """Frame to the root's keyed position (3,)."""
        return {k.frame: k.root_m for k in self.keys if k.root_m is not None}

    def root_points(self) -> tuple[IntArray, FloatArray]:
        """Frames (N,) and positions (N, 2) of every constrained root point; a key's position wins over a path's."""
        at: dict[int, FloatArray] = {}
        for path in self.paths:
            at.update(zip(path.frames.tolist(), path.xz_m, strict=True))
        at.update({f: p[[0, 2]] for f, p in self.root_keys().items()})
        return _sorted_track(at, 2)

    def headings(self) -> tuple[IntArray, FloatArray]:
        """Frames (N,) and headings (N,) that paths ask for, unwrapped, less the frames whose key turns the root."""
        keyed = set(self.rotation_keys().get(self.skeleton.root, (np.empty(0, int),))[0].tolist())
        at: dict[int, float] = {}
        for path in self.paths:
            if path.heading_rad is not None:
                at.update(zip(path.frames.tolist(), path.heading_rad.tolist(), strict=True))
        frames = np.array(sorted(f for f in at if f not in keyed), int)
        return frames, np.unwrap(np.array([at[int(f)] for f in frames], float))


def _sorted_track(at: dict[int, FloatArray], width: int = 4) -> tuple[IntArray, FloatArray]:
    frames = np.array(sorted(at), int)
    return frames, np.array([at[int(f)] for f in frames], float).reshape(len(frames), width)


class _Made(NamedTuple):
    sent: MmcpSkeleton  # kept together, so that the id stays its own
    skeleton: Skeleton
    shows_names: bool


_made: OrderedDict[int, _Made] = OrderedDict()
_MOST_MADE = 32


def skeleton_of(sent: MmcpSkeleton) -> Skeleton:
    """An MMCP skeleton as arrays. The same object gives the same arrays: a typed skeleton is never changed."""
    known = _made.get(id(sent))
    if known is None or known.sent is not sent:
        known = _made[id(sent)] = _Made(sent, _skeleton_of(sent), any(j.display_name for j in sent.joints))
        if len(_made) > _MOST_MADE:
            _made.popitem(last=False)
    return known.skeleton


def shows_names(sent: MmcpSkeleton) -> bool:
    """Whether a skeleton's joints have names for people; looked at once for each, as in ``skeleton_of``."""
    skeleton_of(sent)
    return _made[id(sent)].shows_names


def _skeleton_of(sent: MmcpSkeleton) -> Skeleton:
    joints = sent.joints
    index = {j.name: i for i, j in enumerate(joints)}
    return Skeleton.build(
        [j.name for j in joints],
        [-1 if j.parent is None else index[j.parent] for j in joints],
        [j.rest_translation for j in joints],
        [j.rest_rotation for j in joints],
    )


def read_goals(request: GenerateRequest, fps_hz: float, skeleton: Skeleton | None = None) -> Goals:
    """The constraints of a checked request."""
    skeleton = skeleton or skeleton_of(request.skeleton)
    keys: list[KeyPose] = []
    paths: list[RootPath] = []
    effectors: list[EffectorTrack] = []
    ground: list[FloatArray] = []
    ground_where: list[int] = []
    frames_with_path = {f for c in request.constraints if isinstance(c, RootPathConstraint) for f in c.frames}
    for where, c in enumerate(request.constraints):
        match c:
            case PoseKeyframeConstraint():
                keys.append(_read_key(c, where, skeleton, c.frame in frames_with_path))
            case RootPathConstraint():
                heading = None if c.heading_radians is None else np.asarray(c.heading_radians, float)
                xz = np.asarray(c.positions_xz, float).reshape(-1, 2)
                paths.append(RootPath(where, np.asarray(c.frames, int), xz, heading))
            case EffectorTargetConstraint():
                effectors.append(_read_effector(c, where, skeleton))
            case GroundHeightConstraint():
                ground.append(np.asarray(c.points, float).reshape(-1, 3)[:, [0, 2, 1]])
                ground_where.append(where)
    return Goals(
        skeleton=skeleton,
        frames=request.total_frames,
        fps_hz=fps_hz,
        keys=tuple(sorted(keys, key=lambda k: (k.frame, k.where))),
        paths=tuple(paths),
        effectors=tuple(effectors),
        ground_m=np.concatenate(ground) if ground else None,
        ground_where=tuple(ground_where),
        loop=request.options is not None and request.options.loop,
    )


def _read_key(c: PoseKeyframeConstraint, where: int, skeleton: Skeleton, path_turns_root: bool) -> KeyPose:
    joints = [skeleton.index[name] for name in c.joint_rotations]
    rotations = [np.asarray(q, float) for q in c.joint_rotations.values()]
    asked = len(joints)
    if c.fill_mode == "rest":
        named = set(joints)
        # A path turns the root at this frame: rest then means the body's pose, not which way it faces.
        fill = [j for j in range(len(skeleton)) if j not in named and not (j == skeleton.root and path_turns_root)]
        joints += fill
        rotations += list(skeleton.rest_rotations_xyzw[fill])
    root = None if c.root_position is None else np.asarray(c.root_position, float)
    sent = np.array(rotations)
    unturned = tuple(joints[i] for i in np.flatnonzero(quat.is_zero(sent)))
    return KeyPose(where, c.frame, np.array(joints, int), quat.normalize(sent), root, asked, unturned)


def _read_effector(c: EffectorTargetConstraint, where: int, skeleton: Skeleton) -> EffectorTrack:
    # Frames of an effector need not be ascending; a frame named twice keeps its later target.
    order = {int(f): i for i, f in enumerate(c.frames)}
    pick = [order[f] for f in sorted(order)]
    frames = np.array(sorted(order), int)
    positions = np.asarray(c.positions, float).reshape(-1, 3)[pick]
    rotations, unturned = None, ()
    if c.rotations is not None:
        sent = np.asarray(c.rotations, float).reshape(-1, 4)[pick]
        rotations, unturned = quat.normalize(sent), tuple(frames[quat.is_zero(sent)].tolist())
    return EffectorTrack(where, skeleton.index[c.joint], frames, positions, rotations, unturned)


def runs(mask: BoolArray) -> list[tuple[int, int]]:
    """Stretches [start, stop) where a (T,) mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def groups(tracks: dict[int, tuple[IntArray, FloatArray]]) -> list[tuple[IntArray, IntArray, FloatArray]]:
    """Joints that share their key frames, taken together: (joints (K,), frames (N,), values (N, K, ...))."""
    by_frames: dict[tuple[int, ...], list[int]] = {}
    for joint, (frames, _) in tracks.items():
        by_frames.setdefault(tuple(frames.tolist()), []).append(joint)
    return [
        (np.array(joints, int), np.array(frames, int), np.stack([tracks[j][1] for j in joints], axis=1))
        for frames, joints in by_frames.items()
    ]
