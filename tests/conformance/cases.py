# SPDX-License-Identifier: Apache-2.0
"""Requests and the answers that MMCP and Kineograph's rulings want. One row a case; ``where`` is the path that the
error must name, ``details`` what it must hold at least."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.conformance.house import (
    HOUSE,
    JOINTS,
    PATH_AND_PINS,
    REST,
    batch,
    clip,
    path,
    pin,
    pose,
    request,
    skeleton,
    text,
    video,
)

NAN, INF = float("nan"), float("inf")
MODELS = sorted(m["spec"]["id"] for m in HOUSE["models"])


@dataclass(frozen=True)
class Case:
    """A request and its answer: None for a motion, a code, or one of them for each item of a batch."""

    name: str
    request: Any
    answer: str | list[str | None] | None = None
    where: list[Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)


def _joints(**changes: Any) -> dict[str, Any]:
    """The skeleton with the third joint changed."""
    out = skeleton()
    out["joints"][2].update(changes)
    return out


def _opts(**options: Any) -> dict[str, Any]:
    return {"options": options}


_LEGS = {"supported_segments": ["text", "unconditioned", "motion_reference", "video_reference"]}
_OK = [
    Case("text", request()),
    Case("version 1.0", request(protocol_version="1.0")),
    Case("version of a later minor", request(protocol_version="1.999")),
    Case("constraints alone", request(segments=None, duration_frames=10, constraints=[pose(9)])),
    Case("one frame", request(frames=1)),
    Case("samples", request(**_opts(num_samples=3))),
    Case("all options", request(**_opts(diffusion_steps=500, seed=-1, transition_frames=0, post_processing=False))),
    Case("null options and timing", {**request(), "options": None, "timing": None}),
    Case("another frame rate", request("walker", timing={"fps": 60.0})),
    Case("another rig on a model that retargets", request("open", skeleton=_joints(name="Skull"))),
    Case("same names, another rest pose", request(skeleton=_joints(rest_translation=[0.0, 0.35, 0.02]))),
    Case("a pose segment", request("open", segments=[{"type": "pose", "prompt": "wave"}])),
    Case("a clip and text", request(segments=[clip(), text()])),
    Case("a clip of another rig", request("open", segments=[clip(joints=("A",), skeleton={"joints": [
        {"name": "A", "rest_translation": [0, 1, 0], "rest_rotation": REST}]})])),
    Case("a video by address", request(segments=[video(url="https://example.org/a.mp4", start_s=1.0)])),
    Case("ground", request("open", constraints=[{"type": "ground_height", "points": [[0.0, 0.0, 0.1]]}])),
    Case("a loop", request("open", **_opts(loop=True))),
    Case("thinned keys", request("open", **_opts(keyframe_budget=0.01))),
    Case("every dial", request(**_opts(model_options={
        "twist": 1, "layers": 8.0, "mirror": True, "style": "calm", "parts": ["legs", "arms"]}))),
    Case("lax numbers", request(segments=[{**text(), "duration_frames": "5"}, text(5.0), text(True)])),
    Case("lax switch", request(**_opts(loop="no"))),
    Case("the last frame", request(constraints=[pose(9), pin(frames=(9,))])),
    Case("contacts, notes, chunks", request("rich")),
]  # fmt: skip

_SCHEMA = [
    Case("no object", "hello", "schema_validation", []),
    Case("null", None, "schema_validation", []),
    Case("version missing", request(protocol_version=None), "schema_validation", ["protocol_version"]),
    Case("version of words", request(protocol_version="abc"), "schema_validation", ["protocol_version"]),
    Case("version of three parts", request(protocol_version="1.4.0"), "schema_validation", ["protocol_version"]),
    Case("an unknown key", request(colour="red"), "schema_validation", ["colour"]),
    Case("nothing to do", request(segments=[]), "schema_validation", []),
    Case("segments and a length", request(duration_frames=10), "schema_validation", []),
    Case("no frames", request(frames=0), "schema_validation", ["segments", 0, "duration_frames"], {"got": 0}),
    Case("an unknown segment", request(segments=[{"type": "dance"}]), "schema_validation", ["segments", 0]),
    Case("an empty prompt", request(segments=[text(prompt="")]), "schema_validation", ["segments", 0, "prompt"]),
    Case("a NaN bone", request("open", skeleton=_joints(rest_translation=[0.0, NAN, 0.0])), "schema_validation",
         ["skeleton", "joints", 2, "rest_translation", 1], {"got": "nan"}),
    Case("an infinite rate", request(timing={"fps": INF}), "schema_validation", ["timing", "fps"], {"got": "inf"}),
    Case("a NaN key", request(constraints=[pose(0), pose(1, "Head", joint_rotations={"Head": [NAN, 0, 0, 1]})]),
         "schema_validation", ["constraints", 1, "joint_rotations", "Head", 0]),
    Case("an infinite pin", request(constraints=[pin(positions=[[0.0, -INF, 0.0]])]), "schema_validation",
         ["constraints", 0, "positions", 0, 1]),
    Case("a NaN heading", request(constraints=[path(heading_radians=[0.0, NAN])]), "schema_validation",
         ["constraints", 0, "heading_radians", 1]),
    Case("path frames out of order", request(constraints=[path((5, 3))]), "schema_validation", ["constraints", 0]),
    Case("a pin short of positions", request(constraints=[pin(frames=(0, 1), positions=[[0, 0, 0]])]),
         "schema_validation", ["constraints", 0]),
    Case("a clip of one frame", request(segments=[clip(1)]), "schema_validation", ["segments", 0, "rotations"]),
    Case("a video without a type", request(segments=[video(data="AAAA")]), "schema_validation",
         ["segments", 0, "video"]),
    Case("a video over http", request(segments=[video(url="http://example.org/a")]), "schema_validation"),
    Case("an option of the wrong type", request(**_opts(diffusion_steps="many")), "schema_validation",
         ["options", "diffusion_steps"]),
    Case("an unknown option", request(**_opts(steps=5)), "schema_validation", ["options", "steps"]),
]  # fmt: skip

_SKELETON = [
    Case("no joints", request("open", skeleton={"joints": []}), "invalid_skeleton", ["skeleton"]),
    Case("two roots", request("open", skeleton=_joints(parent=None)), "invalid_skeleton", ["skeleton"],
         {"roots": ["Hips", "Head"]}),
    Case("a name twice", request("open", skeleton=_joints(name="Spine")), "invalid_skeleton", ["skeleton"],
         {"duplicates": ["Spine"]}),
    Case("a parent that is not there", request("open", skeleton=_joints(parent="Tail")), "invalid_skeleton",
         ["skeleton"], {"orphans": [{"joint": "Head", "parent": "Tail", "known": False}]}),
    Case("a child before its parent", request("open", skeleton=_joints(parent="RightFoot")), "invalid_skeleton"),
    Case("a broken rig of a clip", request("open", segments=[clip(skeleton={"joints": []})]), "invalid_skeleton",
         ["segments", 0, "skeleton"]),
    Case("another rig", request(skeleton=_joints(name="Skull")), "retargeting_unsupported", ["skeleton", "joints"],
         {"missing": ["Head"], "extra": ["Skull"], "suggestions": ["open", "walker"]}),
    Case("a clip of another rig, no retargeting", request(segments=[clip(skeleton=_joints(name="S"))]),
         "retargeting_unsupported", ["segments", 0, "skeleton", "joints"]),
]  # fmt: skip

_MODEL = [
    Case("version 2.0", request(protocol_version="2.0"), "version_unsupported", ["protocol_version"],
         {"supported_majors": ["1"], "got": "2.0"}),
    Case("an unknown model", request("Narow"), "unknown_model", ["model"],
         {"available_models": MODELS, "got": "Narow", "suggestions": ["narrow"]}),
    Case("a model that still loads", request("loading"), "model_unavailable"),
    Case("a pose for a text model", request(segments=[text(), {"type": "pose", "prompt": "x"}]), "unsupported_segment",
         ["segments", 1], {"supported_segments": _LEGS["supported_segments"], "suggestions": ["open", "walker"]}),
    Case("a path for a model of keys", request("keys-only", constraints=[pose(), path(), path()]),
         "unsupported_constraint", ["constraints", 1],
         {"supported_constraints": ["pose_keyframe"], "affected": [1, 2]}),
    Case("ground for a model without", request(constraints=[{"type": "ground_height", "points": [[0, 0, 0]]}]),
         "unsupported_constraint", ["constraints", 0], {"supported_constraints": PATH_AND_PINS}),
    Case("a pin on no joint", request(constraints=[pin("LefHand")]), "unknown_joint", ["constraints", 0, "joint"],
         {"skeleton_joints": sorted(JOINTS), "got": "LefHand", "suggestions": ["LeftHand"]}),
    Case("a key on no joint", request(constraints=[pose(0, "Hips", "head")]), "unknown_joint",
         ["constraints", 0, "joint_rotations", "head"], {"got": "head"}),
    Case("a clip on no joint", request(segments=[clip(joints=("Hips", "Tail"))]), "unknown_joint",
         ["segments", 0, "joint_names", 1]),
    Case("a clip without its root", request(segments=[clip(joints=("Head",))]), "invalid_request",
         ["segments", 0, "joint_names"], {"root_joint": "Hips", "segment": 0}),
    Case("a key after the end", request(constraints=[pose(10)]), "frame_out_of_range", ["constraints", 0, "frame"],
         {"frame": 10, "total_frames": 10, "allowed": [0, 9]}),
    Case("a key before the start", request(constraints=[pose(-1)]), "frame_out_of_range", ["constraints", 0, "frame"],
         {"frame": -1, "total_frames": 10}),
    Case("a path after the end", request(constraints=[path((0, 12))]), "frame_out_of_range",
         ["constraints", 0, "frames", 1], {"frame": 12}),
    Case("a pin before the start", request(constraints=[pin(frames=(-2,))]), "frame_out_of_range",
         ["constraints", 0, "frames", 0], {"frame": -2}),
]  # fmt: skip


def _bad_options(name: str, *place: str, got: Any = None, model: str = "narrow", **options: Any) -> Case:
    details = {} if got is None else {"got": got}
    return Case(name, request(model, **_opts(**options)), "invalid_options", ["options", *place], details)


_OPTIONS = [
    _bad_options("too many steps", "diffusion_steps", got=9999, diffusion_steps=9999),
    _bad_options("no samples", "num_samples", got=0, num_samples=0),
    _bad_options("samples over the schema", "num_samples", got=17, num_samples=17),
    _bad_options("samples over the model", "num_samples", got=4, num_samples=4),
    _bad_options("guidance without its weight", "guidance", guidance={"type": "regular"}),
    _bad_options("a NaN weight", "guidance", "weight", "0", guidance={"type": "regular", "weight": [NAN]}),
    _bad_options("an infinite budget", "keyframe_budget", got="inf", model="open", keyframe_budget=INF),
    _bad_options("a NaN budget", "keyframe_budget", got="nan", model="open", keyframe_budget=NAN),
    _bad_options("a budget for a model without", "keyframe_budget", got=0.1, keyframe_budget=0.1),
    _bad_options("a loop for a model without", "loop", loop=True),
    Case("a loop of two", request("open", segments=[text(), text()], **_opts(loop=True)), "invalid_options",
         ["options", "loop"], {"segments": 2}),
    _bad_options("dials where there are none", "model_options", model="open", model_options={"twist": 1}),
    _bad_options("an unknown dial", "model_options", "twists", got="twists", model_options={"twists": 1}),
    _bad_options("a dial too far", "model_options", "twist", got=1.5, model_options={"twist": 1.5}),
    _bad_options("a dial of words", "model_options", "twist", got="much", model_options={"twist": "much"}),
    _bad_options("a dial of half steps", "model_options", "layers", got=2.5, model_options={"layers": 2.5}),
    _bad_options("a switch of numbers", "model_options", "mirror", got=1, model_options={"mirror": 1}),
    _bad_options("a style of its own", "model_options", "style", got="wild", model_options={"style": "wild"}),
    _bad_options("a flag twice", "model_options", "parts", model_options={"parts": ["arms", "arms"]}),
    Case("too many constraints", request(constraints=[pose(f) for f in range(3)]), "invalid_options", ["constraints"],
         {"got": 3, "allowed": 2}),
    Case("a long prompt", request(segments=[text(prompt="x" * 21)]), "invalid_options", ["segments", 0, "prompt"],
         {"got": 21, "allowed": 20}),
    Case("too long", request(segments=[text(30), text(31)]), "invalid_options", ["segments"], {"allowed": 2.0}),
    Case("too long at this rate", request(timing={"fps": 4.0}), "invalid_options", ["segments"], {"got": 2.5}),
    Case("a long clip", request(segments=[text(), clip(5)]), "invalid_options", ["segments", 1, "rotations"],
         {"max_reference_frames": 4, "reference_frames": 5, "segment": 1}),
    Case("a long trim", request(segments=[video(url="https://example.org/a", end_s=2.5)]), "invalid_options",
         ["segments", 0, "end_s"], {"max_video_seconds": 2.0, "video_seconds": 2.5}),
    Case("a large video", request(segments=[video(data="A" * 20, media_type="video/mp4")]), "payload_too_large",
         ["segments", 0, "video", "data"], {"max_video_bytes": 12, "video_bytes": 15}),
    Case("a large body", request(segments=[text(prompt="x" * 30_000)], model="keys-only"), "invalid_options"),
    Case("over the model's bytes", request(skeleton={"joints": [
        {**joint, "display_name": "x" * 250} for joint in skeleton()["joints"]]},
        segments=[clip(3, fps=30.0, rotations=[[[0.1234567] * 4] * 7] * 3)] * 40, timing={"fps": 500.0}),
        "payload_too_large", ["segments"], {"max_request_bytes": 20_000}),
]  # fmt: skip

_BACKBONE = [
    *(Case(f"a backbone that fails: {kind}", request(kind), "internal_error") for kind in (
        "return_none", "return_dict", "bad_result_shape", "wrong_joint_names", "joint_count", "nan_root",
        "raise_plain", "raise_unknown_code", "long-answer", "many-samples", "internal_error")),
    *(Case(f"a backbone that says {code}", request(code), code, details={"k": [1, 2.5, None]}) for code in (
        "rate_limited", "resource_exhausted", "model_unavailable", "timeout", "unauthorized", "forbidden")
      if code in MODELS),
    Case("a backbone with NaN in its error", request("raise_protocol_nan_details"), "invalid_options"),
]  # fmt: skip

_BATCH = [
    Case("batch: three", batch(request(), request(), request("open")), [None, None, None]),
    Case("batch: each its own", batch(request(), request("x"), request(constraints=[pin("Tail")])),
         [None, "unknown_model", "unknown_joint"]),
    Case("batch: no object", batch(request(), 5), [None, "schema_validation"]),
    Case("batch: an item's own version", {"protocol_version": "1.0", "requests": [
        request(), request(protocol_version="2.0")]}, [None, "version_unsupported"]),
    Case("batch: in a batch", batch(batch(request())), ["schema_validation"]),
    Case("batch: other keys", batch(request(), note="x"), [None]),
    Case("batch: empty", batch(), "schema_validation", ["requests"]),
    Case("batch: no list", {"protocol_version": "1.4", "requests": {}}, "schema_validation", ["requests"]),
    Case("batch: no version", batch(request(), version=None), "schema_validation", ["protocol_version"]),
    Case("batch: version of words", batch(request(), version="abc"), "version_unsupported", ["protocol_version"]),
    Case("batch: version before requests", {"protocol_version": "2.0", "requests": 1}, "version_unsupported"),
    Case("batch: too many", batch(*[request()] * 4), "invalid_options", ["requests"],
         {"max_batch_size": 3, "requests": 4}),
    Case("batch: one pass", batch(request("pass"), request("pass")), [None, None]),
    Case("batch: a pass that loses one", batch(request("pass-short"), request("pass-short")), ["internal_error"] * 2),
    Case("batch: a pass with errors", batch(*[request("pass-errors")] * 3),
         ["resource_exhausted", "internal_error", None]),
    Case("batch: a pass that fails", batch(request("pass-fails")), ["internal_error"]),
    Case("batch: a pass of promises", batch(request("pass-awaits")), [None]),
    Case("batch: one broken model", batch(request("return_none"), request("loading"), request()),
         ["internal_error", "model_unavailable", None]),
]  # fmt: skip

CASES = [*_OK, *_SCHEMA, *_SKELETON, *_MODEL, *_OPTIONS, *_BACKBONE, *_BATCH]
