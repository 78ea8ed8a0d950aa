# SPDX-License-Identifier: Apache-2.0
"""Options and limits: the dials a model declared, thinning, loops, and how much of everything it takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from motionmcp.backbone import ModelSpec
from motionmcp.schemas import GenerateRequest, ModelOption

from kineograph.errors import ErrorCode
from kineograph_daemon.mmcp.checks_rig import Takers
from kineograph_daemon.mmcp.faults import Path, fault, nearest, plain

_MOST_FLAGS = 1024


def model_options(request: GenerateRequest, spec: ModelSpec) -> None:
    """Every dial that was sent is one the model declared, and its value one that the dial takes.

    Refused, never dropped or clamped: who gets the default back cannot tell that the dial went nowhere.
    """
    sent = (request.options.model_options or {}) if request.options is not None else {}
    if not sent:
        return
    path: Path = ["options", "model_options"]
    declared = {option.name: option for option in spec.model_options}
    if not declared:
        raise fault(
            ErrorCode.INVALID_OPTIONS,
            f"model {spec.id!r} has no options of its own",
            path,
            official={"model": spec.id, "sent": sorted(sent)},
            got=sorted(sent),
            allowed=[],
        )
    for name, value in sent.items():
        option = declared.get(name)
        if option is None:
            raise fault(
                ErrorCode.INVALID_OPTIONS,
                f"model {spec.id!r} has no option {plain(name)!r}",
                [*path, name],
                official={"model": spec.id, "options": sorted(declared)},
                got=name,
                allowed=sorted(declared),
                suggestions=nearest(name, declared),
            )
        _dial(name, _listed(value), option, spec)


def _listed(value: Any) -> Any:
    """An array as the number or the few flags that it may stand for; a larger one is none, and is only named."""
    if not isinstance(value, np.ndarray):
        return value
    return value.tolist() if value.ndim <= 1 and value.size <= _MOST_FLAGS else plain(value)


def _dial(name: str, value: Any, option: ModelOption, spec: ModelSpec) -> None:
    why = _dial_fault(option, value)
    if why:
        raise fault(
            ErrorCode.INVALID_OPTIONS,
            f"option {name!r}: {why}",
            ["options", "model_options", name],
            official={"model": spec.id, "option": name, "value": plain(value)},
            got=value,
            allowed=_dial_range(option),
        )


def _dial_range(option: ModelOption) -> Any:
    if option.type in ("enum", "flags"):
        return list(option.values or [])
    if option.type == "boolean":
        return [False, True]
    return {"type": option.type, "minimum": option.minimum, "maximum": option.maximum}


def _dial_fault(option: ModelOption, value: Any) -> str | None:
    """Why ``value`` is none of the option's, or None."""
    match option.type:
        case "boolean":
            return None if isinstance(value, bool) else f"it takes true or false, not {plain(value)!r}"
        case "number" | "integer":
            return _number_fault(option, value)
        case "enum":
            return None if value in (option.values or []) else f"it takes one of {option.values}, not {plain(value)!r}"
        case "flags":
            return _flags_fault(option, value)


def _number_fault(option: ModelOption, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"it takes a {option.type}, not {plain(value)!r}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"it takes a finite {option.type}, not {value}"
    if option.type == "integer" and isinstance(value, float) and not value.is_integer():
        return f"it takes a whole number, not {value}"
    if option.minimum is not None and value < option.minimum:
        return f"{value} is below {option.minimum:g}"
    if option.maximum is not None and value > option.maximum:
        return f"{value} is above {option.maximum:g}"
    return None


def _flags_fault(option: ModelOption, value: Any) -> str | None:
    if not isinstance(value, list):
        return f"it takes a list of flags, not {plain(value)!r}"
    unknown = [flag for flag in value if flag not in (option.values or [])]
    if unknown:
        return f"{plain(unknown)} are none of {option.values}"
    return "a flag stands in it twice" if len(set(value)) != len(value) else None


def keyframe_budget(request: GenerateRequest, spec: ModelSpec, takers: Takers) -> None:
    """Thinned curves only from a model that can thin: ignoring the wish would answer with a key on every frame."""
    options = request.options
    if options is not None and options.keyframe_budget is not None and not spec.supports_keyframe_reduction:
        raise fault(
            ErrorCode.INVALID_OPTIONS,
            f"model {spec.id!r} cannot thin its keys",
            ["options", "keyframe_budget"],
            official={"model": spec.id},
            got=options.keyframe_budget,
            suggestions=takers(lambda other: other.supports_keyframe_reduction),
        )


def loop(request: GenerateRequest, spec: ModelSpec, takers: Takers) -> None:
    """A loop only from a model that can close one, and over exactly one segment."""
    if request.options is None or not request.options.loop:
        return
    if not spec.supports_loop:
        raise fault(
            ErrorCode.INVALID_OPTIONS,
            f"model {spec.id!r} cannot make loops",
            ["options", "loop"],
            official={"model": spec.id},
            got=True,
            allowed=[False],
            suggestions=takers(lambda other: other.supports_loop),
        )
    if len(request.segments) != 1:
        raise fault(
            ErrorCode.INVALID_OPTIONS,
            f"a loop is made of exactly one segment, this request has {len(request.segments)}",
            ["options", "loop"],
            official={"segments": len(request.segments)},
            got=len(request.segments),
            allowed=1,
        )


def limits(request: GenerateRequest, spec: ModelSpec) -> None:
    """The model's limits: constraints, samples, prompt length in characters, seconds."""
    most = spec.limits
    if len(request.constraints) > most.max_constraints_per_request:
        _over("constraints", len(request.constraints), most.max_constraints_per_request, ["constraints"])
    if request.options is not None and request.options.num_samples > most.max_num_samples:
        _over("samples", request.options.num_samples, most.max_num_samples, ["options", "num_samples"])
    for index, segment in enumerate(request.segments):
        if segment.type in ("text", "pose") and len(segment.prompt) > most.max_prompt_length:
            _over("characters of prompt", len(segment.prompt), most.max_prompt_length, ["segments", index, "prompt"])
    seconds = _seconds(request, spec)
    if seconds > most.max_duration_seconds:
        path = ["segments"] if request.segments else ["duration_frames"]
        _over("seconds", round(seconds, 4), most.max_duration_seconds, path, frames=request.total_frames)


def _seconds(request: GenerateRequest, spec: ModelSpec) -> float:
    try:
        return request.total_frames / request.fps(spec.fps)
    except OverflowError:  # more frames than a float can count
        return math.inf


def _over(what: str, got: float, allowed: float, path: Path, **more: Any) -> None:
    raise fault(
        ErrorCode.INVALID_OPTIONS,
        f"{got:,.6g} {what}, the limit is {allowed:,.6g}",
        path,
        got=got,
        allowed=allowed,
        what=what,
        **more,
    )
