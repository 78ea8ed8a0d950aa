# SPDX-License-Identifier: Apache-2.0
"""The backbone without weights: curves between keys, travel along a path, feet that stand and step."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from motionmcp.backbone import ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest, Skeleton
from numpy.typing import NDArray

from kineograph_daemon.backbones.base import Hooks, KineographBackbone
from kineograph_daemon.backbones.interpolate import arms, clips, dials, ignored, keyed, steps, vary
from kineograph_daemon.pipeline.types import Stopped
from kineograph_daemon.solve import correct, cycle
from kineograph_daemon.solve.body import Body, read_body
from kineograph_daemon.solve.curves import Ease
from kineograph_daemon.solve.feet import contacts_of
from kineograph_daemon.solve.goals import Goals, read_goals
from kineograph_daemon.solve.ground import Ground, lift, read_ground
from kineograph_daemon.solve.meet import Solved, solve
from kineograph_daemon.solve.pose import Pose

BoolArray = NDArray[np.bool_]

MODEL_ID = "kineograph-interpolate"
NATIVE_FPS_HZ = 30.0
MAX_SECONDS = 600.0
MAX_CONSTRAINTS = 5000
MAX_BYTES = 64 * 1024 * 1024
MAX_REFERENCE_FRAMES = 36_000
STAGES = 4
"""Steps of one sample: curves, variation, feet, arms."""


class InterpolateBackbone(KineographBackbone):
    """Any skeleton, any frame rate; text changes nothing, and the capabilities say so."""

    label = "Interpolation"
    text_support = "ignored"
    any_skeleton = True
    any_fps = True
    version = "1"
    about = "Eases between your keys and along your paths; feet stand and step. Does not read text."
    is_repeatable = True
    stands_on_ground = True
    """The motion already follows ``ground_height``."""

    def ignored_fields(self, request: GenerateRequest) -> dict[str, str]:
        """Fields of this request that change nothing, with the reason."""
        return ignored.fields(request, _finished)

    def changed_fields(self, request: GenerateRequest) -> dict[str, str]:
        """Fields of this request that are taken otherwise, with how."""
        return ignored.changed(request, _finished)

    def capabilities(self) -> ModelSpec:
        return ModelSpec.model_validate(
            {
                "id": MODEL_ID,
                "fps": NATIVE_FPS_HZ,
                "canonical_skeleton": _stick_figure(),
                "supports_retargeting": True,
                "supports_segment_seed": True,
                "supports_loop": True,
                "supports_motion_reference_mixed": True,
                "model_options": dials.DECLARED,
                "supported_constraints": ["root_path", "pose_keyframe", "ground_height"],
                "supported_segments": ["text", "unconditioned", "motion_reference"],
                "supported_guidance_types": [],
                "native_clip_seconds": MAX_SECONDS,
                "recommended_max_duration_seconds": MAX_SECONDS,
                "limits": {
                    "max_duration_seconds": MAX_SECONDS,
                    "max_constraints_per_request": MAX_CONSTRAINTS,
                    "max_request_bytes": MAX_BYTES,
                    "max_reference_frames": MAX_REFERENCE_FRAMES,
                },
            }
        )

    def generate(self, request: GenerateRequest) -> MotionResult:
        return self.generate_with_hooks(request, _Silent())

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult:
        work = _Work(request, hooks)
        samples = [work.sample(b) for b in range(work.samples)]
        contacts: dict[str, list[BoolArray]] = {}
        for _, found in samples:
            for name, mask in found.items():
                contacts.setdefault(name, []).append(mask)
        return MotionResult(
            rotations=np.stack([p.rotations_xyzw for p, _ in samples]).astype(np.float32),
            root_translations=np.stack([p.root_m for p, _ in samples]).astype(np.float32),
            foot_contacts={name: np.stack(masks) for name, masks in contacts.items()},
            notes=work.notes,
        )


class _Work:
    """One request: what all its samples share."""

    def __init__(self, request: GenerateRequest, hooks: Hooks) -> None:
        self.request, self.hooks = request, hooks
        self.goals: Goals = read_goals(request, request.fps(NATIVE_FPS_HZ))
        self.ground: Ground = read_ground(self.goals)
        self.body: Body = read_body(self.goals.skeleton)
        self.dials = dials.Dials.of(request)
        self.ease = Ease(self.dials.easing, self.dials.overshoot)
        options = request.options
        self.samples = options.num_samples if options else 1
        self.border_frames = options.transition_frames if options else 5
        self.seed = options.seed if options and options.seed is not None else secrets.randbits(32)
        self.clips = clips.read(request, self.goals, self.body)
        self.notes: list[dict[str, Any]] = []
        self._step = 0

    def sample(self, b: int) -> tuple[Pose, dict[str, BoolArray]]:
        """The motion of sample ``b`` and where its feet stand."""
        self._next("curves")
        pose = self._curves()
        self._next("variation")
        spans = vary.spans(self.request, b, self.seed)
        variation = vary.Variation(spans, self.dials.variation, self.border_frames)
        vary.vary(pose, self.body, self.goals, variation, arms=False)
        self._next("feet")
        contacts: dict[str, BoolArray] = {}
        if self.dials.footsteps and not self.clips:
            contacts = steps.walk(pose, self.body, self.goals, self.ground)
        self._next("arms")
        if self.dials.relaxed_arms and not self.clips:
            arms.relax(pose, self.body, self.goals)
        vary.vary(pose, self.body, self.goals, variation, arms=True)
        if self.goals.loop:
            cycle.close(pose, self.goals)
        correct.pin(pose, self.goals)
        return pose, contacts

    def _curves(self) -> Pose:
        goals = self.goals
        if self.clips:
            pose = clips.play(self.clips, goals, self.border_frames)
            lift(pose, goals, self.ground)
            correct.place(pose, goals)
            correct.keys(pose, goals)
            return pose
        return keyed.plain(goals, self.ground, self.ease)

    def _next(self, stage: str) -> None:
        """Between steps: tell how far it is, and stop if that was asked."""
        steps_ = self.samples * STAGES
        if self.hooks.should_stop():
            raise Stopped(self._step, steps_)
        self.hooks.progress(self._step / steps_, self._step, steps_, stage)
        self._step += 1


def _finished(request: GenerateRequest) -> list[Solved]:
    """All samples of a request, solved unless it wants them raw."""
    work = _Work(request, _Silent())
    made = [work.sample(b) for b in range(work.samples)]
    if request.options is None or request.options.post_processing:
        return [solve(work.goals, p.rotations_xyzw, p.root_m, told, stands_on_ground=True) for p, told in made]
    rate_hz = work.goals.fps_hz
    return [
        Solved(p, work.body, work.ground, contacts_of(p, work.body, told, work.ground, rate_hz)) for p, told in made
    ]


class _Silent:
    """Hooks of a caller who asked for none."""

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """Nobody listens."""

    def should_stop(self) -> bool:
        return False


def _stick_figure() -> Skeleton:
    """A skeleton to show in capabilities; any other works as well."""
    rows: list[tuple[str, str | None, tuple[float, float, float]]] = [
        ("Hips", None, (0.0, 0.95, 0.0)),
        ("Spine", "Hips", (0.0, 0.25, 0.0)),
        ("Head", "Spine", (0.0, 0.35, 0.0)),
    ]
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        rows += [
            (f"{side}Arm", "Spine", (sign * 0.18, 0.22, 0.0)),
            (f"{side}ForeArm", f"{side}Arm", (sign * 0.28, 0.0, 0.0)),
            (f"{side}Hand", f"{side}ForeArm", (sign * 0.26, 0.0, 0.0)),
            (f"{side}UpLeg", "Hips", (sign * 0.1, -0.05, 0.0)),
            (f"{side}Leg", f"{side}UpLeg", (0.0, -0.42, 0.0)),
            (f"{side}Foot", f"{side}Leg", (0.0, -0.40, 0.0)),
        ]
    rest = (0.0, 0.0, 0.0, 1.0)
    joints = [{"name": n, "parent": p, "rest_translation": t, "rest_rotation": rest} for n, p, t in rows]
    return Skeleton.model_validate({"joints": joints})
