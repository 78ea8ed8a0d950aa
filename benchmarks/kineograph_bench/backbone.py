# SPDX-License-Identifier: Apache-2.0
"""A model that costs nothing: it hands out a motion made beforehand, so that only the way there is measured."""

from __future__ import annotations

from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest

from kineograph_bench.motion import motion, spec


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
