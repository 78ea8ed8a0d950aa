# SPDX-License-Identifier: Apache-2.0
"""One daemon full of models, each with its own way of taking or breaking requests, and requests to it."""

from __future__ import annotations

import copy
from typing import Any

JOINTS = ("Hips", "Spine", "Head", "LeftHand", "RightHand", "LeftFoot", "RightFoot")
_PARENTS = (None, "Hips", "Spine", "Spine", "Spine", "Hips", "Hips")
_OFFSETS = (
    (0.0, 0.95, 0.0),
    (0.0, 0.5, 0.0),
    (0.0, 0.3, 0.0),
    (0.4, 0.1, 0.0),
    (-0.4, 0.1, 0.0),
    (0.1, -0.95, 0.0),
    (-0.1, -0.95, 0.0),
)
REST = [0.0, 0.0, 0.0, 1.0]

NARROW_LIMITS = {
    "max_duration_seconds": 2.0,
    "max_num_samples": 3,
    "max_constraints_per_request": 2,
    "max_prompt_length": 20,
    "max_request_bytes": 20_000,
    "max_batch_size": 3,
    "max_reference_frames": 4,
    "max_video_bytes": 12,
    "max_video_seconds": 2.0,
}
DIALS = [
    {"name": "twist", "type": "number", "minimum": 0.0, "maximum": 1.0, "default": 0.5},
    {"name": "layers", "type": "integer", "minimum": 1, "maximum": 8},
    {"name": "mirror", "type": "boolean"},
    {"name": "style", "type": "enum", "values": ["calm", "brisk"]},
    {"name": "parts", "type": "flags", "values": ["arms", "legs", "spine"]},
]
PATH_AND_PINS = ["root_path", "effector_target", "pose_keyframe"]


def skeleton() -> dict[str, Any]:
    """Seven joints."""
    rows = zip(JOINTS, _PARENTS, _OFFSETS, strict=True)
    return {
        "joints": [
            {"name": name, "parent": parent, "rest_translation": list(offset), "rest_rotation": list(REST)}
            for name, parent, offset in rows
        ]
    }


def spec(model: str, **more: Any) -> dict[str, Any]:
    """A model's spec: its own skeleton only, paths, pins and keys, unless told otherwise."""
    return {
        "id": model,
        "fps": 30.0,
        "canonical_skeleton": skeleton(),
        "supported_constraints": list(PATH_AND_PINS),
        **more,
    }


def _model(name: str, behaviour: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
    told = {"kind": behaviour} if isinstance(behaviour, str) else behaviour
    return {"spec": spec(name, **more), "behaviour": told}


_OPEN: dict[str, Any] = {
    "supports_retargeting": True,
    "supports_loop": True,
    "supports_keyframe_reduction": True,
    "supports_segment_seed": True,
    "supported_constraints": [*PATH_AND_PINS, "ground_height"],
    "supported_segments": ["text", "unconditioned", "pose", "motion_reference", "video_reference"],
}
_REFERENCES: dict[str, Any] = {"supported_segments": ["text", "unconditioned", "motion_reference", "video_reference"]}
_ERRORS = {
    "rate_limited": "too many",
    "resource_exhausted": "no memory",
    "model_unavailable": "loading",
    "timeout": "too slow",
    "internal_error": "broken",
    "unauthorized": "no key",
    "forbidden": "not this key",
}

HOUSE: dict[str, Any] = {
    "models": [
        _model("narrow", "rest", limits=NARROW_LIMITS, model_options=DIALS, **_REFERENCES),
        _model("open", "rest", **_OPEN),
        _model("walker", "walk", **_OPEN),
        _model("rich", "rich"),
        _model("keys-only", "rest", supported_constraints=["pose_keyframe"]),
        _model("loading", {"kind": "capabilities_raise", "code": "model_unavailable", "message": "loading weights"}),
        _model("pass", {"kind": "rest", "batch": "ok"}),
        _model("pass-short", {"kind": "rest", "batch": "short"}),
        _model("pass-errors", {"kind": "rest", "batch": "errors"}),
        _model("pass-fails", {"kind": "rest", "batch": "raise_plain"}),
        _model("pass-awaits", {"kind": "rest", "batch": "awaitables"}),
        *(
            _model(kind, kind)
            for kind in (
                *("return_none", "return_dict", "bad_result_shape", "wrong_joint_names", "joint_count", "nan_root"),
                *("raise_unknown_code", "raise_protocol_nan_details"),
            )
        ),
        _model("long-answer", {"kind": "fixed_shape", "frames": 99}),
        _model("many-samples", {"kind": "fixed_shape", "samples": 4}),
        _model("raise_plain", {"kind": "raise_plain", "message": "a tensor has the wrong shape"}),
        *(
            _model(code, {"kind": "raise_protocol", "code": code, "message": text, "details": {"k": [1, 2.5, None]}})
            for code, text in _ERRORS.items()
        ),
    ]
}


def request(model: str = "narrow", frames: int = 10, **changes: Any) -> dict[str, Any]:
    """A request that ``model`` takes, with top-level keys replaced; None removes a key."""
    out: dict[str, Any] = {
        "protocol_version": "1.4",
        "model": model,
        "skeleton": skeleton(),
        "segments": [text(frames)],
        **copy.deepcopy(changes),
    }
    return {key: value for key, value in out.items() if value is not None}


def text(frames: float = 10, prompt: str = "walk", **more: Any) -> dict[str, Any]:
    """A text segment."""
    return {"type": "text", "prompt": prompt, "duration_frames": frames, **more}


def clip(frames: int = 3, joints: tuple[str, ...] = JOINTS, **more: Any) -> dict[str, Any]:
    """A motion reference at rest."""
    return {
        "type": "motion_reference",
        "duration_frames": 10,
        "joint_names": list(joints),
        "rotations": [[list(REST) for _ in joints] for _ in range(frames)],
        "root_positions": [[0.0, 0.95, 0.0] for _ in range(frames)],
        "fps": 30.0,
        **more,
    }


def video(**source_or_trim: Any) -> dict[str, Any]:
    """A video reference: ``url``, ``data`` and ``media_type`` go into its source."""
    source = {k: v for k, v in source_or_trim.items() if k in ("url", "data", "media_type")}
    trim = {k: v for k, v in source_or_trim.items() if k not in source}
    return {"type": "video_reference", "duration_frames": 10, "video": source, **trim}


def pose(frame: Any = 0, *joints: str, **more: Any) -> dict[str, Any]:
    """A pose key of some joints (default the root)."""
    return {
        "type": "pose_keyframe",
        "frame": frame,
        "joint_rotations": {joint: list(REST) for joint in joints or ("Hips",)},
        **more,
    }


def pin(joint: str = "LeftHand", frames: tuple[int, ...] = (0,), **more: Any) -> dict[str, Any]:
    """An effector target."""
    return {
        "type": "effector_target",
        "joint": joint,
        "frames": list(frames),
        "positions": [[0.3, 1.2, 0.2] for _ in frames],
        **more,
    }


def path(frames: tuple[int, ...] = (0, 5), **more: Any) -> dict[str, Any]:
    """A root path."""
    return {"type": "root_path", "frames": list(frames), "positions_xz": [[0.0, 0.1 * f] for f in frames], **more}


def batch(*items: Any, version: Any = "1.4", **more: Any) -> dict[str, Any]:
    """A batch body; its items leave their version to it."""
    inner = [{k: v for k, v in i.items() if k != "protocol_version"} if isinstance(i, dict) else i for i in items]
    return {"protocol_version": version, "requests": inner, **more}
