# SPDX-License-Identifier: Apache-2.0
"""One job's way: request -> the model's time line -> backbone -> back -> constraints met -> keys thinned -> report."""

from __future__ import annotations

from collections.abc import Sequence

from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest

from kineograph.errors import KineographError
from kineograph_daemon.backbones.base import has_batch
from kineograph_daemon.pipeline import call, meet, rates, raw
from kineograph_daemon.pipeline.types import JobHooks, JobResultData, Stopped

MODEL_SHARE = 0.9
"""How much of a job's progress is the model's; the rest is the solve's."""


def run_one(request: GenerateRequest, backbone: Backbone, spec: ModelSpec, hooks: JobHooks) -> JobResultData:
    """The finished motion of one checked request. Raises ``Stopped`` or a ``KineographError``."""
    stop_if_asked(hooks)
    line = rates.line_of(request, backbone, spec)
    asked = request if line is None else rates.to_model(request, line)
    result = call.generate(backbone, asked, _ModelHooks(hooks))
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
    if raw.is_wanted(request, line):
        return raw.finish(request, backbone, spec, result)
    moved = rates.from_model(result, line)
    work = meet.Work.of(request, backbone, spec, line, moved)
    count = len(moved.root_m)
    solved = []
    for b in range(count):
        stop_if_asked(hooks)
        solved.append(meet.sample(work, b))
        hooks.progress(MODEL_SHARE + (1 - MODEL_SHARE) * (b + 1) / count, b + 1, count, "meeting constraints")
    return meet.assemble(work, solved, result)


class _ModelHooks:
    """The job's hooks as the model sees them: its whole run is the first part of the job."""

    def __init__(self, hooks: JobHooks) -> None:
        self._hooks = hooks
        self.should_stop = hooks.should_stop

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        self._hooks.progress(MODEL_SHARE * fraction, step, steps, stage)


def stop_if_asked(hooks: JobHooks) -> None:
    """Raises ``Stopped`` when the job was cancelled."""
    if hooks.should_stop():
        raise Stopped
