# SPDX-License-Identifier: Apache-2.0
"""Real backbones for tests: small, seeded, and each with one way to be slow, deaf, broken or deadly.

Name them to a worker as ``tests.fakes.backbones:everything`` or one by one, ``tests.fakes.backbones:Slow``. Behaviour
that a test chooses is in the first segment's prompt: ``Raising`` raises what it names, ``Broken`` returns it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult
from motionmcp.errors import ProtocolError, unknown_joint
from motionmcp.schemas import Joint, Skeleton

from kineograph.errors import ErrorCode, error
from kineograph_daemon.backbones.base import Hooks, KineographBackbone
from kineograph_daemon.pipeline import Stopped

IDENTITY = (0.0, 0.0, 0.0, 1.0)
FPS_HZ = 30.0


def skeleton(joints: int = 5) -> Skeleton:
    """A chain of ``joints`` joints below ``Hips``; the first five are named as on a body."""
    names = ["Hips", "Spine", "Head", "LeftFoot", "RightFoot", *(f"Joint{i}" for i in range(5, joints))][:joints]
    parents = [None, "Hips", "Spine", "Hips", "Hips", *names[4:-1]][:joints]
    lengths = [(0.0, 0.95, 0.0), (0.0, 0.5, 0.0), (0.0, 0.3, 0.0), (0.1, -0.95, 0.0), (-0.1, -0.95, 0.0)]
    lengths += [(0.0, 0.05, 0.0)] * max(0, joints - 5)
    return Skeleton(
        joints=[
            Joint(name=n, parent=p, rest_translation=t, rest_rotation=IDENTITY)
            for n, p, t in zip(names, parents, lengths[:joints], strict=True)
        ]
    )


def request_map(
    model: str = "fake", frames: int = 30, *, prompt: str = "walk", joints: int = 5, **options: Any
) -> dict[str, Any]:
    """An MMCP request for a fake."""
    out: dict[str, Any] = {
        "protocol_version": "1.4",
        "model": model,
        "skeleton": skeleton(joints).model_dump(mode="json"),
        "segments": [{"type": "text", "prompt": prompt, "duration_frames": frames}],
    }
    if options:
        out["options"] = options
    return out


def motion(request: GenerateRequest) -> MotionResult:
    """A seeded motion of unit quaternions along +Z, the same for the same seed."""
    options = request.options
    rng = np.random.default_rng(options.seed if options is not None else None)
    samples, frames = options.num_samples if options is not None else 1, request.total_frames
    joints = len(request.skeleton.joints)
    turn = rng.normal(0.0, 0.1, (samples, frames, joints, 4))
    turn[..., 3] = 1.0
    turn /= np.linalg.norm(turn, axis=-1, keepdims=True)
    root = np.zeros((samples, frames, 3), np.float32)
    root[..., 1] = 0.95
    root[..., 2] = np.linspace(0.0, 1.0, frames)
    return MotionResult(rotations=turn.astype(np.float32), root_translations=root)


def prompt_of(request: GenerateRequest) -> str:
    """The first segment's prompt."""
    return str(getattr(request.segments[0], "prompt", "")) if request.segments else ""


class Fake(KineographBackbone):
    """Answers at once. ``loads`` counts set-ups less teardowns."""

    model: ClassVar[str] = "fake"
    joints: ClassVar[int] = 5
    label = "Fake"
    text_support = "ignored"
    version = "1.0"
    weights_hash = "sha256:none"
    about = "A seeded wiggle for tests."

    def __init__(self) -> None:
        self.loads = 0

    def capabilities(self) -> ModelSpec:
        return ModelSpec(
            id=self.model, fps=FPS_HZ, canonical_skeleton=skeleton(self.joints), supported_constraints=["root_path"]
        )

    def setup(self) -> None:
        self.loads += 1

    def teardown(self) -> None:
        self.loads -= 1

    def generate(self, request: GenerateRequest) -> MotionResult:
        return motion(request)


class Big(Fake):
    """77 joints, motion made once: what is measured around it is the worker's own cost."""

    model = "big"
    joints = 77

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[tuple[int, int], MotionResult] = {}

    def generate(self, request: GenerateRequest) -> MotionResult:
        key = (request.total_frames, request.options.num_samples if request.options is not None else 1)
        if key not in self._made:
            self._made[key] = motion(request)
        return self._made[key]


class Slow(Fake):
    """``KINEOGRAPH_FAKE_STEPS`` steps of ``KINEOGRAPH_FAKE_STEP_S`` seconds, asking at each whether to stop."""

    model = "slow"

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult:
        steps, step_s = (
            int(os.environ.get("KINEOGRAPH_FAKE_STEPS", "50")),
            float(os.environ.get("KINEOGRAPH_FAKE_STEP_S", "0.1")),
        )
        for step in range(steps):
            if hooks.should_stop():
                raise Stopped(step, steps)
            hooks.progress(step / steps, step, steps, "denoise")
            time.sleep(step_s)
        return motion(request)


class TellsOnly(Fake):
    """Tells its progress and never asks whether to stop."""

    model = "tells-only"

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult:
        for step in range(100):
            hooks.progress(step / 100, step, 100, "denoise")
            time.sleep(0.1)
        return motion(request)


class Deaf(Fake):
    """Works for ``KINEOGRAPH_FAKE_DEAF_S`` seconds and hears nothing meanwhile."""

    model = "deaf"

    def generate(self, request: GenerateRequest) -> MotionResult:
        time.sleep(float(os.environ.get("KINEOGRAPH_FAKE_DEAF_S", "30")))
        return motion(request)


class Async(Fake):
    """Awaits, as a backbone in front of a remote service does."""

    model = "async"

    async def generate(self, request: GenerateRequest) -> MotionResult:  # type: ignore[override]
        await asyncio.sleep(30.0 if prompt_of(request) == "wait" else 0.01)
        return motion(request)


class Batching(Fake):
    """One pass for many requests; an item whose prompt is ``fail`` fails alone. ``passes`` counts."""

    model = "batching"

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def generate_batch(self, requests: list[GenerateRequest]) -> list[MotionResult | BaseException]:
        self.passes += 1
        return [ValueError("this one") if prompt_of(r) == "fail" else motion(r) for r in requests]


class Crashing(Fake):
    """Takes its process down: by ``segfault``, or by leaving with status 3."""

    model = "crashing"

    def generate(self, request: GenerateRequest) -> MotionResult:
        if prompt_of(request) == "segfault":
            ctypes.string_at(0)
        os._exit(3)


class _FakeOutOfMemoryError(RuntimeError):
    """Named and worded as torch's."""


_FakeOutOfMemoryError.__name__ = "OutOfMemoryError"
CUDA_MESSAGE = (
    "CUDA out of memory. Tried to allocate 9.10 GiB. "
    "GPU 0 has a total capacity of 79.10 GiB of which 6.30 GiB is free. Process 1 has 70.00 GiB memory in use."
)


def _unknown_code() -> BaseException:
    e = ProtocolError("timeout", "renamed below")
    e.code = "no_such_code"
    return e


RAISES: dict[str, Callable[[], BaseException]] = {
    "value": lambda: ValueError("a plain exception"),
    "joint": lambda: unknown_joint("Tail", ["Hips", "Spine"]),
    "rate": lambda: ProtocolError("rate_limited", "slow down", {"retry_after_s": 7.0}),
    "unavailable": lambda: ProtocolError("model_unavailable", "warming up"),
    "internal": lambda: ProtocolError("internal_error", "it broke"),
    "odd-details": lambda: ProtocolError(
        "invalid_request", "odd", {"got": object(), "nan": float("nan"), 3: np.float32(1.5)}
    ),
    "unknown-code": _unknown_code,
    "own": lambda: error(ErrorCode.PROMPT_NOT_IN_PACK, "not in the pack", {"got": "fly"}),
    "memory": lambda: MemoryError("Unable to allocate 7.28 TiB for an array"),
    "cuda": lambda: _FakeOutOfMemoryError(CUDA_MESSAGE),
    "exit": lambda: SystemExit(1),
    "recursion": lambda: RecursionError("too deep"),
    "stopped": lambda: Stopped(3, 9),
}


class Raising(Fake):
    """Raises what the prompt names in ``RAISES``."""

    model = "raising"

    def generate(self, request: GenerateRequest) -> MotionResult:
        if prompt_of(request) == "real-memory":
            np.zeros(2**60, np.uint8)
        raise RAISES[prompt_of(request)]()


def _with(request: GenerateRequest, **changes: Any) -> MotionResult:
    made = motion(request)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


RETURNS: dict[str, Callable[[GenerateRequest], Any]] = {
    "nothing": lambda r: None,
    "nan": lambda r: _with(r, rotations=np.full_like(motion(r).rotations, np.nan)),
    "inf-root": lambda r: _with(r, root_translations=np.full_like(motion(r).root_translations, np.inf)),
    "frames": lambda r: _with(
        r, rotations=motion(r).rotations[:, 1:], root_translations=motion(r).root_translations[:, 1:]
    ),
    "samples": lambda r: _with(
        r,
        rotations=np.repeat(motion(r).rotations, 2, 0),
        root_translations=np.repeat(motion(r).root_translations, 2, 0),
    ),
    "joints": lambda r: _with(r, rotations=motion(r).rotations[:, :, 1:]),
    "names": lambda r: _with(r, joint_names=["Tail", *(j.name for j in r.skeleton.joints[1:])]),
    "contacts": lambda r: _with(r, foot_contacts={"Tail": np.zeros(motion(r).rotations.shape[:2], bool)}),
    "zero-quaternion": lambda r: _with(r, rotations=np.zeros_like(motion(r).rotations)),
}


class Broken(Fake):
    """Returns what the prompt names in ``RETURNS``: each of it a motion that nobody must ever get."""

    model = "broken"

    def generate(self, request: GenerateRequest) -> Any:
        return RETURNS[prompt_of(request)](request)


class BadSetup(Fake):
    """Its weights cannot be loaded until ``KINEOGRAPH_FAKE_WEIGHTS`` names a file that exists."""

    model = "bad-setup"

    def setup(self) -> None:
        with open(os.environ.get("KINEOGRAPH_FAKE_WEIGHTS", "/nonexistent/weights"), "rb"):
            super().setup()


class BadCapabilities(Fake):
    """Cannot say what it takes."""

    model = "bad-capabilities"

    def capabilities(self) -> ModelSpec:
        raise RuntimeError("no capabilities today")


class Foreign(Backbone):
    """A backbone of another project: MMCP's base class and nothing of ours."""

    def capabilities(self) -> ModelSpec:
        return ModelSpec(id="foreign", fps=FPS_HZ, canonical_skeleton=skeleton())

    def generate(self, request: GenerateRequest) -> MotionResult:
        return motion(request)


ALL: tuple[type[Backbone], ...] = (
    Fake, Big, Slow, TellsOnly, Deaf, Async, Batching, Crashing, Raising, Broken, BadSetup, Foreign
)  # fmt: skip


def everything() -> list[Backbone]:
    """One of each that tells its capabilities."""
    return [cls() for cls in ALL]


def broken_capabilities() -> dict[str, Backbone]:
    """A map, as a factory may return it, with one model that cannot say what it is."""
    return {"bad-capabilities": BadCapabilities(), "fake": Fake()}
