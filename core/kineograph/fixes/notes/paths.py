# SPDX-License-Identifier: Apache-2.0
"""Notes on paths: speed against the gait that the prompt asks for, and ground under the way."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from kineograph.errors import NoteCode
from kineograph.fixes import timeline
from kineograph.fixes.notes.base import Finding, FloatArray, Scene, points, vector

WINDOW_S = 0.25
"""Speed is measured over at least this long: a dense path's jitter is no run."""

MARGIN = 1.1
FAR_GROUND = 0.35
"""Ground further from the way than this share of a body's height is not under it (and not nearer than ``FAR_LEAST_M``):
what the daemon's solve stands on."""
FAR_LEAST_M = 0.05
FAR_UNKNOWN_M = 1.5


@dataclass(frozen=True)
class Gait:
    """How fast a body of usual height moves, and the words of a prompt that ask for it."""

    name: str
    low_m_s: float
    high_m_s: float
    words: re.Pattern[str]


@cache
def gaits() -> tuple[Gait, ...]:
    """Every gait, the walk last: it fits any prompt."""
    with resources.files("kineograph.fixes.notes").joinpath("gaits.toml").open("rb") as file:
        entries = tomllib.load(file)["gait"]
    return tuple(Gait(e["name"], float(e["range"][0]), float(e["range"][1]), _any_of(e["words"])) for e in entries)


def _any_of(words: list[str]) -> re.Pattern[str]:
    """One of the words with any of their usual endings; no words fit every prompt."""
    return re.compile(rf"\b(?:{'|'.join(words)})(?:s|es|ing|ed)?\b" if words else "")


def _free() -> Gait:
    """Without a prompt the model may choose to run."""
    return next(g for g in gaits() if g.name == "a run")


def path_too_fast(scene: Scene) -> Iterator[Finding]:
    """Paths, and root positions of keys, that ask for more than the prompt's gait can do."""
    for path, frames, xz in _ways(scene):
        worst = None
        for frame, speed in _speeds(frames, xz, scene.fps_hz):
            gait, scale = gait_of(scene, frame)
            excess = speed / (gait.high_m_s * scale)
            if excess > MARGIN and (worst is None or excess > worst[0]):
                worst = (excess, frame, speed, gait, scale)
        if worst is None:
            continue
        excess, frame, speed, gait, scale = worst
        found = Finding(NoteCode.PATH_TOO_FAST, path).put("frame", frame).put("speed", speed, f"{speed:.1f}")
        low, high = gait.low_m_s * scale, gait.high_m_s * scale
        found.put("gait", gait.name).put("gait_range", [low, high], f"{_short(low)} to {_short(high)}")
        wanted = math.ceil(scene.total * excess)
        found.put("slow_frames", wanted if scene.total > 1 and wanted < 100 * scene.total else None)
        yield found


def gait_of(scene: Scene, frame: int) -> tuple[Gait, float]:
    """The gait that the prompt at ``frame`` asks for, and how its speeds scale with the body's size."""
    segment = scene.segment_at(frame)
    prompt = segment.get("prompt") if segment is not None else None
    if not isinstance(prompt, str):
        return _free(), _size_scale(scene)
    gait = next(g for g in gaits() if g.words.search(prompt.lower()))
    return gait, _size_scale(scene)


def _size_scale(scene: Scene) -> float:
    """Speeds at the same gait go with the square root of leg length (equal Froude number); people all count as 1."""
    height = scene.root_height_m
    return math.sqrt(height / 0.95) if 0.05 < height < 0.6 or 1.6 < height < 50 else 1.0


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 1 and abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _ways(scene: Scene) -> Iterator[tuple[tuple[Any, ...], list[int], FloatArray]]:
    """Every root path, and the way through the root positions of keys: (path, frames, positions (N, 2))."""
    keyed: dict[int, tuple[int, FloatArray]] = {}
    for i, constraint, frames in timeline.constraint_frames(scene.request):
        if constraint.get("type") == "root_path" and len(frames) > 1:
            try:
                yield ("constraints", i), frames, points(constraint.get("positions_xz"), 2, len(frames))
            except (ValueError, TypeError):
                continue
        elif constraint.get("type") == "pose_keyframe" and frames and constraint.get("root_position") is not None:
            try:
                keyed[frames[0]] = (i, vector(constraint["root_position"], 3)[[0, 2]])
            except (ValueError, TypeError):
                continue
    if len(keyed) > 1:
        ordered = sorted(keyed)
        yield ("constraints", keyed[ordered[-1]][0]), ordered, np.array([keyed[f][1] for f in ordered])


def _speeds(frames: list[int], xz: FloatArray, fps_hz: float) -> Iterator[tuple[int, float]]:
    """(frame, m/s) over windows of at least ``WINDOW_S``; way along the path, not as the crow flies."""
    usable = [k for k in range(len(frames)) if np.isfinite(xz[k]).all()]
    usable.sort(key=lambda k: frames[k])
    if len(usable) < 2:
        return
    at = np.array([frames[k] for k in usable], float) / fps_hz
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(xz[usable], axis=0), axis=1))])
    if at[-1] <= at[0]:
        return
    stop = np.minimum(at + WINDOW_S, at[-1])
    start = np.maximum(stop - WINDOW_S, at[0])
    speeds = (np.interp(stop, at, way) - np.interp(start, at, way)) / (stop - start)
    for k, speed in zip(usable[:-1], speeds, strict=False):
        yield int(frames[k]), float(speed)


def ground_unreachable(scene: Scene) -> Iterator[Finding]:
    """A path that leads far from every point of the ground, or over steps that legs do not reach."""
    for i, constraint in timeline.items(scene.request, "constraints"):
        if constraint.get("type") != "ground_height":
            continue
        given = constraint.get("points")
        if given is None or len(given) == 0:
            continue
        ground = points(given, 3, len(given))
        ground = ground[np.isfinite(ground).all(axis=1)]
        if not len(ground):
            continue
        for _, frames, xz in _ways(scene):
            if (found := _far(scene, i, frames, xz, ground) or _steep(scene, i, frames, xz, ground)) is not None:
                yield found
                break


def _nearest(xz: FloatArray, ground: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance to the nearest ground point on the floor plane, and its height, for each position."""
    distance, height = np.empty(len(xz)), np.empty(len(xz))
    for k, position in enumerate(xz):
        d = np.hypot(ground[:, 0] - position[0], ground[:, 1] - position[1])
        best = int(np.argmin(d))
        distance[k], height[k] = d[best], ground[best, 2]
    return distance, height


def _far(scene: Scene, i: int, frames: list[int], xz: FloatArray, ground: FloatArray) -> Finding | None:
    distance, _ = _nearest(np.nan_to_num(xz), ground)
    worst = int(np.argmax(distance))
    rig = scene.skeleton
    if distance[worst] <= (FAR_UNKNOWN_M if rig is None else max(FAR_GROUND * rig.height_m, FAR_LEAST_M)):
        return None
    found = Finding(NoteCode.GROUND_UNREACHABLE, ("constraints", i)).put("frame", frames[worst])
    return found.put("gap", float(distance[worst]), f"{distance[worst]:.1f}")


def _steep(scene: Scene, i: int, frames: list[int], xz: FloatArray, ground: FloatArray) -> Finding | None:
    """A rise between neighbouring points of a path that is more than legs can climb in one step."""
    leg_m = scene.root_height_m
    if leg_m <= 0 or len(xz) < 2:
        return None
    _, height = _nearest(np.nan_to_num(xz), ground)
    apart = np.linalg.norm(np.diff(np.nan_to_num(xz), axis=0), axis=1)
    rise = np.where(apart < leg_m, np.diff(height), 0.0)
    worst = int(np.argmax(rise))
    if rise[worst] <= leg_m:
        return None
    found = Finding(NoteCode.GROUND_UNREACHABLE, ("constraints", i)).put("frame", None)
    found.put("step", float(rise[worst]) * 100, f"{rise[worst] * 100:.0f}")
    return found.put("reach", leg_m * 100, f"{leg_m * 100:.0f}")
