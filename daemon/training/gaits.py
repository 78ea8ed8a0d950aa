# SPDX-License-Identifier: Apache-2.0
"""Walks as other people might walk them: longer or shorter steps, wider, crouched, leaning, toes out, feet lifted high
or dragged, arms held and swung otherwise. What stands still goes on standing still.

The plan of a walk on the floor is scaled about its first frame, feet and pelvis alike: a foot that stood on one spot
stands on one spot still. Legs are then bent again so that feet are where the plan has them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.solve import two_bone
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.pose import Pose
from training.data import MARK, Piece, at_pace, mirrored

FloatArray = NDArray[np.floating[Any]]

LENGTH, PACE = (0.5, 1.25), (0.72, 1.3)
"""How much longer steps are, and how much faster."""
WIDER_M, DROP_M = 0.035, 0.06
"""Standard deviations of how much wider feet are set, and of how far the pelvis is dropped."""
LIFT, BOUNCE = (0.2, 1.8), (0.4, 1.6)
"""How much of their height swinging feet, and of its rise and fall the pelvis, keep."""
TILT_RAD, LEAN_RAD, CARRIAGE_RAD, TOES_RAD = 0.10, 0.10, 0.09, 0.16
"""Standard deviations of the turns of pelvis, spine, each joint of the upper body, and feet."""
SWING = (0.3, 1.8)
HELD_SHARE = 0.35
"""How often arms are carried in a pose out of another motion instead of hanging."""
REACH = 0.985
SMOOTH = 9
"""Frames around one in which a leg would not reach, over which the pelvis comes down."""

_SPINE = [figure.INDEX[n] for n in ("spine1", "spine2", "spine3")]
_CARRIED = [*_SPINE, figure.INDEX["neck"], figure.INDEX["head"]]
_ARMS = [figure.INDEX[s + n] for s in ("l_", "r_") for n in ("collar", "shoulder", "elbow", "wrist")]
_SIDES = (("l_", 1.0), ("r_", -1.0))


GAITS = (0, 1, 2)
"""Classes of motion that may be steps: none told, walks, runs."""
COPIES = 8


def copies(pieces: Sequence[Piece], count: int = COPIES) -> list[Piece]:
    """Each piece that walks in ``count`` other gaits, at other paces, half of them mirrored."""
    out: list[Piece] = []
    for piece in (p for p in pieces if walks(p)):
        for i in range(count):
            rng = np.random.default_rng([zlib.crc32(piece.name.encode()), i])
            made = at_pace(piece, float(rng.uniform(*PACE)))
            made = mirrored(made) if i % 2 else made
            other = pieces[int(rng.integers(len(pieces)))]
            arms = other.rotations_xyzw[int(rng.integers(len(other)))]
            out.append(replace(changed(made, arms, rng), name=f"{piece.name}{MARK}{i}"))
    return out


def walks(piece: Piece) -> bool:
    """Whether a piece is mostly steps on the ground, so that it can be made into another gait."""
    return piece.style in GAITS and len(piece) >= 40 and float(piece.phase[1].mean()) > 0.6


def changed(piece: Piece, arms_xyzw: FloatArray, rng: np.random.Generator) -> Piece:
    """The walk in another gait; ``arms_xyzw`` (22, 4) is a pose that arms may be carried in."""
    length = float(rng.uniform(*LENGTH))
    feet = {side: _foot(piece, side, sign, length, rng) for side, sign in _SIDES}
    rotations, root = np.array(piece.rotations_xyzw, float), np.array(piece.root_m, float)
    _carry(rotations, arms_xyzw, rng)
    root = _scaled(root, root[0], length)
    mean = root[:, 1].mean()
    drop = min(abs(float(rng.normal(scale=DROP_M))), 0.18) if rng.random() < 0.7 else 0.0
    root[:, 1] = mean + (root[:, 1] - mean) * float(rng.uniform(*BOUNCE)) - drop
    pose = Pose(figure.SKELETON, rotations, root, None)
    stand(pose, feet)
    made = quat.continuous(pose.rotations_xyzw).astype(np.float32)
    return replace(piece, rotations_xyzw=made, root_m=pose.root_m.astype(np.float32))


def _scaled(at_m: FloatArray, start_m: FloatArray, length: float) -> FloatArray:
    out = np.array(at_m, float)
    out[:, [0, 2]] = start_m[[0, 2]] + (out[:, [0, 2]] - start_m[[0, 2]]) * length
    return out


def _foot(piece: Piece, side: str, sign: float, length: float, rng: np.random.Generator) -> tuple[FloatArray, ...]:
    """Where an ankle is to be (T, 3), and its world rotation (T, 4)."""
    ankle, toe = figure.INDEX[side + "ankle"], figure.INDEX[side + "toe"]
    at = np.asarray(piece.world_m, float)
    turn = quat.normalize(np.asarray(_world(piece)[:, ankle], float))
    out = quat.about_y(np.array(sign * float(rng.normal(scale=TOES_RAD))))
    plan = _scaled(at[:, toe], np.asarray(piece.root_m[0], float), length)
    lifted = np.maximum(at[:, toe, 1] - np.percentile(at[:, toe, 1], 15) - 0.01, 0.0)
    plan[:, 1] += lifted * (float(rng.uniform(*LIFT)) - 1.0)
    aside = quat.rotate(quat.about_y(piece.yaw_rad), np.array([1.0, 0.0, 0.0]))
    plan += aside * sign * float(np.clip(rng.normal(0.01, WIDER_M), -0.03, 0.12))
    return plan + quat.rotate(out, at[:, ankle] - at[:, toe]), quat.mul(out, turn)


def _world(piece: Piece) -> FloatArray:
    return Pose(figure.SKELETON, piece.rotations_xyzw, piece.root_m, None).world_xyzw


def _carry(rotations: FloatArray, arms_xyzw: FloatArray, rng: np.random.Generator) -> None:
    """Pelvis, spine and arms carried elsewhere, swinging more or less. Changes rotations."""
    tilt = quat.from_rotvec(np.array([rng.normal(scale=TILT_RAD), 0.0, rng.normal(scale=0.3 * TILT_RAD)]))
    rotations[:, 0] = quat.mul(rotations[:, 0], tilt)
    lean = float(rng.normal(scale=LEAN_RAD)) * np.array([1.0, 0.0, 0.0])
    _around(rotations, _SPINE, float(rng.uniform(*SWING)), lambda _: lean + rng.normal(scale=0.04, size=3))
    _around(rotations, _CARRIED[3:], float(rng.uniform(*SWING)), lambda _: rng.normal(scale=CARRIAGE_RAD, size=3))
    held = rng.random() < HELD_SHARE
    swing = float(rng.uniform(0.0, 0.8)) if held else float(rng.uniform(*SWING))
    if held:
        for joint in _ARMS:
            mean = quat.normalize(rotations[:, joint].mean(axis=0))
            away = quat.mul(quat.conj(mean), rotations[:, joint])
            rotations[:, joint] = quat.mul(arms_xyzw[joint].astype(float), away)
    _around(rotations, _ARMS, swing, lambda _: rng.normal(scale=CARRIAGE_RAD, size=3))


def _around(rotations: FloatArray, joints: list[int], swing: float, turn: Any) -> None:
    """Joints turned by ``turn(joint)`` (3,) radians, their swing around their mean scaled. Changes rotations."""
    for joint in joints:
        rotations[:, joint] = quat.continuous(rotations[:, joint])
        mean = quat.normalize(rotations[:, joint].mean(axis=0))
        off = quat.to_rotvec(quat.mul(quat.conj(mean), rotations[:, joint]))
        carried = quat.mul(mean, quat.from_rotvec(np.asarray(turn(joint), float)))
        rotations[:, joint] = quat.mul(carried, quat.from_rotvec(off * swing))


def stand(pose: Pose, feet: Mapping[str, tuple[FloatArray, ...]]) -> None:
    """Bend the legs so that the feet are where they are to be; the pelvis comes down where they would not reach."""
    body, every = read_body(figure.SKELETON), np.arange(len(pose))
    limbs = {side: body.limbs[figure.INDEX[side + "ankle"]] for side in feet}
    for _ in range(2):
        over = [two_bone.excess_m(pose, limbs[s], every, at, REACH) for s, (at, _turn) in feet.items()]
        need = np.max(over, axis=0)
        if need.max() <= 1e-4:
            break
        wide = np.lib.stride_tricks.sliding_window_view(np.pad(need, SMOOTH, mode="edge"), 2 * SMOOTH + 1).max(axis=1)
        kernel = np.hanning(SMOOTH + 2)[1:-1]
        even = np.convolve(np.pad(wide, len(kernel) // 2, mode="edge"), kernel / kernel.sum(), mode="valid")
        pose.shift(np.stack([0 * even, -1.3 * even, 0 * even], axis=1)[: len(pose)])
    for side, (at, turn) in feet.items():
        two_bone.solve(pose, limbs[side], every, at, turn)
