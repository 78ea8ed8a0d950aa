# SPDX-License-Identifier: Apache-2.0
"""A request's segments as stretches that the model can make in one go, and its constraints as the model reads them.

Only what was asked is told to the model: a root path is the root's way and nothing else, a pose key is its own joints.
A pin cannot be told without holding the hips as well, so pins are left to the solve, which moves the limb alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from motionmcp.schemas import GenerateRequest

from kineograph.motion import quat
from kineograph_daemon.backbones.kimodo.seam import Chunk, Order, Pose, Rig, Root

LONGEST_S = 10.0
"""The longest motion that the model makes of one prompt."""
_SHORTEST_FRAMES = 12
_STEPS = 50
_CFG: dict[str, tuple[float, ...]] = {"nocfg": (), "regular": (2.0,), "separated": (2.0, 2.0)}


def prompts(request: GenerateRequest, sanitize: Callable[[str], str]) -> list[str]:
    """One prompt a segment, sanitised; empty for a segment without words, and for a request without segments."""
    told = [sanitize(str(getattr(s, "prompt", "") or "")) for s in request.segments]
    return told or [""]


def order(request: GenerateRequest, rig: Rig, said: Sequence[str], fps_hz: float, seed: int) -> Order:
    """The whole request as one call. ``said``: the prompts of ``prompts``."""
    options = request.options
    kind, weight = "separated", _CFG["separated"]
    if options is not None and options.guidance is not None:
        kind, weight = options.guidance.type, tuple(options.guidance.weight) or _CFG[options.guidance.type]
    roots, poses = _roots(request), _poses(request, rig)
    return Order(
        chunks=tuple(_chunks(request, said, fps_hz, seed)),
        samples=options.num_samples if options else 1,
        steps=_steps(request),
        cfg_type=kind,
        cfg_weight=weight,
        transition_frames=max(1, options.transition_frames) if options else 5,
        roots=tuple(roots),
        poses=tuple(poses),
        heading_rad=_first_heading(request, rig),
    )


def split(frames: int, longest: int) -> list[int]:
    """Near-equal lengths of at most ``longest`` that add up to ``frames``."""
    count = -(-frames // longest)
    return [frames * (i + 1) // count - frames * i // count for i in range(count)]


def stretches(request: GenerateRequest, fps_hz: float) -> list[int]:
    """How many stretches each segment is made in."""
    longest = int(LONGEST_S * fps_hz)
    return [len(split(n, longest)) for n in _lengths(request)]


def _steps(request: GenerateRequest) -> int:
    options = request.options
    if options is None or "diffusion_steps" not in options.model_fields_set:
        return _STEPS
    return options.diffusion_steps


def _lengths(request: GenerateRequest) -> list[int]:
    return [s.duration_frames for s in request.segments] or [request.total_frames]


def _chunks(request: GenerateRequest, said: Sequence[str], fps_hz: float, seed: int) -> list[Chunk]:
    longest = int(LONGEST_S * fps_hz)
    own = [getattr(s, "seed", None) for s in request.segments] or [None]
    out: list[Chunk] = []
    for i, (prompt, frames, given) in enumerate(zip(said, _lengths(request), own, strict=True)):
        for k, length in enumerate(split(frames, longest)):
            of = given if given is not None else seed
            whole = k == 0 and (i == 0 or given is not None)
            out.append(Chunk(prompt, length, of if whole else _derived(of, i, k)))
    return out


def _derived(seed: int, segment: int, part: int) -> int:
    """Another seed that is always the same for the same place."""
    return int.from_bytes(hashlib.sha256(f"{seed} {segment} {part}".encode()).digest()[:4], "little") >> 1


# ---- constraints --------------------------------------------------------------------------------------------------


def _roots(request: GenerateRequest) -> list[Root]:
    out = []
    for c in request.constraints:
        if c.type == "root_path":
            headings = None if c.heading_radians is None else np.asarray(c.heading_radians, np.float32)
            out.append(Root(np.asarray(c.frames, np.int64), np.asarray(c.positions_xz, np.float32), headings))
    return out


def _poses(request: GenerateRequest, rig: Rig) -> list[Pose]:
    return [_pose(c, rig) for c in request.constraints if c.type == "pose_keyframe"]


def _pose(key: Any, rig: Rig) -> Pose:
    """World rotations of joints whose whole chain up to the root is keyed; positions only of a whole, placed pose."""
    world: dict[int, Any] = {}
    places: dict[int, Any] = {}
    for j, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
        given = key.joint_rotations.get(name)
        if given is None or (parent >= 0 and parent not in world):
            continue
        local = np.asarray(given, np.float64)
        world[j] = local if parent < 0 else quat.mul(world[parent], local)
    turned = tuple(world)
    matrices = quat.to_matrix(quat.normalize(np.stack([world[j] for j in turned]))) if turned else np.zeros((0, 3, 3))
    positions = None
    if key.root_position is not None and len(turned) == len(rig.names):
        for j, parent in enumerate(rig.parents):
            offset = rig.neutral_m[j] - (rig.neutral_m[parent] if parent >= 0 else rig.neutral_m[j])
            start = np.asarray(key.root_position, np.float32) if parent < 0 else places[parent]
            places[j] = start if parent < 0 else start + quat.rotate(world[parent], offset)
        positions = np.stack([places[j] for j in range(len(rig.names))]).astype(np.float32)
    return Pose(key.frame, turned, matrices.astype(np.float32), positions)


def _first_heading(request: GenerateRequest, rig: Rig) -> float | None:
    """Which way the motion is asked to face at its start, from a heading or the root's key on the first frame."""
    for c in request.constraints:
        if c.type == "root_path" and c.heading_radians is not None and 0 in c.frames:
            return float(c.heading_radians[c.frames.index(0)])
    for c in request.constraints:
        root = rig.names[0]
        if c.type == "pose_keyframe" and c.frame == 0 and root in c.joint_rotations:
            return float(quat.heading_rad(np.asarray(c.joint_rotations[root], np.float64)))
    return None
