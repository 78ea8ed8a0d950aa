# SPDX-License-Identifier: Apache-2.0
"""One job's way: rates, foreign failures, batches, raw results, thinned keys, what is advertised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult
from motionmcp.errors import ProtocolError
from tests.fakes import asks, rigs
from tests.fakes.asks import Hooks, key, path, request, run, target

from kineograph.errors import ErrorCode, KineographError
from kineograph.motion import quat
from kineograph.motion.thin import read_keys
from kineograph_daemon import pipeline
from kineograph_daemon.backbones.base import KineographBackbone
from kineograph_daemon.pipeline import JobResultData, Stopped, rates

HUMAN = rigs.human()
HANG = {"LeftArm": asks.about_z(-75), "RightArm": asks.about_z(75)}


def spec(fps: float = 30.0, **more: Any) -> ModelSpec:
    body = {"id": "made-up", "fps": fps, "canonical_skeleton": HUMAN.to_mmcp()} | more
    return ModelSpec.model_validate(body)


def swaying(asked: GenerateRequest, fps_hz: float) -> MotionResult:
    """A made-up model: sways at its own rate and walks 1 m/s, deaf to everything asked."""
    samples = asked.options.num_samples if asked.options else 1
    t = np.arange(asked.total_frames) / fps_hz
    q = quat.identity(samples, len(t), len(HUMAN))
    q[:, :, HUMAN.index["Spine"]] = quat.from_axis_angle(np.array([0, 0, 1.0]), 0.3 * np.sin(2 * np.pi * t))
    root = np.stack([0 * t, 0.96 + 0 * t, t], axis=1)
    stands = np.broadcast_to(np.sin(2 * np.pi * t) > 0, (samples, len(t))).copy()
    return MotionResult(
        rotations=q.astype(np.float32),
        root_translations=np.broadcast_to(root, (samples, *root.shape)).astype(np.float32),
        foot_contacts={"LeftFoot": stands},
        chunk_boundaries=[[len(t) // 2]] * samples,
    )


class Hosted(KineographBackbone):
    """A model of one rate that Kineograph hosts; remembers what it was asked."""

    def __init__(
        self, fps: float = 20.0, answer: Callable[[GenerateRequest, float], Any] = swaying, **more: Any
    ) -> None:
        self.fps, self.answer, self.more = fps, answer, more
        self.asked: list[GenerateRequest] = []

    def capabilities(self) -> ModelSpec:
        return spec(self.fps, supported_constraints=["root_path"], **self.more)

    def generate(self, asked: GenerateRequest) -> MotionResult:
        self.asked.append(asked)
        answer: MotionResult = self.answer(asked, self.fps)
        return answer


class Plain(Backbone):
    """A model that knows nothing of Kineograph, written with ``async``."""

    def capabilities(self) -> ModelSpec:
        return spec()

    async def generate(self, asked: GenerateRequest) -> MotionResult:
        return swaying(asked, 30.0)


def text(frames: int) -> asks.Spec:
    return {"type": "text", "prompt": "walks", "duration_frames": frames}


KEYS = [key(HUMAN, 10, HANG, [0, 0.96, 0.2]), key(HUMAN, 47, {"Head": asks.about_y(30)}, [0, 0.96, 1.0])]


@pytest.mark.parametrize(("fps", "model_fps"), [(24.0, 20.0), (60.0, 20.0), (30.0, 30.0), (12.5, 30.0), (120.0, 30.0)])
def test_any_rate_is_resampled_and_keys_are_met_on_the_requests_own_frames(fps: float, model_fps: float) -> None:
    backbone = Hosted(model_fps)
    out = run(request(HUMAN, 60, KEYS, fps=fps, segments=[text(25), text(35)]), backbone)
    assert out.rotations_xyzw.shape[:2] == (1, 60)
    assert out.fps_hz == fps
    got = backbone.asked[0]
    assert got.fps(0) == model_fps
    assert (got.total_frames - 1) / model_fps >= 59 / fps - 1e-6
    assert [s.duration_frames / model_fps for s in got.segments] == pytest.approx(
        [25 / fps, 35 / fps], abs=1.6 / model_fps
    )
    assert all(max(_frames(c)) < got.total_frames for c in got.constraints)
    for c, entry in zip(KEYS, out.report["constraints"], strict=True):
        assert entry["worst_deg"] < 0.1, c["frame"]
        assert entry["worst_cm"] < 0.1
    timing = next(e for e in out.report["request"] if e["name"] == "timing.fps")
    assert timing["outcome"] == ("applied" if fps == model_fps else "changed")


def _frames(c: Any) -> list[int]:
    return [c.frame] if c.type == "pose_keyframe" else c.frames


def test_speed_survives_resampling() -> None:
    """One metre a second stays that, whatever the rate; contacts and chunk borders follow."""
    out = run(request(HUMAN, 90, fps=60.0, segments=[text(90)], post_processing=False), Hosted(20.0))
    np.testing.assert_allclose(out.root_m[0, :, 2], np.arange(90) / 60, atol=1e-4)
    stands = out.contacts["LeftFoot"][0]
    assert stands[3:27].all()
    assert not stands[33:57].any()
    assert out.chunk_boundaries == [[45]]


def test_dense_path_frames_that_meet_at_a_slower_model_keep_the_nearest() -> None:
    backbone = Hosted(10.0)
    points = [[0.01 * f, 0.0] for f in range(60)]
    out = run(request(HUMAN, 60, [path(range(60), points, [0.0] * 60)], fps=60.0, segments=[text(60)]), backbone)
    sent = backbone.asked[0].constraints[0]
    assert sent.frames == sorted(set(sent.frames))
    assert len(sent.frames) == len(sent.positions_xz) == len(sent.heading_radians or [])
    np.testing.assert_allclose(out.root_m[0][:, [0, 2]], points, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_requests_pass_through_other_rates(frames: int) -> None:
    for fps in (7.0, 20.0, 97.0):
        out = run(request(HUMAN, frames, fps=fps, segments=[text(frames)]), Hosted(20.0))
        assert out.root_m.shape == (1, frames, 3)


def test_a_pose_segment_stays_one_frame_at_any_rate() -> None:
    asked = request(HUMAN, 0, fps=60.0, segments=[{"type": "pose", "prompt": "sits"}, text(30)])
    line = rates.line_of(asked, Hosted(20.0), spec(20.0))
    assert line is not None
    moved = rates.to_model(asked, line)
    assert [s.duration_frames for s in moved.segments] == [1, 10]


def test_a_blend_takes_as_long_at_the_models_rate() -> None:
    backbone = Hosted(20.0)
    parts = [text(60), text(60)]
    run(request(HUMAN, 0, fps=60.0, segments=parts, transition_frames=30), backbone)
    run(request(HUMAN, 0, fps=5.0, segments=parts, transition_frames=30), backbone)
    told = [asked.options.transition_frames for asked in backbone.asked if asked.options is not None]
    assert told == [10, 60], "half a second, and no more than MMCP allows"


@pytest.mark.parametrize(("fps", "model_fps"), [(60.0, 20.0), (24.0, 30.0), (30.0, 30.0), (25.0, 60.0)])
def test_a_pose_between_two_motions_keeps_its_frame_and_mixes_with_neither(fps: float, model_fps: float) -> None:
    def counted(asked: GenerateRequest, fps_hz: float) -> MotionResult:
        made = swaying(asked, fps_hz)
        parts = np.repeat(np.arange(len(asked.segments)), [s.duration_frames for s in asked.segments])
        made.root_translations[..., 0] = parts
        return made

    parts = [text(29), {"type": "pose", "prompt": "sits"}, text(31), {"type": "pose", "prompt": "stands"}]
    out = run(request(HUMAN, 0, fps=fps, segments=parts, post_processing=False), Hosted(model_fps, counted))
    np.testing.assert_array_equal(out.root_m[0, :, 0], np.repeat([0, 1, 2, 3], [29, 1, 31, 1]))
    told = [(s["type"], s["start"], s["stop"]) for s in out.report["segments"]]
    assert told == [("text", 0, 29), ("pose", 29, 30), ("text", 30, 61), ("pose", 61, 62)]


def test_every_constraint_is_met_for_a_model_that_is_deaf() -> None:
    constraints = [
        *KEYS,
        path([0, 59], [[0, 0], [0.5, 1.5]], [0, 0.5]),
        target("LeftHand", [30], [[0.35, 1.2, 0.9]], [asks.about_y(20)]),
    ]
    out = run(request(HUMAN, 60, constraints), Hosted())
    assert [c["outcome"] for c in out.report["constraints"]] == ["applied"] * 4


def test_post_processing_off_gives_the_models_own_result() -> None:
    asked = request(HUMAN, 60, [*KEYS, target("LeftHand", [30], [[0.35, 1.2, 0.9]])], post_processing=False)
    out = run(asked, Hosted(30.0))
    np.testing.assert_allclose(out.root_m, swaying(asked, 30.0).root_translations, atol=1e-6)
    assert {c["outcome"] for c in out.report["constraints"]} == {"ignored"}
    assert "post-processing is off" in out.report["constraints"][0]["reason"]


def test_a_keyframe_budget_thins_and_keeps_the_users_keys() -> None:
    for backbone in (Hosted(30.0), asks.INTERPOLATE):
        pin = target("LeftHand", [29, 31], [[0.3, 1.1, 0.5], [0.3, 1.1, 0.5]])
        out = run(request(HUMAN, 60, [*KEYS, pin], keyframe_budget=0.005), backbone)
        assert out.keyframes is not None
        kept = [set(frames) for channels in out.keyframes.values() for frames in channels.values()]
        assert all({0, 10, 29, 31, 47, 59} <= frames for frames in kept)
        assert sum(map(len, kept)) < 0.6 * 60 * len(kept)
        q, root = read_keys(out.keyframes, out.rotations_xyzw[0], out.root_m[0])
        from kineograph.motion import kinematics

        thinned, _ = kinematics.forward(HUMAN, q, root)
        full, _ = kinematics.forward(HUMAN, out.rotations_xyzw[0].astype(float), out.root_m[0].astype(float))
        assert np.linalg.norm(thinned - full, axis=-1).max() < 0.00501
        assert "keys carry" in next(o for o in out.report["options"] if o["name"] == "keyframe_budget")["reason"]


def broken(change: Callable[[MotionResult], Any]) -> Callable[[GenerateRequest, float], Any]:
    def answer(asked: GenerateRequest, fps_hz: float) -> Any:
        result = swaying(asked, fps_hz)
        return change(result)

    return answer


def fail(e: BaseException) -> Callable[[GenerateRequest, float], Any]:
    def answer(asked: GenerateRequest, fps_hz: float) -> Any:
        raise e

    return answer


def nan_root(r: MotionResult) -> MotionResult:
    r.root_translations[0, 3] = np.nan
    return r


def zero_rotation(r: MotionResult) -> MotionResult:
    r.rotations[0, 3, 2] = 0.0
    return r


def other_names(r: MotionResult) -> MotionResult:
    r.joint_names = list(HUMAN.names)[::-1]
    return r


def other_contacts(r: MotionResult) -> MotionResult:
    r.foot_contacts = {"Tentacle": np.zeros(r.rotations.shape[:2], bool)}
    return r


WRONG: dict[str, Callable[[GenerateRequest, float], Any]] = {
    "nothing": broken(lambda r: None),
    "a dict": broken(lambda r: {"rotations": []}),
    "too short": broken(lambda r: MotionResult(r.rotations[:, :-1], r.root_translations[:, :-1])),
    "a sample more": broken(lambda r: MotionResult(r.rotations.repeat(2, 0), r.root_translations.repeat(2, 0))),
    "a joint less": broken(lambda r: MotionResult(r.rotations[:, :, :-1], r.root_translations)),
    "NaN": broken(nan_root),
    "a rotation of length zero": broken(zero_rotation),
    "whole numbers": broken(lambda r: MotionResult(r.rotations.astype(int), r.root_translations)),
    "other names": broken(other_names),
    "other contacts": broken(other_contacts),
    "an exception": fail(RuntimeError("boom")),
    "an exit": fail(SystemExit(3)),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_whatever_a_model_does_wrong_is_an_internal_error(what: str) -> None:
    with pytest.raises(KineographError) as caught:
        run(request(HUMAN, 20, segments=[text(20)]), Hosted(30.0, WRONG[what]))
    assert caught.value.code is ErrorCode.INTERNAL_ERROR
    assert not caught.value.is_retryable
    assert caught.value.details["reason"]


def test_a_models_own_refusal_keeps_its_code_and_details() -> None:
    refusal = ProtocolError("resource_exhausted", "GPU full", details={"queue_depth": 3})
    with pytest.raises(KineographError) as caught:
        run(request(HUMAN, 20, segments=[text(20)]), Hosted(30.0, fail(refusal)))
    assert caught.value.code is ErrorCode.RESOURCE_EXHAUSTED
    assert caught.value.details["queue_depth"] == 3
    assert caught.value.retry_after_s is not None


def test_memory_that_runs_out_is_no_crash() -> None:
    with pytest.raises(KineographError) as caught:
        run(request(HUMAN, 20, segments=[text(20)]), Hosted(30.0, fail(MemoryError("9 GB"))))
    assert caught.value.code is ErrorCode.RESOURCE_EXHAUSTED


def test_a_plain_async_backbone_plugs_in_unmodified() -> None:
    backbone = Plain()
    out = run(request(HUMAN, 30, segments=[text(30)], num_samples=2), backbone)
    assert out.rotations_xyzw.shape == (2, 30, len(HUMAN), 4)
    assert out.contacts.keys() == {"LeftFoot"}


def test_only_our_own_kind_of_backbone_is_widened() -> None:
    plain, hosted = Plain(), Hosted()
    told = plain.capabilities().model_copy(update={"supports_retargeting": True})
    assert pipeline.widen(plain.capabilities(), plain) == told
    wide = pipeline.widen(hosted.capabilities(), hosted)
    assert set(wide.supported_constraints) == {"root_path", "effector_target", "pose_keyframe", "ground_height"}
    assert wide.supports_keyframe_reduction
    assert wide.supports_retargeting
    tail = Hosted(canonical_skeleton=rigs.chain().to_mmcp())
    assert not pipeline.widen(tail.capabilities(), tail).supports_retargeting, "nobody knows a tail's limbs"
    assert pipeline.widen(asks.INTERPOLATE.capabilities(), asks.INTERPOLATE).supports_retargeting


class Batched(Hosted):
    """Answers a batch in one pass, one item of it badly."""

    def generate_batch(self, requests: list[GenerateRequest]) -> Any:
        self.asked += requests
        good = [swaying(r, self.fps) for r in requests]
        return [good[0], RuntimeError("boom"), good[2], nan_root(good[3])]


def test_a_batch_runs_in_one_pass_and_each_item_has_its_own_end() -> None:
    backbone = Batched(20.0)
    many = [request(HUMAN, n, [KEYS[0]], fps=24.0) for n in (20, 30, 40, 50)]
    out = pipeline.run_many(many, backbone, backbone.capabilities(), Hooks())
    assert len(backbone.asked) == 4
    assert [isinstance(o, JobResultData) for o in out] == [True, False, True, False]
    assert isinstance(out[2], JobResultData)
    assert out[2].root_m.shape == (1, 40, 3)
    assert all(isinstance(out[i], KineographError) for i in (1, 3))


def test_without_a_batch_pass_items_run_one_by_one() -> None:
    asked = [request(HUMAN, 10, [key(HUMAN, 0)]), request(HUMAN, 20, [key(HUMAN, 0)])]
    out = pipeline.run_many(asked, asks.INTERPOLATE, asks.INTERPOLATE.capabilities(), Hooks())
    assert [o.root_m.shape[1] for o in out if isinstance(o, JobResultData)] == [10, 20]


def test_a_stop_is_heard_while_keys_are_thinned() -> None:
    asked = request(HUMAN, 60, KEYS, keyframe_budget=0.005)
    whole = Hooks()
    run(asked, Hosted(), whole)
    assert whole.told[-1][3] == "meeting constraints", "what comes after this is the thinning"
    with pytest.raises(Stopped):
        run(asked, Hosted(), Hooks(stop_after=len(whole.told)))


def test_a_stop_is_no_error() -> None:
    with pytest.raises(Stopped):
        run(request(HUMAN, 20, segments=[text(20)]), Hosted(), Hooks(stop_after=0))
    with pytest.raises(Stopped):
        pipeline.run_many([request(HUMAN, 20, [key(HUMAN, 0)])], asks.INTERPOLATE, spec(), Hooks(stop_after=0))
