# SPDX-License-Identifier: Apache-2.0
"""Edits of constraints and prompts: left out, thinned, turned into something that the model takes."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from kineograph.fixes import timeline, wording
from kineograph.fixes.edits.base import NotApplicable, Request, at, drop, group, joints
from kineograph.fixes.edits.on_frames import shift_keys

MOST_PATH_KEYS = 16


def drop_constraint(request: Request, index: int) -> str:
    """One constraint less."""
    at(request, "constraints", index)
    place = wording.place(["constraints", index], None, request) or "it"
    drop(request, "constraints", [index])
    return f"{wording.capital(place)} is left out."


def drop_constraints_of_type(request: Request, type: str) -> str:
    """No constraints of one kind."""
    found = [i for i, c in timeline.items(request, "constraints") if c.get("type") == type]
    if not found:
        raise NotApplicable(f"the request has no {wording.CONSTRAINT_WORDS.get(type, (type, type))[1]}")
    drop(request, "constraints", found)
    one, many = wording.CONSTRAINT_WORDS.get(type, (type, type))
    return f"{wording.capital(wording.count(len(found), one, many))} left out; the scene keeps them."


def path_to_keys(request: Request, index: int) -> str:
    """Keys of the root bone along a path, at most 16 of them."""
    path = at(request, "constraints", index)
    frames = timeline.frames_of(path)
    points = np.asarray(path.get("positions_xz", ()), float).reshape(-1, 2)
    if path.get("type") != "root_path" or not frames or len(points) != len(frames):
        raise NotApplicable("this is no path")
    root = next((j for j in joints(request) if j.get("parent") is None), None)
    if root is None:
        raise NotApplicable("the rig has no root")
    headings = _headings(path, points)
    height = float(root.get("rest_translation", (0, 0, 0))[1])
    rest = np.asarray(root.get("rest_rotation", (0, 0, 0, 1)), float)
    keys = [
        {
            "type": "pose_keyframe",
            "frame": frames[i],
            "joint_rotations": {root["name"]: _turned(headings[i], rest)},
            "root_position": [float(points[i, 0]), height, float(points[i, 1])],
            "fill_mode": "generate",
        }
        for i in even(len(frames), MOST_PATH_KEYS)
    ]
    group(request, "constraints")[index : index + 1] = keys
    return f"The path is now {wording.count(len(keys), 'key')} of '{root['name']}'."


def _headings(path: dict[str, Any], points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Radians about +Y, 0 facing +Z: as given, else along the way."""
    given = path.get("heading_radians")
    if given is not None and len(given) == len(points):
        return np.asarray(given, float)
    step = np.gradient(points, axis=0) if len(points) > 1 else np.array([[0.0, 1.0]])
    along: np.ndarray[Any, Any] = np.arctan2(step[:, 0], step[:, 1])
    return along


def _turned(heading_rad: float, rest_xyzw: np.ndarray[Any, Any]) -> list[float]:
    """The rest rotation turned about +Y, (x, y, z, w)."""
    s, c = math.sin(heading_rad / 2), math.cos(heading_rad / 2)
    x, y, z, w = rest_xyzw
    return [float(v) for v in (c * x + s * z, c * y + s * w, c * z - s * x, c * w - s * y)]


def even(count: int, most: int) -> list[int]:
    """At most ``most`` indices of ``count``, evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [0]
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def thin_constraints(request: Request, most: int) -> str:
    """At most ``most`` constraints: pose keys go first, evenly; the first and the last stay."""
    found = group(request, "constraints")
    total = len(found)
    if total <= most or most < 1:
        raise NotApplicable(f"there are not more than {most}")
    keys = [i for i, c in timeline.items(request, "constraints") if c.get("type") == "pose_keyframe"]
    keys.sort(key=lambda i: found[i].get("frame", 0))
    others = total - len(keys)
    room = most - others
    if room >= min(len(keys), 2):
        chosen = {keys[k] for k in even(len(keys), room)}
        gone = [i for i in keys if i not in chosen]
    else:
        chosen = set(even(total, most))
        gone = [i for i in range(total) if i not in chosen]
    drop(request, "constraints", gone)
    return f"{wording.number(len(gone))} of {wording.number(total)} keys and pins left out, evenly."


def thin_keys(request: Request, keys: int | None = None) -> str:
    """Every second pose key; the first and the last stay."""
    found = [
        (c.get("frame", 0), i) for i, c in timeline.items(request, "constraints") if c.get("type") == "pose_keyframe"
    ]
    if len(found) < 3:
        raise NotApplicable("there are fewer than 3 keys")
    ordered = [i for _, i in sorted(found)]
    gone = [i for k, i in enumerate(ordered) if k % 2 and k != len(ordered) - 1]
    drop(request, "constraints", gone)
    return f"{wording.number(len(gone))} of {wording.number(len(found))} keys left out."


def free_segment(request: Request, index: int) -> str:
    """A prompt becomes a free block of the same length."""
    segment = at(request, "segments", index)
    group(request, "segments")[index] = _free(segment)
    return f"Prompt {index + 1} is free: the model chooses."


def free_segments_of_type(request: Request, type: str) -> str:
    """All prompts of one kind become free blocks."""
    segments = group(request, "segments")
    found = [i for i, s in timeline.items(request, "segments") if s.get("type") == type]
    if not found:
        raise NotApplicable("there is no such prompt")
    for i in found:
        segments[i] = _free(segments[i])
    return f"{wording.count(len(found), 'prompt is', 'prompts are')} free: the model chooses."


def _free(segment: dict[str, Any]) -> dict[str, Any]:
    out = {"type": "unconditioned", "duration_frames": max(1, timeline.segment_frames(segment))}
    return out | ({"seed": segment["seed"]} if segment.get("seed") is not None else {})


def segment_to_text(request: Request, index: int) -> str:
    """A pose prompt becomes a text prompt of one second; later keys move on."""
    segment = at(request, "segments", index)
    prompt = segment.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise NotApplicable("this prompt has no text")
    start = sum(timeline.segment_frames(s) for _, s in timeline.items(request, "segments")[:index])
    before = timeline.segment_frames(segment)
    length = max(1, round(timeline.fps_hz(request, 30.0))) if segment.get("type") == "pose" else before
    group(request, "segments")[index] = {"type": "text", "prompt": prompt, "duration_frames": length}
    if length != before:
        shift_keys(request, start, length - before)
    return f"Prompt {index + 1} is now text over {wording.count(length, 'frame')}."


def merge_segments(request: Request, count: int | None = None) -> str:
    """All prompts become one, their texts after each other."""
    segments = group(request, "segments")
    if len(segments) < 2 or not {s.get("type") for s in segments} <= {"text", "unconditioned"}:
        raise NotApplicable("only text prompts and free blocks can be made one")
    prompts = [s["prompt"] for s in segments if s.get("prompt")]
    frames = sum(timeline.segment_frames(s) for s in segments)
    merged: dict[str, Any] = {"type": "unconditioned", "duration_frames": frames}
    if prompts:
        merged = {"type": "text", "prompt": ", then ".join(dict.fromkeys(prompts)), "duration_frames": frames}
    if (seed := segments[0].get("seed")) is not None:
        merged["seed"] = seed
    request["segments"] = [merged]
    return f"{wording.number(len(segments))} prompts are one now, over {wording.count(frames, 'frame')}."


def split_prompt(request: Request, index: int) -> str:
    """One text prompt becomes two of half the length, split between two clauses or words."""
    segment = at(request, "segments", index)
    prompt, frames = segment.get("prompt"), timeline.segment_frames(segment)
    if segment.get("type") != "text" or not isinstance(prompt, str) or frames < 2:
        raise NotApplicable("only a text prompt of 2 frames or more can be split")
    first, second = _halves(prompt)
    half = frames // 2
    pair = [{**segment, "prompt": first, "duration_frames": half}]
    pair.append({**segment, "prompt": second, "duration_frames": frames - half})
    group(request, "segments")[index : index + 1] = pair
    return f"Prompt {index + 1} is two now: '{wording.short(first)}' and '{wording.short(second)}'."


def _halves(prompt: str) -> tuple[str, str]:
    """Two parts of a text, split at the clause or word boundary nearest to its middle."""
    for mark in (r"[.;]\s+", r",?\s+then\s+|,\s+", r"\s+"):
        found = list(re.finditer(mark, prompt.strip()))
        usable = [m for m in found if prompt[: m.start()].strip() and prompt[m.end() :].strip()]
        # A clause far from the middle leaves one half as long as before.
        usable = [m for m in usable if mark == r"\s+" or 0.1 < m.start() / len(prompt) < 0.9]
        if usable:
            best = min(usable, key=lambda m: abs(m.start() - len(prompt) / 2))
            return prompt[: best.start()].strip(), prompt[best.end() :].strip()
    return prompt, prompt


def replace_prompt(request: Request, index: int, prompt: str) -> str:
    """Another phrase for one prompt."""
    segment = at(request, "segments", index)
    segment["prompt"] = prompt
    return f"Prompt {index + 1} is now '{wording.short(prompt)}'."
