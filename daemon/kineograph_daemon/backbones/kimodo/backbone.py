# SPDX-License-Identifier: Apache-2.0
"""The model: honest capabilities, one call a request, progress and stop at every denoising step."""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

import numpy as np
from motionmcp.backbone import ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest

from kineograph.motion import quat
from kineograph_daemon.backbones.base import Hooks, KineographBackbone
from kineograph_daemon.backbones.kimodo import costs, encoders, phrases, plan
from kineograph_daemon.backbones.kimodo.seam import Encoder, Estimate, Made, Notes, Order, Rig, Runtime, Sampler
from kineograph_daemon.pipeline.types import Stopped

MODEL_ID = "kimodo"
FPS_HZ = 30.0
MAX_SECONDS = 60.0
_DEVICE_ENV = "KINEOGRAPH_DEVICE"
_READS = {
    "full": "Reads text.",
    "phrases": "Reads the phrases that were encoded before; any other prompt is refused with the nearest ones.",
    "ignored": "Runs without a text encoder: prompts change nothing.",
}


class KimodoBackbone(KineographBackbone):
    """``runtime`` is the package; tests bring a fake of it."""

    label = "Kimodo"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._rig: Rig = runtime.rig()
        self._device = os.environ.get(_DEVICE_ENV, "cpu")
        self._encoder: Encoder = encoders.chosen(MODEL_ID, runtime, self._device)
        self._costs = costs.Costs()
        self._sampler: Sampler | None = None
        self.version = runtime.version
        self.text_support = "ignored" if self._encoder.reads == "ignored" else "full"
        self.phrases = sorted(phrases.Book(MODEL_ID).known) if self._encoder.reads == "phrases" else []
        self.about = (
            f"NVIDIA Kimodo on your own computer. {_READS[self._encoder.reads]} Paths and pose keys guide it, pins are "
            f"met afterwards; more than {plan.LONGEST_S:g} s are made in stretches."
        )

    def capabilities(self) -> ModelSpec:
        """No weights are read for it."""
        return ModelSpec.model_validate(
            {
                "id": MODEL_ID,
                "fps": FPS_HZ,
                "canonical_skeleton": _skeleton(self._rig),
                "supports_segment_seed": True,
                "supported_constraints": ["root_path", "pose_keyframe"],
                "supported_segments": ["text", "unconditioned"],
                "supported_guidance_types": ["nocfg", "regular", "separated"],
                "predicted_contact_joints": list(self._rig.contacts),
                "native_clip_seconds": plan.LONGEST_S,
                "recommended_max_duration_seconds": plan.LONGEST_S,
                "chunking": "stitched",
                "limits": {"max_duration_seconds": MAX_SECONDS, "max_num_samples": 8, "max_request_bytes": 16 * 2**20},
            }
        )

    def ignored_fields(self, request: GenerateRequest) -> dict[str, str]:
        """What changes nothing in this request, with the reason."""
        if self._encoder.reads != "ignored":
            return {}
        return {"segments.prompt": "there is no text encoder: prompts change nothing"}

    def setup(self) -> None:
        """Load the weights. Raises what is missing, or ``resource_exhausted``."""
        self._sampler = self._runtime.load(self._device)
        if abs(self._sampler.fps_hz - FPS_HZ) > 1e-6:
            raise ValueError(f"the weights are for {self._sampler.fps_hz:g} frames a second, not {FPS_HZ:g}")

    def teardown(self) -> None:
        """Let them go."""
        self._sampler = None

    def estimate(self, request: GenerateRequest) -> Estimate:
        """What the request takes here.

        Seconds as learned from earlier ones, None before the first; memory for its text, 0 when every phrase is known.
        """
        said = plan.prompts(request, self._runtime.sanitize)
        units = costs.units_of(plan.order(request, self._rig, said, FPS_HZ, 0))
        seconds = self._costs.seconds(f"sample {self._device}", units)
        missing = self._encoder.missing(said)
        if not missing:
            return Estimate(seconds, 0)
        kind = self._encoder.name
        where = self._device if kind in encoders.FEWER_BITS else "cpu"
        encoding = self._costs.seconds(f"encode {kind} {where}", len(missing))
        both = None if seconds is None or encoding is None else seconds + encoding
        return Estimate(both, costs.ENCODER_BYTES.get(kind, 0))

    def generate(self, request: GenerateRequest) -> MotionResult:
        """As ``generate_with_hooks``, unheard."""
        return self.generate_with_hooks(request, _Silent())

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult:
        """One call of the model; asked at every denoising step whether to stop."""
        said = plan.prompts(request, self._runtime.sanitize)
        hooks.progress(0.0, 0, 0, "reading the prompts")
        vectors = self._encoder.prepare(said, lambda words: hooks.progress(0.0, 0, 0, words))
        if self._sampler is None:
            self.setup()
        assert self._sampler is not None
        seed = request.options.seed if request.options and request.options.seed is not None else secrets.randbits(31)
        order = plan.order(request, self._rig, said, FPS_HZ, seed)

        what, units = f"sample {self._device}", costs.units_of(order)
        hooks.progress(0.0, 0, 0, f"starting{costs.about(self._costs.seconds(what, units))}")
        began_s = time.monotonic()

        def step(done: int, steps: int) -> None:
            if hooks.should_stop():
                raise Stopped(done, steps)
            hooks.progress(done / max(1, steps), done, steps, "denoising")

        made = self._sampler.sample(order, vectors, step)
        self._costs.learn(what, units, time.monotonic() - began_s)
        return _result(made, order, self._rig, _notes(request, order))


def _result(made: Made, order: Order, rig: Rig, notes: Notes) -> MotionResult:
    borders = np.cumsum([chunk.frames for chunk in order.chunks])[:-1].tolist()
    return MotionResult(
        rotations=quat.from_matrix(made.rotations).astype(np.float32),
        root_translations=np.asarray(made.root_m, np.float32),
        foot_contacts={name: made.contacts[..., i] for i, name in enumerate(rig.contacts)},
        chunk_boundaries=[list(borders) for _ in range(order.samples)] if borders else None,
        notes=notes.entries,
    )


def _notes(request: GenerateRequest, order: Order) -> Notes:
    notes = Notes()
    for i, count in enumerate(plan.stretches(request, FPS_HZ)):
        if count > 1:
            text = f"segment {i} is longer than {plan.LONGEST_S:g} s and was made in {count} stretches"
            notes.add("too_long_for_model", text)
    partial = sum(1 for pose in order.poses if len(pose.turned) == 0)
    if partial:
        notes.add("key_met_afterwards", f"{partial} pose keys lack the hips and were met after the model's own work")
    return notes


def _skeleton(rig: Rig) -> dict[str, Any]:
    """MMCP's form of the rig: at rest every rotation is identity, and the feet stand on the ground."""
    floor = float(rig.neutral_m[:, 1].min())
    joints = []
    for j, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
        offset = rig.neutral_m[j] - rig.neutral_m[parent] if parent >= 0 else np.array([0.0, -floor, 0.0])
        joints.append(
            {
                "name": name,
                "parent": rig.names[parent] if parent >= 0 else None,
                "rest_translation": [round(float(x), 6) for x in offset],
                "rest_rotation": [0.0, 0.0, 0.0, 1.0],
            }
        )
    return {"joints": joints}


class _Silent:
    """Hooks of nobody."""

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """Told to nobody."""

    def should_stop(self) -> bool:
        """Never."""
        return False
