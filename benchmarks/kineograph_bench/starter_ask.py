# SPDX-License-Identifier: Apache-2.0
"""The starter model asked as any client asks it: a checked request, the whole pipeline with its solve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from motionmcp.backbone import ModelSpec
from motionmcp.schemas import GenerateRequest
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_bench.card_file import Window
from kineograph_daemon import pipeline
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.backbone import MODEL_ID, StarterBackbone
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.meet import solve

FloatArray = NDArray[np.floating[Any]]
Spec = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Motion:
    """(T, J, 4) and (T, 3), with the pipeline's report and contacts where it made one."""

    rotations_xyzw: FloatArray
    root_m: FloatArray
    report: dict[str, Any] | None = None
    contacts: dict[str, NDArray[np.bool_]] | None = None
    notes: tuple[Any, ...] = ()


class Silent:
    """Hooks of nobody."""

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """Nobody listens."""

    def should_stop(self) -> bool:
        """Never."""
        return False


@lru_cache(maxsize=1)
def model() -> tuple[StarterBackbone, ModelSpec]:
    """The model as shipped."""
    backbone = StarterBackbone()
    return backbone, pipeline.widen(backbone.capabilities(), backbone)


def key(frame: int, rotations_xyzw: FloatArray, root_m: FloatArray) -> Spec:
    """A pose key of all joints."""
    named = zip(figure.NAMES, np.asarray(rotations_xyzw, float).tolist(), strict=True)
    root = [float(v) for v in root_m]
    return {"type": "pose_keyframe", "frame": int(frame), "joint_rotations": dict(named), "root_position": root}


def path(frames: Sequence[int], xz_m: FloatArray) -> Spec:
    """A root path."""
    return {"type": "root_path", "frames": [int(f) for f in frames], "positions_xz": np.asarray(xz_m, float).tolist()}


def request(
    frames: int, constraints: Sequence[Spec], prompt: str = "", skeleton: Skeleton = figure.SKELETON, **options: Any
) -> GenerateRequest:
    """A request at 30 fps."""
    kind: Spec = {"type": "text", "prompt": prompt} if prompt else {"type": "unconditioned"}
    body: Spec = {
        "protocol_version": "1.4",
        "model": MODEL_ID,
        "skeleton": skeleton.to_mmcp(),
        "segments": [{**kind, "duration_frames": frames}],
        "constraints": list(constraints),
        "timing": {"fps": figure.FPS_HZ},
        **({"options": options} if options else {}),
    }
    return GenerateRequest.model_validate(body)


def made(
    frames: int,
    constraints: Sequence[Spec] = (),
    prompt: str = "",
    skeleton: Skeleton = figure.SKELETON,
    **options: Any,
) -> Motion:
    """The model's answer through the whole pipeline."""
    backbone, spec = model()
    out = pipeline.run_one(request(frames, constraints, prompt, skeleton, **options), backbone, spec, Silent())
    contacts = {name: mask[0] for name, mask in out.contacts.items()}
    return Motion(out.rotations_xyzw[0], out.root_m[0], out.report, contacts, tuple(out.notes))


def interpolated(window: Window, known: Sequence[int]) -> Motion:
    """Plain slerp and lerp between known frames."""
    t = np.arange(len(window.root_m))
    frames = np.asarray(known)
    low = np.clip(np.searchsorted(frames, t, side="right") - 1, 0, len(frames) - 2)
    u = (t - frames[low]) / (frames[low + 1] - frames[low])
    a, b = frames[low], frames[low + 1]
    root = window.root_m[a] * (1 - u[:, None]) + window.root_m[b] * u[:, None]
    return Motion(quat.slerp(window.rotations_xyzw[a], window.rotations_xyzw[b], u[:, None]), root)


def locked(motion: Motion, constraints: Sequence[Spec]) -> Motion:
    """The same motion through the solve: keys, and feet held where they are seen to stand."""
    goals = read_goals(request(len(motion.root_m), constraints), figure.FPS_HZ)
    rotations, root = np.array(motion.rotations_xyzw, float), np.array(motion.root_m, float)
    solved = solve(goals, rotations, root, {}, stands_on_ground=True)
    return Motion(solved.pose.rotations_xyzw, solved.pose.root_m)
