# SPDX-License-Identifier: Apache-2.0
"""What leaves this computer: one MMCP request, made field by field of what the remote says it takes.

In it are: the model's name there, the skeleton (the model's own, unless the remote is told to keep rigs), the segments,
the constraints that the remote takes, the frame rate, samples, seed, steps, guidance and the model's own options. Not
in it, because none of it is part of an MMCP request: the scene, the file, paths, names of objects and characters, the
user, labels, and what the daemon knows of other jobs. Joint names are the model's own.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from motionmcp.backbone import ModelSpec
from motionmcp.schemas import GenerateRequest

_ALWAYS = ("skeleton", "duration_frames", "timing")
_OPTIONS = ("diffusion_steps", "num_samples", "seed", "post_processing", "transition_frames", "guidance")


def fields(request: GenerateRequest, spec: ModelSpec, model: str, version: str) -> dict[str, Any]:
    """The request for ``model`` as the remote is sent it."""
    # Clips may be arrays where the schema has lists; nothing is wrong with that.
    told = request.model_dump(exclude_none=True, exclude_unset=True, warnings=False)
    out: dict[str, Any] = {"protocol_version": version, "model": model}
    out |= {name: told[name] for name in _ALWAYS if name in told}
    out["segments"] = [_segment(s, spec) for s in told.get("segments", [])]
    out["constraints"] = [c for c in told.get("constraints", []) if c["type"] in spec.supported_constraints]
    if not out["segments"] and not out["constraints"]:
        # The schema wants one of them: a wish without words is an unconditioned one of the same length.
        out["segments"] = [{"type": "unconditioned", "duration_frames": request.total_frames}]
        out.pop("duration_frames", None)
    options = _options(told.get("options") or {}, spec)
    return {**out, "options": options} if options else out


def body(request: GenerateRequest, spec: ModelSpec, model: str, version: str) -> bytes:
    """``fields`` as JSON."""
    return as_json(fields(request, spec, model, version))


def batch(requests: list[GenerateRequest], spec: ModelSpec, model: str, version: str) -> bytes:
    """Several requests as one MMCP batch body."""
    items = [fields(request, spec, model, version) for request in requests]
    return as_json({"protocol_version": version, "requests": items})


def as_json(value: Any) -> bytes:
    """Strict JSON; arrays as lists."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _segment(told: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    # A server of an older minor version refuses what it does not know.
    return told if spec.supports_segment_seed else {k: v for k, v in told.items() if k != "seed"}


def _options(told: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    out = {name: told[name] for name in _OPTIONS if name in told}
    if spec.supports_loop and told.get("loop"):
        out["loop"] = True
    if spec.model_options and told.get("model_options"):
        out["model_options"] = told["model_options"]
    return out
