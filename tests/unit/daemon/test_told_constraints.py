# SPDX-License-Identifier: Apache-2.0
"""What a report says of a constraint is what it does: ignored, the motion without it is the same; else it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from motionmcp.schemas import GenerateRequest
from tests.fakes import asks, rigs
from tests.fakes.asks import INTERPOLATE, run
from tests.unit.daemon.test_told import clip, key, same

from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.backbone import StarterBackbone
from kineograph_daemon.pipeline import JobResultData, tried

Spec = dict[str, Any]
MODELS = {"kineograph-interpolate": INTERPOLATE, "kineograph-starter": StarterBackbone()}
PLAIN: Spec = {"type": "unconditioned", "duration_frames": 30}
RAW: Spec = {"post_processing": False}


RIGS = {"human": rigs.human(), "chain": rigs.chain(6), "figure": figure.SKELETON, "sparse": rigs.sparse()}
RIGS["ball"] = BALL = rigs.single()
HUMAN, CHAIN, FIGURE = RIGS["human"], RIGS["chain"], RIGS["figure"]
HAND = (HUMAN.rest_positions_m[HUMAN.index["LeftHand"]] + [0.0, 0.1, 0.2]).tolist()
AT_REST = HUMAN.rest_positions_m[HUMAN.index["Head"]].tolist()
TIP = (HUMAN.rest_positions_m[HUMAN.index["LeftHandEnd"]] + [0.0, 0.1, 0.1]).tolist()
WAY = asks.path([0, 15, 29], [[0, 0], [0.2, 0.4], [0, 0.8]], [0.0, 0.1, 0.2])
HEIGHTS = asks.ground([[x / 4, 0.1, z / 4] for x in range(-4, 5) for z in range(-4, 9)])
LOW = asks.ground([[x / 4, -0.5, z / 4] for x in range(-4, 5) for z in range(-4, 9)])
BEYOND = (CHAIN.rest_positions_m[5] + 0.5 * CHAIN.rest_translations_m[5]).tolist()
FAR = asks.ground([[50.0, 2.0, 50.0]])


def some(rig: Skeleton, frame: int, *names: str) -> Spec:
    return asks.key(rig, frame, {n: asks.about_x(12.0) for n in names}, full=False)


def still(rig: Skeleton, frame: int) -> Spec:
    return asks.key(rig, frame, {}, rig.rest_positions_m[rig.root].tolist())


def body(model: str, rig: str, constraints: list[Spec], options: Spec, segments: list[Spec]) -> Spec:
    return {
        "protocol_version": "1.4",
        "model": model,
        "skeleton": RIGS[rig].to_mmcp(),
        "timing": {"fps": 30.0},
        "segments": segments,
        "constraints": constraints,
        "options": {"seed": 7, **options},
    }


def walked(rig: Skeleton, aside_m: float, *names: str) -> list[Spec]:
    """Keys at 9 and 19 on another way than the path's: all joints, or these and the root's place."""
    turned = {n: asks.about_x(5.0) for n in names}
    at = [rig.rest_positions_m[rig.root] + [aside_m * (f > 9), 0, f / 30] for f in (9, 19)]
    return [asks.key(rig, f, turned, p.tolist(), full=not names) for f, p in zip((9, 19), at, strict=True)]


def made(spec: Spec) -> JobResultData:
    return run(GenerateRequest.model_validate(spec), MODELS[spec["model"]])


TOLD = {
    "a key in part under another": (
        "human", [key(HUMAN, 9, 1), some(HUMAN, 9, "Spine")], 0, {}, "changed", "a later pose key fixes the same"),
    "a key whose place is where the root stands": (
        "ball", [still(BALL, 9) | {"joint_rotations": {"Body": asks.about_x(9)}}, some(BALL, 9, "Body")], 0, {},
        "ignored", "so without it"),
    "a key wholly under another": ("human", [key(HUMAN, 9, 1), key(HUMAN, 9, 2)], 0, {}, "ignored", "a later pose key"),
    "the same, as the model made it": (
        "human", [key(HUMAN, 9, 1), key(HUMAN, 9, 2)], 0, RAW, "ignored", "a later pose key"),
    "a path whose facing is keyed": (
        "human", [asks.path([9], [[0.3, 0.2]], [0.5]), some(HUMAN, 9, "Hips")], 0, {}, "changed", "a pose key fixes"),
    "a point under a later path's": ("human", [asks.path([15], [[0.5, 0.1]]), WAY], 0, {}, "ignored", "a later path"),
    "a point beside a later path's": ("human", [asks.path([7, 15], [[0, 0], [0.5, 0.1]]), WAY], 0, {}, "changed", ""),
    "a root's target on its path": (
        "human", [WAY, asks.target("Hips", [15], [[0.5, 0.8, 0.0]])], 1, {}, "ignored", "a path fixes the root"),
    "a target on its limb's key": (
        "human", [key(HUMAN, 9, 1), asks.target("LeftHand", [9], [HAND])], 1, {}, "ignored", "fixes the same limb"),
    "targets held between keys": (
        "human", [key(HUMAN, 9, 1), key(HUMAN, 19, 2), asks.target("LeftHand", [9, 19], [HAND] * 2)], 2, {},
        "changed", "fixes the same limb"),
    "a target whose turn is keyed": (
        "human", [some(HUMAN, 9, "LeftHandEnd"), asks.target("LeftHandEnd", [9], [TIP], [asks.about_y(40)])], 1, {},
        "changed", "turns the same joint"),
    "a chain's target with the root keyed": (
        "human", [some(HUMAN, 9, "Hips"), asks.target("Head", [9], [[3.0, 1.0, 0.0]])], 1, {}, "changed", "out of"),
    "hips turned and placed under a root bone": (
        "sparse", [asks.target("Hips", [9], [[0.05, 0.9, 0.1]], [asks.about_y(20)])], 0, {}, "applied", ""),
    "a target nobody knows, met all the same": (
        "human", [asks.target("Head", [9], [AT_REST])], 0, RAW, "ignored", "by itself"),
    "ground under keyed heights": ("chain", [still(CHAIN, 0), still(CHAIN, 29), HEIGHTS], 2, {}, "ignored", "keys say"),
    "ground under one keyed height": ("chain", [still(CHAIN, 0), WAY, FAR, HEIGHTS], 3, {}, "ignored", "keys say"),
    "a straight way that keys override": (
        "human", [asks.path([9, 19], [[0.5, 0], [0.5, 1]]), *walked(HUMAN, 0.0)], 0, {}, "ignored", "the same without"),
    "a way round that keys override": (
        "human", [asks.path([9, 19], [[0.5, 0], [0.5, 1]]), *walked(HUMAN, 0.6, "Spine")], 0, {}, "changed", ""),
    "ground under keyed feet": (
        "human", [HEIGHTS, *(key(HUMAN, f, f, f / 50) for f in range(30))], 0, {}, "ignored", "keys fix the feet"),
    "ground that keyed feet come to touch": (
        "human", [LOW, *(still(HUMAN, f) for f in range(30))], 0, {}, "applied", ""),
    "a target further along what is straight": (
        "chain", [asks.target("j5", [9], [BEYOND])], 0, {}, "ignored", "as near without being told"),
    "a target out of reach elsewhere": (
        "human", [asks.target("LeftHand", [9], [[0.0, 1.2, 2.0]])], 0, {}, "changed", "; stretched towards it"),
    "ground far from a chain": ("chain", [FAR], 0, {}, "ignored", "no surface point"),
    "ground far from feet": ("human", [FAR, still(HUMAN, 9)], 0, {}, "changed", "in the air"),
}  # fmt: skip
STARTED = {
    "a key of few joints": ("figure", [key(FIGURE, 0, 1), key(FIGURE, 29, 2), some(FIGURE, 9, "l_knee")], 2, "ignored"),
    "on another rig, after what is not told": (
        "human",
        [asks.target("Head", [9], [AT_REST]), key(HUMAN, 0, 1), key(HUMAN, 29, 2), some(HUMAN, 9, "LeftLeg")],
        3, "ignored"),
    "two, of which one counts": (
        "figure", [key(FIGURE, 0, 1), some(FIGURE, 9, "l_knee"), some(FIGURE, 19, "pelvis")], 1, "ignored"),
    "one point of a way": (
        "figure", [key(FIGURE, 0, 1), key(FIGURE, 29, 2), asks.path([10], [[0.3, 0.2]], [0.4])], 2, "ignored"),
    "one point, where rounding turns the hips": (
        "sparse", [key(RIGS["sparse"], 0, 1), key(RIGS["sparse"], 29, 2), asks.path([10], [[0.3, 0.2]])], 2, "ignored"),
    "a way": ("figure", [key(FIGURE, 0, 1), key(FIGURE, 29, 2), WAY], 2, "changed"),
    "a foot's target on its key": (
        "figure", [*(key(FIGURE, f, f) for f in (0, 9, 29)), asks.target("l_ankle", [9], [[0.3, 0.5, 0.1]])], 3,
        "ignored"),
    "alone, it stands at both ends": ("figure", [some(FIGURE, 9, "l_knee")], 0, "changed"),
}  # fmt: skip
CASES = [pytest.param("kineograph-interpolate", *c, id=name) for name, c in TOLD.items()]
CASES += [
    pytest.param("kineograph-starter", rig, constraints, index, RAW, outcome, "", id=name)
    for name, (rig, constraints, index, outcome) in STARTED.items()
]


@pytest.mark.parametrize(("model", "rig", "constraints", "index", "options", "outcome", "why"), CASES)
def test_what_is_told_of_a_constraint_is_what_it_does(
    model: str, rig: str, constraints: list[Spec], index: int, options: Spec, outcome: str, why: str
) -> None:
    without = [c for i, c in enumerate(constraints) if i != index]
    full, bare = (made(body(model, rig, cs, options, [PLAIN])) for cs in (constraints, without))
    entry = full.report["constraints"][index]
    assert entry["outcome"] == outcome, entry["reason"]
    assert why in entry["reason"]
    assert same(full, bare) == (outcome == "ignored")


@pytest.mark.parametrize("model", MODELS)
def test_where_keys_leave_nothing_no_prompt_and_no_second_sample_is_called_used(model: str) -> None:
    text = {"type": "text", "prompt": "a person walks", "duration_frames": 4}
    keys = [key(HUMAN, f, f, f / 50) for f in range(4)]
    data = made(body(model, "human", keys, {"num_samples": 2}, [text]))
    assert np.array_equal(data.rotations_xyzw[0], data.rotations_xyzw[1])
    assert data.report["segments"][0]["outcome"] == "ignored"
    option = next(o for o in data.report["options"] if o["name"] == "num_samples")
    assert option["outcome"] == "changed"
    assert "one motion" in option["reason"]


def test_a_jump_along_a_path_is_taken_otherwise_not_dropped() -> None:
    jump, free = ({"type": "text", "prompt": "jumps", "duration_frames": 30}, PLAIN)
    one, other = (made(body("kineograph-starter", "figure", [WAY], {}, [s])) for s in (jump, free))
    assert not same(one, other)
    assert one.report["segments"][0]["outcome"] == "changed"
    assert "walks" in one.report["segments"][0]["reason"]


@pytest.mark.parametrize(("loop", "why"), [(True, "first again"), (False, "no cycle")])
def test_a_loop_says_why_either_way(loop: bool, why: str) -> None:
    data = made(body("kineograph-interpolate", "chain", [], {"loop": loop}, [PLAIN]))
    assert why in next(o["reason"] for o in data.report["options"] if o["name"] == "loop")


def test_a_clip_whose_feet_only_the_solve_tells_is_not_called_untouched() -> None:
    on, off = (
        made(body("kineograph-interpolate", "human", [], {"post_processing": v}, [clip(HUMAN, 2)]))
        for v in (True, False)
    )
    assert not same(on, off)
    assert next(o["outcome"] for o in on.report["options"] if o["name"] == "post_processing") == "applied"


@pytest.mark.parametrize("first", [True, False])
def test_words_over_a_span_that_keys_fix_are_not_called_used(first: bool) -> None:
    text = {"type": "text", "prompt": "a person walks", "duration_frames": 4}
    free = {"type": "unconditioned", "duration_frames": 20}
    start = 0 if first else 20
    keys = [key(FIGURE, start + f, f, f / 50) for f in range(4)]
    made_of = [
        made(body("kineograph-starter", "figure", keys, {}, [said, free] if first else [free, said]))
        for said in (text, {**text, "prompt": "a person runs"}, {"type": "unconditioned", "duration_frames": 4})
    ]
    told = made_of[0].report["segments"][0 if first else 1]
    assert all(same(made_of[0], other) for other in made_of[1:]) == (told["outcome"] == "ignored")
    if told["outcome"] == "ignored":
        assert "this whole span" in told["reason"]
        assert not [n for n in made_of[0].notes if n["code"] == "text_not_understood"]


@pytest.mark.parametrize(("deg", "outcome"), [(0.0, "ignored"), (20.0, None)])
def test_a_fill_mode_is_told_where_it_fills_in_the_same(deg: float, outcome: str | None) -> None:
    others = [asks.key(HUMAN, f, {"Spine": asks.about_x(deg)}) for f in (0, 29)]
    alone = asks.key(HUMAN, 14, {"Head": asks.about_x(9.0)}, full=False)
    rest, free = (
        made(body("kineograph-interpolate", "human", [*others, {**alone, "fill_mode": mode}], {}, [PLAIN]))
        for mode in ("rest", "generate")
    )
    told = [f["outcome"] for f in free.report["constraints"][2].get("fields", []) if f["name"] == "fill_mode"]
    assert told == ([] if outcome is None else [outcome])
    assert same(rest, free) == (outcome is not None)


class Counting(type(INTERPOLATE)):  # type: ignore[misc]
    """How often it is asked."""

    def __init__(self, is_repeatable: bool) -> None:
        super().__init__()
        self.is_repeatable, self.asked, self.questions = is_repeatable, 0, 0

    def ignored_fields(self, request: GenerateRequest) -> dict[str, str]:
        self.questions += 1
        return dict(super().ignored_fields(request))

    def generate_with_hooks(self, request: GenerateRequest, hooks: Any) -> Any:
        self.asked += 1
        return super().generate_with_hooks(request, hooks)


@pytest.mark.parametrize(
    ("is_repeatable", "deadline_at_s", "most"),
    [(True, np.inf, 1 + tried.MOST_TRIED), (False, np.inf, 1), (True, 1e12, 1)],
)
def test_a_model_is_asked_again_for_few_fields_and_only_if_it_repeats_itself_and_has_time(
    is_repeatable: bool, deadline_at_s: float, most: int
) -> None:
    keys = [{**asks.key(HUMAN, f, {"Head": asks.about_x(0.0)}, full=False), "fill_mode": "rest"} for f in range(20)]
    model, hooks = Counting(is_repeatable), asks.Hooks()
    hooks.deadline_at_s = deadline_at_s  # type: ignore[attr-defined]
    run(GenerateRequest.model_validate(body("kineograph-interpolate", "human", keys, {}, [PLAIN])), model, hooks)
    assert model.asked == most


def test_a_field_without_a_seed_is_tried_on_one_that_stays() -> None:
    way = [asks.path([9, 19], [[0.5, 0], [0.5, 1]]), *walked(HUMAN, 0.0)]
    spec = body("kineograph-interpolate", "human", way, {"num_samples": 2}, [PLAIN])
    del spec["options"]["seed"]
    assert made(spec).report["constraints"][0]["outcome"] == "ignored"


def test_a_rotation_of_length_zero_is_told_as_none() -> None:
    nothing = [0.0, 0.0, 0.0, 0.0]
    bad = asks.key(HUMAN, 9, {"Spine": asks.about_x(5.0)}) | {"frame": 9}
    bad["joint_rotations"]["Head"] = nothing
    target = asks.target("LeftHand", [20, 24], [HAND] * 2, [asks.about_y(20), nothing])
    played = clip(HUMAN, 2)
    played["rotations"][3][1] = nothing
    fine = asks.key(HUMAN, 5, {"Spine": asks.about_x(5.0)})
    data = made(body("kineograph-interpolate", "human", [fine, bad, target], {}, [PLAIN, played]))
    constraints = data.report["constraints"]
    assert [c["outcome"] for c in constraints] == ["applied", "changed", "changed"]
    assert "length zero" in constraints[1]["reason"]
    assert "Head" in constraints[1]["reason"]
    assert "frame 24" in constraints[2]["reason"]
    assert "length zero is none, on 1 of" in data.report["segments"][1]["reason"]


def test_a_model_says_once_what_it_ignores_where_nothing_is_tried() -> None:
    model = Counting(True)
    run(GenerateRequest.model_validate(body("kineograph-interpolate", "human", [key(HUMAN, 9)], {}, [PLAIN])), model)
    assert (model.asked, model.questions) == (1, 1)
