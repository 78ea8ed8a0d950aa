# SPDX-License-Identifier: Apache-2.0
"""One job's way: request -> the model's time line -> backbone -> back -> constraints met -> keys thinned -> report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest

from kineograph.errors import KineographError
from kineograph_daemon.backbones.base import has_batch
from kineograph_daemon.pipeline import call, rates
from kineograph_daemon.pipeline.types import JobHooks, JobResultData, Stopped


def run_one(request: GenerateRequest, backbone: Backbone, spec: ModelSpec, hooks: JobHooks) -> JobResultData:
    """The finished motion of one checked request. Raises ``Stopped`` or a ``KineographError``."""
    stop_if_asked(hooks)
    line = rates.line_of(request, backbone, spec)
    asked = request if line is None else rates.to_model(request, line)
    result = call.generate(backbone, asked, hooks)
    return finish(request, backbone, spec, result, line, hooks)


def run_many(
    requests: Sequence[GenerateRequest], backbone: Backbone, spec: ModelSpec, hooks: JobHooks
) -> list[JobResultData | Exception]:
    """One result or error a request, in order; in one pass when the backbone can. Raises ``Stopped`` only."""
    if not has_batch(backbone):
        return [_alone(request, backbone, spec, hooks) for request in requests]
    stop_if_asked(hooks)
    lines = [rates.line_of(r, backbone, spec) for r in requests]
    asked = [r if line is None else rates.to_model(r, line) for r, line in zip(requests, lines, strict=True)]
    try:
        results: Sequence[MotionResult | KineographError] = call.generate_batch(backbone, asked, hooks)
    except KineographError as e:
        return [e] * len(requests)
    out: list[JobResultData | Exception] = []
    for request, line, result in zip(requests, lines, results, strict=True):
        if isinstance(result, KineographError):
            out.append(result)
        else:
            out.append(_finished(request, backbone, spec, result, line, hooks))
    return out


def _alone(
    request: GenerateRequest, backbone: Backbone, spec: ModelSpec, hooks: JobHooks
) -> JobResultData | KineographError:
    try:
        return run_one(request, backbone, spec, hooks)
    except KineographError as e:
        return e


def _finished(
    request: GenerateRequest,
    backbone: Backbone,
    spec: ModelSpec,
    result: MotionResult,
    line: rates.Line | None,
    hooks: JobHooks,
) -> JobResultData | KineographError:
    try:
        return finish(request, backbone, spec, result, line, hooks)
    except KineographError as e:
        return e


def finish(
    request: GenerateRequest,
    backbone: Backbone,
    spec: ModelSpec,
    result: MotionResult,
    line: rates.Line | None,
    hooks: JobHooks,
) -> JobResultData:
    """A model's checked answer as the finished motion on the request's own frames and skeleton."""
    stop_if_asked(hooks)
    moved = rates.from_model(result, line)
    return JobResultData(
        fps_hz=request.fps(spec.fps),
        joint_names=[j.name for j in request.skeleton.joints],
        rotations_xyzw=moved.rotations_xyzw.astype(np.float32),
        root_m=moved.root_m.astype(np.float32),
        translations_m=None if moved.translations_m is None else moved.translations_m.astype(np.float32),
        contacts=moved.contacts,
        chunk_boundaries=moved.chunk_boundaries,
        canonical_to_request=result.canonical_to_request,
        keyframes=result.keyframes,
        notes=[dict(n) for n in result.notes],
        trajectories=None if result.trajectories is None else list(result.trajectories),
        report={},
    )


def stop_if_asked(hooks: JobHooks) -> None:
    """Raises ``Stopped`` when the job was cancelled."""
    if hooks.should_stop():
        raise Stopped
