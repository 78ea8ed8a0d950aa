# SPDX-License-Identifier: Apache-2.0
"""A retarget as a job: the request's map in, the result's map out. The map is described in ``docs/protocol.md``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np

from kineograph.errors import ErrorCode, KineographError, RequestError
from kineograph.formats.plain import plain
from kineograph.motion.clip import Clip
from kineograph.motion.packed import clip_of, skeleton_of, wrong
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap, profiles
from kineograph_daemon.retarget.options import Options
from kineograph_daemon.retarget.reported import RetargetReport, retarget_with_report

KEYS = ("clip", "target", "source_profile", "target_profile", "options")
OPTIONS = {f.name: f.default for f in fields(Options) if f.name != "threads"}
"""What a request may ask for, with the defaults; how many threads are used is this computer's affair."""


@dataclass(frozen=True, eq=False)
class Ask:
    """A checked request. Maps are None where names and tree decide."""

    clip: Clip
    target: Skeleton
    source_map: RigMap | None
    target_map: RigMap | None
    options: Options


def parse(request: Any) -> Ask:
    """Check a request. Raises ``schema_validation`` with the path, ``invalid_skeleton``, ``map_incomplete``."""
    if not isinstance(request, Mapping):
        raise wrong(["request"], request, "a map")
    unknown = next((k for k in request if k not in KEYS), None)
    if unknown is not None:
        raise wrong(["request", unknown], "an unknown key", f"one of {', '.join(KEYS)}")
    clip = clip_of(request.get("clip"), ["request", "clip"])
    target = skeleton_of(request.get("target"), ["request", "target"])
    return Ask(
        clip,
        target,
        _map(request, "source_profile", clip.skeleton),
        _map(request, "target_profile", target),
        options_of(request.get("options") or {}, ["request", "options"]),
    )


def run(ask: Ask) -> tuple[Clip, RetargetReport]:
    """Do it; the clip on the target and the report. Raises ``map_incomplete``, ``invalid_parameters``."""
    return retarget_with_report(ask.clip, ask.source_map, ask.target, ask.target_map, ask.options)


def body(clip: Clip, report: RetargetReport, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The ``arrays`` form: one sample, with the skeleton it is on; ``travel`` for the root policy ``object``."""
    moved, travel = clip.translations_m, report.travel
    return {
        "fps_hz": float(clip.fps_hz),
        "joint_names": list(clip.skeleton.names),
        "num_frames": len(clip),
        "num_samples": 1,
        "rotations_xyzw": _one(clip.rotations_xyzw),
        "root_m": _one(clip.root_m),
        "translations_m": None if moved is None else _one(moved),
        "contacts": {name: np.ascontiguousarray(on, np.bool_)[None] for name, on in clip.contacts.items()},
        "skeleton": clip.skeleton.to_mmcp(),
        "travel": None
        if travel is None
        else {"path_m": np.asarray(travel.path_m, np.float32), "yaw_rad": np.asarray(travel.yaw_rad, np.float32)},
        "notes": [],
        "report": plain(report.to_json()),
        "provenance": dict(provenance),
    }


def options_of(value: Any, path: list[str | int]) -> Options:
    """``Options`` from a map of plain values. Raises ``schema_validation`` naming the option."""
    if not isinstance(value, Mapping):
        raise wrong(path, value, "a map")
    given: dict[str, Any] = {}
    for name, told in value.items():
        if name not in OPTIONS:
            raise wrong([*path, str(name)], "an unknown option", f"one of {', '.join(OPTIONS)}")
        given[name] = _option(OPTIONS[name], told, [*path, name])
    return Options(**given)


def _option(default: Any, value: Any, path: list[str | int]) -> Any:
    if isinstance(default, StrEnum):
        kind = type(default)
        if value not in kind.__members__.values():
            raise wrong(path, value, f"one of {', '.join(kind)}")
        return kind(value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise wrong(path, value, "true or false")
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number and value is not None:
        raise wrong(path, str(value)[:40], "a finite number")
    return None if value is None else float(value)


def _map(request: Mapping[str, Any], key: str, skeleton: Skeleton) -> RigMap | None:
    text = request.get(key)
    if text is None:
        return None
    if not isinstance(text, str):
        raise wrong(["request", key], text, "a rig profile's TOML text")
    try:
        profile = profiles.loads(text, key)
        return profiles.to_map(profile, skeleton.names, skeleton.parents.tolist(), skeleton.rest_positions_m)
    except KineographError as e:
        if e.code is ErrorCode.MAP_INCOMPLETE:
            raise
        details = {**e.details, "where": {"path": ["request", key]}}
        raise RequestError(ErrorCode.SCHEMA_VALIDATION, e.message, details) from e


def _one(values: Any) -> Any:
    return np.ascontiguousarray(values, np.float32)[None]
