# SPDX-License-Identifier: Apache-2.0
"""The demo's scene as an MMCP request: a walk blocked out in ten poses along a curve, then a hand on a shelf.

The poses are set the way an animator blocks a walk: a contact and a passing pose for every step, each foot standing
where it was put until it lifts. Only the poses are given; everything between them is the model's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.demo.character import character
from kineograph.motion import kinematics, quat
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

FPS_HZ = 30.0
FRAMES = 141
REACH_FRAME = 114
_X, _Z = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class _Block:
    """One blocked pose: where along the walk, how high, which feet stand, how the body swings."""

    frame: int
    travel: float  # along the path, 0 to 1
    hips_m: float  # height
    left: tuple[float, float]  # foot: step along the path in metres, lift in metres
    right: tuple[float, float]
    swing: float  # -1 right arm forward .. 1 left arm forward
    pitch_rad: tuple[float, float] = (0.0, 0.0)  # foot pitch, positive is toes down


_LENGTH_M = 2.4
_BLOCKS = (
    _Block(0, 0.0, 0.915, (0.0, 0.0), (0.0, 0.0), 0.0),
    _Block(10, 0.10, 0.905, (0.30, 0.12), (0.0, 0.0), -0.4, (0.2, 0.05)),
    _Block(20, 0.23, 0.875, (0.85, 0.0), (0.28, 0.02), -1.0, (-0.15, 0.5)),
    _Block(32, 0.37, 0.912, (0.85, 0.0), (0.90, 0.13), 0.0, (0.0, 0.25)),
    _Block(43, 0.51, 0.875, (0.98, 0.02), (1.52, 0.0), 1.0, (0.5, -0.15)),
    _Block(54, 0.65, 0.912, (1.58, 0.13), (1.52, 0.0), 0.0, (0.25, 0.0)),
    _Block(65, 0.80, 0.880, (2.20, 0.0), (1.65, 0.02), -1.0, (-0.12, 0.45)),
    _Block(76, 0.92, 0.910, (2.20, 0.0), (2.15, 0.10), -0.2, (0.0, 0.2)),
    _Block(86, 0.97, 0.900, (2.20, 0.0), (2.40, 0.0), 0.0),
    _Block(140, 0.97, 0.898, (2.20, 0.0), (2.40, 0.0), 0.1),
)


def request(model: str | None = None) -> dict[str, Any]:
    """The MMCP GenerateRequest of the demo; ``model`` None leaves the choice to the sender."""
    skeleton = character()
    keys = [_pose(skeleton, b) for b in _BLOCKS]
    frames = [int(f) for f in np.linspace(0, 86, 18)]
    travel = np.interp(frames, [b.frame for b in _BLOCKS], [b.travel for b in _BLOCKS])
    points = [_on_path(float(u))[:2] for u in travel]
    shelf = _shelf()
    return {
        "protocol_version": "1.4",
        "model": model or "",
        "skeleton": skeleton.to_mmcp(),
        "segments": [
            {"type": "text", "prompt": "walks to the shelf", "duration_frames": 90},
            {"type": "unconditioned", "duration_frames": FRAMES - 90},  # the pin says what happens
        ],
        "constraints": [
            *keys,
            {
                "type": "root_path",
                "frames": frames,
                "positions_xz": [[float(x), float(z)] for x, z in points],
            },
            {
                "type": "effector_target",
                "joint": "RightHand",
                "frames": [REACH_FRAME],
                "positions": [[float(v) for v in shelf]],
            },
        ],
        "timing": {"fps": FPS_HZ},
        "options": {},
    }


def refs() -> dict[str, Any]:
    """What the sender calls its constraints, for messages about them."""
    return {"constraints": [*(f"key at frame {b.frame}" for b in _BLOCKS), "walk path", "shelf"]}


def _on_path(u: float) -> tuple[float, float, float]:
    """Ground position and heading at ``u`` of the way: a gentle curve to the character's left."""
    angle = 0.6 * u
    radius = _LENGTH_M / 0.6
    return radius * (1 - np.cos(angle)), radius * np.sin(angle), angle


def _shelf() -> FloatArray:
    """A point before the right shoulder at the end of the way."""
    x, z, heading = _on_path(1.0)
    return np.array([x, 0.0, z]) + quat.rotate(quat.about_y(heading), np.array([-0.20, 1.30, 0.40]))


def _pose(skeleton: Skeleton, block: _Block) -> dict[str, Any]:
    """One block as a pose_keyframe: legs reach their footprints, arms and chest counter-swing."""
    x, z, heading = _on_path(block.travel)
    local = quat.identity(len(skeleton))
    joint = skeleton.index
    swing = 0.16 * block.swing
    local[joint["Hips"]] = quat.mul(quat.about_y(heading - swing), quat.from_axis_angle(_X, 0.03))
    local[joint["Spine"]] = quat.about_y(0.9 * swing)
    local[joint["Chest"]] = quat.mul(quat.about_y(0.9 * swing), quat.from_axis_angle(_X, 0.03))
    local[joint["Neck"]] = quat.about_y(-0.8 * swing)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        forward = 0.42 * block.swing * sign
        hang = quat.from_axis_angle(_Z, -sign * 1.32)
        local[joint[side + "UpperArm"]] = quat.mul(quat.from_axis_angle(_X, -forward), hang)
        local[joint[side + "LowerArm"]] = quat.about_y(-sign * (0.28 + 0.25 * max(forward, 0.0)))
    root = np.array([x, block.hips_m, z])
    for side, (along, lift), pitch in zip(("Left", "Right"), (block.left, block.right), block.pitch_rad, strict=True):
        _plant(skeleton, local, root, side, along / _LENGTH_M, lift, pitch)
    return {
        "type": "pose_keyframe",
        "frame": block.frame,
        "joint_rotations": {n: [float(v) for v in q] for n, q in zip(skeleton.names, local, strict=True)},
        "root_position": [float(v) for v in root],
    }


def _plant(
    skeleton: Skeleton, local: FloatArray, root: FloatArray, side: str, u: float, lift_m: float, pitch_rad: float
) -> None:
    """Bend one leg so that its ankle stands over its footprint; the law of cosines gives the knee."""
    x, z, heading = _on_path(u)
    lateral = 0.095 if side == "Left" else -0.095
    facing = quat.about_y(heading)
    sole = np.array([x, 0.0, z]) + quat.rotate(facing, np.array([lateral, 0.0, -0.02]))
    heel_rise = 0.13 * np.sin(max(pitch_rad, 0.0)) + 0.02 * np.sin(max(-pitch_rad, 0.0))
    ankle = sole + np.array([0.0, 0.08 + lift_m + heel_rise, 0.0])
    names = [side + n for n in ("UpperLeg", "LowerLeg", "Foot")]
    hip_i, knee_i, foot_i = (skeleton.index[n] for n in names)
    pos, rot = kinematics.forward(skeleton, local, root)
    thigh, shin = skeleton.rest_translations_m[knee_i], skeleton.rest_translations_m[foot_i]
    a, b = float(np.linalg.norm(thigh)), float(np.linalg.norm(shin))
    reach = float(np.clip(np.linalg.norm(ankle - pos[hip_i]), abs(a - b) + 1e-3, (a + b) * 0.999))
    bend = np.pi - np.arccos((a * a + b * b - reach * reach) / (2 * a * b))
    rest_bend = np.arctan2(thigh[2], -thigh[1]) - np.arctan2(shin[2], -shin[1])
    local[knee_i] = quat.from_axis_angle(_X, bend - rest_bend)
    pos, rot = kinematics.forward(skeleton, local, root)
    swing = quat.between(pos[foot_i] - pos[hip_i], ankle - pos[hip_i])
    parent = rot[skeleton.parents[hip_i]]
    local[hip_i] = quat.mul(quat.conj(parent), quat.mul(swing, quat.mul(parent, local[hip_i])))
    _, rot = kinematics.forward(skeleton, local, root)
    foot = quat.mul(facing, quat.from_axis_angle(_X, pitch_rad))
    local[foot_i] = quat.mul(quat.conj(rot[knee_i]), foot)
    if pitch_rad > 0.1 and lift_m < 0.05:  # the ball of the foot stays down while the heel rises
        toes = skeleton.index[side + "Toes"]
        local[toes] = quat.from_axis_angle(_X, -pitch_rad)
