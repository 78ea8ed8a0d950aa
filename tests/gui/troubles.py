# SPDX-License-Identifier: Apache-2.0
"""One failed job for every code: details as the daemon, a remote model or the watcher sends them."""

from __future__ import annotations

import copy
from typing import Any

from tests.gui import scenes

from kineograph import demo
from kineograph.errors import ErrorCode


def at(*path: str | int, ref: Any = None, **details: Any) -> dict[str, Any]:
    """Details that name a place."""
    return {"where": {"path": list(path), "ref": ref}, **details}


NAMES = list(demo.character().names)
DETAILS: dict[str, list[dict[str, Any]]] = {
    "schema_validation": [
        at("constraints", 0, "positions", ref="Grab", got="nan"),
        at("segments", 0, "prompt", got="", errors=[{"type": "string_too_short", "loc": [], "msg": "x"}]),
    ],
    "unknown_model": [{"available_models": ["fake", "other"], "got": "fak", "suggestions": ["fake"]}],
    "retargeting_unsupported": [
        {"missing": ["LeftHand", "Nek"], "extra": ["LefHand", "Neck", "Tail"], "model": "fake"},
        {"order": list(reversed(NAMES)), "model": "fake"},
    ],
    "unsupported_constraint": [
        at("constraints", 1, got="root_path", supported_constraints=["pose_keyframe"], suggestions=["fake"])
    ],
    "unsupported_segment": [at("segments", 0, got="text", supported_segments=["unconditioned"], suggestions=["fake"])],
    "unknown_joint": [
        at("constraints", 0, "joint", ref="Grab", joint="LefHand", got="LefHand", suggestions=["LeftHand"])
        | {"allowed": NAMES}
    ],
    "invalid_skeleton": [
        {"roots": ["Hips", "weapon"]}, {"duplicates": ["Arm"]}, {"unsorted": ["Neck"]},
    ],
    "frame_out_of_range": [at("constraints", 0, "frames", 0, frame=90, total_frames=60)],
    "invalid_options": [
        at("constraints", got=70, allowed=64, what="constraints"),
        at("segments", 0, got=18.0, allowed=10.0, what="seconds"),
        at("options", "diffusion_steps", got=9999, allowed={"ge": 1, "le": 500}),
        at("options", "num_samples", got=9, allowed=4),
        at("options", "loop", got=True, allowed=1, segments=2),
    ],
    "invalid_request": [{"root_joint": "Hips", "segment": 0}],
    "version_unsupported": [{"supported_majors": ["1"], "got": "2.0"}],
    "forbidden": [{"role": "observe", "needed": "submit"}],
    "payload_too_large": [{"request_bytes": 6_400_000, "max_request_bytes": 1_000_000, "parts": {"pose_keyframe": 92}}],
    "resource_exhausted": [{"need_bytes": 9.1e9, "free_bytes": 6.3e9, "loaded": ["fake"], "cpu_s": 40.0}],
    "model_unavailable": [{"model": "fake", "eta_s": 20.0, "reason": "no weights", "state": "failed"}],
    "invalid_parameters": [at("options", "seed", param="seed", got="x")],
    "timeout": [{"deadline_s": 120.0, "step": 31, "steps": 50}],
    "request_not_found": [{"job": "7f3a", "retention_s": 604800.0}],
    "concurrency_limit": [{"active_requests": 1, "concurrency_limit": 1, "holder": "shot_020"}],
    "queue_full": [{"queue_limit": 500}],
    "daemon_restarted": [{"resumed": 3, "interrupted": ["j"]}],
    "file_unreadable": [{"file": "/clips/walk.bvh", "line": 12}],
    "map_incomplete": [{"missing": ["left_hand"], "joints": 65}],
    "profile_missing": [{"joints": 65, "closest": "Character Creator", "closest_share": 0.93}],
    "prompt_not_in_pack": [
        at("segments", 0, phrases=125, model="fake", got="waves hello", suggestions=["waves", "hello"])
    ],
    "quota_exceeded": [{"resets_s": 3600.0}],
    "generation_failed_no_content": [{}],
}  # fmt: skip
"""Codes that are not here come with no details at all, as some servers send them."""

REQUEST_FOR = {"unknown_joint": scenes.wrong_request}


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Every code with every set of details."""
    return [(str(code), details) for code in ErrorCode for details in DETAILS.get(str(code), [{}])]


def request_of(code: str, details: dict[str, Any]) -> dict[str, Any]:
    """A request that has the trouble, so that its fixes fit."""
    out = copy.deepcopy(REQUEST_FOR.get(code, scenes.request)())
    if "options" in str(details.get("where", "")):
        name = details["where"]["path"][-1]
        out["options"][name] = details["got"]
    if code == "frame_out_of_range":
        out["constraints"][0]["frames"] = [90]
    if code == "schema_validation" and "prompt" in details["where"]["path"]:
        out["segments"][0]["prompt"] = ""
    if "duplicates" in details:
        out["skeleton"]["joints"][1]["name"] = out["skeleton"]["joints"][2]["name"] = "Arm"
    if "roots" in details:
        out["skeleton"]["joints"].append({**out["skeleton"]["joints"][0], "name": "weapon", "parent": None})
    return out
