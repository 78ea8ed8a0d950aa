# SPDX-License-Identifier: Apache-2.0
"""The report: nothing that was asked is dropped silently. One test walks the protocol's own schema, field by field."""

from __future__ import annotations

import functools
import json
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import pydantic
import pytest
from motionmcp.schemas import GenerateRequest
from tests.fakes import asks, rigs
from tests.fakes.asks import INTERPOLATE, run

from kineograph.demo import character
from kineograph.errors import KineographError
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon import pipeline
from kineograph_daemon.mmcp.validate import ModelEntry, check_request
from kineograph_daemon.pipeline import JobResultData

HUMAN = rigs.human()
HANG = {"LeftArm": asks.about_z(-75), "RightArm": asks.about_z(75)}


def clip(frames: int = 21) -> dict[str, Any]:
    q = np.zeros((frames, len(HUMAN), 4))
    q[..., 3] = 1.0
    q[:, HUMAN.index["LeftArm"]] = asks.about_z(-60)
    root = np.stack([np.zeros(frames), np.full(frames, 0.96), np.arange(frames) * 0.02], axis=1)
    return {"joint_names": list(HUMAN.names), "rotations": q.tolist(), "root_positions": root.tolist(), "fps": 30.0}


def base() -> dict[str, Any]:
    """A request in which every field that this model could use is used."""
    return {
        "protocol_version": "1.4",
        "model": "kineograph-interpolate",
        "skeleton": HUMAN.to_mmcp(),
        "segments": [
            {"type": "text", "prompt": "walks", "duration_frames": 30, "language": "en", "seed": 4},
            {"type": "unconditioned", "duration_frames": 30, "seed": 5},
        ],
        "constraints": [
            asks.key(HUMAN, 5, HANG, [0.0, 0.95, 0.0]),
            asks.key(HUMAN, 40, {"Spine": asks.about_x(20)}, full=False),
            asks.path([5, 30, 59], [[0, 0], [0, 0.6], [0.4, 1.2]], [0.0, 0.1, 0.4]),
            asks.target("RightHand", [50], [[0.0, 1.1, 1.2]], [asks.about_y(30)]),
            asks.ground([[x / 4, 0.05, z / 4] for x in range(-4, 5) for z in range(-4, 9)]),
        ],
        "timing": {"fps": 30.0},
        "options": {"seed": 1, "num_samples": 2},
    }


def with_clip() -> dict[str, Any]:
    body = base()
    body["segments"] = [
        {"type": "motion_reference", "duration_frames": 30, "seed": 2, **clip()},
        {"type": "unconditioned", "duration_frames": 30},
    ]
    return body


def without_segments() -> dict[str, Any]:
    body = base()
    del body["segments"]
    return body | {"duration_frames": 60}


def one_segment() -> dict[str, Any]:
    body = base()
    body["segments"] = [{"type": "unconditioned", "duration_frames": 60}]
    body["constraints"] = body["constraints"][:1]
    return body


def partly_keyed() -> dict[str, Any]:
    body = base()
    body["constraints"].pop(0)
    return body


WIDE = [-0.1, 0.1, 0.0]
HIGHER = [[x / 4, z / 4, 0.2] for x in range(-4, 5) for z in range(-4, 9)]
RIGHT_SHOULDER = HUMAN.index["RightShoulder"]
Change = Callable[[dict[str, Any]], Any]
Case = tuple[Callable[[], dict[str, Any]], Change]


def put(*where: Any, value: Any) -> Change:
    """Set one place of a request."""

    def change(body: dict[str, Any]) -> None:
        at: Any = body
        for step in where[:-1]:
            at = at.setdefault(step, {}) if isinstance(at, dict) else at[step]
        at[where[-1]] = value

    return change


def rename(body: dict[str, Any]) -> None:
    """Give the head another name, in the skeleton and in the keys."""
    for joint in body["skeleton"]["joints"]:
        joint["name"] = "Skull" if joint["name"] == "Head" else joint["name"]
        joint["parent"] = "Skull" if joint["parent"] == "Head" else joint["parent"]
    for c in body["constraints"]:
        if "Head" in c.get("joint_rotations", {}):
            c["joint_rotations"]["Skull"] = c["joint_rotations"].pop("Head")


def drop_joint(body: dict[str, Any]) -> None:
    body["skeleton"]["joints"] = [j for j in body["skeleton"]["joints"] if j["name"] != "HeadTop"]
    body["constraints"][0]["joint_rotations"].pop("HeadTop")


def move_clip(body: dict[str, Any]) -> None:
    for p in body["segments"][0]["root_positions"]:
        p[1] += 0.1


def turn_clip(body: dict[str, Any]) -> None:
    for frame in body["segments"][0]["rotations"]:
        frame[HUMAN.index["Head"]] = asks.floats(asks.about_y(30))


def fewer_clip_joints(body: dict[str, Any]) -> None:
    segment = body["segments"][0]
    keep = [i for i, n in enumerate(HUMAN.names) if n != "LeftArm"]
    segment["joint_names"] = [HUMAN.names[i] for i in keep]
    segment["rotations"] = [[frame[i] for i in keep] for frame in segment["rotations"]]


def clip_rig(body: dict[str, Any]) -> None:
    rig = character().to_mmcp()
    names = [j["name"] for j in rig["joints"]]
    turned = [asks.floats(asks.about_z(-40)) if n == "LeftUpperArm" else [0.0, 0, 0, 1] for n in names]
    body["segments"][0] |= {"skeleton": rig, "joint_names": names, "rotations": [turned] * 21}


def shift_last_path_point(body: dict[str, Any]) -> None:
    body["constraints"][2]["positions_xz"][-1] = [0.8, 1.0]


C, S, OPT = "constraints", "segments", "options"
CASES: dict[str, Case] = {
    "GenerateRequest.protocol_version": (base, put("protocol_version", value="1.2")),
    "GenerateRequest.model": (base, put("model", value="kineograph-interpolate")),
    "GenerateRequest.skeleton": (base, rename),
    "GenerateRequest.segments": (base, lambda b: b[S].append({"type": "unconditioned", "duration_frames": 9})),
    "GenerateRequest.constraints": (base, lambda b: b[C].pop(0)),
    "GenerateRequest.duration_frames": (without_segments, put("duration_frames", value=70)),
    "GenerateRequest.timing": (base, lambda b: b.pop("timing") and put("timing", "fps", value=24.0)(b)),
    "GenerateRequest.options": (base, lambda b: b.pop(OPT)),
    "Timing.fps": (base, put("timing", "fps", value=24.0)),
    "Skeleton.joints": (base, drop_joint),
    "Joint.name": (base, rename),
    "Joint.parent": (base, put("skeleton", "joints", RIGHT_SHOULDER, "parent", value="Spine1")),
    "Joint.rest_translation": (base, put("skeleton", "joints", RIGHT_SHOULDER, "rest_translation", value=WIDE)),
    "Joint.rest_rotation": (partly_keyed, put("skeleton", "joints", 5, "rest_rotation", value=[0.0, 1.0, 0.0, 0.0])),
    "Joint.display_name": (base, put("skeleton", "joints", 0, "display_name", value="the hips")),
    "TextSegment.prompt": (base, put(S, 0, "prompt", value="dances")),
    "TextSegment.duration_frames": (base, put(S, 0, "duration_frames", value=45)),
    "TextSegment.language": (base, put(S, 0, "language", value="de")),
    "TextSegment.seed": (base, put(S, 0, "seed", value=77)),
    "UnconditionedSegment.duration_frames": (base, put(S, 1, "duration_frames", value=50)),
    "UnconditionedSegment.seed": (base, put(S, 1, "seed", value=77)),
    "MotionReferenceSegment.duration_frames": (with_clip, put(S, 0, "duration_frames", value=35)),
    "MotionReferenceSegment.skeleton": (with_clip, clip_rig),
    "MotionReferenceSegment.joint_names": (with_clip, fewer_clip_joints),
    "MotionReferenceSegment.rotations": (with_clip, turn_clip),
    "MotionReferenceSegment.root_positions": (with_clip, move_clip),
    "MotionReferenceSegment.fps": (with_clip, put(S, 0, "fps", value=60.0)),
    "MotionReferenceSegment.seed": (with_clip, put(S, 0, "seed", value=77)),
    "RootPathConstraint.frames": (base, put(C, 2, "frames", value=[5, 25, 59])),
    "RootPathConstraint.positions_xz": (base, shift_last_path_point),
    "RootPathConstraint.heading_radians": (base, put(C, 2, "heading_radians", value=[0.0, 0.5, 1.0])),
    "EffectorTargetConstraint.joint": (base, put(C, 3, "joint", value="LeftHand")),
    "EffectorTargetConstraint.frames": (base, put(C, 3, "frames", value=[48])),
    "EffectorTargetConstraint.positions": (base, put(C, 3, "positions", value=[[0.0, 1.2, 1.1]])),
    "EffectorTargetConstraint.rotations": (base, put(C, 3, "rotations", value=[asks.floats(asks.about_x(30))])),
    "PoseKeyframeConstraint.frame": (base, put(C, 1, "frame", value=35)),
    "PoseKeyframeConstraint.joint_rotations": (
        base,
        put(C, 1, "joint_rotations", value={"Spine": asks.floats(asks.about_x(40))}),
    ),
    "PoseKeyframeConstraint.root_position": (base, put(C, 0, "root_position", value=[0.0, 0.8, 0.0])),
    "PoseKeyframeConstraint.fill_mode": (base, put(C, 1, "fill_mode", value="rest")),
    "GroundHeightConstraint.points": (base, put(C, 4, "points", value=HIGHER)),
    "Options.diffusion_steps": (base, put(OPT, "diffusion_steps", value=50)),
    "Options.num_samples": (base, put(OPT, "num_samples", value=3)),
    "Options.seed": (base, put(OPT, "seed", value=99)),
    "Options.post_processing": (base, put(OPT, "post_processing", value=False)),
    "Options.transition_frames": (base, put(OPT, "transition_frames", value=15)),
    "Options.guidance": (base, put(OPT, "guidance", value={"type": "regular", "weight": [3.0]})),
    "Options.loop": (one_segment, put(OPT, "loop", value=True)),
    "Options.keyframe_budget": (base, put(OPT, "keyframe_budget", value=0.01)),
    "Options.model_options": (base, put(OPT, "model_options", value={"easing": "linear"})),
    "Guidance.type": (base, put(OPT, "guidance", value={"type": "nocfg"})),
    "Guidance.weight": (base, put(OPT, "guidance", value={"type": "regular", "weight": [7.0]})),
}  # fmt: skip

REFUSED = {"PoseSegment", "VideoReferenceSegment", "VideoSource"}
"""Parts of segments that this model refuses as a whole."""


def fields_of(model: type[pydantic.BaseModel], seen: dict[str, set[str]] | None = None) -> dict[str, set[str]]:
    """Every model under ``model`` with its fields that have more than one possible value."""
    seen = {} if seen is None else seen
    if model.__name__ in seen:
        return seen
    seen[model.__name__] = {n for n, f in model.model_fields.items() if not _is_constant(f.annotation)}
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            fields_of(inner, seen)
    return seen


def _is_constant(annotation: Any) -> bool:
    return typing.get_origin(annotation) is typing.Literal and len(typing.get_args(annotation)) == 1


def _models_in(annotation: Any) -> list[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    return [m for a in typing.get_args(annotation) for m in _models_in(a)]


def test_every_field_of_the_protocol_has_a_case() -> None:
    walked = {f"{m}.{f}" for m, fs in fields_of(GenerateRequest).items() if m not in REFUSED for f in fs}
    assert walked == set(CASES)


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_field_changes_the_result_or_is_listed(name: str) -> None:
    make, change = CASES[name]
    changed = make()
    change(changed)
    a = plain_result(make)
    b = run(GenerateRequest.model_validate(changed))
    assert differs(a, b) or name.split(".")[1] in listed(b) or name.split(".")[0].lower() in listed(b)


@functools.cache
def plain_result(make: Callable[[], dict[str, Any]]) -> JobResultData:
    return run(GenerateRequest.model_validate(make()))


def differs(a: JobResultData, b: JobResultData) -> bool:
    if a.joint_names != b.joint_names or a.rotations_xyzw.shape != b.rotations_xyzw.shape:
        return True
    if a.keyframes != b.keyframes or a.fps_hz != b.fps_hz:
        return True
    moved = np.abs(a.rotations_xyzw - b.rotations_xyzw).max() + np.abs(a.root_m - b.root_m).max()
    return bool(moved > 1e-5)


def listed(data: JobResultData) -> set[str]:
    """Names of everything the report says has no effect, or says something about where a value was told."""
    report = data.report
    entries = [f for s in report["segments"] for f in s["fields"]] + report["options"]
    found = {e["name"].split(".")[-1] for e in entries if e["outcome"] != "applied"}
    return found | {e["name"].split(".")[-1] for e in report["request"] if e["reason"]}


@pytest.mark.parametrize(
    "segment",
    [
        {"type": "pose", "prompt": "sits"},
        {"type": "video_reference", "duration_frames": 9, "video": {"url": "https://example.org/a.mp4"}},
    ],
)
def test_what_the_model_cannot_do_is_refused(segment: dict[str, Any]) -> None:
    body = base() | {"segments": [segment], "constraints": []}
    spec = pipeline.widen(INTERPOLATE.capabilities(), INTERPOLATE)
    with pytest.raises(KineographError) as caught:
        check_request(body, 100, {spec.id: ModelEntry(spec, None)})
    assert caught.value.code == "unsupported_segment"


def test_a_target_inside_the_folded_arm_is_out_of_reach_too() -> None:
    arms = [j for j in HUMAN.names if j.endswith("ForeArm")]
    short = [0.5 if HUMAN.names[p] in arms else 1.0 for p in HUMAN.parents]  # forearms half as long
    rig = Skeleton.build(HUMAN.names, HUMAN.parents, HUMAN.rest_translations_m * np.array(short)[:, None])
    inside = rig.rest_positions_m[rig.index["LeftArm"]] + np.array([0.05, 0.0, 0.0])
    keys = [asks.key(rig, f, {}, rig.rest_positions_m[0].tolist()) for f in (0, 39)]
    out = run(asks.request(rig, 40, [*keys, asks.target("LeftHand", [20], [inside.tolist()])]))
    entry = out.report["constraints"][-1]
    assert entry["worst_cm"] > 1.0
    assert "out of reach" in entry["reason"]
    assert "nearer than the folded limb" in entry["reason"]


def test_misses_are_told_per_frame_and_reasons_in_words() -> None:
    far = asks.target("LeftHand", [10, 11], [[3.0, 1.0, 0.0]] * 2)
    lost = asks.target("RightHand", [20], [[-0.5, 1.6, 0.2]])
    out = run(asks.request(HUMAN, 40, [asks.key(HUMAN, 20, HANG, [0, 0.96, 0]), far, lost]))
    key, reach, beaten = out.report["constraints"]
    assert key["outcome"] == "applied"
    assert key["miss_deg"][0] < 0.1
    assert reach["outcome"] == "changed"
    assert len(reach["miss_cm"]) == 2
    assert reach["worst_cm"] > 100
    assert "out of reach" in reach["reason"]
    assert beaten["outcome"] == "ignored"
    assert "key" in beaten["reason"]
    codes = [n["code"] for n in out.notes]
    assert "target_out_of_reach" in codes


def test_two_paths_at_odds_say_which_one_lost() -> None:
    out = run(asks.request(HUMAN, 40, [asks.path([10], [[0, 0]]), asks.path([10], [[0.5, 0]])]))
    first, second = out.report["constraints"]
    assert first["outcome"] == "ignored"
    assert "a later path" in first["reason"]
    assert first["worst_cm"] == pytest.approx(50, abs=0.1)
    assert second["outcome"] == "applied"


def test_ground_far_away_is_called_unreachable() -> None:
    out = run(asks.request(HUMAN, 10, [asks.key(HUMAN, 0), asks.ground([[50, 2, 50]])]))
    assert out.report["constraints"][1]["outcome"] == "changed"
    assert "in the air" in out.report["constraints"][1]["reason"]
    assert "ground_unreachable" in [n["code"] for n in out.notes]


def test_the_report_is_plain_data() -> None:
    json.dumps(run(GenerateRequest.model_validate(base())).report, allow_nan=False)
