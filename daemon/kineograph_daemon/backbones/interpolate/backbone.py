# SPDX-License-Identifier: Apache-2.0
"""The backbone without weights: curves between keys, travel along a path, planted feet."""

from __future__ import annotations

from typing import Any

import numpy as np
from motionmcp.backbone import Limits, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest, Joint, Skeleton
from numpy.typing import NDArray

from kineograph_daemon.backbones.base import Hooks, KineographBackbone
from kineograph_daemon.backbones.interpolate import arms, ignored, keyed, steps
from kineograph_daemon.pipeline.types import Stopped
from kineograph_daemon.solve import correct
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.curves import Ease
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.ground import read_ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

MODEL_ID = "kineograph-interpolate"
NATIVE_FPS_HZ = 30.0


class InterpolateBackbone(KineographBackbone):
    """Any skeleton, any frame rate; text changes nothing, and the capabilities say so."""

    label = "Interpolation"
    text_support = "ignored"
    any_skeleton = True
    any_fps = True
    version = "1"
    about = "Eases between your keys and along your paths, with planted feet. Ignores text."

    stands_on_ground = True
    """The motion already follows ``ground_height``."""

    def ignored_fields(self, request: GenerateRequest) -> dict[str, str]:
        """Fields of this request that change nothing, with the reason."""
        return ignored.fields(request)

    def capabilities(self) -> ModelSpec:
        return ModelSpec(
            id=MODEL_ID,
            fps=NATIVE_FPS_HZ,
            canonical_skeleton=_stick_figure(),
            supports_retargeting=True,
            supports_segment_seed=True,
            supports_loop=True,
            supported_constraints=["root_path", "effector_target", "pose_keyframe", "ground_height"],
            supported_segments=["text", "unconditioned"],
            native_clip_seconds=600.0,
            recommended_max_duration_seconds=600.0,
            limits=Limits(
                max_duration_seconds=600.0,
                max_constraints_per_request=2000,
                max_request_bytes=64 * 1024 * 1024,
            ),
        )

    def generate(self, request: GenerateRequest) -> MotionResult:
        return self.generate_with_hooks(request, _Silent())

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult:
        fps_hz = request.fps(NATIVE_FPS_HZ)
        goals = read_goals(request, fps_hz)
        ground = read_ground(goals)
        samples = request.options.num_samples if request.options else 1
        ease = Ease()
        body = read_body(goals.skeleton)
        contacts: dict[str, list[NDArray[np.bool_]]] = {}
        rotations, roots = [], []
        for sample in range(samples):
            if hooks.should_stop():
                raise Stopped(sample, samples)
            q = keyed.joint_rotations(goals, ease, skip=frozenset({goals.skeleton.root}))
            root, way = keyed.root_motion(goals, ground, ease)
            q[:, goals.skeleton.root] = keyed.root_rotations(goals, way, ease)
            pose = Pose(goals.skeleton, q, root)
            for name, mask in steps.walk(pose, body, goals, ground).items():
                contacts.setdefault(name, []).append(mask)
            arms.relax(pose, body, goals)
            correct.pin(pose, goals)
            rotations.append(pose.rotations_xyzw)
            roots.append(pose.root_m)
            hooks.progress((sample + 1) / samples, sample + 1, samples, "interpolating")
        return MotionResult(
            rotations=np.stack(rotations).astype(np.float32),
            root_translations=np.stack(roots).astype(np.float32),
            foot_contacts={name: np.stack(masks) for name, masks in contacts.items()},
        )


class _Silent:
    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        pass

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
    return Skeleton(joints=[Joint(name=n, parent=p, rest_translation=t, rest_rotation=rest) for n, p, t in rows])
