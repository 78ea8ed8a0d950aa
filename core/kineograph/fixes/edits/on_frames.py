# SPDX-License-Identifier: Apache-2.0
"""Edits of time: where keys stand and how long the motion is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kineograph.fixes import timeline, wording
from kineograph.fixes.edits.base import NotApplicable, Request, at, drop, group, keep_entries


def extend_to(request: Request, frame: int) -> str:
    """The motion lasts until ``frame``: the last prompt grows."""
    total = timeline.total_frames(request)
    extra = int(frame) + 1 - total
    if extra <= 0 or total <= 0:
        raise NotApplicable(f"the motion already reaches frame {frame}")
    segments = group(request, "segments")
    if not segments:
        request["duration_frames"] = total + extra
        return f"The motion is {wording.count(extra, 'frame')} longer."
    if segments[-1].get("type") == "pose":  # a pose is one frame and cannot grow
        segments.append({"type": "unconditioned", "duration_frames": extra})
        return f"A free block of {wording.count(extra, 'frame')} follows the last prompt."
    segments[-1]["duration_frames"] = timeline.segment_frames(segments[-1]) + extra
    return f"The last prompt is {wording.count(extra, 'frame')} longer."


def move_frame(request: Request, path: Sequence[Any], to: int) -> str:
    """One key moves to the frame ``to``; where another one of the same constraint stands there, that one stays."""
    if len(path) < 2 or path[0] != "constraints":
        raise NotApplicable("the place is no key")
    constraint = at(request, "constraints", path[1])
    place = wording.capital(wording.place(path, None, request) or "the key")
    if "frame" in constraint:
        constraint["frame"] = int(to)
        return f"{place} is now at frame {to}."
    frames = timeline.frames_of(constraint)
    which = path[3] if len(path) > 3 and isinstance(path[3], int) else None
    moved = [which] if which is not None else [i for i, f in enumerate(frames) if not 0 <= f <= max(int(to), 0)]
    if not moved or any(i >= len(frames) for i in moved):
        raise NotApplicable("there is no such key")
    _set_frames(constraint, [int(to) if i in moved else f for i, f in enumerate(frames)], set(moved))
    return f"{place}: {wording.count(len(moved), 'key')} moved to frame {to}."


def drop_outside_frames(request: Request, total_frames: int) -> str:
    """Keys before the start and after the end are left out."""
    empty, gone = [], 0
    for i, constraint, frames in timeline.constraint_frames(request):
        keep = [k for k, f in enumerate(frames) if 0 <= f < total_frames]
        gone += len(frames) - len(keep)
        if frames and not keep:
            empty.append(i)
        elif len(keep) < len(frames):
            keep_entries(constraint, keep)  # type: ignore[arg-type]
    if not gone:
        raise NotApplicable("no key lies outside")
    drop(request, "constraints", empty)
    return f"{wording.count(gone, 'key')} outside the motion {'is' if gone == 1 else 'are'} left out."


def shorten(request: Request, frames: int) -> str:
    """The motion ends after ``frames`` frames; later prompts and keys are left out."""
    total = timeline.total_frames(request)
    if not 0 < frames < total:
        raise NotApplicable(f"the motion is not longer than {frames} frames")
    left = int(frames)
    kept = []
    for segment in group(request, "segments"):
        length = min(timeline.segment_frames(segment), left)
        if length <= 0:
            break
        if segment.get("type") != "pose":
            segment["duration_frames"] = length
        kept.append(segment)
        left -= length
    if kept:
        request["segments"] = kept
    else:
        request["duration_frames"] = int(frames)
    outside = [i for i, _, fs in timeline.constraint_frames(request) if fs and min(fs) >= frames]
    if len(outside) < len(group(request, "constraints")) or kept:
        _cut_keys(request, int(frames))
    return f"The motion ends after {wording.count(int(frames), 'frame')} instead of {wording.number(total)}."


def half_length(request: Request, frames: int | None = None) -> str:
    """Half as many frames."""
    return shorten(request, frames or timeline.total_frames(request) // 2)


def slow_down(request: Request, frames: int) -> str:
    """The same directions spread over more frames."""
    total = timeline.total_frames(request)
    if total < 2 or frames <= total:
        raise NotApplicable(f"the motion already has {total} frames")
    scale = (frames - 1) / (total - 1)
    start = 0
    for segment in group(request, "segments"):
        length = timeline.segment_frames(segment)
        if segment.get("type") != "pose":
            first, last = round(start * frames / total), round((start + length) * frames / total)
            segment["duration_frames"] = max(1, last - first)
        start += length
    if not group(request, "segments"):
        request["duration_frames"] = int(frames)
    limit = timeline.total_frames(request) - 1
    _map_frames(request, lambda f: min(round(f * scale), limit))
    return f"Everything is spread over {wording.count(timeline.total_frames(request), 'frame')} instead of {total}."


def shift_keys(request: Request, after: int, by: int) -> None:
    """Keys after the frame ``after`` move by ``by`` frames."""
    _map_frames(request, lambda f: f + by if f > after else f)


def _cut_keys(request: Request, total: int) -> None:
    try:
        drop_outside_frames(request, total)
    except NotApplicable:
        return


def _map_frames(request: Request, move: Callable[[int], int]) -> None:
    for _, constraint, frames in timeline.constraint_frames(request):
        _set_frames(constraint, [move(f) for f in frames])  # type: ignore[arg-type]


def _set_frames(constraint: dict[str, Any], frames: list[int], moved: set[int] | None = None) -> None:
    """New frames for a constraint, ascending and each once: of two on one frame the unmoved one stays."""
    if "frame" in constraint:
        constraint["frame"] = frames[0]
        return
    by_frame: dict[int, int] = {}
    for i, frame in enumerate(frames):
        if frame not in by_frame or by_frame[frame] in (moved or ()):
            by_frame[frame] = i
    keep = [by_frame[f] for f in sorted(by_frame)]
    is_array = isinstance(constraint.get("frames"), np.ndarray)
    keep_entries(constraint, keep)
    new = [frames[i] for i in keep]
    constraint["frames"] = np.asarray(new) if is_array else new
