# SPDX-License-Identifier: Apache-2.0
"""A 77-joint character with fingers, and a smooth walk-like motion of any length, the same for every contender."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
JOINTS = 77


@cache
def rig() -> Skeleton:
    """Hips, a three-part spine, neck, head, limbs, five fingers of four joints a hand, and helpers up to 77."""
    names, parents, offsets = ["Hips"], [-1], [(0.0, 0.96, 0.0)]

    def add(name: str, parent: str, *offset: float) -> None:
        parents.append(names.index(parent))
        names.append(name)
        offsets.append(tuple(offset))  # type: ignore[arg-type]

    for name, parent, y in (("Spine", "Hips", 0.1), ("Spine1", "Spine", 0.12), ("Chest", "Spine1", 0.14)):
        add(name, parent, 0.0, y, 0.0)
    add("Neck", "Chest", 0.0, 0.2, 0.0)
    add("Head", "Neck", 0.0, 0.1, 0.02)
    add("HeadEnd", "Head", 0.0, 0.18, 0.0)
    for side, s in (("Left", 1.0), ("Right", -1.0)):
        for name, parent, x, y in (
            ("Shoulder", "Chest", 0.05, 0.15),
            ("Arm", side + "Shoulder", 0.13, 0.0),
            ("ForeArm", side + "Arm", 0.28, 0.0),
            ("Hand", side + "ForeArm", 0.25, 0.0),
        ):
            add(side + name, parent, s * x, y, 0.0)
        for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky"):
            parent = side + "Hand"
            for k in range(1, 5):
                add(f"{side}Hand{finger}{k}", parent, s * 0.03, 0.0, 0.0)
                parent = f"{side}Hand{finger}{k}"
        add(side + "UpLeg", "Hips", s * 0.1, -0.05, 0.0)
        add(side + "Leg", side + "UpLeg", 0.0, -0.43, 0.0)
        add(side + "Foot", side + "Leg", 0.0, -0.42, 0.0)
        add(side + "ToeBase", side + "Foot", 0.0, -0.05, 0.13)
        add(side + "ToeEnd", side + "ToeBase", 0.0, 0.0, 0.06)
    while len(names) < JOINTS:
        add(f"Helper{len(names)}", "Hips", 0.0, 0.01 * len(names), 0.0)
    return Skeleton.build(names, parents, offsets)


@cache
def motion(frames: int, samples: int) -> tuple[FloatArray, FloatArray]:
    """Rotations (B, T, J, 4) float32 and root (B, T, 3) float32: every joint sways, the root walks at 1.2 m/s."""
    rng = np.random.default_rng(frames * 31 + samples)
    t_s = np.arange(frames)[None, :, None, None] / 30.0
    shape = (samples, 1, JOINTS, 3)
    sway, phase, rate = rng.uniform(0, 0.25, shape), rng.uniform(0, 2 * np.pi, shape), rng.uniform(0.5, 1.5, shape)
    rotations = quat.from_rotvec(sway * np.sin(2 * np.pi * rate * t_s + phase)).astype(np.float32)
    root = np.zeros((samples, frames, 3), np.float32)
    root[..., 1] = 0.96 + 0.02 * np.sin(12 * t_s[0, :, 0, 0])
    root[..., 2] = 1.2 * t_s[0, :, 0, 0]
    return rotations, root


def request(frames: int, samples: int) -> dict[str, Any]:
    """The MMCP request that asks for ``motion(frames, samples)``."""
    return {
        "protocol_version": "1.4",
        "model": "bench",
        "skeleton": rig().to_mmcp(),
        "segments": [{"type": "text", "prompt": "a person walks forward", "duration_frames": frames}],
        "options": {
            "num_samples": samples,
            "seed": 1,
            "post_processing": False,
        },  # as it was made: no solve on either side
    }


def spec() -> dict[str, Any]:
    """The ModelSpec of the model that answers."""
    return {
        "id": "bench",
        "fps": 30.0,
        "canonical_skeleton": rig().to_mmcp(),
        "supports_retargeting": False,
        "supported_segments": ["text", "unconditioned"],
        "supported_constraints": ["root_path", "effector_target", "pose_keyframe"],
        "limits": {"max_request_bytes": 64 * 2**20},
    }
