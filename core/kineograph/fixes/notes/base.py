# SPDX-License-Identifier: Apache-2.0
"""What the checks share: the request read leniently, and what a check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import KineographError, NoteCode
from kineograph.fixes import timeline
from kineograph.fixes.facts import Facts, ref_at
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
DEFAULT_FPS_HZ = 30.0


@dataclass
class Finding:
    """One thing worth a note."""

    code: NoteCode
    path: tuple[Any, ...] = ()
    facts: Facts = field(default_factory=Facts)

    def put(self, name: str, value: Any, text: str | None = None) -> Finding:
        """Add a fact."""
        self.facts.put(name, value, text)
        return self


@dataclass(frozen=True)
class Scene:
    """A request and what its model can do."""

    request: Mapping[str, Any]
    model: Mapping[str, Any]
    refs: Mapping[str, Any]

    def ref(self, path: tuple[Any, ...]) -> Any:
        """The client's reference to a place."""
        return ref_at(path, self.refs)

    @cached_property
    def total(self) -> int:
        """Frames of the request."""
        return timeline.total_frames(self.request)

    @cached_property
    def model_fps_hz(self) -> float | None:
        """The model's own rate."""
        return positive(self.model.get("fps"))

    @cached_property
    def fps_hz(self) -> float:
        """The request's rate."""
        return timeline.fps_hz(self.request, self.model_fps_hz or DEFAULT_FPS_HZ)

    @cached_property
    def model_name(self) -> str:
        """What the model is called."""
        name = self.model.get("label") or self.model.get("id") or self.request.get("model")
        return name if isinstance(name, str) and name else "the model"

    def limit(self, name: str) -> float | None:
        """One of the model's limits."""
        limits = self.model.get("limits")
        return positive(limits.get(name)) if isinstance(limits, Mapping) else None

    def segment_at(self, frame: int) -> Mapping[str, Any] | None:
        """The segment that a frame is in."""
        start = 0
        for _, segment in timeline.items(self.request, "segments"):
            start += timeline.segment_frames(segment)
            if frame < start:
                return segment
        return None

    @cached_property
    def root(self) -> Mapping[str, Any]:
        """The skeleton's root joint, empty without one."""
        return next((j for j in timeline.joints(self.request) if j.get("parent") is None), {})

    @cached_property
    def root_height_m(self) -> float:
        """Height of the root over what the rest pose stands on, metres; 0 when unknown.

        A rest pose that hangs with its root at the origin, as those of motion capture do, stands on its lowest joint.
        """
        if not self.root:
            return 0.0
        height_m = float(vector(self.root.get("rest_translation", (0, 0, 0)), 3)[1])
        rig = self.skeleton
        if rig is None or abs(height_m) >= 0.1 * rig.height_m:
            return height_m
        below_m = height_m - float(rig.rest_positions_m[:, 1].min())
        return below_m if below_m > 0.25 * rig.height_m else height_m

    @cached_property
    def skeleton(self) -> Skeleton | None:
        """The request's skeleton, None where it cannot be read."""
        try:
            rig = Skeleton.from_mmcp({"joints": timeline.joints(self.request)})
            return rig if np.isfinite(rig.rest_positions_m).all() else None
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, KineographError):
            return None


def positive(value: Any) -> float | None:
    """A finite number above 0, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        return None
    return float(value)


def vector(value: Any, size: int) -> FloatArray:
    """A finite vector. Raises ValueError for anything else."""
    out = np.asarray(value, float)
    if out.shape != (size,) or not np.isfinite(out).all():
        raise ValueError("no finite vector")
    return out


def points(value: Any, size: int, count: int) -> FloatArray:
    """``count`` points (count, size); entries that are not finite stay NaN. Raises ValueError for another shape."""
    out = np.array(value, float)
    if out.shape != (count, size):
        raise ValueError("another number of points than frames")
    out[~np.isfinite(out).all(axis=1)] = np.nan
    return out
