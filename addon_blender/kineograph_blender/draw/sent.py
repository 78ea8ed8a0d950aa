# SPDX-License-Identifier: GPL-3.0-or-later
"""A request as it would be sent, as a picture and as lines of text: before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.advise import advise

from ..advice import Advice, Stray, outside
from ..bridge.pace import whole
from ..bridge.request import Outgoing
from ..bridge.rig import Rig
from ..bridge.shot import Ghosts
from .shapes import Color, Lines, Picture, arrow, color_of, cross, figure

FloatArray = NDArray[np.floating[Any]]

_OF_THE_WHOLE = frozenset({"slow_down", "shorten"})
_ARROWS = 8
_MOST_GHOSTS = 40
_AT_ONCE = 20


def picture(outgoing: Outgoing) -> Picture:
    """Paths on the floor, pins, waypoints and ghosts of the keys, in the character's colour."""
    return whole(picturing(outgoing))


def picturing(outgoing: Outgoing) -> Generator[None, None, Picture]:
    """``picture`` in pieces of a few milliseconds at most."""
    out = Picture()
    for item, ref in zip(outgoing.request["constraints"], outgoing.refs["constraints"], strict=True):
        match item["type"]:
            case "root_path" if ref["kind"] == "waypoint":
                _waypoints(out, outgoing, item, ref)
            case "root_path":
                _path(out, outgoing, item, ref)
            case "effector_target":
                _pin(out, outgoing, item, ref)
    yield
    yield from _ghosts(out, outgoing)
    return out


def joined(pictures: Sequence[Picture]) -> Picture:
    """Several pictures as one."""
    return Picture([x for p in pictures for x in p.lines], [x for p in pictures for x in p.labels])


def size_bu(rig: Rig) -> float:
    """The figure's height as a measure, Blender units."""
    return float(np.ptp(rig.skeleton.rest_positions_m[:, 1])) / rig.frame.metres_per_bu or 1.0


def summary(parts: Sequence[Outgoing]) -> str:
    """'150 frames, 2 prompts, 5 keys, 1 path to starter, 4 samples'."""
    count: Counter[str] = Counter()
    for part in parts:
        count["prompt"] += sum(s["type"] == "text" for s in part.request["segments"])
        for item, ref in zip(part.request["constraints"], part.refs["constraints"], strict=True):
            count[ref["kind"]] += len(item["frames"]) if ref["kind"] == "waypoint" else 1
    frames = sum(part.frames for part in parts)
    words = [_many(frames, "frame")]
    words += [_many(count[k], k) for k in ("prompt", "key", "path", "waypoint", "pin") if count[k]]
    options = parts[0].request["options"] if parts else {}
    samples = int(options.get("num_samples", 1))
    model = (parts[0].request["model"] if parts else "") or "the daemon's own model"
    return f"{', '.join(words)} to {model}, {_many(samples, 'sample')}"


def left_out(parts: Sequence[Outgoing]) -> list[str]:
    """What is not sent or changed on the way, a line each, and why."""
    lines = [f"{r.what}: {r.why}" for part in parts for r in part.remarks]
    lines += [f"{c.bone}: its {_named(c.kind)} constraint changes what keys show" for c in parts[0].constrained[:6]]
    return list(dict.fromkeys(lines))


def advice(parts: Sequence[Outgoing], model: Mapping[str, Any], stray: Stray | None = None) -> list[Advice]:
    """Notes on what would be sent, with scene frames in them. ``model``: its entry of the capabilities and extras.

    ``stray``: of some scene frames, those at which the user may have meant something and nothing is generated.
    """
    found: dict[str, Advice] = {}
    for part in parts:
        refs = tuple(part.refs["constraints"])
        prompts = tuple(str(s.get("prompt") or "") for s in part.request["segments"])
        for note in advise(part.request, model, part.refs, part.first):
            # How long a stretch between locked blocks lasts is said by its neighbours.
            fixes = tuple(f for f in note.fixes if len(parts) == 1 or f.patch["action"] not in _OF_THE_WHOLE)
            found.setdefault(note.text, Advice(note.code, note.text, fixes, part.first, refs, prompts))
    return [*found.values(), *(_outside(parts, stray) if parts and stray is not None else ())]


def _outside(parts: Sequence[Outgoing], stray: Stray) -> list[Advice]:
    """What lies outside of all parts."""
    span = min(p.start for p in parts), max(p.start + p.frames - 1 for p in parts)
    there = [{(ref["kind"], ref["object"]) for ref, _ in part.outside} for part in parts]
    wanted = set.intersection(*there)
    return outside([(r, f) for r, f in parts[0].outside if (r["kind"], r["object"]) in wanted], span, stray)


def _path(out: Picture, outgoing: Outgoing, item: Mapping[str, Any], ref: Mapping[str, Any]) -> None:
    color = color_of(outgoing.rig.armature)
    points = _floor(outgoing, item["positions_xz"])
    out.line(points, color, 2.5)
    for k in np.unique(np.linspace(0, len(points) - 1, _ARROWS).round().astype(int)):
        _heading(out, outgoing, item, int(k), points[k], color)
    for k in (0, -1):
        out.label(points[k], f"{ref['object']} {item['frames'][k] + outgoing.first}", color)


def _waypoints(out: Picture, outgoing: Outgoing, item: Mapping[str, Any], ref: Mapping[str, Any]) -> None:
    color, size = color_of(outgoing.rig.armature), size_bu(outgoing.rig)
    for k, point in enumerate(_floor(outgoing, item["positions_xz"])):
        out.line(cross(point, 0.25 * size)[:4], color, 2.5)
        _heading(out, outgoing, item, k, point, color)
        frame = item["frames"][k] + outgoing.first
        out.label(point, f"{ref['names'][k]} {frame}", color, frame)


def _pin(out: Picture, outgoing: Outgoing, item: Mapping[str, Any], ref: Mapping[str, Any]) -> None:
    color = color_of(outgoing.rig.armature)
    points = outgoing.rig.frame.points_bu(np.array(item["positions"], float))
    if float(np.ptp(points, axis=0).max()) > 1e-4:
        out.line(points, color)
    size = 0.1 * size_bu(outgoing.rig)
    for point in (points[0], points[-1]) if len(points) > 1 else points:
        out.lines.append(Lines(cross(point, size), color))
    first, last = item["frames"][0] + outgoing.first, item["frames"][-1] + outgoing.first
    when = str(first) if first == last else f"{first}-{last}"
    name = ref["object"] if ref["kind"] == "pin" else "key"
    out.label(points[0], f"{name}: {item['joint']} {when}", color, first)


def _ghosts(out: Picture, outgoing: Outgoing) -> Generator[None, None, None]:
    ghosts = outgoing.ghosts
    if not isinstance(ghosts, Ghosts):  # a record on disk has none
        return
    color = color_of(outgoing.rig.armature, alpha=0.45)
    frames = sorted(ghosts)
    some = frames if len(frames) <= _MOST_GHOSTS else [frames[int(k)] for k in np.linspace(0, len(frames) - 1, 40)]
    parents = outgoing.rig.skeleton.parents
    for first in range(0, len(some), _AT_ONCE):
        part = some[first : first + _AT_ONCE]
        every = outgoing.rig.frame.points_bu((yield from ghosts.placing(part)))
        yield
        for frame, joints in zip(part, every, strict=True):
            out.lines.append(Lines(figure(joints, parents), color))
            out.label(joints[0], str(frame), color, frame)
        yield


def _heading(
    out: Picture, outgoing: Outgoing, item: Mapping[str, Any], k: int, place: FloatArray, color: Color
) -> None:
    headings = item.get("heading_radians")
    if headings is None:
        return
    ahead = np.array([np.sin(headings[k]), 0.0, np.cos(headings[k])])
    frame = outgoing.rig.frame
    world = frame.points_bu(ahead) - frame.points_bu(np.zeros(3))
    out.lines.append(Lines(arrow(place, world, 0.4 * size_bu(outgoing.rig)), color))


def _floor(outgoing: Outgoing, xz: Any) -> FloatArray:
    flat = np.asarray(xz, float)
    return outgoing.rig.frame.points_bu(np.stack([flat[:, 0], np.zeros(len(flat)), flat[:, 1]], axis=-1))


def _named(kind: str) -> str:
    return kind.replace("_", " ").title()


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
