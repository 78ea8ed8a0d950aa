# SPDX-License-Identifier: Apache-2.0
"""One failed job for every code: details as the daemon, a remote model or the watcher sends them."""

from __future__ import annotations

from typing import Any

from tests.gui import scenes

from kineograph import demo
from kineograph.errors import ErrorCode


def at(*path: str | int, ref: Any = None, **details: Any) -> dict[str, Any]:
    """Details that name a place."""
    return {"where": {"path": list(path), "ref": ref}, **details}


GONE = "7f3a0000-0000-4000-8000-000000000000"
"""A job that errors speak of."""

NAMES = list(demo.character().names)
BY_DEPTH = [NAMES[joint] for level in demo.character().levels for joint in level]
"""Another order with parents first."""

DETAILS: dict[str, list[dict[str, Any]]] = {
    "schema_validation": [
        at("constraints", 0, "positions", ref="Grab", got="nan"),
        at("segments", 0, "prompt", got="", errors=[{"type": "string_too_short", "loc": [], "msg": "x"}]),
    ],
    "unknown_model": [{"available_models": ["fake", "other"], "got": "fak", "suggestions": ["fake"]}],
    "retargeting_unsupported": [
        {"missing": ["LeftHand", "Neck"], "extra": ["LefHand", "Nek", "Tail"], "model": "fake"},
        {"missing": [], "extra": [], "order_differs": True, "allowed": BY_DEPTH, "model": "fake"},
    ],
    "unsupported_constraint": [
        at("constraints", 1, got="root_path", supported_constraints=["pose_keyframe"], suggestions=["fake"])
    ],
    "unsupported_segment": [
        at("segments", 0, got="text", supported_segments=["unconditioned"], suggestions=["fake"]),
        at("segments", 0, got="pose", supported_segments=["text", "unconditioned"]),
    ],
    "unknown_joint": [
        at("constraints", 0, "joint", ref="Grab", joint="LefHand", got="LefHand", suggestions=["LeftHand"])
        | {"allowed": NAMES}
    ],
    "invalid_skeleton": [
        {"roots": ["Hips", "weapon"]}, {"duplicates": ["Arm"]}, {"orphans": [{"joint": "Neck", "known": True}]},
    ],
    "frame_out_of_range": [
        at("constraints", 0, "frames", 1, frame=90, total_frames=60), {"got": 10, "allowed": [40, None]},
    ],
    "invalid_options": [
        at("constraints", got=70, allowed=64, what="constraints"),
        at("segments", 0, got=18.0, allowed=10.0, what="seconds"),
        at("options", "diffusion_steps", got=9999, allowed={"ge": 1, "le": 500}),
        at("options", "num_samples", got=9, allowed=4),
        at("options", "loop", got=True, allowed=1, segments=2),
        at("options", "loop", got=2, allowed=1),
        at("segments", 0, "prompt", got=58, allowed=40, what="characters of prompt"),
        {"reference_frames": 40, "max_reference_frames": 20, "segment": 0},
        {"video_seconds": 30.0, "max_video_seconds": 10.0, "segment": 0},
    ],
    "invalid_request": [{"root_joint": "Hips", "segment": 0}],
    "version_unsupported": [
        {"supported_majors": ["1"], "got": "2.0"}, {"supported_majors": ["2"], "got": "1.0"},
    ],
    "forbidden": [{"role": "observe", "needed": "submit"}],
    "payload_too_large": [
        {"request_bytes": 6_400_000, "max_request_bytes": 1_000_000, "parts": {"pose_keyframe": 92}},
        {"video_bytes": 6_400_000, "max_video_bytes": 1_000_000, "segment": 0},
    ],
    "resource_exhausted": [{"need_bytes": 9.1e9, "free_bytes": 6.3e9, "loaded": ["fake"], "cpu_s": 40.0}],
    "model_unavailable": [{"model": "fake", "eta_s": 20.0, "reason": "no weights", "state": "failed"}],
    "invalid_parameters": [at("options", "seed", param="seed", got="x")],
    "timeout": [{"deadline_s": 120.0, "step": 31, "steps": 50}],
    "request_not_found": [{"job": GONE, "retention_s": 604800.0}],
    "result_expired": [{"job": GONE}],
    "concurrency_limit": [{"active_requests": 1, "concurrency_limit": 1, "holder": "shot_020"}],
    "queue_full": [{"queue_limit": 500}],
    "daemon_restarted": [{"resumed": 3, "interrupted": [GONE]}],
    "image_processing_error": [{"file": "/clips/take3.mov", "format": "HEVC"}],
    "file_incomplete": [{"file": "/clips/walk.bvh"}],
    "file_unreadable": [{"file": "/clips/walk.bvh", "line": 12}],
    "duplicate_input": [{"file": "/clips/walk.bvh", "original": "/clips/run.bvh"}],
    "map_incomplete": [{"missing": ["left_hand"], "joints": 65, "file": "/clips/walk.bvh"}],
    "profile_missing": [{"joints": 65, "closest": "Character Creator", "closest_share": 0.93}],
    "apply_blocked": [
        {"blocker": b, "bones": ["Hips"]} for b in ("linked", "locked", "tweak", "rest_position", "driven", "scale")
    ],
    "control_unmapped": [{"control": "foot_ik.L", "limb": "left_foot", "lacks": "pole"}],
    "prompt_not_in_pack": [
        at("segments", 0, phrases=125, model="fake", got="waves hello", suggestions=["waves", "hello"])
    ],
    "quota_exceeded": [{"resets_at": "18:00"}],
    "generation_failed_no_content": [{}],
}  # fmt: skip
"""Codes that are not here come with no details at all, as some servers send them."""


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Every code with every set of details."""
    return [(str(code), details) for code in ErrorCode for details in DETAILS.get(str(code), [{}])]


def request_of(code: str, details: dict[str, Any]) -> dict[str, Any]:
    """A request that has the trouble, so that its fixes fit."""
    out = scenes.wrong_request() if code == "unknown_joint" else scenes.request()
    path = list((details.get("where") or {}).get("path") or ())
    if path[:1] == ["options"]:
        out["options"][path[-1]] = details["got"]
    if code in ("resource_exhausted", "internal_error"):
        out["options"]["num_samples"] = 4
    if code == "frame_out_of_range":
        out["constraints"][0] |= {"frames": [10, 90], "positions": [[0.4, 1.2, 0.3]] * 2}
    if code == "schema_validation" and "prompt" in path:
        out["segments"][0]["prompt"] = ""
    if details.get("what") == "constraints" or code == "payload_too_large":
        key = out["constraints"].pop()
        out["constraints"] += [{**key, "frame": 5 * k} for k in range(70 if code == "invalid_options" else 5)]
    if details.get("what") == "characters of prompt":
        out["segments"][0]["prompt"] = "walks to the door, then turns and waves hello to everybody"
    return _with_clip(_with_bones(out, details), code, details)


def _with_clip(out: dict[str, Any], code: str, details: dict[str, Any]) -> dict[str, Any]:
    """A clip, a video or a pose in the place of the first prompt."""
    standing = [[[0.0, 0.0, 0.0, 1.0]]] * 40
    clip = {"type": "motion_reference", "duration_frames": 40, "joint_names": ["Spine"], "rotations": standing}
    clip["root_positions"] = [[0.0, 0.9, 0.0]] * 40
    if "reference_frames" in details or "root_joint" in details:
        out["segments"][0] = clip
    if "video_seconds" in details:
        out["segments"][0] = {"type": "video_reference", "duration_frames": 40, "video": "x", "start_s": 1.0}
    if details.get("got") == "pose":
        out["segments"][0] = {"type": "pose", "prompt": "waves hello", "duration_frames": 1}
    return out


def _with_bones(out: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    """Bones as they must not be."""
    joints = out["skeleton"]["joints"]
    if "duplicates" in details:
        joints[1]["name"] = joints[2]["name"] = "Arm"
    if "roots" in details:
        joints.append({**joints[0], "name": "weapon", "parent": None})
    if "orphans" in details:
        joints.reverse()
    if "extra" in details and "pairs" not in details:
        names = dict(zip(("LeftHand", "Neck"), details["extra"], strict=False))
        for joint in joints:
            joint["name"] = names.get(joint["name"], joint["name"])
            joint["parent"] = names.get(joint["parent"], joint["parent"])
        for constraint in out["constraints"]:
            if constraint.get("joint") in names:
                constraint["joint"] = names[constraint["joint"]]
    return out
