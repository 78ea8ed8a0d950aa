# SPDX-License-Identifier: Apache-2.0
"""Requests for tests, built from a skeleton and a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from motionmcp.schemas import GenerateRequest

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon import pipeline
from kineograph_daemon.backbones.interpolate import InterpolateBackbone
from kineograph_daemon.pipeline import JobResultData

Spec = dict[str, Any]
INTERPOLATE = InterpolateBackbone()


class Hooks:
    """Hooks that remember, and stop after ``stop_after`` progress calls where given."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.told: list[tuple[float, int, int, str]] = []
        self.stop_after = stop_after

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        self.told.append((fraction, step, steps, stage))

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.told) >= self.stop_after


def about_x(deg: float) -> Any:
    return quat.from_axis_angle(np.array([1.0, 0, 0]), np.radians(deg))


def about_y(deg: float) -> Any:
    return quat.about_y(np.radians(deg))


def about_z(deg: float) -> Any:
    return quat.from_axis_angle(np.array([0, 0, 1.0]), np.radians(deg))


def floats(values: Any) -> Any:
    return np.asarray(values, float).tolist()


def key(
    skeleton: Skeleton,
    frame: int,
    rotations: Mapping[str, Any] | None = None,
    root: Sequence[float] | None = None,
    *,
    full: bool = True,
    **more: Any,
) -> Spec:
    """A pose key: the named joints, and with ``full`` all others at rest."""
    pose: dict[str, Any] = {}
    if full:
        pose = dict(zip(skeleton.names, floats(skeleton.rest_rotations_xyzw), strict=True))
    pose |= {name: floats(q) for name, q in (rotations or {}).items()}
    out: Spec = {"type": "pose_keyframe", "frame": frame, "joint_rotations": pose, **more}
    return out if root is None else out | {"root_position": floats(root)}


def path(frames: Sequence[int], points: Any, heading: Any = None) -> Spec:
    out: Spec = {"type": "root_path", "frames": list(frames), "positions_xz": floats(points)}
    return out if heading is None else out | {"heading_radians": floats(heading)}


def target(joint: str, frames: Sequence[int], positions: Any, rotations: Any = None) -> Spec:
    out: Spec = {"type": "effector_target", "joint": joint, "frames": list(frames), "positions": floats(positions)}
    return out if rotations is None else out | {"rotations": floats(rotations)}


def ground(points: Any) -> Spec:
    """Points x, y, z in; the protocol's order x, z, y out."""
    return {"type": "ground_height", "points": [[x, z, y] for x, y, z in floats(points)]}


def request(
    skeleton: Skeleton,
    frames: int,
    constraints: Sequence[Spec] = (),
    *,
    fps: float | None = 30.0,
    segments: Sequence[Spec] | None = None,
    model: str = "kineograph-interpolate",
    **options: Any,
) -> GenerateRequest:
    """A request over one unconditioned segment, or the given ones."""
    body: Spec = {
        "protocol_version": "1.4",
        "model": model,
        "skeleton": skeleton.to_mmcp(),
        "segments": list(segments) if segments else [{"type": "unconditioned", "duration_frames": frames}],
        "constraints": list(constraints),
    }
    if fps is not None:
        body["timing"] = {"fps": fps}
    if options:
        body["options"] = options
    return GenerateRequest.model_validate(body)


def run(asked: GenerateRequest, backbone: Any = INTERPOLATE, hooks: Hooks | None = None) -> JobResultData:
    spec = pipeline.widen(backbone.capabilities(), backbone)
    return pipeline.run_one(asked, backbone, spec, hooks or Hooks())


def world(asked: GenerateRequest, data: JobResultData, sample: int = 0) -> tuple[Any, Any]:
    """World positions (T, J, 3) and rotations (T, J, 4) of a sample, float64."""
    from kineograph.motion import kinematics

    skeleton = Skeleton.from_mmcp(asked.skeleton.model_dump())
    return kinematics.forward(skeleton, data.rotations_xyzw[sample].astype(float), data.root_m[sample].astype(float))
