# SPDX-License-Identifier: Apache-2.0
"""One job's way: request -> the model's time line and rig -> backbone -> back -> constraints met -> keys thinned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest

from kineograph.errors import ErrorCode, KineographError, NoteCode
from kineograph_daemon.backbones.base import has_batch
from kineograph_daemon.pipeline import bridge, bridge_in, call, far, meet, rates, raw, tried
from kineograph_daemon.pipeline.types import JobHooks, JobResultData, Stopped
from kineograph_daemon.pipeline.widen import widen
from kineograph_daemon.solve import report as reports
from kineograph_daemon.solve.goals import skeleton_of

MODEL_SHARE = 0.9
"""How much of a job's progress is the model's; the rest is the solve's."""


def run_one(request: GenerateRequest, backbone: Backbone, spec: ModelSpec, hooks: JobHooks) -> JobResultData:
    """The finished motion of one checked request. Raises ``Stopped`` or a ``KineographError``."""
    try:
        return _run_one(request, backbone, spec, hooks)
    except Stopped:
        raise
    except Exception as e:
        if (explained := far.explained(request, e)) is not None:
            raise explained from e
        raise


def _run_one(request: GenerateRequest, backbone: Backbone, spec: ModelSpec, hooks: JobHooks) -> JobResultData:
    stop_if_asked(hooks)
    try:
        order = Order.of(request, backbone, spec)
    except KineographError as e:
        if (stand_in := getattr(backbone, "stand_in", None)) is None or e.code != ErrorCode.RETARGETING_UNSUPPORTED:
            raise
        return _stood_in(request, stand_in, spec, hooks, e)
    answer = call.generate(backbone, order.asked, _ModelHooks(hooks))
    return finish(order, backbone, spec, answer, hooks)


def _stood_in(
    request: GenerateRequest, stand_in: Backbone, spec: ModelSpec, hooks: JobHooks, why: KineographError
) -> JobResultData:
    """The motion of whoever moves the rigs that the model asked for cannot."""
    made = run_one(request, stand_in, widen(call.guarded(stand_in.capabilities), stand_in), hooks)
    text = f"{spec.id!r} cannot move this rig, the motion is interpolated: {why.details.get('reason', why.message)}"
    note = {"code": str(NoteCode.MOTION_INTERPOLATED), "severity": "note", "message": text, "model": spec.id}
    return replace(made, notes=[note, *made.notes])


def run_many(
    requests: Sequence[GenerateRequest], backbone: Backbone, spec: ModelSpec, hooks: JobHooks
) -> list[JobResultData | Exception]:
    """One result or error a request, in order; in one pass when the backbone can. Raises ``Stopped`` only."""
    if not has_batch(backbone):
        return [_alone(request, backbone, spec, hooks) for request in requests]
    stop_if_asked(hooks)
    orders = [_ordered(r, backbone, spec) for r in requests]
    good = [o for o in orders if isinstance(o, Order)]
    try:
        passed = call.generate_batch(backbone, [o.asked for o in good], hooks) if good else []
        results = iter(passed)
    except KineographError as e:
        results = iter([e] * len(good))
    out: list[JobResultData | Exception] = []
    for order in orders:
        if isinstance(order, KineographError):
            out.append(order)
            continue
        answer = next(results)
        out.append(answer if isinstance(answer, KineographError) else _finished(order, backbone, spec, answer, hooks))
    return out


class Order(NamedTuple):
    """A request beside what the model is asked: on its time line (``line``) and on its rig (``over``)."""

    request: GenerateRequest
    asked: GenerateRequest
    line: rates.Line | None
    over: bridge.Bridge | None

    @classmethod
    def of(cls, request: GenerateRequest, backbone: Backbone, spec: ModelSpec) -> Order:
        """Raises ``retargeting_unsupported`` for a rig that the model's motion cannot be carried to."""
        line = rates.line_of(request, backbone, spec)
        asked = request if line is None else rates.to_model(request, line)
        over = bridge.between(asked, backbone, spec)
        asked = bridge_in.clips_on(asked, skeleton_of(asked.skeleton)) if over is None else over.asked
        return cls(request, asked, line, over)


def _ordered(request: GenerateRequest, backbone: Backbone, spec: ModelSpec) -> Order | KineographError:
    try:
        return Order.of(request, backbone, spec)
    except KineographError as e:
        return e


def _alone(
    request: GenerateRequest, backbone: Backbone, spec: ModelSpec, hooks: JobHooks
) -> JobResultData | KineographError:
    try:
        return run_one(request, backbone, spec, hooks)
    except KineographError as e:
        return e


def _finished(
    order: Order, backbone: Backbone, spec: ModelSpec, answer: call.Checked, hooks: JobHooks
) -> JobResultData | KineographError:
    try:
        return finish(order, backbone, spec, answer, hooks)
    except KineographError as e:
        return e


def finish(
    order: Order, backbone: Backbone, spec: ModelSpec, answer: call.Checked, hooks: JobHooks, *, is_tried: bool = True
) -> JobResultData:
    """A model's checked answer as the finished motion on the request's own frames and skeleton. ``is_tried``: fields
    that look as if they changed nothing are tried."""
    stop_if_asked(hooks)
    request, line, result = order.request, order.line, answer.result
    if order.over is not None:
        hooks.progress(MODEL_SHARE, 0, 0, "retargeting")
        result = order.over.home(result, order.asked.fps(spec.fps))
    mapping = None if order.over is None else order.over.mapping
    if raw.is_wanted(request, line):
        return raw.finish(request, backbone, spec, result, mapping, answer if order.over is None else None)
    moved = rates.from_model(result, line)
    work = meet.Work.of(request, backbone, spec, line, moved, mapping)
    count = len(moved.root_m)
    solved = []
    for b in range(count):
        stop_if_asked(hooks)
        solved.append(meet.sample(work, b))
        hooks.progress(MODEL_SHARE + (1 - MODEL_SHARE) * (b + 1) / count, b + 1, count, "meeting constraints")
    made = meet.assemble(work, solved, result, lambda: stop_if_asked(hooks))
    return _told(work, solved, result, made, hooks) if is_tried else made


def _told(
    work: meet.Work, samples: list[meet.Sample], result: MotionResult, made: JobResultData, hooks: JobHooks
) -> JobResultData:
    """The result, whose report also lists what was tried and changes nothing; not where a deadline counts."""
    has_deadline = getattr(hooks, "deadline_at_s", math.inf) != math.inf
    if has_deadline or not getattr(work.backbone, "is_repeatable", False):
        return made

    def make(request: GenerateRequest) -> JobResultData:
        hooks.progress(1.0, 0, 0, "trying what changes nothing")
        order = Order.of(request, work.backbone, work.spec)
        quiet = _QuietHooks(hooks)
        answer = call.generate(work.backbone, order.asked, quiet)
        return finish(order, work.backbone, work.spec, answer, quiet, is_tried=False)

    met = (str(reports.Outcome.APPLIED), str(reports.Outcome.IGNORED))
    scene = tried.Scene(
        request=work.request,
        goals=work.goals,
        body=work.body,
        solved=[s.solved.pose for s in samples],
        raw=[s.raw for s in samples],
        missed=frozenset(e["index"] for e in made.report["constraints"] if e["outcome"] not in met),
        ignored=lambda: meet.ignored(work, result),
        is_solved=work.is_solved,
    )
    idle = tried.idle(scene, made, make)
    return meet.retold(work, samples, result, made, idle) if idle else made


class _ModelHooks:
    """The job's hooks as the model sees them: its whole run is the first part of the job."""

    def __init__(self, hooks: JobHooks) -> None:
        self._hooks = hooks
        self.should_stop = hooks.should_stop
        self.job = str(getattr(hooks, "job", ""))  # for a backbone that must know a job again when it comes back

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        self._hooks.progress(MODEL_SHARE * fraction, step, steps, stage)


class _QuietHooks:
    """The job's hooks for what is made beside its motion: it may be stopped, and is no progress."""

    def __init__(self, hooks: JobHooks) -> None:
        self.should_stop = hooks.should_stop

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        pass


def stop_if_asked(hooks: JobHooks) -> None:
    """Raises ``Stopped`` when the job was cancelled."""
    if hooks.should_stop():
        raise Stopped
