# SPDX-License-Identifier: Apache-2.0
"""A finished job's motion as world positions, ready to be drawn, and saved as a file.

B samples, T frames, J joints; right-handed, y up, metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph import formats
from kineograph.client import Result
from kineograph.errors import ErrorCode, LinkError
from kineograph.fixes import timeline
from kineograph.formats import mannequin
from kineograph.motion import kinematics
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Goal:
    """A place that a constraint asked for. ``miss_cm`` is measured, None when it was not."""

    frame: int
    position_m: FloatArray  # (3,)
    joint: str
    miss_cm: float | None


@dataclass(frozen=True, eq=False)
class Take:
    """``positions_m`` (B, T, J, 3) world; ``parents`` (J,); ``standing`` (B, T, J) true where a foot stands."""

    job: str
    fps_hz: float
    skeleton: Skeleton
    positions_m: FloatArray
    standing: NDArray[np.bool_]
    goals: tuple[Goal, ...] = ()
    path_m: FloatArray | None = None  # (P, 3) the root path that was asked for
    keyed: tuple[int, ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    result: Result | None = None

    @property
    def samples(self) -> int:
        """B."""
        return int(self.positions_m.shape[0])

    @property
    def frames(self) -> int:
        """T."""
        return int(self.positions_m.shape[1])

    @property
    def parents(self) -> IntArray:
        """(J,), -1 for the root."""
        return self.skeleton.parents

    @classmethod
    def of(cls, result: Result, request: Mapping[str, Any]) -> Take:
        """From a result and the request it answers. Raises a ``KineographError`` when they do not fit together."""
        skeleton = Skeleton.from_mmcp(request.get("skeleton") or result.body["skeleton"])  # a retarget's: the result's
        clips = [result.clip(b, skeleton) for b in range(result.samples)]
        positions = np.stack(
            [kinematics.forward(skeleton, c.rotations_xyzw, c.root_m, c.translations_m)[0] for c in clips]
        )
        if not np.isfinite(positions).all():
            raise LinkError(ErrorCode.BAD_RESPONSE, "the motion holds values that are no numbers")
        standing = np.zeros(positions.shape[:3], bool)
        for name, value in result.contacts.items():
            if name in skeleton.index and value.shape == positions.shape[:2]:
                standing[:, :, skeleton.index[name]] = value
        goals, path = _goals(request, result.report, skeleton)
        keyed = sorted({int(c["frame"]) for _, c in timeline.items(request, "constraints") if "frame" in c})
        return cls(
            result.job.job, result.fps_hz, skeleton, positions, standing, goals, path, tuple(keyed), request, result
        )

    @classmethod
    def of_rest(cls, skeleton: Skeleton) -> Take:
        """The rest pose, one frame long: a rig that was opened."""
        positions = skeleton.rest_positions_m[None, None].astype(np.float32)
        return cls("", 30.0, skeleton, positions, np.zeros(positions.shape[:3], bool))

    def save(self, path: Path, sample: int | None = None) -> Path:
        """Write all samples, or one; a BVH holds one. Whole or not at all. Raises ``file_unreadable``."""
        assert self.result is not None, "a rest pose is not exported"
        chosen = range(self.samples) if sample is None and path.suffix.lower() != ".bvh" else [sample or 0]
        clips = [self.result.clip(b, self.skeleton) for b in chosen]
        mesh = None if path.suffix.lower() == ".bvh" else mannequin.build(self.skeleton)
        formats.save(path, self.skeleton, clips, mesh, keys=self.result.keys)
        return path


def _goals(
    request: Mapping[str, Any], report: Mapping[str, Any], skeleton: Skeleton
) -> tuple[tuple[Goal, ...], FloatArray | None]:
    """Pins as goals with their misses, and the root path on the floor."""
    told = {int(e["index"]): e for e in report.get("constraints") or () if isinstance(e, Mapping) and "index" in e}
    goals: list[Goal] = []
    path: FloatArray | None = None
    for index, constraint in timeline.items(request, "constraints"):
        frames = timeline.frames_of(constraint)
        if constraint.get("type") == "root_path":
            points = np.asarray(constraint.get("positions_xz") or [], float).reshape(-1, 2)
            flat = np.stack([points[:, 0], np.zeros(len(points)), points[:, 1]], axis=-1)
            path = flat if path is None else np.concatenate([path, flat])
        if constraint.get("type") != "effector_target":
            continue
        positions = constraint.get("positions")
        if positions is None:
            continue
        misses = told.get(index, {}).get("miss_cm") or []
        for i, (frame, position) in enumerate(zip(frames, np.asarray(positions, float), strict=False)):
            miss = float(misses[i]) if i < len(misses) else None
            goals.append(Goal(int(frame), position, str(constraint.get("joint", "")), miss))
    return tuple(goals), path
