# SPDX-License-Identifier: Apache-2.0
"""What a report says of seeds and dials is what they do: ignored changes nothing, applied does.

Each case sends one field with several values and compares the results, but for rounding.
"""

from __future__ import annotations

import copy
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from motionmcp.schemas import GenerateRequest
from tests.fakes import asks, rigs
from tests.fakes.asks import INTERPOLATE, run

from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.backbone import StarterBackbone
from kineograph_daemon.pipeline import JobResultData, meet

Spec = dict[str, Any]
MODELS = {"kineograph-interpolate": INTERPOLATE, "kineograph-starter": StarterBackbone()}
RIGS = {"human": rigs.human(), "dog": rigs.quadruped(), "chain": rigs.chain(6), "figure": figure.SKELETON}
RIGS |= {"ball": rigs.single(), "tail": rigs.chain(2), "sparse": rigs.sparse()}
VALUES: dict[str, list[Any]] = {
    "easing": ["smooth", "ease_in_out", "linear", "hold"],
    "overshoot": [0.0, 1.0],
    "variation": [0.0, 1.0],
    "footsteps": [True, False],
    "relaxed_arms": [True, False],
    "transition_frames": [0, 30],
    "seed": [1, 2],
    "diffusion_steps": [1, 4],
    "post_processing": [True, False],
}
DIALS = ("easing", "overshoot", "variation", "footsteps", "relaxed_arms")


def turned(rig: Any, seed: int, deg: float = 9.0) -> dict[str, Any]:
    angles = np.random.default_rng(seed).normal(0, deg, len(rig))
    return {n: asks.floats(asks.about_x(float(a))) for n, a in zip(rig.names, angles, strict=True)}


def key(rig: Any, frame: int, seed: int = 0, on: float = 0.0) -> Spec:
    return asks.key(rig, frame, turned(rig, seed), (rig.rest_positions_m[rig.root] + [0, 0, on]).tolist(), full=False)


def scene(what: str, rig: Any) -> Spec:
    """Segments and constraints by name."""
    plain: Spec = {"type": "unconditioned", "duration_frames": 30}
    some = {name: turned(rig, 1)[name] for name in (rig.names[1 % len(rig)], rig.names[-1])}
    two = [key(rig, 0, 1), key(rig, 29, 2, 0.4)]
    return {
        "bare": {"segments": [plain]},
        "one key": {"segments": [plain], "constraints": [key(rig, 9)]},
        "two keys": {"segments": [plain], "constraints": two},
        "two alike": {"segments": [plain], "constraints": [key(rig, 0), key(rig, 29)]},
        "three keys": {"segments": [plain], "constraints": [*two, key(rig, 12, 3, 0.1)]},
        "some joints": {"segments": [plain], "constraints": [asks.key(rig, 4, some, full=False)]},
        "path": {"segments": [plain], "constraints": [asks.path([0, 29], [[0, 0], [0.1, 0.8]])]},
        "unlike people": {
            "segments": [plain],
            "constraints": [asks.key(rig, f, turned(rig, f, 70.0)) for f in (0, 29)],
        },
        "target": {"segments": [plain], "constraints": [asks.target(rig.names[-1], [15], [[0.1, 0.5, 0.3]])]},
        "all keyed": {
            "segments": [{**plain, "duration_frames": 4}],
            "constraints": [key(rig, f, f, f / 50) for f in range(4)],
        },
        "one frame": {"segments": [{**plain, "duration_frames": 1}]},
        "halves": {"segments": [{**plain, "duration_frames": 15} for _ in range(2)], "constraints": two},
        "clip, then free": {"segments": [clip(rig, 5), plain]},
        "two clips": {"segments": [clip(rig, 5), clip(rig, -5)]},
        "root key": {
            "segments": [plain],
            "constraints": [asks.key(rig, 9, {rig.names[0]: asks.about_x(5)}, full=False)],
        },
        "moved by targets": {
            "segments": [plain],
            "constraints": [*at(rig, 0, 0.0), *at(rig, 29, 0.5), aimed(rig, 1, 29)],
        },
        "key and target": {"segments": [plain], "constraints": [key(rig, 9), aimed(rig, 9, 11)]},
        "held by targets": {"segments": [plain], "constraints": [aimed(rig, 0, 30)]},
    }[what]


def at(rig: Any, frame: int, on: float) -> list[Spec]:
    """A key of the root alone."""
    root = rig.names[rig.root]
    return [asks.key(rig, frame, {root: asks.about_x(0)}, (rig.rest_positions_m[0] + [0, 0, on]).tolist(), full=False)]


def aimed(rig: Any, start: int, stop: int) -> Spec:
    """The last joint's place and turn on every frame."""
    place = (
        (rig.rest_positions_m[-1] + [0.0, 0.0, 0.1]).tolist() if len(rig) == 1 else rig.rest_positions_m[-1].tolist()
    )
    n = stop - start
    return asks.target(rig.names[-1], range(start, stop), [place] * n, [asks.about_x(20.0)] * n)


def clip(rig: Any, deg: float) -> Spec:
    rotations = np.tile(asks.about_x(0.0), (20, len(rig), 1))
    rotations[:, -1] = [asks.about_x(deg * f) for f in range(20)]
    root = np.tile(rig.rest_positions_m[rig.root], (20, 1)).tolist()
    names = list(rig.names)
    told = {"joint_names": names, "rotations": rotations.tolist(), "root_positions": root, "fps": 30.0}
    return {"type": "motion_reference", "duration_frames": 20, **told}


def made(model: str, rig: str, what: str, field: str, value: Any, around: Spec) -> JobResultData:
    body: Spec = {"protocol_version": "1.4", "model": model, "skeleton": RIGS[rig].to_mmcp(), "timing": {"fps": 30.0}}
    body |= copy.deepcopy(scene(what, RIGS[rig])) | {"options": {"seed": 7, **copy.deepcopy(around)}}
    if field == "segments.seed":
        body["segments"][0]["seed"] = value
    elif field in DIALS:
        body["options"].setdefault("model_options", {})[field] = value
    else:
        body["options"][field] = value
    return run(GenerateRequest.model_validate(body), MODELS[model])


def told(data: JobResultData, field: str) -> tuple[str, str]:
    if field == "segments.seed":
        found = [f for f in data.report["segments"][0]["fields"] if f["name"] == "seed"]
        return (found[0]["outcome"], found[0]["reason"]) if found else ("applied", "")
    name = f"model_options.{field}" if field in DIALS else field
    return next((o["outcome"], o["reason"]) for o in data.report["options"] if o["name"] == name)


def same(a: JobResultData, b: JobResultData) -> bool:
    if a.contacts.keys() != b.contacts.keys():
        return False
    moved = max(float(np.abs(a.rotations_xyzw - b.rotations_xyzw).max()), float(np.abs(a.root_m - b.root_m).max()))
    return moved <= meet.ROUNDING and all(np.array_equal(a.contacts[n], b.contacts[n]) for n in a.contacts)


MANY: Spec = {"num_samples": 2}
STILL: Spec = {"num_samples": 2, "model_options": {"variation": 0.0}}
LINEAR: Spec = {"model_options": {"easing": "linear"}}
INTERPOLATED = [
    *(("human", what, "relaxed_arms", {}) for what in ("bare", "one key", "clip, then free", "path")),
    ("dog", "bare", "relaxed_arms", {}),
    *(("human", what, "footsteps", {}) for what in ("bare", "one frame", "all keyed", "clip, then free", "two keys")),
    ("dog", "path", "footsteps", {}),
    ("chain", "path", "footsteps", {}),
    *(
        (rig, what, "easing", {})
        for rig in ("human", "chain")
        for what in ("bare", "one key", "two keys", "two alike", "all keyed", "path", "clip, then free")
    ),
    *(("chain", what, "overshoot", {}) for what in ("two keys", "three keys", "some joints")),
    ("chain", "three keys", "overshoot", LINEAR),
    *(("dog", what, "variation", around) for what in ("bare", "all keyed") for around in ({}, MANY)),
    *(("human", what, "seed", around) for what in ("bare", "all keyed") for around in ({}, MANY, STILL)),
    *(("chain", what, "segments.seed", {}) for what in ("bare", "all keyed", "one frame", "halves")),
    ("chain", "bare", "segments.seed", STILL),
    *(("human", "halves", "transition_frames", around) for around in ({}, MANY, STILL)),
    *(("human", what, "transition_frames", {}) for what in ("two clips", "clip, then free")),
    *(("chain", what, "post_processing", {}) for what in ("bare", "target")),
    *(("human", what, "post_processing", {}) for what in ("bare", "one frame")),
    ("human", "root key", "footsteps", {}),
    *(("sparse", "bare", "footsteps", around) for around in ({}, MANY, {**MANY, "post_processing": False})),
    ("sparse", "key and target", "footsteps", {}),
    ("ball", "moved by targets", "easing", {}),
    *(("tail", "held by targets", field, MANY) for field in ("variation", "seed")),
    ("chain", "held by targets", "seed", MANY),
]
STARTED = [
    ("figure", "all keyed", "segments.seed", {}),
    ("figure", "all keyed", "diffusion_steps", {}),
    ("figure", "one frame", "segments.seed", {}),
    ("figure", "halves", "segments.seed", {}),
    ("figure", "all keyed", "seed", MANY),
    ("figure", "two keys", "seed", MANY),
    ("human", "unlike people", "seed", MANY),
    ("human", "unlike people", "segments.seed", {}),
    ("chain", "bare", "seed", MANY),
]
CASES = [("kineograph-interpolate", *c) for c in INTERPOLATED] + [("kineograph-starter", *c) for c in STARTED]


@pytest.mark.parametrize(("model", "rig", "what", "field", "around"), CASES)
def test_what_is_told_of_a_field_is_what_it_does(model: str, rig: str, what: str, field: str, around: Spec) -> None:
    values = VALUES["seed" if field == "segments.seed" else field]
    results = [made(model, rig, what, field, v, around) for v in values]
    acts = any(not same(a, b) for a, b in combinations(results, 2))
    says = [told(data, field) for data in results]
    if field == "post_processing":  # off, it is always kept to: the motion is the model's own
        says = says[:1]
    for outcome, reason in says:
        assert (outcome == "ignored") == (not acts), f"{outcome}: {reason}"
        assert outcome == "applied" or reason


def test_cases_of_both_kinds_are_there() -> None:
    """A field that were always called ignored, or never, would not be examined."""
    seen: dict[str, set[str]] = {}
    for rig, what, field, around in INTERPOLATED:
        value = VALUES["seed" if field == "segments.seed" else field][0]
        seen.setdefault(field, set()).add(
            told(made("kineograph-interpolate", rig, what, field, value, around), field)[0]
        )
    assert all(outcomes == {"applied", "ignored"} for outcomes in seen.values()), seen
