# SPDX-License-Identifier: Apache-2.0
"""One task at a time: requests in, results on disk, every job of it answered exactly once.

    payload -> typed request -> seed -> pipeline -> arrays (and the other forms asked for) -> file -> ``task.done``

Whatever happens to one job is told of that job alone. The last answer ends the task; ``task.end`` does where there is
no last answer.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from motionmcp.backbone import Backbone, ModelSpec
from motionmcp.schemas import GenerateRequest

from kineograph.errors import DEFAULT_RETRY_AFTER_S, ErrorCode, InternalError, KineographError, UnavailableError
from kineograph.wire import codec
from kineograph.wire.messages import ResultFormat
from kineograph.wire.version import MMCP_VERSION
from kineograph_daemon import logs, pipeline
from kineograph_daemon.backbones.base import has_batch
from kineograph_daemon.jobs import blobs
from kineograph_daemon.jobs.record import RETARGET
from kineograph_daemon.mmcp import answers, fingerprint
from kineograph_daemon.mmcp.aliases import ReadAs, read_as
from kineograph_daemon.mmcp.known import ReadBody, read_body
from kineograph_daemon.mmcp.schema import parse
from kineograph_daemon.pipeline import JobResultData, Stopped
from kineograph_daemon.workers import failures, link, provenance
from kineograph_daemon.workers.hooks import Cancels, GroupHooks, Hooks, Why
from kineograph_daemon.workers.models import Models

_log = logging.getLogger(__name__)

Send = Callable[[Any], None]


@dataclass
class Run:
    """A job of the running task. ``answered`` is set once with the one final message."""

    job: link.TaskJob
    hooks: Hooks
    started_s: float
    began: bool = False
    sent_sha256: str = ""
    seed: int = 0
    seed_drawn: bool = False
    answered: bool = False
    read_as: ReadAs | None = None

    def restart(self, now_s: float) -> None:
        """Its turn comes only now: time and deadline count from here."""
        self.started_s = now_s
        if self.job.deadline_s is not None:
            self.hooks.deadline_at_s = now_s + self.job.deadline_s


class Tasks:
    """Runs tasks on ``models``; every message goes out through ``send``."""

    def __init__(
        self,
        models: Models,
        cancels: Cancels,
        stopping: threading.Event,
        send: Send,
        *,
        device: str = "cpu",
        fsync: bool = False,
    ) -> None:
        self._models = models
        self._cancels = cancels
        self._stopping = stopping
        self._send = send
        self._device = device
        self._fsync = fsync
        self._open = 0
        self._last_answer: link.Ending | None = None

    def run(self, packet: link.Packet, task: link.TaskRun) -> None:
        """Run a task to its end. Raises nothing that a job or a backbone does."""
        self._open = len(task.jobs)
        try:
            runs = [self._begin(job) for job in task.jobs]
            if task.model == RETARGET:
                self._retarget_in_turn(packet, runs)
                return
            ready = self._ready(task.model, runs)
            if ready is not None:
                backbone, spec = ready
                together = task.batch and has_batch(backbone)
                (self._run_together if together else self._run_in_turn)(packet, runs, backbone, spec)
        finally:
            for job in task.jobs:
                self._cancels.end(job.job)
            last, self._last_answer = self._last_answer, None
            self._send(link.TaskEnd(task.task) if last is None else link.ending(last, task.task))

    def encode(self, packet: link.Packet, task: link.TaskEncode) -> None:
        """Write another form of a stored result."""
        with logs.job(task.job, whole_process=True):
            try:
                stored = blobs.open(task.result_path)
                body = codec.decode_body(stored[0], stored[1:])
                body_sent = read_body(packet.part(task.frames))
                request = _parse(body_sent, read_as(body_sent.fields.get("request")))
                spec = self._models.spec(request.model)
                self._write_form(task.format, task.target_path, request, spec, answers.data_of(body))
            except Exception as e:  # noqa: BLE001 - answered, whatever it is
                told = failures.describe(e, "encode", self._device)
                self._send(link.TaskEncoded(task.job, task.format, told.to_envelope()))
            else:
                self._send(link.TaskEncoded(task.job, task.format))

    def _begin(self, job: link.TaskJob) -> Run:
        cancelled = self._cancels.begin(job.job)
        now_s = time.monotonic()
        deadline_at_s = math.inf if job.deadline_s is None else now_s + job.deadline_s
        return Run(job, Hooks(job.job, cancelled, self._stopping, self._send, deadline_at_s), now_s)

    def _ready(self, model: str, runs: Sequence[Run]) -> tuple[Backbone, ModelSpec] | None:
        try:
            return self._models.ready(model)
        except KineographError as e:
            for run in runs:
                self._fail(run, e)
            return None

    def _run_in_turn(self, packet: link.Packet, runs: Sequence[Run], backbone: Backbone, spec: ModelSpec) -> None:
        for index, run in enumerate(runs):
            if index:
                run.restart(time.monotonic())
            with logs.job(run.job.job, whole_process=True):
                try:
                    request = self._prepare(packet, run)
                    data = pipeline.run_one(request, backbone, spec, run.hooks)
                    self._finish(run, request, spec, data)
                except BaseException as e:  # noqa: BLE001 - foreign code: even sys.exit() fails this job alone
                    self._settle(run, e, spec.id)

    def _retarget_in_turn(self, packet: link.Packet, runs: Sequence[Run]) -> None:
        from kineograph_daemon.workers import retargeting  # only where it is asked for

        for index, run in enumerate(runs):
            if index:
                run.restart(time.monotonic())
            with logs.job(run.job.job, whole_process=True):
                try:
                    if run.hooks.should_stop():
                        raise Stopped
                    request = packet.payload(run.job.frames).get("request")
                    run.began = True
                    done = retargeting.run(
                        run.job, request, run.hooks, device=self._device, fsync=self._fsync, started_s=run.started_s
                    )
                    self._answer(run, done)
                except BaseException as e:  # noqa: BLE001 - one bad clip fails its own job alone
                    self._settle(run, e, RETARGET)

    def _run_together(self, packet: link.Packet, runs: Sequence[Run], backbone: Backbone, spec: ModelSpec) -> None:
        able: list[tuple[Run, GenerateRequest]] = []
        for run in runs:
            with logs.job(run.job.job, whole_process=True):
                try:
                    able.append((run, self._prepare(packet, run)))
                except BaseException as e:  # noqa: BLE001
                    self._settle(run, e, spec.id)
        if not able:
            return
        by_job = {run.job.job: run for run, _ in able}
        group = GroupHooks([run.hooks for run, _ in able], lambda hooks, why: self._stop(by_job[hooks.job], why))
        outcomes = self._outcomes([request for _, request in able], backbone, spec, group)
        for (run, request), outcome in zip(able, outcomes, strict=True):
            with logs.job(run.job.job, whole_process=True):
                try:
                    if isinstance(outcome, BaseException):
                        raise outcome
                    self._finish(run, request, spec, outcome)
                except BaseException as e:  # noqa: BLE001
                    self._settle(run, e, spec.id)

    def _outcomes(
        self, requests: list[GenerateRequest], backbone: Backbone, spec: ModelSpec, group: GroupHooks
    ) -> Sequence[JobResultData | BaseException]:
        try:
            return pipeline.run_many(requests, backbone, spec, group)
        except BaseException as e:  # noqa: BLE001 - the whole pass failed: so did each job of it
            return [e] * len(requests)

    def _prepare(self, packet: link.Packet, run: Run) -> GenerateRequest:
        _log.debug("job started")
        if run.hooks.should_stop():
            raise Stopped
        body = read_body(packet.part(run.job.frames))
        run.read_as = read_as(body.fields.get("request"), insist=True)
        request = _parse(body, run.read_as)
        run.began, run.sent_sha256 = True, run.job.request_sha256 or fingerprint.of_body(body).hex()
        request, run.seed, run.seed_drawn = provenance.with_seed(request, run.job.job)
        return request

    def _finish(self, run: Run, request: GenerateRequest, spec: ModelSpec, data: JobResultData) -> None:
        if run.answered:
            return
        if run.hooks.should_stop():  # asked to stop, but went on to its end: the answer is the one asked for
            raise Stopped(run.hooks.step, run.hooks.steps)
        answers.check(data)
        if run.seed_drawn:
            provenance.keep_to_what_was_asked(data.report)
        if run.read_as is not None:
            data.report["request"] = [*(data.report.get("request") or []), *run.read_as.entries()]
        if run.job.trajectories:
            answers.with_trajectories(request, data)
        size_bytes = self._write_forms(run, request, spec, data)
        elapsed_s = time.monotonic() - run.started_s
        body = answers.result_body(data, self._provenance(run, spec, elapsed_s))
        frames = codec.pack_body(body)
        size_bytes += blobs.write(run.job.result_path, frames, fsync=self._fsync, over=run.job.spare_path)
        samples, length = data.rotations_xyzw.shape[:2]
        run.hooks.flush()
        self._answer(run, link.TaskDone(run.job.job, int(length), int(samples), size_bytes, elapsed_s, run.seed))

    def _write_forms(self, run: Run, request: GenerateRequest, spec: ModelSpec, data: JobResultData) -> int:
        size_bytes = 0
        for form in run.job.formats:
            path = run.job.format_paths.get(str(form))
            if form is not ResultFormat.ARRAYS and isinstance(path, str):
                size_bytes += self._write_form(form, path, request, spec, data)
        return size_bytes

    def _write_form(
        self, form: ResultFormat, path: str, request: GenerateRequest, spec: ModelSpec, data: JobResultData
    ) -> int:
        match form:
            case ResultFormat.GLTF:
                body: dict[str, Any] = answers.to_gltf(request, spec, data)
            case ResultFormat.GLB:
                body = answers.glb_body(answers.to_glb(request, spec, data))
            case ResultFormat.ARRAYS:
                raise InternalError(ErrorCode.INTERNAL_ERROR, "arrays are what is stored already", {"got": "arrays"})
        return blobs.write(path, codec.pack_body(body), fsync=self._fsync)

    def _provenance(self, run: Run, spec: ModelSpec, elapsed_s: float) -> dict[str, Any]:
        return provenance.describe(
            job=run.job.job,
            model=spec.id,
            identity=self._models.identity(spec.id),
            request_sha256=run.sent_sha256,
            seed=run.seed,
            seed_drawn=run.seed_drawn,
            device=self._device,
            elapsed_s=elapsed_s,
        )

    def _settle(self, run: Run, e: BaseException, model: str) -> None:
        if run.answered:
            return
        why = run.hooks.why()
        if why is not None and (isinstance(e, Stopped) or type(e).__name__ == "CancelledError"):
            self._stop(run, why, e if isinstance(e, Stopped) else None)
        elif isinstance(e, Stopped):
            self._fail(run, failures.describe(RuntimeError("it stopped without being asked"), model, self._device))
        else:
            self._fail(run, failures.describe(e, model, self._device))

    def _stop(self, run: Run, why: Why, stopped: Stopped | None = None) -> None:
        if run.answered:
            return
        step = run.hooks.step or (stopped.step if stopped else 0)
        steps = run.hooks.steps or (stopped.steps if stopped else 0)
        match why:
            case Why.CANCELLED:
                run.hooks.flush()
                self._answer(run, link.TaskCancelled(run.job.job, step, steps))
                _log.info("job cancelled at step %d of %d", step, steps, extra={"job": run.job.job})
            case Why.DEADLINE:
                counts = bool(steps) or not run.began  # 0 of 0 means that it never began
                self._fail(run, _timeout(run.job.deadline_s or 0.0, *((step, steps) if counts else (None, None))))
            case Why.STOPPING:
                # Not answered on purpose: the worker ends, and the front gives the job to another one.
                run.answered = True
                self._open -= 1
                _log.info("job left: the worker ends", extra={"job": run.job.job})

    def _fail(self, run: Run, e: KineographError) -> None:
        run.hooks.flush()
        _log.info("job failed: %s", e, extra={"job": run.job.job})
        self._answer(run, link.TaskFailed(run.job.job, e.to_envelope()))

    def _answer(self, run: Run, message: link.Ending) -> None:
        """A job's one final message; the task's last one waits the moment until the task is over too."""
        run.answered = True
        self._open -= 1
        _log.debug("job answered: %s", type(message).__name__, extra={"job": run.job.job})
        if self._open:
            self._send(message)
        else:
            self._last_answer = message


def _parse(body: ReadBody, known: ReadAs | None) -> GenerateRequest:
    payload = body.fields.get("request") if known is None else known.payload
    if isinstance(payload, dict) and "protocol_version" not in payload:
        # An item of a batch inherits the batch's version, which passed the door.
        return parse({"protocol_version": MMCP_VERSION, **payload})
    return parse(payload)


def _timeout(deadline_s: float, step: int | None, steps: int | None) -> KineographError:
    reached = f" at step {step} of {steps}" if steps else ""
    return UnavailableError(
        ErrorCode.TIMEOUT,
        f"Stopped after {round(deadline_s, 1):g} s{reached}.",
        {"deadline_s": deadline_s, "step": step, "steps": steps},
        retry_after_s=DEFAULT_RETRY_AFTER_S,
    )
