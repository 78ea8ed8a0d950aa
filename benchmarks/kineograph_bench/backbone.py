# SPDX-License-Identifier: Apache-2.0
"""A model that costs nothing: it hands out a motion made beforehand, so that only the way there is measured."""

from __future__ import annotations

import time

from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest

from kineograph_bench.motion import motion, spec
from kineograph_daemon.backbones.base import Hooks, KineographBackbone
from kineograph_daemon.pipeline import Stopped

STEPS = 1000
STEP_S = 0.03


class ReadyMade(Backbone):
    """``trajectories=False`` tells the official server not to compute travel trajectories."""

    model_id = "bench"

    def __init__(self, trajectories: bool = False) -> None:
        self._spec = ModelSpec.model_validate(spec())
        self._trajectories = trajectories
        self._made: dict[tuple[int, int], MotionResult] = {}

    def capabilities(self) -> ModelSpec:
        """The model's spec."""
        return self._spec

    def generate(self, request: GenerateRequest) -> MotionResult:
        """The motion of the length and number asked for, made once."""
        key = (request.total_frames, request.options.num_samples if request.options else 1)
        if key not in self._made:
            rotations, root = motion(*key)
            none = None if self._trajectories else [None] * key[1]
            self._made[key] = MotionResult(rotations=rotations, root_translations=root, trajectories=none)
        return self._made[key]


class Stepping(KineographBackbone):
    """A model that works for ``STEPS`` steps of ``STEP_S`` seconds of computing, and asks at each whether to stop."""

    model_id = "bench-steps"

    def __init__(self) -> None:
        self._spec = ModelSpec.model_validate({**spec(), "id": self.model_id})

    def capabilities(self) -> ModelSpec:
        """The model's spec."""
        return self._spec

    def generate(self, request: GenerateRequest) -> MotionResult:
        """Never called: the daemon prefers the way with hooks."""
        raise NotImplementedError

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult:
        """As many steps as it takes to be stopped."""
        for step in range(STEPS):
            if hooks.should_stop():
                raise Stopped(step, STEPS)
            until_s = time.thread_time() + STEP_S
            while time.thread_time() < until_s:
                sum(range(1000))
            hooks.progress((step + 1) / STEPS, step + 1, STEPS, "stepping")
        rotations, root = motion(request.total_frames, 1)
        return MotionResult(rotations=rotations, root_translations=root)
