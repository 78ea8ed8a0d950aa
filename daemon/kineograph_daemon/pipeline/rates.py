# SPDX-License-Identifier: Apache-2.0
"""Frame rates: a request moved onto the model's own time line, and the answer moved back.

A model that knows one rate gets the request at that rate: segments and constraint frames land on the nearest of its
frames, and the motion comes back at exactly the frames that were asked for. What rounding moved is put right by the
solve, which works on the request's own frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import (
    EffectorTargetConstraint,
    GenerateRequest,
    PoseKeyframeConstraint,
    RootPathConstraint,
    Timing,
)
from numpy.typing import NDArray

from kineograph.motion import quat

FloatArray = NDArray[np.floating[Any]]

_SAME_RATE = 1e-6


@dataclass(frozen=True, eq=False)
class Line:
    """The two time lines. ``there`` maps a request frame to a model frame, ``at`` (T,) is where to read back."""

    fps_hz: float
    model_fps_hz: float
    frames: int
    model_frames: int
    borders: tuple[int, ...] = ()
    model_borders: tuple[int, ...] = ()

    def there(self, frame: int) -> int:
        """The model's frame nearest to a request frame, inside the same segment."""
        return round(float(np.interp(frame, self.borders, self.model_borders)))

    @property
    def at(self) -> FloatArray:
        """Request frames as positions (T,) between the model's frames."""
        return np.asarray(np.interp(np.arange(self.frames, dtype=float), self.borders, self.model_borders))


def line_of(request: GenerateRequest, backbone: Backbone, spec: ModelSpec) -> Line | None:
    """The mapping between the two rates, or None when the model works at the request's own rate."""
    fps = request.fps(spec.fps)
    if getattr(backbone, "any_fps", False) or abs(fps - spec.fps) <= _SAME_RATE * spec.fps:
        return None
    lengths = [s.duration_frames for s in request.segments] or [request.total_frames]
    model_lengths = [1 if n == 1 else max(2, round(n * spec.fps / fps)) for n in lengths]
    total = sum(lengths)
    # The model's last frame must not come before the last frame asked for.
    missing = int(np.ceil((total - 1) * spec.fps / fps - 1e-9)) + 1 - sum(model_lengths)
    if missing > 0 and model_lengths[-1] > 1:
        model_lengths[-1] += missing
    starts, model_starts = np.cumsum([0, *lengths[:-1]]), np.cumsum([0, *model_lengths[:-1]])
    borders = _borders(starts, model_starts, total, model_lengths, spec, fps)
    return Line(fps, spec.fps, total, sum(model_lengths), *borders)


def _borders(
    starts: Any, model_starts: Any, total: int, model_lengths: list[int], spec: ModelSpec, fps: float
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    end = min(sum(model_lengths) - 1, max(int(model_starts[-1]), round((total - 1) * spec.fps / fps)))
    frames, there = [int(s) for s in starts], [int(s) for s in model_starts]
    if total - 1 > frames[-1]:
        frames, there = [*frames, total - 1], [*there, end]
    return tuple(frames), tuple(there)


def to_model(request: GenerateRequest, line: Line) -> GenerateRequest:
    """The same request on the model's time line."""
    lengths = np.diff([*line.model_borders[: max(len(request.segments), 1)], line.model_frames])
    update: dict[str, Any] = {
        "timing": Timing(fps=line.model_fps_hz),
        "constraints": [_moved(c, line) for c in request.constraints],
    }
    if request.segments:
        update["segments"] = [
            s if s.type == "pose" else s.model_copy(update={"duration_frames": int(n)})
            for s, n in zip(request.segments, lengths, strict=True)
        ]
    else:
        update["duration_frames"] = line.model_frames
    if request.options is not None:
        scaled = round(request.options.transition_frames * line.model_fps_hz / line.fps_hz)
        update["options"] = request.options.model_copy(update={"transition_frames": min(scaled, 60)})
    return request.model_copy(update=update)


def _moved(c: Any, line: Line) -> Any:
    match c:
        case PoseKeyframeConstraint():
            return c.model_copy(update={"frame": line.there(c.frame)})
        case RootPathConstraint():
            kept = _nearest(c.frames, line)
            lists: dict[str, Any] = {"positions_xz": [c.positions_xz[i] for i in kept.values()]}
            if c.heading_radians is not None:
                lists["heading_radians"] = [c.heading_radians[i] for i in kept.values()]
            return c.model_copy(update={"frames": list(kept), **lists})
        case EffectorTargetConstraint():
            kept = _nearest(c.frames, line)
            lists = {"positions": [c.positions[i] for i in kept.values()]}
            if c.rotations is not None:
                lists["rotations"] = [c.rotations[i] for i in kept.values()]
            return c.model_copy(update={"frames": list(kept), **lists})
    return c


def _nearest(frames: list[int], line: Line) -> dict[int, int]:
    """Model frame to the index of the request frame that lands nearest to it, ascending."""
    position = np.interp(np.asarray(frames, float), line.borders, line.model_borders)
    best: dict[int, int] = {}
    for i, x in enumerate(position):
        there = round(float(x))
        if there not in best or abs(x - there) < abs(position[best[there]] - there):
            best[there] = i
    return dict(sorted(best.items()))


@dataclass(frozen=True, eq=False)
class Moved:
    """A model's answer at the request's frames, float64: shapes as in ``JobResultData``."""

    rotations_xyzw: FloatArray
    root_m: FloatArray
    translations_m: FloatArray | None
    contacts: dict[str, NDArray[np.bool_]]
    chunk_boundaries: list[list[int]] | None


def from_model(result: MotionResult, line: Line | None) -> Moved:
    """The answer read at the request's frames: slerp for rotations, linear for positions, nearest for contacts."""
    rotations = quat.normalize(np.asarray(result.rotations, np.float64))
    root = np.asarray(result.root_translations, np.float64)
    moved = None if result.translations is None else np.asarray(result.translations, np.float64)
    contacts = {k: np.asarray(v, bool) for k, v in (result.foot_contacts or {}).items()}
    chunks = None if result.chunk_boundaries is None else [[int(f) for f in row] for row in result.chunk_boundaries]
    if line is None:
        return Moved(rotations, root, moved, contacts, chunks)
    at = line.at
    low = np.clip(np.floor(at).astype(int), 0, line.model_frames - 1)
    high = np.minimum(low + 1, line.model_frames - 1)
    part = at - low
    near = np.clip(np.rint(at).astype(int), 0, line.model_frames - 1)
    w = part[None, :, None]
    return Moved(
        quat.slerp(rotations[:, low], rotations[:, high], w),
        root[:, low] * (1 - w) + root[:, high] * w,
        None if moved is None else moved[:, low] * (1 - w[..., None]) + moved[:, high] * w[..., None],
        {k: v[:, near] for k, v in contacts.items()},
        None if chunks is None else [sorted({_back(f, line) for f in row}) for row in chunks],
    )


def _back(frame: int, line: Line) -> int:
    return round(float(np.interp(frame, line.model_borders, line.borders)))
