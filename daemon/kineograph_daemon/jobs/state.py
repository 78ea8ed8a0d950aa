# SPDX-License-Identifier: Apache-2.0
"""The job state machine: events in, instructions out. No clock, no sockets, no files, no threads.

    queued -> running -> succeeded -> expired
      |         |  \\--> failed
      |         +-> cancelling -> cancelled
      +-> cancelled | failed

A job ends exactly once. It is with at most one worker at a time, and only that worker's word about it counts: what a
lost worker said late is ignored. A worker that dies under a job gives it one more chance; the second time it fails.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappop, heappush
from itertools import islice
from typing import Any

from kineograph.errors import ErrorCode, error
from kineograph.wire.messages import EventName, JobState, JobStatus, OnBusy, Progress, ResultFormat
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.pace import Pace
from kineograph_daemon.jobs.queue import WaitingLine
from kineograph_daemon.jobs.record import Job, JobFacts, to_status

Out = list[s.Instruction]


@dataclass(frozen=True)
class Rules:
    """The numbers that decide. Zero means no limit, for ``queue_limit`` and ``client_limit``."""

    queue_limit: int = 20_000
    client_limit: int = 4
    batch_limit: int = 64
    max_losses: int = 1
    max_attempts: int = 5
    cancel_grace_s: float = 5.0
    retry_after_s: float = 2.0


@dataclass
class _Worker:
    models: frozenset[str]
    task: str | None = None
    encode: tuple[str, ResultFormat] | None = None
    killed: bool = False

    @property
    def is_idle(self) -> bool:
        return self.task is None and self.encode is None and not self.killed


@dataclass
class _Task:
    worker: str
    client: str
    open: set[str] = field(default_factory=set)


class JobMachine:
    """All jobs and what becomes of them. Work is handed out on ``Tick`` only, once for all events before it."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.jobs: dict[str, Job] = {}
        self.counts: Counter[JobState] = Counter()
        self.draining = False
        self._line = WaitingLine()
        self._workers: dict[str, _Worker] = {}
        self._tasks: dict[str, _Task] = {}
        self._running_of: Counter[str] = Counter()
        self._encodes: list[tuple[str, ResultFormat]] = []
        self._deadlines: list[tuple[float, str]] = []
        self._pace = Pace()
        self._task_count = 0
        self._dirty = False

    # ---- events ----------------------------------------------------------------------------------------------------

    def handle(self, event: s.Event) -> Out:
        """What has to be done about an event, in order."""
        return _HANDLERS[type(event)](self, event)

    def restore(self, jobs: Iterable[Job], at_s: float) -> Out:
        """Take over the jobs that a former daemon left, in the order of their submit.

        What was running goes back to the front of the line: nobody knows how far it came.
        """
        out: Out = []
        taken = sorted(jobs, key=lambda j: j.created_s)
        for job in taken:
            self.jobs[job.id] = job
            self.counts[job.state] += 1
        for job in sorted((j for j in taken if j.state is JobState.QUEUED), key=lambda j: (j.turn, j.order)):
            self._line.rejoin(job.id, job.facts.client, job.facts.priority, (job.turn, Fraction(job.order)))
            self._watch_deadline(job)
        for job in reversed([j for j in taken if j.state in (JobState.RUNNING, JobState.CANCELLING)]):
            out += self._interrupted(job, at_s)
        self._dirty = True
        return out

    # ---- questions -------------------------------------------------------------------------------------------------

    def status(self, job: str) -> JobStatus:
        """A job as everybody sees it. Raises KeyError."""
        j = self.jobs[job]
        position = self._line.position(job) if j.state is JobState.QUEUED and job in self._line else None
        return self.status_of(j, position)

    def status_of(self, job: Job, position: int | None) -> JobStatus:
        """The same, with a position that is known already."""
        return to_status(job, position, self.eta_s(job, position))

    def eta_s(self, job: Job, position: int | None) -> float | None:
        """Seconds until the job ends, as far as earlier jobs tell."""
        return self._pace.eta_s(job, position, len(self._workers))

    def waiting(self) -> list[str]:
        """The ids of all waiting jobs, next first."""
        return list(self._line)

    def next_deadline_s(self) -> float | None:
        """When the next deadline strikes."""
        return self._deadlines[0][0] if self._deadlines else None

    def worker_of(self, worker: str) -> list[str]:
        """The jobs a worker is busy with."""
        w = self._workers.get(worker)
        return sorted(self._tasks[w.task].open) if w is not None and w.task is not None else []

    def is_busy(self, worker: str) -> bool:
        """Whether a worker has anything to do."""
        w = self._workers.get(worker)
        return w is not None and not w.is_idle

    # ---- submitting ------------------------------------------------------------------------------------------------

    def _submit(self, e: s.Submit) -> Out:
        known = self.jobs.get(e.facts.job)
        if known is not None:
            if known.facts.digest == e.facts.digest:
                return [s.Known(known.id)]
            return _refused(
                ErrorCode.IDEMPOTENCY_CONFLICT,
                "a job with this id and another body exists",
                {"job": known.id, "state": str(known.state)},
            )
        refusal = self._crowded(e)
        if refusal:
            return refusal
        job = Job(e.facts, created_s=e.at_s)
        self.jobs[job.id] = job
        self.counts[JobState.QUEUED] += 1
        self._line.join(job.id, job.facts.client, job.facts.priority, self._running_of[job.facts.client])
        self._note_place(job)
        self._watch_deadline(job)
        self._dirty = True
        return [s.Changed(job.id, EventName.JOB_QUEUED)]

    def _crowded(self, e: s.Submit) -> Out:
        limit, waiting = self.rules.queue_limit, len(self._line)
        if limit and waiting >= limit:
            details = {"waiting": waiting, "queue_limit": limit, "got": waiting, "allowed": limit}
            return _refused(ErrorCode.QUEUE_FULL, f"the queue is full ({limit})", details)
        limit = self.rules.client_limit
        active = self._running_of[e.facts.client] + self._line.waiting_of(e.facts.client)
        if e.on_busy is OnBusy.REFUSE and limit and active >= limit:
            wait_s = max(self.rules.retry_after_s, self._pace.of(e.facts.model) or 0.0)
            details = {"active_requests": active, "concurrency_limit": limit, "queue_depth": waiting}
            message = f"{active} of {limit} slots in use by {e.facts.client!r}"
            return _refused(ErrorCode.RATE_LIMITED, message, details, retry_after_s=wait_s)
        return []

    # ---- workers ---------------------------------------------------------------------------------------------------

    def _worker_ready(self, e: s.WorkerReady) -> Out:
        worker = self._workers.setdefault(e.worker, _Worker(e.models))
        worker.models = e.models
        self._dirty = True
        return []

    def _worker_lost(self, e: s.WorkerLost) -> Out:
        worker = self._workers.pop(e.worker, None)
        if worker is None:
            return []
        self._dirty = True
        if worker.encode is not None:
            lost = error(ErrorCode.INTERNAL_ERROR, f"the worker stopped: {e.reason}", e.details)
            return [s.EncodeEnded(*worker.encode, lost.to_envelope())]
        if worker.task is None:
            return []
        out: Out = []
        # Reversed, because each goes to the very front: the order among them stays.
        for job in sorted(self._tasks[worker.task].open, key=lambda i: self.jobs[i].order, reverse=True):
            out += self._lost(self.jobs[job], e)
        self._free(worker.task)
        return out

    def _lost(self, job: Job, e: s.WorkerLost) -> Out:
        if job.stop_s is not None:
            return self._stopped(job, e.at_s, job.progress.step, job.progress.steps)
        job.losses += 1
        if job.losses > self.rules.max_losses:
            details = {**(e.details or {}), "attempts": job.attempt, "reason": e.reason, "step": job.progress.step}
            message = f"the model's process died {job.losses} times under this job: {e.reason}"
            return self._end(job, JobState.FAILED, e.at_s, _envelope(ErrorCode.INTERNAL_ERROR, message, details))
        return self._requeue(job, f"the model's process died ({e.reason}); running again")

    def _requeue(self, job: Job, note: str) -> Out:
        attempt = job.attempt
        self._set(job, JobState.QUEUED)
        job.note, job.progress, job.started_s = note, Progress(), None
        job.worker = job.task = None
        self._line.join_front(job.id, job.facts.client, job.facts.priority)
        self._note_place(job)
        self._dirty = True
        return [s.DropResult(job.id, attempt), s.Changed(job.id, EventName.JOB_REQUEUED)]

    def _interrupted(self, job: Job, at_s: float) -> Out:
        job.task = job.worker = None
        if job.state is JobState.CANCELLING:
            return self._stopped(job, at_s, job.progress.step, job.progress.steps)
        if job.attempt >= self.rules.max_attempts:
            details = {"attempts": job.attempt}
            message = f"the daemon stopped {job.attempt} times while this job ran"
            return self._end(job, JobState.FAILED, at_s, _envelope(ErrorCode.INTERNAL_ERROR, message, details))
        self._watch_deadline(job)
        return self._requeue(job, "the daemon restarted; running again")

    def _models_settled(self, e: s.ModelsSettled) -> Out:
        out: Out = []
        for job in list(self._line):
            model = self.jobs[job].facts.model
            if model not in e.models:
                details = {"model": model, "model_id": model, "got": model, "available": sorted(e.models)}
                message = f"the model {model!r} is not here any more"
                out += self._end(self.jobs[job], JobState.FAILED, e.at_s, _envelope(_UNKNOWN_MODEL, message, details))
        return out

    # ---- what workers say ------------------------------------------------------------------------------------------

    def _held(self, worker: str, job: str) -> Job | None:
        """The job, if this worker really has it: a lost worker's late words count for nothing."""
        j = self.jobs.get(job)
        return j if j is not None and j.worker == worker and not j.state.is_final else None

    def _task_progress(self, e: s.TaskProgress) -> Out:
        job = self._held(e.worker, e.job)
        if job is None:
            return []
        fraction = e.progress.fraction
        fraction = min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0
        job.progress = Progress(fraction, e.progress.step, e.progress.steps, e.progress.stage)
        return [s.Progressed(job.id)]

    def _task_done(self, e: s.TaskDone) -> Out:
        job = self._held(e.worker, e.job)
        if job is None:
            return []
        if job.stop_by:
            # Cancelled at the last moment: the user was told "cancelling", so it must not come back as a success.
            drop = s.DropResult(job.id, job.attempt)
            return [drop, *self._stopped(job, e.at_s, job.progress.step, job.progress.steps)]
        job.size_bytes = e.size_bytes
        job.progress = Progress(1.0, job.progress.steps, job.progress.steps, "done")
        self._pace.learn(job.facts.model, e.elapsed_s)
        return self._end(job, JobState.SUCCEEDED, e.at_s)

    def _task_failed(self, e: s.TaskFailed) -> Out:
        job = self._held(e.worker, e.job)
        if job is None:
            return []
        if job.stop_by:
            return self._stopped(job, e.at_s, job.progress.step, job.progress.steps)
        return self._end(job, JobState.FAILED, e.at_s, e.error)

    def _task_cancelled(self, e: s.TaskCancelled) -> Out:
        job = self._held(e.worker, e.job)
        if job is None:
            return []
        if job.stop_s is None:
            message = "the worker stopped the job although nobody asked it to"
            return self._end(job, JobState.FAILED, e.at_s, _envelope(ErrorCode.INTERNAL_ERROR, message, {}))
        return self._stopped(job, e.at_s, e.step, e.steps)

    def _task_end(self, e: s.TaskEnd) -> Out:
        task = self._tasks.get(e.task)
        if task is None or task.worker != e.worker:
            return []
        out: Out = []
        for job in sorted(task.open):
            j = self.jobs[job]
            if j.stop_s is not None:
                out += self._stopped(j, e.at_s, j.progress.step, j.progress.steps)
            else:
                message = "the worker ended the task without an answer for this job"
                out += self._end(j, JobState.FAILED, e.at_s, _envelope(ErrorCode.INTERNAL_ERROR, message, {}))
        self._free(e.task)
        return out

    # ---- what clients say ------------------------------------------------------------------------------------------

    def _cancel(self, e: s.Cancel) -> Out:
        job = self.jobs.get(e.job)
        if job is None:
            return _unknown(e.job)
        if job.state is JobState.QUEUED:
            job.stop_by = e.by or "a client"
            return self._stopped(job, e.at_s, 0, 0)
        if job.state is not JobState.RUNNING:
            return []
        job.stop_by = e.by or "a client"
        self._set(job, JobState.CANCELLING)
        out: Out = [s.Changed(job.id, EventName.JOB_CANCELLING)]
        if job.stop_s is None and job.worker is not None:
            out.insert(0, s.StopJob(job.worker, job.id))
            job.stop_s = e.at_s
        return out

    def _move(self, e: s.Move) -> Out:
        job = self.jobs.get(e.job)
        if job is None:
            return _unknown(e.job)
        if e.job not in self._line:
            details: dict[str, Any] = {"job": e.job, "got": str(job.state), "allowed": ["queued"]}
            return _refused(ErrorCode.INVALID_PARAMETERS, "only a waiting job can be moved", details)
        if e.before is not None:
            if e.before not in self._line or not self._line.move_before(e.job, e.before):
                details = {"where": {"path": ["before"]}, "got": e.before[:80]}
                message = "the job to move before is not waiting in the same priority"
                return _refused(ErrorCode.INVALID_PARAMETERS, message, details)
        elif e.to in ("front", "back"):
            self._line.move(e.job, to_front=e.to == "front")
        else:
            details = {"where": {"path": ["to"]}, "got": e.to[:80], "allowed": ["front", "back"]}
            return _refused(ErrorCode.INVALID_PARAMETERS, f"a job cannot be moved to {e.to[:80]!r}", details)
        self._note_place(job)
        return [s.Changed(e.job, EventName.JOB_MOVED)]

    def _forget(self, e: s.Forget) -> Out:
        job = self.jobs.get(e.job)
        if job is None:
            return _unknown(e.job)
        if not job.state.is_final:
            details = {"job": e.job, "state": str(job.state), "got": str(job.state)}
            return _refused(ErrorCode.INVALID_PARAMETERS, "the job has not ended; cancel it first", details)
        status = self.status(e.job)
        del self.jobs[e.job]
        self.counts[job.state] -= 1
        return [*self._drop_encodes(e.job), s.Forgotten(e.job, job.attempt, status)]

    def _expire(self, e: s.Expire) -> Out:
        job = self.jobs.get(e.job)
        if job is None or job.state is not JobState.SUCCEEDED:
            return []
        self._set(job, JobState.EXPIRED)
        job.size_bytes = 0
        drop = s.DropResult(e.job, job.attempt)
        return [*self._drop_encodes(e.job), drop, s.Changed(e.job, EventName.JOB_EXPIRED)]

    def _drop_encodes(self, job: str) -> Out:
        gone = _envelope(ErrorCode.RESULT_EXPIRED, f"the result of job {job} is not kept any more", {"job": job})
        out: Out = [s.EncodeEnded(job, form, gone) for j, form in self._encodes if j == job]
        self._encodes = [e for e in self._encodes if e[0] != job]
        return out

    def _drain(self, e: s.Drain) -> Out:
        self.draining, self._dirty = e.on, True
        return []

    def _encode(self, e: s.Encode) -> Out:
        wanted = (e.job, e.format)
        if wanted not in self._encodes and not any(w.encode == wanted for w in self._workers.values()):
            self._encodes.append(wanted)
            self._dirty = True
        return []

    def _encoded(self, e: s.Encoded) -> Out:
        worker = self._workers.get(e.worker)
        if worker is None or worker.encode != (e.job, e.format):
            return []
        worker.encode = None
        self._dirty = True
        job = self.jobs.get(e.job)
        if job is not None and job.state is JobState.SUCCEEDED:
            job.size_bytes += e.size_bytes
        return [s.EncodeEnded(e.job, e.format, e.error)]

    # ---- time ------------------------------------------------------------------------------------------------------

    def _tick(self, e: s.Tick) -> Out:
        at_s = e.at_s
        out: Out = []
        while self._deadlines and self._deadlines[0][0] <= at_s:
            out += self._struck(heappop(self._deadlines)[1], at_s)
        out += self._impatient(at_s)
        if self._dirty:
            self._dirty = False
            out += self._dispatch(at_s)
        return out

    def _struck(self, job_id: str, at_s: float) -> Out:
        job = self.jobs.get(job_id)
        if job is None or job.due_s is None or at_s < job.due_s or job.stop_s is not None or job.state.is_final:
            return []
        if job.state is JobState.QUEUED:
            return self._stopped(job, at_s, 0, 0)
        job.stop_s = at_s
        return [s.StopJob(job.worker, job.id)] if job.worker is not None else []

    def _impatient(self, at_s: float) -> Out:
        """Workers that did not stop within the grace, unless they also do a job that nobody wants stopped."""
        out: Out = []
        for name, worker in self._workers.items():
            if worker.task is None or worker.killed:
                continue
            stops = [self.jobs[j].stop_s for j in self._tasks[worker.task].open]
            if stops and all(t is not None and at_s - t > self.rules.cancel_grace_s for t in stops):
                worker.killed = True
                out.append(s.KillWorker(name, f"it did not stop within {self.rules.cancel_grace_s:g} s"))
        return out

    # ---- handing out work ------------------------------------------------------------------------------------------

    def _dispatch(self, at_s: float) -> Out:
        if not (self._encodes or len(self._line)):
            return []
        out: Out = []
        for name, worker in sorted(self._workers.items()):
            if not worker.is_idle:
                continue
            encode = next((e for e in self._encodes if self._model_of(e[0]) in worker.models), None)
            if encode is not None:
                self._encodes.remove(encode)
                worker.encode = encode
                out.append(s.StartEncode(name, *encode))
            elif not self.draining:
                job = self._next_for(worker)
                if job is not None:
                    out += self._assign(name, worker, job, at_s)
        return out

    def _model_of(self, job: str) -> str:
        return self.jobs[job].facts.model if job in self.jobs else ""

    def _next_for(self, worker: _Worker) -> Job | None:
        limit = self.rules.client_limit
        for job_id in self._line:
            job = self.jobs[job_id]
            if job.facts.model in worker.models and not (limit and self._running_of[job.facts.client] >= limit):
                return job
        return None

    def _assign(self, name: str, worker: _Worker, first: Job, at_s: float) -> Out:
        self._task_count += 1
        task = worker.task = f"t{self._task_count}"
        jobs = self._mates(first)
        self._tasks[task] = _Task(name, first.facts.client, {j.id for j in jobs})
        self._running_of[first.facts.client] += 1
        for job in jobs:
            self._line.leave(job.id, served=True)
            self._set(job, JobState.RUNNING)
            job.worker, job.task, job.started_s = name, task, at_s
            job.attempt += 1
        started: Out = [s.Changed(j.id, EventName.JOB_STARTED) for j in jobs]
        return [*started, s.Assign(name, task, first.facts.model, tuple(j.id for j in jobs))]

    def _mates(self, first: Job) -> list[Job]:
        """The job and what else of its batch can go with it; a job that lost a worker goes alone."""
        f = first.facts
        if not f.group or first.losses:
            return [first]
        fits = (
            j
            for i in self._line
            if (j := self.jobs[i]).facts.group == f.group and j.facts.model == f.model and not j.losses
        )
        return list(islice(fits, self.rules.batch_limit)) or [first]

    # ---- endings ---------------------------------------------------------------------------------------------------

    def _stopped(self, job: Job, at_s: float, step: int, steps: int) -> Out:
        """Cancelled if somebody asked for it, else out of time."""
        reached = {"step": step, "steps": steps}
        if step or steps:
            job.progress = Progress(job.progress.fraction, step, steps, job.progress.stage)
        if job.stop_by:
            message = f"cancelled by {job.stop_by}" + (f" at step {step} of {steps}" if steps else "")
            envelope = _envelope(ErrorCode.REQUEST_CANCELLED, message, {"by": job.stop_by, **reached})
            return self._end(job, JobState.CANCELLED, at_s, envelope)
        limit_s = job.facts.deadline_s or 0.0
        where = f" at step {step} of {steps}" if steps else ""
        started = " before it started" if job.state is JobState.QUEUED else ""
        details = {**reached, "deadline_s": limit_s, "elapsed_s": at_s - job.created_s, "got": limit_s}
        envelope = _envelope(ErrorCode.TIMEOUT, f"stopped after {limit_s:g} s{where}{started}", details)
        return self._end(job, JobState.FAILED, at_s, envelope)

    def _end(self, job: Job, state: JobState, at_s: float, envelope: dict[str, Any] | None = None) -> Out:
        if job.id in self._line:
            self._line.leave(job.id)
        task = job.task
        self._set(job, state)
        job.finished_s, job.error = at_s, envelope
        job.worker = job.task = job.stop_s = None
        if task is not None:
            self._tasks[task].open.discard(job.id)
            if not self._tasks[task].open:
                self._free(task)
        return [s.Changed(job.id, _EVENT_OF[state])]

    def _free(self, task_id: str) -> None:
        task = self._tasks.pop(task_id, None)
        if task is None:
            return
        self._running_of[task.client] -= 1
        if not self._running_of[task.client]:
            del self._running_of[task.client]
        worker = self._workers.get(task.worker)
        if worker is not None and worker.task == task_id:
            worker.task = None
        self._dirty = True

    # ---- small things ----------------------------------------------------------------------------------------------

    def _set(self, job: Job, state: JobState) -> None:
        self.counts[job.state] -= 1
        self.counts[state] += 1
        job.state = state

    def _note_place(self, job: Job) -> None:
        turn, order = self._line.place_of(job.id)
        job.turn, job.order = turn, float(order)

    def _watch_deadline(self, job: Job) -> None:
        if job.due_s is not None:
            heappush(self._deadlines, (job.due_s, job.id))


_HANDLERS: dict[type[Any], Callable[[JobMachine, Any], Out]] = {
    s.Tick: JobMachine._tick,
    s.Submit: JobMachine._submit,
    s.TaskDone: JobMachine._task_done,
    s.TaskEnd: JobMachine._task_end,
    s.TaskProgress: JobMachine._task_progress,
    s.TaskFailed: JobMachine._task_failed,
    s.TaskCancelled: JobMachine._task_cancelled,
    s.WorkerReady: JobMachine._worker_ready,
    s.WorkerLost: JobMachine._worker_lost,
    s.ModelsSettled: JobMachine._models_settled,
    s.Cancel: JobMachine._cancel,
    s.Move: JobMachine._move,
    s.Forget: JobMachine._forget,
    s.Expire: JobMachine._expire,
    s.Drain: JobMachine._drain,
    s.Encode: JobMachine._encode,
    s.Encoded: JobMachine._encoded,
}
"""What an event is dealt with by; a test holds it against ``signals.Event``."""

_UNKNOWN_MODEL = ErrorCode.UNKNOWN_MODEL

_EVENT_OF = {
    JobState.SUCCEEDED: EventName.JOB_SUCCEEDED,
    JobState.FAILED: EventName.JOB_FAILED,
    JobState.CANCELLED: EventName.JOB_CANCELLED,
}


def _envelope(code: ErrorCode, message: str, details: dict[str, Any]) -> dict[str, Any]:
    return error(code, message, details).to_envelope()


def _refused(code: ErrorCode, message: str, details: dict[str, Any], retry_after_s: float | None = None) -> Out:
    return [s.Refused(error(code, message, details, retry_after_s=retry_after_s).to_envelope())]


def _unknown(job: str) -> Out:
    named = job[:80]
    return _refused(ErrorCode.REQUEST_NOT_FOUND, f"job {named} is not known here", {"job": named, "got": named})


__all__ = ["Job", "JobFacts", "JobMachine", "Out", "Rules"]
