# SPDX-License-Identifier: Apache-2.0
"""Reading an MMCP request that may be malformed anywhere: joints, frames, lengths. Nothing here raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Map = Mapping[str, Any]


def items(request: Any, group: str) -> list[tuple[int, Map]]:
    """Index and map of every well-formed item of ``segments`` or ``constraints``."""
    found = request.get(group) if isinstance(request, Mapping) else None
    if not isinstance(found, (list, tuple)):
        return []
    return [(i, item) for i, item in enumerate(found) if isinstance(item, Mapping)]


def joints(request: Any) -> list[Map]:
    """The skeleton's joints that are maps."""
    skeleton = request.get("skeleton") if isinstance(request, Mapping) else None
    found = skeleton.get("joints") if isinstance(skeleton, Mapping) else None
    return [j for j in found if isinstance(j, Mapping)] if isinstance(found, (list, tuple)) else []


def joint_names(request: Any) -> list[str]:
    """Names of the skeleton's joints."""
    return [j["name"] for j in joints(request) if isinstance(j.get("name"), str)]


def segment_frames(segment: Map) -> int:
    """Frames of one segment; a pose prompt is one frame."""
    if segment.get("type") == "pose":
        return 1
    return _count(segment.get("duration_frames"))


def total_frames(request: Any) -> int:
    """Frames of the whole request, 0 when it does not say."""
    segments = items(request, "segments")
    if segments:
        return sum(segment_frames(s) for _, s in segments)
    return _count(request.get("duration_frames")) if isinstance(request, Mapping) else 0


def fps_hz(request: Any, default: float) -> float:
    """The request's frame rate, else ``default``."""
    timing = request.get("timing") if isinstance(request, Mapping) else None
    value = timing.get("fps") if isinstance(timing, Mapping) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9:
        return float(value)
    return default


def frames_of(constraint: Map) -> list[int]:
    """The frames a constraint speaks about; none for a ground."""
    if "frame" in constraint:
        found: Any = [constraint["frame"]]
    else:
        found = constraint.get("frames", ())
    found = found.tolist() if hasattr(found, "tolist") else found
    if not isinstance(found, (list, tuple)):
        return []
    return [int(f) for f in found if isinstance(f, (int, float)) and not isinstance(f, bool) and abs(f) < 1e12]


def constraint_frames(request: Any) -> Iterator[tuple[int, Map, list[int]]]:
    """Index, map and frames of every constraint."""
    for i, constraint in items(request, "constraints"):
        yield i, constraint, frames_of(constraint)


def furthest_frame(request: Any) -> int:
    """The last frame that any constraint speaks about, -1 without one."""
    return max((f for _, _, frames in constraint_frames(request) for f in frames), default=-1)


def first_frame(context: Mapping[str, Any]) -> int:
    """The scene's frame that the request calls 0; what is said counts from it."""
    value = context.get("first_frame")
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def main_root(found: list[Map]) -> str | None:
    """The root with the most joints below it."""
    parent_of = {j.get("name"): j.get("parent") for j in found}
    below: dict[Any, int] = {}
    for name in parent_of:
        seen: set[Any] = set()
        while parent_of.get(name) is not None and name not in seen:
            seen.add(name)
            name = parent_of[name]
        below[name] = below.get(name, 0) + 1
    roots = [j.get("name") for j in found if j.get("parent") is None]
    best = max(roots, key=lambda r: below.get(r, 0), default=None)
    return best if isinstance(best, str) else None


def can_sort(found: list[Map]) -> bool:
    """Whether the joints form a tree in some order: every parent known, no circle."""
    parent_of = {j.get("name"): j.get("parent") for j in found}
    for name in parent_of:
        seen = set()
        here: Any = name
        while here is not None:
            if here in seen or here not in parent_of:
                return False
            seen.add(here)
            here = parent_of[here]
    return True


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e12:
        return 0
    return int(value)
