# SPDX-License-Identifier: Apache-2.0
"""Edits of options, of the model, and of reference clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kineograph.fixes import wording
from kineograph.fixes.edits.base import NotApplicable, Request, at, container, group, options


def switch_model(request: Request, model: str) -> str:
    """Another model."""
    before = request.get("model")
    request["model"] = model
    return f"Model '{model}' instead of '{before}'." if before else f"Model '{model}'."


def set_option(request: Request, path: Sequence[Any], value: Any) -> str:
    """One setting to a value."""
    options(request)
    holder, last = container(request, path)
    if not isinstance(holder, (dict, list)):
        raise NotApplicable("there is no such setting")
    holder[last] = value
    return f"{_label(path)} is now {wording.number(value)}."


def reset_option(request: Request, path: Sequence[Any]) -> str:
    """One setting left to the model."""
    holder, last = container(request, path)
    if not isinstance(holder, dict) or last not in holder:
        raise NotApplicable("this setting is not in the request")
    del holder[last]
    if not holder and len(path) > 1:
        parent, name = container(request, path[:-1])
        parent[name] = None  # an empty map of dials is none
    return f"{_label(path)} is left to the model."


def loop_off(request: Request, loop: Any = None) -> str:
    """No loop."""
    options(request)["loop"] = False
    return "Loop is off."


def fewer_samples(request: Request, samples: int) -> str:
    """Fewer variants."""
    options(request)["num_samples"] = int(samples)
    return f"{wording.capital(wording.count(int(samples), 'sample'))}."


def another_seed(request: Request, seed: int) -> str:
    """Another seed for the whole motion; seeds of single prompts would override it and are left out."""
    options(request)["seed"] = int(seed)
    for segment in group(request, "segments"):
        if isinstance(segment, dict):
            segment.pop("seed", None)
    return f"Seed {seed}."


def fewer_steps(request: Request, steps: int) -> str:
    """Fewer steps of the model."""
    options(request)["diffusion_steps"] = int(steps)
    return f"{wording.capital(wording.count(int(steps), 'step'))}."


def trim_reference(request: Request, index: int, frames: float) -> str:
    """Only the first frames of a reference clip."""
    segment = at(request, "segments", index)
    most = int(frames)
    if most < 2 or "rotations" not in segment:
        raise NotApplicable("a clip has at least 2 frames")
    for key in ("rotations", "root_positions"):
        segment[key] = segment[key][:most]
    return f"The clip's first {wording.count(most, 'frame')} are used."


def trim_video(request: Request, index: int, seconds: float) -> str:
    """Only the first seconds of a video, from its start mark."""
    segment = at(request, "segments", index)
    start = float(segment.get("start_s") or 0.0)
    segment["end_s"] = start + float(seconds)
    return f"The video is read from {wording.seconds(start)} to {wording.seconds(start + seconds)}."


def add_root_track(request: Request, index: int, joint: str) -> str:
    """A track for the root of a reference clip that has none: it keeps its rest rotation."""
    segment = at(request, "segments", index)
    names = segment.get("joint_names")
    if not isinstance(names, list) or joint in names:
        raise NotApplicable(f"the clip has no tracks, or has '{joint}'")
    rest = _rest_rotation(segment.get("skeleton") or request.get("skeleton"), joint)
    rotations = segment.get("rotations", [])
    if isinstance(rotations, np.ndarray):
        track = np.broadcast_to(np.asarray(rest, rotations.dtype), (len(rotations), 1, 4))
        segment["rotations"] = np.concatenate([track, rotations], axis=1)
    else:
        segment["rotations"] = [[list(rest), *frame] for frame in rotations]
    segment["joint_names"] = [joint, *names]
    return f"The clip has a '{joint}' track that stands still."


def _rest_rotation(skeleton: Any, joint: str) -> list[float]:
    for entry in skeleton.get("joints", ()) if isinstance(skeleton, dict) else ():
        if isinstance(entry, dict) and entry.get("name") == joint and entry.get("rest_rotation") is not None:
            return [float(v) for v in entry["rest_rotation"]]
    return [0.0, 0.0, 0.0, 1.0]


def _label(path: Sequence[Any]) -> str:
    names = [str(p).replace("_", " ") for p in path if isinstance(p, str)]
    return f"'{names[-1]}'" if names else "The setting"
