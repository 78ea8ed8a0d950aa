# SPDX-License-Identifier: Apache-2.0
"""Sentences with this request's numbers, and the fixes beside them."""

from __future__ import annotations

from typing import Any

import pytest

from kineograph.errors import ErrorCode, error
from kineograph.fixes import Problem, resolve

from .requests import clip, hero, joint, key, path, pin, text

CAPS = ["starter", "kineograph-interpolate"]


def at(*path: str | int, ref: Any = None, **details: Any) -> dict[str, Any]:
    return {"where": {"path": list(path), "ref": ref}, **details}


def say(code: str, details: dict[str, Any] | None = None, **context: Any) -> str:
    return resolve(error(code, "m", details), context).text


def labels(problem: Problem) -> list[str]:
    return [fix.label for fix in problem.fixes]


def test_a_pin_on_a_misspelt_bone() -> None:
    details = at("constraints", 0, "joint", ref="Grab", got="LefHand", allowed=["LeftHand"], suggestions=["LeftHand"])
    problem = resolve(error("unknown_joint", "m", details), {"request": hero(pin("LefHand", 3))})
    assert problem.text == "Pin 'Grab' points at 'LefHand'. Did you mean 'LeftHand'?"
    assert labels(problem) == [
        "Use 'LeftHand' here",
        "Use 'LeftHand' everywhere",
        "Save 'LeftHand' in the rig profile",
        "Rename 'LeftHand' to 'LefHand'",
        "Choose a bone...",
        "Leave out pin 'Grab'",
    ]
    assert problem.fixes[0].patch == {
        "target": "request",
        "action": "rename_joint_here",
        "args": {"path": ["constraints", 0, "joint"], "joint": "LefHand", "to": "LeftHand"},
    }


def test_a_character_is_named_when_it_is_known() -> None:
    details = at(
        "constraints", 0, "joint", ref={"name": "Grab", "kind": "pin"}, got="LefHand", suggestions=["LeftHand"]
    )
    said = say("unknown_joint", details, character="Maid")
    assert said == "Pin 'Grab' points at 'LefHand', which 'Maid' does not have. Did you mean 'LeftHand'?"


def test_a_daemon_that_suggests_nothing_is_helped_from_its_list() -> None:
    """The official server sends the skeleton's joints only."""
    details = {"skeleton_joints": ["Head", "Hips", "LeftHand", "RightHand"], "joint": "LefHand"}
    assert say("unknown_joint", details) == "'LefHand' is not a bone of this character. Did you mean 'LeftHand'?"


@pytest.mark.parametrize(
    "refs",
    [
        {"constraints": ["Walk", "Grab"]},
        {"constraints/1": "Grab"},
        {"constraints.1": "Grab"},
        {"constraints": {"1": "Grab"}},
    ],
)
def test_the_clients_references_name_the_place(refs: dict[str, Any]) -> None:
    details = at("constraints", 1, "joint", got="LefHand")
    request = hero(path(0, 9), pin("LefHand", 3))
    assert say("unknown_joint", details, request=request, refs=refs).startswith("Pin 'Grab' points at 'LefHand'")


def test_a_place_without_a_reference_is_counted_from_one() -> None:
    request = hero(path(0, 9), pin("LefHand", 3))
    assert say("unknown_joint", at("constraints", 1, got="LefHand"), request=request).startswith("Pin 2 points at")


def test_the_place_in_a_batch() -> None:
    batch = {"requests": [hero(), hero(pin("LefHand", 3))]}
    problem = resolve(
        error("unknown_joint", "m", at("requests", 1, "constraints", 0, "joint", got="LefHand")), {"request": batch}
    )
    assert problem.text == "Pin 1 points at 'LefHand'. Did you mean 'LeftHand'?"


@pytest.mark.parametrize(
    ("code", "details", "context", "said"),
    [
        (
            "schema_validation",
            at("constraints", 2, "positions", ref="Grab", got="nan"),
            {"request": hero(path(0), path(1), pin("Hips", 2))},
            "The request is malformed at pin 'Grab': it has no valid positions. An object scaled to 0 does that.",
        ),
        (
            "schema_validation",
            at("segments", 0, "prompt", got="", errors=[{"type": "string_too_short", "loc": [], "msg": "x"}]),
            {},
            "Prompt 1 has an empty prompt.",
        ),
        (
            "schema_validation",
            at("timing", "fps", got="x", allowed="a number"),
            {},
            "The request is malformed at the timing: 'fps' is x, it takes a number.",
        ),
        (
            "unknown_model",
            {"available_models": ["a", "b"], "got": "kimodo-x"},
            {},
            "Model 'kimodo-x' is not here. Available: a, b.",
        ),
        (
            "unknown_model",
            {"available_models": ["a"], "got": "aa", "suggestions": ["a"]},
            {},
            "Model 'aa' is not here. Did you mean 'a'? Available: a.",
        ),
        ("unknown_model", {"available_models": [], "got": "aa"}, {}, "Model 'aa' is not here, and no other model is."),
        (
            "retargeting_unsupported",
            {"missing": ["Neck2", "Jaw", "LeftEye"], "extra": list("abcdefghijkl")},
            {"character": "Hero"},
            "This model only moves its own skeleton. 'Hero' differs: 3 missing (Neck2, Jaw, LeftEye), 12 extra.",
        ),
        (
            "unsupported_constraint",
            at("constraints", 0, got="root_path", supported_constraints=["pose_keyframe"], affected=[0, 1]),
            {"request": hero(model="b")},
            "'b' cannot follow paths (it takes: pose keys). 2 paths are affected.",
        ),
        (
            "unsupported_segment",
            at("segments", 0, got="video_reference", supported_segments=["text"]),
            {"request": hero(model="a")},
            "'a' takes text, not videos.",
        ),
        (
            "invalid_skeleton",
            {"roots": ["root", "IK_foot_L", "IK_foot_R", "weapon"]},
            {},
            "The rig has 4 roots: root, IK_foot_L, IK_foot_R, weapon.",
        ),
        ("invalid_skeleton", {"duplicates": ["Arm"]}, {}, "Two bones share a name: 'Arm'."),
        (
            "invalid_skeleton",
            {"controls": 0},
            {"character": "Hero"},
            "No rig profile knows the FK controls of 'Hero'.",
        ),
        (
            "frame_out_of_range",
            at("constraints", 0, "frames", 0, frame=150, total_frames=150),
            {"request": hero(pin("Hips", 150)), "first_frame": 1},
            "Pin 1 at frame 151 is after the end (1-150).",
        ),
        (
            "frame_out_of_range",
            at("constraints", 0, frame=-3, total_frames=150),
            {"request": hero(key(-3))},
            "Key 1 at frame -3 is before the start (0-149).",
        ),
        (
            "invalid_options",
            at("constraints", got=70, allowed=64, what="constraints"),
            {},
            "70 keys and pins, limit 64.",
        ),
        ("invalid_options", at("segments", got=18.0, allowed=10.0, what="seconds"), {}, "18 s, limit 10 s."),
        (
            "invalid_options",
            at("options", "diffusion_steps", got=9999, allowed={"ge": 1, "le": 500}),
            {},
            "'diffusion steps' is 9999, it takes 1 to 500.",
        ),
        (
            "invalid_options",
            at("options", "loop", got=2, allowed=1, segments=2),
            {},
            "A loop is one prompt, this request has 2.",
        ),
        ("invalid_options", at("options", "loop", got=True, model="m"), {}, "'m' cannot make loops."),
        (
            "invalid_options",
            {"max_reference_frames": 4, "reference_frames": 5, "segment": 0},
            {},
            "5 frames of clip, limit 4.",
        ),
        ("invalid_request", {"root_joint": "Hips", "segment": 0}, {}, "The reference clip has no 'Hips' track."),
        (
            "version_unsupported",
            {"supported_majors": ["1"], "got": "2.0"},
            {},
            "The add-on speaks 2.0, the daemon 1. The daemon is the older one.",
        ),
        ("forbidden", {"role": "observe", "needed": "submit"}, {}, "This key may watch, not submit."),
        (
            "payload_too_large",
            {"request_bytes": 6_400_000, "max_request_bytes": 1_000_000, "parts": {"pose_keyframe": 92, "skeleton": 8}},
            {},
            "6.4 MB, limit 1 MB; 92 % is pose keys.",
        ),
        ("rate_limited", {}, {"ahead": 2}, "Waiting 2 s (2 ahead)."),
        ("internal_error", {"ref": "7f3a"}, {}, "The model failed. Your scene is unchanged. Ref 7f3a."),
        ("resource_exhausted", {"need_bytes": 9.1e9, "free_bytes": 6.3e9}, {}, "Needs 9.1 GB, 6.3 GB free."),
        (
            "model_unavailable",
            {"model": "a", "fraction": 0.62, "eta_s": 20.0},
            {},
            "Loading 'a': 62 %, about 20 s. Your job is queued.",
        ),
        ("timeout", {"deadline_s": 120.0, "step": 31, "steps": 50}, {}, "Stopped after 120 s at step 31 of 50."),
        (
            "request_not_found",
            {"job": "7f3a", "retention_s": 7 * 86400.0},
            {},
            "Job 7f3a is not known here (results are kept 7 days).",
        ),
        (
            "request_not_found",
            {"never_left": True, "label": "walks", "ago_s": 7300.0},
            {},
            "'walks' was asked for 2 h ago and never left: Blender ended before.",
        ),
        (
            "request_not_found",
            {"unread": True, "ago_s": 130.0},
            {"character": "Hero"},
            "Generate was pressed for 'Hero' 130 s ago, and Blender ended while it read the scene.",
        ),
        ("request_cancelled", {"by": "you", "step": 12, "steps": 50}, {}, "Cancelled by you at step 12 of 50."),
        (
            "concurrency_limit",
            {"active_requests": 1, "concurrency_limit": 1, "holder": "shot_020"},
            {},
            "1 of 1 slots in use by 'shot_020'.",
        ),
        ("queue_full", {"queue_limit": 500}, {}, "The queue is full (500). The watcher waits."),
        (
            "content_policy_violation",
            {"reason": "violence"},
            {},
            "The remote service refused the prompt (violence). Nothing was generated.",
        ),
        (
            "image_processing_error",
            {"file": "/home/me/take3.mov", "format": "HEVC"},
            {},
            "Could not read take3.mov (HEVC).",
        ),
        (
            "daemon_restarted",
            {"resumed": 3, "interrupted": ["j"]},
            {},
            "The daemon restarted: 3 jobs resumed, 1 job interrupted.",
        ),
        ("file_unreadable", {"file": "C:\\clips\\walk.bvh", "line": 12}, {}, "Could not read walk.bvh, line 12."),
        (
            "file_unreadable",
            {"file": "/out/walk.fbx", "reason": f"is FBX. Install it with: {'x' * 90} -m pip.", "needs": "an extra"},
            {},
            f"walk.fbx is FBX. Install it with: {'x' * 90} -m pip.",
        ),
        (
            "profile_missing",
            {"joints": 65, "closest": "Character Creator", "closest_share": 0.93},
            {},
            "No profile for this 65-bone rig. Closest: Character Creator (93 %).",
        ),
        (
            "prompt_not_in_pack",
            {"phrases": 125, "model": "kimodo", "got": "limps upstairs", "suggestions": ["limps", "climbs stairs"]},
            {},
            "This computer knows 125 phrases for 'kimodo', not 'limps upstairs'. Nearest: 'limps', 'climbs stairs'.",
        ),
        (
            "control_unmapped",
            {"control": "foot_ik.L", "limb": "left_foot", "lacks": "pole"},
            {},
            "'foot_ik.L' drives the left foot but has no pole in the profile.",
        ),
        ("take_edited", {"bones": ["a", "b", "c"]}, {}, "You changed 3 bones of this take."),
        ("apply_blocked", {"blocker": "locked", "bones": ["Hips"]}, {}, "1 bone is locked: Hips."),
        ("rig_changed", {"change": "deleted"}, {"character": "Hero"}, "'Hero' is gone; the result is kept as a take."),
        ("service_unavailable", {}, {"attempt": 2}, "Service problem, retrying in 2 s (2 of 5)."),
    ],
)
def test_sentences(code: str, details: dict[str, Any], context: dict[str, Any], said: str) -> None:
    assert say(code, details, **context) == said


@pytest.mark.parametrize(
    ("code", "details", "request_", "said"),
    [
        ("unknown_joint", {"skeleton_joints": ["Hips", "LeftHand"]}, hero(key(1), pin("LefHand", 3)),
         "Pin 2 points at 'LefHand'. Did you mean 'LeftHand'?"),
        ("frame_out_of_range", {"frame": 151, "total_frames": 150}, hero(pin("Hips", 3, 151)),
         "Pin 1 at frame 151 is after the end (0-149)."),
        ("unsupported_constraint", {"supported_constraints": ["pose_keyframe"]}, hero(key(1), path(0, 9)),
         "'starter' cannot follow paths (it takes: pose keys). 1 path is affected."),
        ("invalid_options", {}, hero(options={"num_samples": 9}), "9 samples, limit 4."),
        ("invalid_options", {}, hero(segments=[text("a", 400)]), "13 s, limit 10 s."),
        ("retargeting_unsupported", {}, hero(),
         "This model only moves its own skeleton. The rig differs: 1 missing (Head), 3 extra."),
    ],
)  # fmt: skip
def test_a_server_that_says_little_is_helped_from_the_request(
    code: str, details: dict[str, Any], request_: dict[str, Any], said: str
) -> None:
    """The official server names only its own details; the rest stands in the request and the capabilities."""
    own = {"joints": [joint("Hips", None), joint("Head", "Hips")]}
    spec = {
        "id": "starter",
        "fps": 30,
        "limits": {"max_num_samples": 4, "max_duration_seconds": 10},
        "canonical_skeleton": own,
    }
    assert say(code, details, request=request_, capabilities={"models": [spec]}) == said
    assert say(code, details, request=request_, capabilities=spec) == said


def test_what_no_screen_can_show_is_left_out() -> None:
    said = say("unknown_joint", at("constraints", 0, ref="Grab\n\x00\ud800", got="Lef\ud800\tHand" + "x" * 500))
    said.encode("utf-8")
    assert said.startswith("Constraint 'Grab' points at 'Lef Hand")
    assert len(said) < 200
    assert "\n" not in said


def test_the_other_model_is_one_that_can() -> None:
    details = at("constraints", 0, got="root_path", supported_constraints=["pose_keyframe"], suggestions=["a"])
    problem = resolve(error("unsupported_constraint", "m", details), {"request": hero(path(0, 9), model="b")})
    assert labels(problem)[0] == "Use 'a'"
    assert labels(problem)[1:] == ["Turn the path into root keys", "Generate without paths (they stay in the scene)"]


def test_a_rig_that_differs_in_three_names_can_be_renamed() -> None:
    details = {"missing": ["LeftHand", "Neck"], "extra": ["LefHand", "Nek", "Tail"], "model": "m"}
    problem = resolve(error("retargeting_unsupported", "m", details))
    fix = next(f for f in problem.fixes if f.id == "rename_bones")
    assert fix.patch["args"] == {"pairs": [["LefHand", "LeftHand"], ["Nek", "Neck"]]}


def test_the_main_root_is_the_one_with_the_most_below() -> None:
    request = hero()
    request["skeleton"]["joints"].insert(0, joint("weapon", None))
    problem = resolve(error("invalid_skeleton", "m", {"roots": ["weapon", "Hips"]}), {"request": request})
    assert labels(problem)[0] == "Use only bones below 'Hips'"


def test_late_parents_can_be_sorted_and_circles_cannot() -> None:
    request = hero()
    request["skeleton"]["joints"].reverse()
    problem = resolve(error("invalid_skeleton", "m", {}), {"request": request})
    assert "3 bones stand before the parent" in problem.text
    assert "sort_joints" in {f.id for f in problem.fixes}
    request["skeleton"]["joints"] = [joint("a", "b"), joint("b", "a")]
    problem = resolve(error("invalid_skeleton", "m", {}), {"request": request})
    assert "circle" in problem.text
    assert "sort_joints" not in {f.id for f in problem.fixes}


def test_a_longer_deadline_fits_the_pace_seen() -> None:
    problem = resolve(error("timeout", "m", {"deadline_s": 120.0, "step": 31, "steps": 50}))
    assert labels(problem)[0] == "Try again with 300 s"


def test_waiting_carries_its_time_and_policy() -> None:
    problem = resolve(error("rate_limited", "m", retry_after_s=3.0, request_id="r9"))
    assert (problem.text, problem.retry_after_s, problem.request_id) == ("Waiting 3 s.", 3.0, "r9")
    assert problem.retry.auto
    assert problem.fixes[0].id == "wait"


@pytest.mark.parametrize("code", list(ErrorCode))
@pytest.mark.parametrize(
    "details",
    [
        {"where": 3, "got": object(), "allowed": [None], "suggestions": [1, None], "errors": 5, "parts": {"a": None}},
        {
            "where": {"path": "x", "ref": 3},
            "got": float("nan"),
            "missing": [1],
            "roots": [None],
            "frame": "x",
            "step": [],
        },
        {
            "where": {"path": ["constraints", 99, "x"]},
            "total_frames": -5,
            "frame": 1e300,
            "deadline_s": -1.0,
            "steps": True,
        },
        {
            "errors": [{"loc": ["body", "constraints", 0, "root_path", "frames"], "type": 3}],
            "orphans": [3],
            "bones": "x",
        },
        {
            **dict.fromkeys(("frame", "phrases", "edited", "fraction", "step", "steps", "pid"), float("inf")),
            "got": [1.0],
            "model": ["x"],
        },
        {**dict.fromkeys(("frame", "phrases", "edited", "fraction", "step", "eta_s", "timeout_s"), 10**400), "got": {}},
    ],
)
@pytest.mark.parametrize(
    "request_", [None, {}, {"skeleton": 3, "segments": {}, "constraints": [None]}, hero(clip("Hips"), text("x", 1))]
)
def test_odd_details_never_break_a_sentence(code: ErrorCode, details: dict[str, Any], request_: Any) -> None:
    problem = resolve(error(code, "", details), {"request": request_, "refs": [1], "models": [None, 3], "character": 7})
    assert problem.text
    assert "{" not in problem.text
    assert resolve(error(code, "", details), {"models": True, "local_models": 3}).text


def test_a_daemon_that_does_not_start_says_what_to_do() -> None:
    absent = "Traceback ...\n/usr/bin/python3: No module named kineograph_daemon\n"
    assert say("daemon_unreachable", {"log_tail": absent}) == (
        "Kineograph itself is not set up on this computer: run 'python3 installer run' in its folder once, "
        "then start it here."
    )
    ended = say("daemon_unreachable", {"log_tail": "one\nqueue_limit is 'lots'\n"})
    assert ended == "The Kineograph daemon was started and ended at once: queue_limit is 'lots'"
    assert say("daemon_unreachable", {}) == "No Kineograph daemon answers on this computer."
