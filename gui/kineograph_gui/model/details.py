# SPDX-License-Identifier: Apache-2.0
"""A job in words: what was asked, what came of it, where it came from. Plain functions from maps to lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kineograph.fixes import timeline
from kineograph.wire.messages import JobStatus
from kineograph_gui.model import rows
from kineograph_gui.model.words import TABLE, say

MOST_LINES = 40


@dataclass(frozen=True)
class Line:
    """One line. ``tone``: "" calm, "good" met, "off" missed or ignored, "quiet" grey."""

    text: str
    tone: str = ""
    tip: str = ""


def request_lines(request: Any, refs: Mapping[str, Any] | None = None) -> list[Line]:
    """What was asked: length, model, prompts, keys, paths, pins."""
    if not isinstance(request, Mapping):
        return []
    frames, fps_hz = timeline.total_frames(request), timeline.fps_hz(request, 30.0)
    lead = [say("details.lead", frames=frames, fps=f"{fps_hz:g}", seconds=f"{frames / fps_hz:.1f}")]
    if request.get("model"):
        lead.append(say("details.model", model=request["model"]))
    options = request.get("options")
    if isinstance(options, Mapping):
        if options.get("num_samples"):
            lead.append(say("details.samples", count=options["num_samples"]))
        if options.get("seed") is not None:
            lead.append(say("details.seed", seed=options["seed"]))
    out = [Line(", ".join(lead))]
    out += _segment_lines(request)
    out += _constraint_lines(request, refs or {})
    return _cut(out)


def _segment_lines(request: Mapping[str, Any]) -> list[Line]:
    out, start = [], 0
    for _, segment in timeline.items(request, "segments"):
        frames = timeline.segment_frames(segment)
        span = {"start": start, "stop": max(start + frames - 1, start)}  # as paths and keys are told
        match segment.get("type"):
            case "text":
                text = say("details.prompt", prompt=segment.get("prompt", ""), **span)
            case "unconditioned":
                text = f"{span['start']}-{span['stop']}  {say('details.free')}"
            case "motion_reference":
                text = say("details.reference", frames=frames, **span)
            case kind:
                text = say("details.other", kind=kind, **span)
        out.append(Line(text))
        start += frames
    return out


def _constraint_lines(request: Mapping[str, Any], refs: Mapping[str, Any]) -> list[Line]:
    out, keys = [], []
    for index, constraint in timeline.items(request, "constraints"):
        frames = timeline.frames_of(constraint)
        match constraint.get("type"):
            case "pose_keyframe":
                keys += frames
                continue
            case "root_path":
                span = {"start": min(frames, default=0), "stop": max(frames, default=0)}
                text = say("details.path", count=len(frames), **span)
            case "effector_target":
                text = say("details.pin", joint=constraint.get("joint", ""), frames=_frames(frames))
            case "ground_height":
                text = say("details.ground", count=len(constraint.get("points") or ()))
            case kind:
                text = str(kind)
        called = _ref(refs, index)
        out.append(Line(f"{text} ({called})" if called else text))
    if keys:
        key = "details.key" if len(keys) == 1 else "details.keys"
        out.insert(0, Line(say(key, count=len(keys), frames=_frames(sorted(keys)))))
    return out


def report_lines(report: Mapping[str, Any], refs: Mapping[str, Any] | None = None) -> list[Line]:
    """What came of it: first the sum, then what was missed, changed or ignored, then the quality."""
    constraints = _entries(report, "constraints")
    off = [e for e in constraints if e.get("outcome") != "applied"]
    one = "_one" if len(constraints) == 1 else ""
    out = []
    if constraints and not off:
        out.append(Line(say(f"details.all_met{one}", count=len(constraints)), "good"))
    elif off:
        out.append(Line(say(f"details.not_met{one}", missed=len(off), count=len(constraints)), "off"))
    for group in ("constraints", "segments", "options", "request"):
        for entry in _entries(report, group):
            if entry.get("outcome") not in (None, "applied"):
                out.append(_entry_line(group, entry, refs or {}))
    quality = _entries(report, "quality")
    if quality:
        slide = max(number(q.get("slide_mean_cm_s")) for q in quality)
        into = max(number(q.get("penetration_cm")) for q in quality)
        out.append(Line(say("details.quality", slide=f"{slide:.1f}", penetration=f"{into:.1f}"), "quiet"))
    return _cut(out)


def _entry_line(group: str, entry: Mapping[str, Any], refs: Mapping[str, Any]) -> Line:
    what = _thing(group, entry, refs)
    outcome = say(f"details.{entry['outcome']}") if f"details.{entry['outcome']}" in TABLE else str(entry["outcome"])
    worst_cm = number(entry.get("worst_cm"))
    if worst_cm:
        text = say("details.miss", what=what, outcome=outcome, miss=f"{worst_cm:.1f} cm")
    else:
        text = say("details.line", what=what, outcome=outcome)
    reason = str(entry.get("reason") or "")
    tone = "off" if group == "constraints" else "quiet"
    return Line(say("details.why", line=text, reason=reason) if reason else text, tone, reason)


def _thing(group: str, entry: Mapping[str, Any], refs: Mapping[str, Any]) -> str:
    if group == "options":
        return say("thing.option", name=entry.get("name", ""))
    if group == "request":
        known = f"thing.request_{entry.get('name')}"
        return say(known) if known in TABLE else say("thing.request", name=entry.get("name", ""))
    index, kind = int(number(entry.get("index"))), f"thing.{entry.get('type')}"
    called = _ref(refs, index) if group == "constraints" else ""
    if called:
        return f"'{called}'"
    if kind not in TABLE:
        return say("thing.other", name=entry.get("type", ""))
    return say(kind, number=index + 1, joint=entry.get("joint", ""))


def origin_lines(job: JobStatus, provenance: Mapping[str, Any] | None = None) -> list[Line]:
    """Where a job and its motion come from."""
    known = [
        ("created", rows.exact(job.created_s)),
        ("from", job.client),
        ("took", "" if (took_s := rows.elapsed_s(job)) is None else rows.duration(took_s)),
        ("attempt", str(job.attempt) if job.attempt > 1 else ""),
        ("id", job.job),
    ]
    told = provenance or {}
    for name, field in (("weights", "weights_hash"), ("version", "version"), ("device", "device")):
        if isinstance(told.get(field), str):
            known.append((name, told[field]))
    return [
        Line(say("details.at", label=say(f"details.{name}"), value=_brief(value)), "quiet", _in_full(value))
        for name, value in known
        if value
    ]


_BRIEF = 40
"""Letters: an id stands in full, a hash by its beginning."""


def _brief(value: str) -> str:
    return value if len(value) <= _BRIEF else f"{value[:12]}\u2026"


def _in_full(value: str) -> str:
    return value if len(value) > _BRIEF else ""


def number(value: Any) -> float:
    """A finite number; 0 for anything else: a report may come from a plug-in."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if plain and abs(value) < 1e15 else 0.0


def _entries(report: Mapping[str, Any], group: str) -> list[Mapping[str, Any]]:
    listed = report.get(group)
    return [e for e in listed if isinstance(e, Mapping)] if isinstance(listed, (list, tuple)) else []


def _frames(frames: Sequence[int]) -> str:
    shown = ", ".join(str(f) for f in frames[:8])
    return shown if len(frames) <= 8 else f"{shown}, {say('details.more', count=len(frames) - 8)}"


def _ref(refs: Mapping[str, Any], index: int) -> str:
    named = refs.get("constraints")
    if isinstance(named, (list, tuple)) and 0 <= index < len(named):
        ref = named[index]
        return str(ref.get("name") or ref.get("object") or "") if isinstance(ref, Mapping) else str(ref or "")
    return ""


def _cut(lines: list[Line]) -> list[Line]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], Line(say("details.more", count=len(lines) - MOST_LINES), "quiet")]
