# SPDX-License-Identifier: Apache-2.0
"""A model with a skeleton of its own serves any rig: keys exact, paths met, feet held on the user's own legs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motionmcp import GenerateRequest, MotionResult
from tests.fakes import asks, canonical, rigs, test_rigs, walks
from tests.fakes.asks import Hooks, key, path, request, run, target, world
from tests.fakes.canonical import Walker

from kineograph import formats
from kineograph.errors import ErrorCode, RequestError
from kineograph.motion import quat
from kineograph.motion.resample import resample
from kineograph.motion.rest import align, align_clip
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon import pipeline
from kineograph_daemon.pipeline import JobResultData, bridge
from kineograph_daemon.retarget import retarget

SHARED = Path(os.environ.get("KINEOGRAPH_SHARED", Path(__file__).resolve().parents[3] / ".." / "shared"))
RIGS = {"mixamo": align(test_rigs.mixamo65()), "rigify": align(canonical.metarig()), "unreal": test_rigs.unreal68()}
HAND = {"mixamo": "mixamorig:LeftHand", "rigify": "hand.L", "unreal": "hand_l"}
THIGH = {"mixamo": "mixamorig:LeftUpLeg", "rigify": "thigh.L", "unreal": "thigh_l"}


@pytest.mark.parametrize("name", RIGS)
def test_motion_stands_and_walks_on_the_users_rig(name: str) -> None:
    rig = RIGS[name]
    asked = request(rig, 90, model="walker")
    out = run(asked, Walker())
    at, _ = world(asked, out)
    soles = [rig.rest_positions_m[j, 1] for j in (rig.index[THIGH[name]],)]
    legs = soles[0] / Walker().skeleton.rest_positions_m[Walker().skeleton.index["LeftLeg"], 1]
    assert at[-1, rig.index[THIGH[name]], 2] == pytest.approx(legs * 1.1 * 89 / 30, rel=0.1), "travel goes by the legs"
    quality = out.report["quality"][0]
    assert quality["slide_mean_cm_s"] < 1.0
    assert quality["penetration_cm"] < 0.5
    assert out.translations_m is None, "only the root is moved"
    assert out.canonical_to_request is not None
    assert out.canonical_to_request["LeftHand"] == HAND[name]
    mapping = out.report["mapping"]
    assert mapping["kind"].startswith("retargeted")
    assert mapping["confidence"] >= 0.8
    rows = {row["target"]: row for row in mapping["joints"]}
    assert rows[HAND[name]]["source"] == "LeftHand"
    assert rows[HAND[name]]["reason"]


@pytest.mark.parametrize("name", RIGS)
def test_everything_asked_is_met_on_the_users_rig(name: str) -> None:
    rig = RIGS[name]
    root = rig.rest_positions_m[rig.root]
    bent = {HAND[name]: quat.mul(rig.rest_rotations_xyzw[rig.index[HAND[name]]], asks.about_x(30))}
    held = rig.rest_positions_m[rig.index[HAND[name]]] * (0.8, 0.95, 1.0) + (0.0, 0.0, 1.9)
    constraints = [
        key(rig, 0, bent, root),
        path([30, 60], [[0.1, 0.8], [0.3, 1.6]], [0.1, 0.3]),
        target(HAND[name], [70], [held]),
        key(rig, 89, bent, root + np.array([0.3, 0.0, 2.4])),
    ]
    backbone = Walker()
    out = run(request(rig, 90, constraints, model="walker"), backbone)
    assert [c["outcome"] for c in out.report["constraints"]] == ["applied"] * 4, out.report["constraints"]
    told = backbone.asked[0]
    assert [j.name for j in told.skeleton.joints] == list(backbone.skeleton.names)
    assert [c.type for c in told.constraints] == [c["type"] for c in constraints]
    names = set(backbone.skeleton.names)
    assert all(set(c.joint_rotations) <= names for c in told.constraints if c.type == "pose_keyframe")


def test_what_is_told_comes_back_the_same() -> None:
    """A key and a path carried to the model's rig and its answer carried back are what was asked, before any solve."""
    rig = RIGS["rigify"]
    clip = align_clip(walks.walk(canonical.metarig(), 40, 30.0))
    keys = [
        key(rig, f, dict(zip(rig.names, clip.rotations_xyzw[f], strict=True)), clip.root_m[f].tolist())
        for f in range(0, 40, 4)
    ]

    class Echo(Walker):
        """Answers with the keys it was told, held."""

        def generate(self, request: GenerateRequest) -> Any:
            made = super().generate(request)
            for c in request.constraints:
                assert c.type == "pose_keyframe"
                span = slice(c.frame, c.frame + 4)
                made.root_translations[0, span] = c.root_position
                for name, rotation in c.joint_rotations.items():
                    made.rotations[0, span, self.skeleton.index[name]] = rotation
            return made

    asked = request(rig, 40, keys, model="walker", post_processing=False)
    out = run(asked, Echo())
    frames = np.arange(0, 40, 4)
    there, _ = world(asked, out)
    clip_at, _ = clip.world()
    limbs = [rig.index[n] for n in ("hand.L", "foot.R", "thigh.L", "upper_arm.R", "toe.L")]
    miss = np.linalg.norm(there[frames][:, limbs] - clip_at[frames][:, limbs], axis=-1)
    assert miss.max() < 0.002


def test_a_models_own_word_about_its_feet_is_carried_over() -> None:
    out = run(request(RIGS["mixamo"], 60, model="walker"), Walker(tells_contacts=True))
    assert set(out.contacts) == {"mixamorig:LeftToeBase", "mixamorig:RightToeBase"}
    assert out.contacts["mixamorig:LeftToeBase"].mean() == pytest.approx(0.5, abs=0.1)


def test_other_rates_samples_and_raw_motion() -> None:
    rig = RIGS["mixamo"]
    out = run(request(rig, 48, fps=24.0, model="walker", num_samples=2), Walker())
    assert out.rotations_xyzw.shape == (2, 48, len(rig), 4)
    raw = run(request(rig, 60, fps=30.0, model="walker", post_processing=False), Walker())
    assert raw.report["mapping"]["kind"].startswith("retargeted")
    assert raw.canonical_to_request


def test_the_models_own_rig_is_left_alone() -> None:
    backbone = Walker()
    asked = request(backbone.skeleton, 30, model="walker", post_processing=False)
    out = run(asked, backbone)
    np.testing.assert_array_equal(out.rotations_xyzw[0], walks.walk(backbone.skeleton, 30, 30.0).rotations_xyzw)
    assert out.canonical_to_request is None


@pytest.mark.parametrize(
    ("rig", "lacks"), [(rigs.quadruped(), "four"), (rigs.chain(), "thigh"), (rigs.single(), "hips")]
)
def test_a_rig_without_the_limbs_is_refused_by_name(rig: Skeleton, lacks: str) -> None:
    with pytest.raises(RequestError) as caught:
        run(request(rig, 30, model="walker"), Walker())
    assert caught.value.code is ErrorCode.RETARGETING_UNSUPPORTED
    assert lacks in caught.value.message
    assert caught.value.details["lacks"]


def test_one_bad_rig_in_a_batch_fails_alone() -> None:
    class Batching(Walker):
        def generate_batch(self, requests: list[GenerateRequest]) -> list[Any]:
            return [self.generate(r) for r in requests]

    backbone = Batching()
    many = [request(r, 20, model="walker") for r in (RIGS["mixamo"], rigs.quadruped(), RIGS["unreal"])]
    spec = pipeline.widen(backbone.capabilities(), backbone)
    out = pipeline.run_many(many, backbone, spec, Hooks())
    assert [isinstance(o, JobResultData) for o in out] == [True, False, True]
    assert [len(o.joint_names) for o in out if isinstance(o, JobResultData)] == [65, 68]


def test_every_model_that_can_be_read_moves_any_rig() -> None:
    walker = Walker()
    assert not walker.capabilities().supports_retargeting
    assert pipeline.widen(walker.capabilities(), walker).supports_retargeting
    assert bridge.misfit(request(rigs.quadruped(), 2).skeleton, walker.capabilities().canonical_skeleton) is not None


def clip_segment(frames: int, source: Skeleton, *, own: bool) -> dict[str, Any]:
    clip = walks.walk(source, 40, 30.0)
    out: dict[str, Any] = {
        "type": "motion_reference", "duration_frames": frames, "joint_names": list(source.names),
        "rotations": clip.rotations_xyzw.astype(float).tolist(), "root_positions": clip.root_m.astype(float).tolist(),
        "fps": 30.0,
    }  # fmt: skip
    return out | {"skeleton": source.to_mmcp()} if own else out


@pytest.mark.parametrize("own", [True, False])
def test_a_reference_clip_reaches_the_model_on_its_own_skeleton(own: bool) -> None:
    rig, backbone = RIGS["mixamo"], Walker()
    source = test_rigs.vrm55() if own else rig
    run(request(rig, 60, segments=[clip_segment(60, source, own=own)], model="walker"), backbone)
    segment = backbone.asked[0].segments[0]
    assert segment.type == "motion_reference"
    assert segment.skeleton is None
    assert segment.joint_names == list(backbone.skeleton.names)
    assert np.shape(segment.rotations) == (40, 77, 4)
    walked = np.asarray(segment.root_positions)[-1, 2]
    soma, legs = backbone.skeleton.rest_positions_m, source.rest_positions_m
    thigh = source.index["leftUpperLeg" if own else "mixamorig:LeftUpLeg"]
    ratio = soma[backbone.skeleton.index["LeftLeg"], 1] / legs[thigh, 1]
    assert walked == pytest.approx(1.1 * 39 / 30 * ratio, rel=0.1)


def test_a_clip_of_an_animal_is_refused_with_its_place() -> None:
    dog = rigs.quadruped()
    still = {
        "type": "motion_reference", "duration_frames": 30, "joint_names": list(dog.names), "fps": 30.0,
        "rotations": np.broadcast_to(dog.rest_rotations_xyzw, (4, len(dog), 4)).tolist(),
        "root_positions": [dog.rest_positions_m[0].tolist()] * 4, "skeleton": dog.to_mmcp(),
    }  # fmt: skip
    with pytest.raises(RequestError) as caught:
        run(request(RIGS["mixamo"], 30, segments=[still], model="walker"), Walker())
    assert caught.value.details["where"]["path"] == ["segments", 0, "skeleton"]


@pytest.mark.shared
@pytest.mark.parametrize("name", RIGS)
def test_captured_motion_keeps_its_feet_on_the_users_legs(name: str) -> None:
    path_ = SHARED / "clips" / "cmu_01_01.bvh"
    if not path_.is_file():
        pytest.skip(f"reference data is not here: {path_}")
    captured = retarget(resample(formats.load(path_).clips[0], 30.0), None, test_rigs.soma77()).clip.slice(0, 240)

    class Player(Walker):
        """Answers with a capture."""

        def generate(self, request: GenerateRequest) -> MotionResult:
            return MotionResult(captured.rotations_xyzw[None], captured.root_m[None])

    quality = run(request(RIGS[name], 240, model="walker"), Player()).report["quality"][0]
    assert quality["standing_share"] > 0.4
    assert quality["slide_mean_cm_s"] < 1.0
    assert quality["penetration_cm"] < 0.5
    assert quality["jerk_ratio"] < 1.1


HUMAN = rigs.human()
ODD = {
    "all in one place": HUMAN.rest_translations_m * 0.0,
    "a millionth": HUMAN.rest_translations_m * 1e-6,
    "a million": HUMAN.rest_translations_m * 1e6,
    "upside down": HUMAN.rest_translations_m * (1.0, -1.0, 1.0),
    "lying": HUMAN.rest_translations_m[:, [0, 2, 1]],
    "no legs": np.where([[n.endswith(("Leg", "Foot"))] for n in HUMAN.names], 0.0, HUMAN.rest_translations_m),
    "a rod": np.linalg.norm(HUMAN.rest_translations_m, axis=1)[:, None] * np.array([0.0, 1.0, 0.0]),
}


@pytest.mark.parametrize("name", ODD)
def test_the_oddest_rigs_give_numbers_or_a_reason(name: str) -> None:
    rig = replace(HUMAN, rest_translations_m=ODD[name])
    asked = [key(rig, 0, root=[0, 1, 0]), path([0, 19], [[0, 0], [1, 1]]), target("LeftHand", [10], [[0.3, 1, 0.3]])]
    sent = request(rig, 20, asked, model="walker")
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        if name == "no legs":
            with pytest.raises(RequestError, match="no length") as caught:
                run(sent, Walker())
            assert caught.value.code is ErrorCode.RETARGETING_UNSUPPORTED
            return
        out = run(sent, Walker())
    assert np.isfinite(out.rotations_xyzw).all()
    assert np.isfinite(out.root_m).all()
    assert out.report["constraints"][0]["outcome"] == "applied"
