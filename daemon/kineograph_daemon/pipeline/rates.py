# SPDX-License-Identifier: Apache-2.0
"""Frame rates: a request moved onto the model's own time line, and the answer moved back.

A model that knows one rate gets the request at that rate: segments and constraint frames land on the nearest of its
frames, and the motion comes back at exactly the frames that were asked for. What rounding moved is put right by the
solve, which works on the request's own frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

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
    """The two time lines. Segment i begins at ``starts[i]`` here and at position ``offsets[i]`` there.

    ``lengths`` are the model's whole frames per segment; ``frames`` and ``model_frames`` the totals. ``cut``: segments
    do not go over into one another, as poses do not; nothing is read from between two of them.
    """

    fps_hz: float
    model_fps_hz: float
    frames: int
    starts: tuple[int, ...]
    offsets: tuple[float, ...]
    lengths: tuple[int, ...]
    cut: bool = False

    @property
    def model_frames(self) -> int:
        """Frames that the model is asked for."""
        return sum(self.lengths)

    def position(self, frames: Any) -> FloatArray:
        """Where request frames (N,) lie on the model's time line, in its frames, not rounded."""
        f = np.asarray(frames, float)
        i = np.clip(np.searchsorted(self.starts, f, side="right") - 1, 0, len(self.starts) - 1)
        there = np.asarray(self.offsets)[i] + (f - np.asarray(self.starts)[i]) * self.model_fps_hz / self.fps_hz
        if self.cut:
            there = np.minimum(there, np.asarray(self.offsets)[i] + np.asarray(self.lengths)[i] - 1)
        return np.asarray(np.clip(there, 0.0, self.model_frames - 1))

    def back(self, frame: int) -> int:
        """The request frame nearest to a model frame."""
        return int(np.abs(self.position(np.arange(self.frames)) - frame).argmin())


def line_of(request: GenerateRequest, backbone: Backbone, spec: ModelSpec) -> Line | None:
    """The mapping between the two rates, or None when the model works at the request's own rate."""
    fps = request.fps(spec.fps)
    if getattr(backbone, "any_fps", False) or abs(fps - spec.fps) <= _SAME_RATE * spec.fps:
        return None
    rate = spec.fps / fps
    sent = [s.duration_frames for s in request.segments] or [request.total_frames]
    starts = [0, *np.cumsum(sent[:-1]).tolist()]
    has_poses = any(s.type == "pose" for s in request.segments)
    if has_poses:
        # A pose is one frame at every rate: what follows it moves up.
        lengths = [1 if s.type == "pose" else max(1, round(s.duration_frames * rate)) for s in request.segments]
        offsets = [float(x) for x in np.cumsum([0, *lengths[:-1]])]
    else:
        offsets = [s * rate for s in starts]
        lengths = _whole(offsets, (sum(sent) - 1) * rate)
    return Line(fps, spec.fps, sum(sent), tuple(starts), tuple(offsets), tuple(lengths), has_poses)


def _whole(offsets: list[float], last: float) -> list[int]:
    """Whole frames per segment: borders at the nearest frames, and enough at the end to reach position ``last``."""
    borders = [0]
    for offset in offsets[1:]:
        borders.append(max(round(offset), borders[-1] + 1))
    borders.append(max(int(np.ceil(last - 1e-9)) + 1, borders[-1] + 1))
    return np.diff(borders).tolist()


def to_model(request: GenerateRequest, line: Line) -> GenerateRequest:
    """The same request on the model's time line."""
    update: dict[str, Any] = {
        "timing": Timing(fps=line.model_fps_hz),
        "constraints": [_moved(c, line) for c in request.constraints],
    }
    if request.segments:
        update["segments"] = [
            s if s.type == "pose" else s.model_copy(update={"duration_frames": int(n)})
            for s, n in zip(request.segments, line.lengths, strict=True)
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
            return c.model_copy(update={"frame": round(float(line.position(c.frame)))})
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
    position = line.position(frames)
    best: dict[int, int] = {}
    for i, x in enumerate(position):
        there = round(float(x))
        if there not in best or abs(x - there) < abs(position[best[there]] - there):
            best[there] = i
    return dict(sorted(best.items()))


class Moved(NamedTuple):
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
    at = line.position(np.arange(line.frames))
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
        None if chunks is None else [sorted({line.back(f) for f in row}) for row in chunks],
    )
