# SPDX-License-Identifier: Apache-2.0
"""Facts about options, limits, references and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kineograph.fixes import timeline, wording

if TYPE_CHECKING:
    from kineograph.fixes.facts import Facts, Source

_COUNTED = {"constraints": ("key and pin", "keys and pins"), "samples": ("sample", "samples")}
_PART_WORDS = {
    "constraints": "keys, pins and paths",
    "segments": "prompts and clips",
    "skeleton": "the skeleton",
    "options": "settings",
    "pose_keyframe": "pose keys",
    "root_path": "paths",
    "effector_target": "pins",
    "video": "video",
    "motion_reference": "clips",
}


def invalid_options(source: Source, facts: Facts) -> None:
    """Which option, what it got, what it takes."""
    path = source.path
    if path[:1] == ("options",):
        _option(source, facts)
    if path[:2] == ("options", "loop") or (path[:1] == () and source.number("segments") is not None):
        _loop(source, facts)
        return
    _reference(source, facts)
    if source.text("what") is not None:
        _over(source, facts)
    facts.put("range", source.details.get("allowed"))


def invalid_request(source: Source, facts: Facts) -> None:
    """A reference clip without its root, or a loop over several prompts."""
    root = source.text("root_joint")
    if root is not None:
        facts.put("root", root)
        segment = source.details.get("segment", source.path[1] if len(source.path) > 1 else None)
        facts.put("reference_segment", segment if isinstance(segment, int) else None)
    if source.path[:2] == ("options", "loop"):
        _loop(source, facts)


def _option(source: Source, facts: Facts) -> None:
    path = source.path
    name = next((str(p) for p in reversed(path) if isinstance(p, str)), "options")
    facts.put("option", name, name.replace("_", " "))
    if name in ("options", "model_options"):
        return
    facts.put("option_path", list(path))
    got, allowed = source.number("got"), source.details.get("allowed")
    if got is None:
        return
    clamped = clamp(got, allowed)
    if clamped is not None and clamped != got:
        facts.put("clamped", clamped)


def clamp(got: float, allowed: Any) -> float | None:
    """The number nearest to ``got`` that ``allowed`` takes, whole where it can be; None when it names no numbers."""
    low: Any = None
    high: Any = None
    if _is_number(allowed):
        high = allowed
    elif isinstance(allowed, (list, tuple)) and len(allowed) == 2 and all(_is_number(a) for a in allowed):
        low, high = allowed
    elif isinstance(allowed, Mapping):
        low = next((allowed[k] for k in ("minimum", "ge") if _is_number(allowed.get(k))), None)
        high = next((allowed[k] for k in ("maximum", "le") if _is_number(allowed.get(k))), None)
    if low is None and high is None:
        return None
    value = float(got if low is None else max(got, low))
    value = value if high is None else min(value, float(high))
    return int(value) if value.is_integer() else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _loop(source: Source, facts: Facts) -> None:
    facts.put("loop_on", True)
    count = source.number("segments") or source.number("got")
    segments = timeline.items(source.request, "segments")
    if source.details.get("got") is True or (source.number("segments") is None and source.number("got") is None):
        facts.put("loop_unsupported", True)
        return
    facts.put("loop_segments", True)
    facts.put("got", int(count or len(segments)))
    if len(segments) > 1 and {s.get("type") for _, s in segments} <= {"text", "unconditioned"}:
        facts.put("mergeable_segments", len(segments))
        facts.put("prompt_count", len(segments))


def _over(source: Source, facts: Facts) -> None:
    """More of something than the model takes."""
    what, got, limit = source.text("what") or "", source.number("got"), source.number("allowed")
    if got is None or limit is None:
        return
    if what == "seconds":
        facts.put("over", True)
        facts.put("got_amount", got, wording.seconds(got))
        facts.put("limit_amount", limit, wording.seconds(limit))
        _shorten(source, got, limit, facts)
        return
    if what.startswith("characters"):
        if len(source.path) > 1 and source.path[0] == "segments":
            facts.put("long_prompt", source.path[1])
        facts.put("count", int(got))
        facts.put("what", "characters of prompt")
    else:
        one, many = _COUNTED.get(what, (what, what))
        facts.put("count", int(got))
        facts.put("what", one if got == 1 else many)
    facts.put("limit", int(limit))
    if what == "constraints":
        facts.put("constraint_limit", int(limit))
    if what == "samples":
        facts.put("option_path", ["options", "num_samples"])
        facts.put("clamped", int(limit))


def _shorten(source: Source, got_s: float, limit_s: float, facts: Facts) -> None:
    frames = source.number("frames") or timeline.total_frames(source.request)
    if not frames or got_s <= 0:
        return
    allowed = int(frames * limit_s / got_s + 1e-9)
    if allowed < 1:
        return
    facts.put("limit_seconds", limit_s)
    facts.put("limit_frames", allowed)


def _reference(source: Source, facts: Facts) -> None:
    segment = source.details.get("segment", source.path[1] if len(source.path) > 1 else None)
    for got, limit, amount, index, what in (
        ("reference_frames", "max_reference_frames", "reference_limit", "reference_segment", "frames of clip"),
        ("video_seconds", "max_video_seconds", "video_limit", "video_segment", "seconds of video"),
    ):
        have, most = source.number(got), source.number(limit)
        if have is None or most is None:
            continue
        is_close = wording.number(have) == wording.number(most)
        facts.put("count", have, f"{have:.7g}" if is_close else None)
        facts.put("what", what)
        facts.put("limit", most)
        facts.put(amount, most)
        facts.put(index, segment if isinstance(segment, int) else None)


def payload_too_large(source: Source, facts: Facts) -> None:
    """How large, the limit, and what takes most of it."""
    video = source.number("video_bytes")
    got = video if video is not None else source.number("request_bytes") or source.number("got")
    limit = source.number("max_video_bytes") if video is not None else source.number("max_request_bytes")
    limit = limit if limit is not None else source.number("allowed")
    if video is not None:
        facts.put("video", True)
        facts.put("video_segment", source.details.get("segment", source.path[1] if len(source.path) > 1 else None))
    else:
        facts.put("bones_count_here", got or 0)
    if got is not None and limit is not None:
        is_close = wording.size(got) == wording.size(limit)
        facts.put("size", got, wording.count(int(got), "byte") if is_close else wording.size(got))
        facts.put("size_limit", limit, wording.number(int(limit)) if is_close else wording.size(limit))
    parts = source.details.get("parts")
    if isinstance(parts, Mapping):
        sizes = {str(k): float(v) for k, v in parts.items() if _is_number(v) and v > 0}
        if sizes:
            part = max(sizes, key=lambda k: sizes[k])
            facts.put("part", part, _PART_WORDS.get(part, part.replace("_", " ")))
            facts.put("share", round(100 * sizes[part] / sum(sizes.values())))
    keys = sum(c.get("type") == "pose_keyframe" for _, c in timeline.items(source.request, "constraints"))
    facts.put("key_count", keys if keys > 2 else None)
    total = timeline.total_frames(source.request)
    facts.put("half_frames", total // 2 if total >= 2 and video is None else None)
