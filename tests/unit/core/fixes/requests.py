# SPDX-License-Identifier: Apache-2.0
"""Small requests for the tests of this folder."""

from __future__ import annotations

from typing import Any

IDENTITY = [0.0, 0.0, 0.0, 1.0]


def joint(name: str, parent: str | None, *at: float) -> dict[str, Any]:
    return {"name": name, "parent": parent, "rest_translation": list(at) or [0.0, 0.1, 0.0], "rest_rotation": IDENTITY}


def key(frame: int, *names: str) -> dict[str, Any]:
    return {"type": "pose_keyframe", "frame": frame, "joint_rotations": dict.fromkeys(names or ("Hips",), IDENTITY)}


def pin(name: str, *frames: int) -> dict[str, Any]:
    return {
        "type": "effector_target",
        "joint": name,
        "frames": list(frames),
        "positions": [[0.3, 1.2, 0.0]] * len(frames),
    }


def path(*frames: int) -> dict[str, Any]:
    return {"type": "root_path", "frames": list(frames), "positions_xz": [[0.0, 0.01 * f] for f in frames]}


def text(prompt: str, frames: int, **more: Any) -> dict[str, Any]:
    return {"type": "text", "prompt": prompt, "duration_frames": frames, **more}


def clip(*names: str, frames: int = 4) -> dict[str, Any]:
    return {
        "type": "motion_reference",
        "duration_frames": 60,
        "joint_names": list(names),
        "rotations": [[IDENTITY for _ in names] for _ in range(frames)],
        "root_positions": [[0.0, 1.0, 0.1 * i] for i in range(frames)],
        "fps": 30.0,
    }


def hero(*constraints: dict[str, Any], segments: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """150 frames at 30 fps of a small rig."""
    out: dict[str, Any] = {
        "protocol_version": "1.4",
        "model": "starter",
        "skeleton": {
            "joints": [
                joint("Hips", None, 0.0, 0.95, 0.0),
                joint("Spine", "Hips", 0.0, 0.5, 0.0),
                joint("LeftHand", "Spine", 0.7, 0.0, 0.0),
                joint("RightHand", "Spine", -0.7, 0.0, 0.0),
            ]
        },
        "segments": [text("waves hello", 90), text("walks off", 60)] if segments is None else segments,
        "constraints": list(constraints),
        "timing": {"fps": 30},
    }
    return out | more
