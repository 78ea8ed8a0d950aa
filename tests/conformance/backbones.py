# SPDX-License-Identifier: Apache-2.0
"""Backbones that a configuration describes: what they advertise, and what they do when they are asked.

A configuration is ``{"models": [{"spec": ModelSpec, "behaviour": {"kind": ..., "batch"?: ...}}]}``. The daemon is told
``--backbone tests.conformance.backbones:build`` and finds the configuration in the file that the environment names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.errors import ProtocolError
from motionmcp.schemas import GenerateRequest

CONFIG_VARIABLE = "KINEOGRAPH_CONFORMANCE_CONFIG"
Behaviour = Mapping[str, Any]


class Described(Backbone):
    """A model that advertises a spec and answers as its behaviour says."""

    def __init__(self, spec: Mapping[str, Any], behaviour: Behaviour) -> None:
        self.model_id = str(spec["id"])
        self.spec = dict(spec)
        self.behaviour = behaviour

    def capabilities(self) -> ModelSpec:
        """The spec, or the error that the configuration wants instead."""
        if self.behaviour["kind"] == "capabilities_raise":
            raise ProtocolError(self.behaviour["code"], self.behaviour["message"])
        return ModelSpec.model_validate(self.spec)

    async def generate(self, request: GenerateRequest) -> MotionResult:
        """One answer."""
        result: MotionResult = self.answer(request)
        return result

    def answer(self, request: GenerateRequest) -> Any:
        """What the behaviour's kind does with a request."""
        return ANSWERS[self.behaviour["kind"]](request, self)


class Batching(Described):
    """The same with a batch pass of its own, well-behaved or not."""

    async def generate_batch(self, requests: list[GenerateRequest]) -> list[Any]:
        """One entry a request, unless the behaviour's ``batch`` says otherwise."""
        mode = self.behaviour["batch"]
        if mode == "awaitables":
            return [self.generate(request) for request in requests]
        if mode == "raise_plain":
            raise RuntimeError("the whole pass failed")
        if mode == "raise_protocol":
            raise ProtocolError("model_unavailable", "still loading")
        answers: list[Any] = [self.answer(request) for request in requests]
        if mode == "short":
            return answers[:-1]
        if mode == "errors":
            full = ProtocolError("resource_exhausted", "no memory", details={"queue_depth": 3})
            planned: list[Any] = [full, RuntimeError("no")]
            answers[: len(planned)] = planned[: len(answers)]
        return answers


def build(config: Mapping[str, Any] | None = None) -> dict[str, Backbone]:
    """Backbones by model id, of ``config`` or of the file that the environment names."""
    told = config if config is not None else json.loads(Path(os.environ[CONFIG_VARIABLE]).read_text("utf-8"))
    made = [(Batching if "batch" in m["behaviour"] else Described)(m["spec"], m["behaviour"]) for m in told["models"]]
    return {backbone.model_id: backbone for backbone in made}


def at_rest(request: GenerateRequest, samples: int | None = None, frames: int | None = None) -> MotionResult:
    """The rest pose, as many samples and frames as asked for or given."""
    joints = request.skeleton.joints
    b = samples or (request.options.num_samples if request.options else 1)
    t = frames or request.total_frames
    rotations = np.zeros((b, t, len(joints), 4), np.float32)
    rotations[..., 3] = 1.0
    root = np.empty((b, t, 3), np.float32)
    root[:] = joints[0].rest_translation
    return MotionResult(rotations=rotations, root_translations=root)


Answer = Callable[[GenerateRequest, Described], Any]


def _walk(request: GenerateRequest, model: Described) -> MotionResult:
    """One metre a second towards +Z."""
    result = at_rest(request)
    result.root_translations[..., 2] = np.arange(result.num_frames) / request.fps(model.spec["fps"])
    return result


def _rich(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    b, t = result.num_samples, result.num_frames
    names = [joint.name for joint in request.skeleton.joints]
    every_other = np.tile(np.arange(t) % 2 == 0, (b, 1))
    result.foot_contacts = {name: every_other for name in ("LeftFoot", "RightFoot") if name in names}
    result.chunk_boundaries = [[t // 2] for _ in range(b)]
    result.canonical_to_request = {"Hips": names[0]}
    result.notes = [{"code": "path_too_fast", "severity": "warning", "message": "slower, please"}]
    return result


def _empty_extras(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    result.chunk_boundaries = [[] for _ in range(result.num_samples)]
    result.canonical_to_request = {}
    result.trajectories = [None] * result.num_samples
    return result


def _own_trajectory(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    result.trajectories = [{"model": "custom"} for _ in range(result.num_samples)]
    return result


def _translations(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    rest = np.array([joint.rest_translation for joint in request.skeleton.joints], np.float32)
    moved = np.tile(rest, (result.num_samples, result.num_frames, 1, 1))
    moved[:, :, -1, 0] += np.arange(result.num_frames, dtype=np.float32) / 100
    result.translations = moved
    return result


def _keyframes(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    last = result.num_frames - 1
    result.keyframes = {
        0: {"rotation": [0, last], "translation": [0, (last + 1) // 2, last]},
        1: {"rotation": [0, 1_000_000, -5]},
    }
    return result


def _fixed_shape(request: GenerateRequest, model: Described) -> MotionResult:
    return at_rest(request, model.behaviour.get("samples"), model.behaviour.get("frames"))


def _bad_shape(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    return MotionResult(rotations=result.rotations[..., :3], root_translations=result.root_translations)


def _wrong_names(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    result.joint_names = [joint.name for joint in reversed(request.skeleton.joints)]
    return result


def _joint_short(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    return MotionResult(rotations=result.rotations[:, :, :-1], root_translations=result.root_translations)


def _nan_root(request: GenerateRequest, _model: Described) -> MotionResult:
    result = at_rest(request)
    result.root_translations[:] = np.nan
    return result


def _raise_protocol(_request: GenerateRequest, model: Described) -> MotionResult:
    told = model.behaviour
    raise ProtocolError(told["code"], told["message"], details=told.get("details"))


def _raise_plain(_request: GenerateRequest, model: Described) -> MotionResult:
    raise RuntimeError(model.behaviour["message"])


def _raise_unknown_code(_request: GenerateRequest, _model: Described) -> MotionResult:
    raise ProtocolError("a_code_that_is_none", "x")  # the constructor itself refuses it


def _raise_nan(_request: GenerateRequest, _model: Described) -> MotionResult:
    raise ProtocolError("invalid_options", "a value that is no number", details={"value": float("nan")})


ANSWERS: Mapping[str, Answer] = {
    "rest": lambda request, _model: at_rest(request),
    "walk": _walk,
    "rich": _rich,
    "empty_extras": _empty_extras,
    "own_trajectory": _own_trajectory,
    "translations": _translations,
    "keyframes": _keyframes,
    "fixed_shape": _fixed_shape,
    "bad_result_shape": _bad_shape,
    "wrong_joint_names": _wrong_names,
    "joint_count": _joint_short,
    "nan_root": _nan_root,
    "return_none": lambda _request, _model: None,
    "return_dict": lambda _request, _model: {"rotations": [], "root_translations": []},
    "raise_protocol": _raise_protocol,
    "raise_plain": _raise_plain,
    "raise_unknown_code": _raise_unknown_code,
    "raise_protocol_nan_details": _raise_nan,
}
