# SPDX-License-Identifier: Apache-2.0
"""Real backbones that fail as the first prompt says, and work once the request is mended the way the catalogue offers.

Any rig may be sent to ``Troubled``; ``Narrow`` takes less of a request than most, ``Own`` moves its own rig only, and
``Heavy`` loads when ``KINEOGRAPH_FAKE_WEIGHTS`` names a file that exists.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult
from tests.fakes.backbones import FPS_HZ, motion, prompt_of, skeleton

from kineograph.errors import ErrorCode, KineographError, error
from kineograph_daemon.backbones.base import Hooks, KineographBackbone
from kineograph_daemon.pipeline import Stopped

BAD_SEED = 7
TAKES = {"supported_segments": ["text", "unconditioned"], "supports_retargeting": True}


def _seed(request: GenerateRequest) -> int | None:
    return None if request.options is None else request.options.seed


def _memory(request: GenerateRequest) -> None:
    if request.options is not None and request.options.num_samples > 1:
        raise error(
            ErrorCode.RESOURCE_EXHAUSTED, "no room", {"need_bytes": 9.1e9, "free_bytes": 6.3e9}, retry_after_s=60.0
        )


def _seeded(code: ErrorCode) -> Callable[[GenerateRequest], None]:
    def fail(request: GenerateRequest) -> None:
        if _seed(request) == BAD_SEED:
            raise error(code, "not with this seed")

    return fail


def _crash(request: GenerateRequest) -> None:
    if _seed(request) == BAD_SEED:
        os._exit(3)


def _late(request: GenerateRequest) -> None:
    steps = None if request.options is None else request.options.diffusion_steps
    if steps is None or steps > 25:
        raise error(ErrorCode.TIMEOUT, "too slow", {"deadline_s": 120.0, "step": 31, "steps": 50}, retry_after_s=60.0)


def _always(code: ErrorCode, **details: Any) -> Callable[[GenerateRequest], None]:
    def fail(request: GenerateRequest) -> None:
        raise error(code, "not here", details, retry_after_s=60.0 if code is ErrorCode.SERVICE_UNAVAILABLE else None)

    return fail


def _field(request: GenerateRequest) -> None:
    options = (request.options.model_options if request.options is not None else None) or {}
    if "warmth" in options:
        param = "options.model_options.warmth"
        raise error(ErrorCode.INVALID_PARAMETERS, "not that warm", {"param": param, "got": options["warmth"]})


def _apart(request: GenerateRequest) -> None:
    if request.constraints:
        raise error(ErrorCode.INVALID_REQUEST, "Keys and this prompt contradict each other")


def _short(request: GenerateRequest) -> None:
    total = sum(s.duration_frames for s in request.segments if hasattr(s, "duration_frames"))
    if total < 70:
        raise error(ErrorCode.FRAME_OUT_OF_RANGE, "it does not end before", {"got": 69, "total_frames": total})


TROUBLES: dict[str, Callable[[GenerateRequest], None]] = {
    "memory": _memory,
    "breaks": _seeded(ErrorCode.INTERNAL_ERROR),
    "vague": _seeded(ErrorCode.GENERATION_FAILED_NO_CONTENT),
    "crash": _crash,
    "late": _late,
    "violence": _always(ErrorCode.CONTENT_POLICY_VIOLATION, reason="violence"),
    "credits": _always(ErrorCode.QUOTA_EXCEEDED, resets_at="18:00"),
    "service": _always(ErrorCode.SERVICE_UNAVAILABLE),
    "limps upstairs": _always(
        ErrorCode.PROMPT_NOT_IN_PACK,
        got="limps upstairs",
        phrases=125,
        suggestions=["limps"],
        where={"path": ["segments", 0, "prompt"]},
    ),
    "warm": _field,
    "apart": _apart,
    "short": _short,
}


ONCE: dict[str, Callable[[], KineographError]] = {
    "busy": lambda: error(ErrorCode.RATE_LIMITED, "slow down", {"ahead": 2}, retry_after_s=1.0),
    "slots": lambda: error(
        ErrorCode.CONCURRENCY_LIMIT, "full", {"active_requests": 1, "concurrency_limit": 1, "holder": "shot_020"}
    ),
}
"""Refused once for each seed."""


class Troubled(KineographBackbone):
    """Fails as the first prompt says; ``slow`` goes on until it is stopped."""

    label = "Troubled"
    any_skeleton = True
    any_fps = True

    def __init__(self) -> None:
        self._refused: set[tuple[str, int | None]] = set()

    def capabilities(self) -> ModelSpec:
        dial = {"name": "warmth", "type": "number", "title": "Warmth", "minimum": 0.0, "maximum": 9.0, "default": 1.0}
        spec = {"id": "troubled", "fps": FPS_HZ, "canonical_skeleton": skeleton(), "model_options": [dial], **TAKES}
        return ModelSpec.model_validate(spec)

    def generate(self, request: GenerateRequest) -> MotionResult:
        return motion(request)

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult:
        prompt = prompt_of(request)
        if prompt in ONCE and (prompt, _seed(request)) not in self._refused:
            self._refused.add((prompt, _seed(request)))
            raise ONCE[prompt]()
        if prompt.startswith("slow"):
            self._wait(prompt, hooks)
        if prompt in TROUBLES:
            TROUBLES[prompt](request)
        return motion(request)

    def _wait(self, prompt: str, hooks: Hooks) -> None:
        """``slow`` alone: until it is cancelled; ``slow FILE``: until that file is there."""
        _, _, gate = prompt.partition(" ")
        while not gate or not Path(gate).exists():
            if hooks.should_stop():
                raise Stopped(1, 100)
            hooks.progress(0.01, 1, 100, "waits")
            time.sleep(0.02)


class Narrow(Backbone):
    """Takes prompts and keys, in a request of 40 kB at most: a backbone of another project."""

    def capabilities(self) -> ModelSpec:
        limits = {"max_request_bytes": 40_000}
        takes = {**TAKES, "supported_segments": ["text"], "supported_constraints": ["pose_keyframe"]}
        spec = {"id": "narrow", "fps": FPS_HZ, "canonical_skeleton": skeleton(), "limits": limits, **takes}
        return ModelSpec.model_validate(spec)

    def generate(self, request: GenerateRequest) -> MotionResult:
        return motion(request)


class Own(Backbone):
    """Moves its own rig, whose limbs nobody can tell."""

    def capabilities(self) -> ModelSpec:
        chain = skeleton(2).model_dump()
        for n, joint in enumerate(chain["joints"]):
            joint["name"] = f"x{n}"
            joint["parent"] = None if n == 0 else f"x{n - 1}"
        return ModelSpec.model_validate({"id": "own", "fps": FPS_HZ, "canonical_skeleton": chain})

    def generate(self, request: GenerateRequest) -> MotionResult:
        return motion(request)


class Heavy(KineographBackbone):
    """Its weights cannot be loaded until ``KINEOGRAPH_FAKE_WEIGHTS`` names a file that exists."""

    label = "Heavy"
    any_skeleton = True
    any_fps = True

    def capabilities(self) -> ModelSpec:
        return ModelSpec.model_validate({"id": "heavy", "fps": FPS_HZ, "canonical_skeleton": skeleton(), **TAKES})

    def setup(self) -> None:
        weights = Path(os.environ["KINEOGRAPH_FAKE_WEIGHTS"])
        if not weights.exists():
            details = {"model": "heavy", "state": "failed", "reason": f"no {weights.name} there"}
            raise error(ErrorCode.MODEL_UNAVAILABLE, "the weights are not there", details, retry_after_s=60.0)

    def generate(self, request: GenerateRequest) -> MotionResult:
        return motion(request)


def everything() -> list[Backbone]:
    """One of each."""
    return [Troubled(), Narrow(), Own(), Heavy()]
