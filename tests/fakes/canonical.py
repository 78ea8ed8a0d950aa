# SPDX-License-Identifier: Apache-2.0
"""A model with a skeleton of its own: it walks straight on SOMA-like joints at 30 frames a second, deaf to all else.

What a request asks is met around it, by the daemon. ``asked`` keeps what the model was told, on its own skeleton.
"""

from __future__ import annotations

import numpy as np
from motionmcp import GenerateRequest, ModelSpec, MotionResult
from motionmcp.schemas import Skeleton as MmcpSkeleton
from tests.fakes import test_rigs, walks
from tests.fakes.test_rigs import Row

from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.backbones.base import KineographBackbone

FPS_HZ = 30.0


class Walker(KineographBackbone):
    """One walk for every request; ``tells_contacts`` makes it say where its feet stand."""

    label = "Walker"
    text_support = "ignored"
    version = "1.0"

    def __init__(self, tells_contacts: bool = False) -> None:
        self.asked: list[GenerateRequest] = []
        self.tells_contacts = tells_contacts
        self.skeleton = test_rigs.soma77()

    def capabilities(self) -> ModelSpec:
        return ModelSpec(
            id="walker",
            fps=FPS_HZ,
            canonical_skeleton=MmcpSkeleton.model_validate(self.skeleton.to_mmcp()),
            supported_constraints=["root_path", "pose_keyframe", "effector_target"],
            supported_segments=["text", "unconditioned", "motion_reference"],
        )

    def generate(self, request: GenerateRequest) -> MotionResult:
        self.asked.append(request)
        clip = walks.walk(self.skeleton, request.total_frames, FPS_HZ)
        samples = request.options.num_samples if request.options is not None else 1
        contacts = {}
        if self.tells_contacts:
            phase = np.sin(2 * np.pi * 0.95 * np.arange(len(clip)) / FPS_HZ) > 0
            both = {"LeftToeBase": phase, "RightToeBase": ~phase}
            contacts = {name: np.broadcast_to(on, (samples, len(clip))).copy() for name, on in both.items()}
        return MotionResult(
            rotations=np.repeat(clip.rotations_xyzw[None], samples, 0),
            root_translations=np.repeat(clip.root_m[None], samples, 0),
            foot_contacts=contacts,
        )


def everything() -> list[KineographBackbone]:
    """For a daemon."""
    return [Walker()]


def metarig() -> Skeleton:
    """Named as Rigify's human: a numbered spine, pelvis and breast bones, a heel, palms; an A-pose, y along bones."""
    size = test_rigs.Build(0.97, 0.09, 0.43, 0.42, 0.09, 0.19, (0.05, 0.16, 0.30), (0.14, 0.20, 0.27, 0.45),
                           0.14, 0.27, 0.25, 0.17, arms_down_deg=35.0, legs_out_deg=3.0, elbow_deg=6.0)  # fmt: skip
    spine = [("spine", "hips"), ("spine.001", "spine0"), ("spine.002", "spine1"), ("spine.003", "spine2")]
    neck = [("spine.004", "neck0"), ("spine.005", "neck1"), ("spine.006", "head")]
    rows: list[Row] = []
    up: str | None = None
    for name, key in [*spine, *neck]:
        rows.append((name, up, key))
        up = name
    for s, k in (("L", "l"), ("R", "r")):
        rows.append((f"pelvis.{s}", "spine", f"thigh.{k}"))
        above = "spine.003"
        for name, key in (
            ("shoulder", "clavicle"),
            ("upper_arm", "upper_arm"),
            ("forearm", "forearm"),
            ("hand", "hand"),
        ):
            rows.append((f"{name}.{s}", above, f"{key}.{k}"))
            above = f"{name}.{s}"
        for finger, spelled in (("thumb", "thumb"), ("index", "f_index"), ("middle", "f_middle"), ("ring", "f_ring"),
                                ("pinky", "f_pinky")):  # fmt: skip
            above = f"hand.{s}"
            for i in (1, 2, 3):
                rows.append((f"{spelled}.0{i}.{s}", above, f"{finger}{i - (finger == 'thumb')}.{k}"))
                above = f"{spelled}.0{i}.{s}"
        above = "spine"
        for name, key in (("thigh", "thigh"), ("shin", "calf"), ("foot", "foot"), ("toe", "ball")):
            rows.append((f"{name}.{s}", above, f"{key}.{k}"))
            above = f"{name}.{s}"
    return test_rigs.build(rows, test_rigs.landmarks(size), test_rigs.y_along)
