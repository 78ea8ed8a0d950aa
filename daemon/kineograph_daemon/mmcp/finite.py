# SPDX-License-Identifier: Apache-2.0
"""Every number in a request is finite. The official schema lets NaN and infinity through in most places.

A sum over finite numbers is finite unless it overflows, so one sum a part clears the usual request; only where it
is not finite are the numbers looked at one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from motionmcp.schemas import GenerateRequest, Skeleton

MOST_FPS_HZ = 100_000.0
"""Whatever is smoothed over a time takes as many frames: at a rate of 1e9 a request of 141 frames took gigabytes and
did not end."""

Record = dict[str, Any]
Loc = tuple[str | int, ...]


def faults(request: GenerateRequest, *, skeleton: bool = True) -> list[Record]:
    """Schema records (``finite_number``) of every number that is not finite, with its place.

    ``skeleton``: also in the request's skeleton; False for one that was looked at before.
    """
    found = [
        {"type": "finite_number", "loc": [*loc, *inner], "msg": "every number must be finite", "input": number}
        for loc, value in _numbers(request, skeleton)
        if value is not None and not _is_clear(value)
        for inner, number in _not_finite(value)
    ]
    fps_hz = request.timing.fps if request.timing is not None else None
    if fps_hz is not None and MOST_FPS_HZ < fps_hz < math.inf:
        text = f"a frame rate is at most {MOST_FPS_HZ:g} a second"
        limit = {"le": MOST_FPS_HZ}
        found.append({"type": "less_than_equal", "loc": ["timing", "fps"], "msg": text, "input": fps_hz, "ctx": limit})
    return found


def _numbers(request: GenerateRequest, skeleton: bool) -> Iterator[tuple[Loc, Any]]:
    """Every place that may hold a number the schema did not check: a number, or numbers nested in tuples."""
    if skeleton:
        yield from _of_skeleton(request.skeleton, ("skeleton",))
    for i, segment in enumerate(request.segments):
        if segment.type == "motion_reference" and segment.skeleton is not None:
            yield from _of_skeleton(segment.skeleton, ("segments", i, "motion_reference", "skeleton"))
    for i, constraint in enumerate(request.constraints):
        for name, value in constraint.__dict__.items():
            if name not in ("type", "joint", "frame", "frames", "fill_mode"):
                yield ("constraints", i, constraint.type, name), value
    if request.timing is not None:
        yield ("timing", "fps"), request.timing.fps
    if request.options is not None:
        yield ("options", "keyframe_budget"), request.options.keyframe_budget
        if request.options.guidance is not None:
            yield ("options", "guidance", "weight"), request.options.guidance.weight


def _of_skeleton(skeleton: Skeleton, loc: Loc) -> Iterator[tuple[Loc, Any]]:
    total = 0.0
    for joint in skeleton.joints:
        total += sum(joint.rest_translation) + sum(joint.rest_rotation)
    if math.isfinite(total):
        return
    for i, joint in enumerate(skeleton.joints):
        yield (*loc, "joints", i, "rest_translation"), joint.rest_translation
        yield (*loc, "joints", i, "rest_rotation"), joint.rest_rotation


def _is_clear(value: Any) -> bool:
    return math.isfinite(_total(value))


def _total(value: Any) -> float:
    if isinstance(value, dict):
        return sum(map(_total, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(_total, value)) if value and isinstance(value[0], (list, tuple)) else sum(value)
    return float(value)


def _not_finite(value: Any) -> Iterator[tuple[Loc, float]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (((key, *inner), number) for inner, number in _not_finite(item))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from (((i, *inner), number) for inner, number in _not_finite(item))
    elif not math.isfinite(value):
        yield (), value
