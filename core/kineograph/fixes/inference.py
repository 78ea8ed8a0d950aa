# SPDX-License-Identifier: Apache-2.0
"""Where a fault is, worked out from the request when a server names only the code and its official details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kineograph.fixes import timeline

Map = Mapping[str, Any]


def place_of(code: str, details: Map, request: Map) -> tuple[Any, ...]:
    """The path of the first thing in ``request`` that ``code`` can mean; empty when nothing fits."""
    match code:
        case "unknown_joint":
            return _unknown_joint(request)
        case "frame_out_of_range":
            return _outside(details, request)
        case "unsupported_constraint":
            return _unsupported("constraints", details.get("supported_constraints"), request)
        case "unsupported_segment":
            return _unsupported("segments", details.get("supported_segments"), request)
    return ()


def _unknown_joint(request: Map) -> tuple[Any, ...]:
    known = set(timeline.joint_names(request))
    if not known:
        return ()
    for i, constraint in timeline.items(request, "constraints"):
        joint = constraint.get("joint")
        if isinstance(joint, str) and joint not in known:
            return ("constraints", i, "joint")
        rotations = constraint.get("joint_rotations")
        for name in rotations if isinstance(rotations, Mapping) else ():
            if name not in known:
                return ("constraints", i, "joint_rotations", name)
    for i, segment in timeline.items(request, "segments"):
        tracks = segment.get("joint_names")
        if segment.get("skeleton") is None and isinstance(tracks, (list, tuple)):
            for k, name in enumerate(tracks):
                if name not in known:
                    return ("segments", i, "joint_names", k)
    return ()


def _outside(details: Map, request: Map) -> tuple[Any, ...]:
    frame = details.get("frame")
    for i, constraint, frames in timeline.constraint_frames(request):
        if frame in frames:
            return (
                ("constraints", i, "frame")
                if "frame" in constraint
                else ("constraints", i, "frames", frames.index(frame))
            )
    return ()


def _unsupported(group: str, supported: Any, request: Map) -> tuple[Any, ...]:
    if not isinstance(supported, (list, tuple)):
        return ()
    return next(((group, i) for i, item in timeline.items(request, group) if item.get("type") not in supported), ())


def over_limit(request: Map, capabilities: Any) -> dict[str, Any]:
    """The first limit of the model that the request is over, as the daemon's own details would say it."""
    spec = spec_of(capabilities, request.get("model"))
    limits = spec.get("limits")
    if not isinstance(limits, Mapping):
        return {}
    options = request.get("options")
    samples = options.get("num_samples") if isinstance(options, Mapping) else None
    fps = spec.get("fps")
    rate_hz = timeline.fps_hz(request, float(fps) if isinstance(fps, (int, float)) and fps > 0 else 30.0)
    prompts = [(i, s["prompt"]) for i, s in timeline.items(request, "segments") if isinstance(s.get("prompt"), str)]
    longest = max(prompts, key=lambda p: len(p[1]), default=(0, ""))
    checks: list[tuple[str, Any, str, list[Any]]] = [
        ("max_constraints_per_request", len(timeline.items(request, "constraints")), "constraints", ["constraints"]),
        ("max_num_samples", samples, "samples", ["options", "num_samples"]),
        ("max_prompt_length", len(longest[1]), "characters of prompt", ["segments", longest[0], "prompt"]),
        ("max_duration_seconds", timeline.total_frames(request) / rate_hz, "seconds", ["segments"]),
    ]
    for name, got, what, path in checks:
        limit = limits.get(name)
        if isinstance(limit, (int, float)) and isinstance(got, (int, float)) and got > limit:
            return {"what": what, "got": got, "allowed": limit, "where": {"path": path, "ref": None}}
    return {}


def spec_of(capabilities: Any, model: Any) -> Map:
    """One model's entry, from that entry itself or from MMCP's whole document."""
    if not isinstance(capabilities, Mapping):
        return {}
    found = capabilities.get("models")
    if isinstance(found, (list, tuple)):
        return next((m for m in found if isinstance(m, Mapping) and m.get("id") == model), {})
    return capabilities


def rig_difference(request: Map, capabilities: Any) -> dict[str, Any]:
    """How the request's rig differs from the model's own: ``missing``, ``extra``, ``order_differs``, ``allowed``."""
    own = timeline.joint_names({"skeleton": spec_of(capabilities, request.get("model")).get("canonical_skeleton")})
    sent = timeline.joint_names(request)
    if not own or not sent:
        return {}
    missing, extra = [n for n in own if n not in sent], [n for n in sent if n not in own]
    return {"missing": missing, "extra": extra, "order_differs": not missing and not extra, "allowed": own}
