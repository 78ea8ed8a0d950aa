# SPDX-License-Identifier: Apache-2.0
"""The desk: carries out what the job state machine says.

One turn of the loop is: feed events, ``tick``, ``commit`` (one transaction for the whole turn), and only then send
what was collected. No client ever hears of a job that a crash in the next moment could make unknown; what no client
hears of yet may share the next turn's transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kineograph.errors import KineographError, from_envelope
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import EventName, JobState, OnBusy, ResultFormat
from kineograph_daemon import logs
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.record import Job, JobFacts
from kineograph_daemon.jobs.state import JobMachine
from kineograph_daemon.jobs.store import JobStore
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.events import Publisher

_log = logging.getLogger(__name__)

_FRESH_BYTES = 8 * 2**20
"""Requests kept in memory between their submit and their start; what is beyond comes from the store."""


class Workers(Protocol):
    """Where work goes: see ``WorkerLink``."""

    def assign(self, worker: str, task: str, model: str, jobs: Sequence[tuple[Job, Sequence[Buffer]]]) -> None:
        """Send a task; each job comes with the frames of its request."""

    def stop_job(self, worker: str, job: str) -> None:
        """Ask a worker to stop one job."""

    def encode(self, worker: str, job: Job, form: ResultFormat, frames: Sequence[Buffer]) -> None:
        """Ask a worker for another form of a result."""

    def kill(self, worker: str, reason: str) -> None:
        """End a worker's process."""


class Desk:
    """All jobs of this daemon. ``on_final`` and ``on_encoded`` tell whoever waits for results."""

    def __init__(
        self, machine: JobMachine, store: JobStore, events: Publisher, clock: Clock, progress_every_s: float
    ) -> None:
        self.machine = machine
        self.store = store
        self.workers: Workers | None = None
        self.on_final: Callable[[str], None] = lambda job: None
        self.on_encoded: Callable[[str, ResultFormat, dict[str, Any] | None], None] = lambda job, form, error: None
        self._events = events
        self._clock = clock
        self._progress_every_s = progress_every_s
        self._told_s: dict[str, float] = {}
        self._fresh: dict[str, list[Buffer]] = {}
        self._fresh_bytes = 0
        self._work: list[s.Assign | s.StopJob] = []
        self._after_commit: list[Callable[[], None]] = []
        self._new: list[str] = []

    # ---- what handlers use -----------------------------------------------------------------------------------------

    def submit(self, facts: JobFacts, frames: list[Buffer], on_busy: OnBusy, common: slice | None = None) -> None:
        """A new job, queued. Raises what the state machine refuses with, or ``resource_exhausted`` (disk)."""
        out = self.machine.handle(s.Submit(facts, self._clock.now_s(), on_busy))
        _raise_refusal(out)
        job = self.machine.jobs[facts.job]
        try:
            self.store.add(job, frames, common)
        except KineographError:
            self._take_back(facts.job)
            raise
        self._new.append(facts.job)
        self._keep_fresh(facts.job, frames)
        self._run(out)

    def ask(self, event: s.Event) -> None:
        """An event of a client. Raises what the state machine refuses with."""
        out = self.machine.handle(event)
        _raise_refusal(out)
        self._run(out)

    def feed(self, event: s.Event) -> None:
        """An event that nobody waits for the answer of."""
        self._run(self.machine.handle(event))

    def restore(self) -> None:
        """Take over the jobs of the daemon before."""
        jobs = self.store.load()
        out = self.machine.restore(jobs, self._clock.now_s())
        self._run(out)
        if jobs:
            waiting = self.machine.counts[JobState.QUEUED]
            _log.info("jobs restored", extra={"data": {"jobs": len(jobs), "waiting": waiting}})

    # ---- the turn --------------------------------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Let time pass: deadlines strike, free workers get work."""
        self.feed(s.Tick(now_s))

    def commit(self, *, heard: bool = True) -> dict[str, KineographError]:
        """Bring the turn's changes to disk if a client is about to hear of them; let work and deletions go out.

        Returns the new jobs that could not be kept and were taken back: their submit must be refused. One that has
        started meanwhile goes on, and is kept as soon as the disk takes it.
        """
        refused: dict[str, KineographError] = {}
        is_over = True
        try:
            is_over = self.store.commit(heard=heard)
        except KineographError as e:
            _log.error("jobs could not be kept: %s", e)
            refused = {job: e for job in self._new if self._take_back(job)}
        work, self._work = self._work, []
        for instruction in work:
            self._hand_out(instruction)
        if is_over:
            self._new.clear()
            after, self._after_commit = self._after_commit, []
            for act in after:
                act()
        return refused

    def request_frames(self, job: str) -> list[Buffer]:
        """The body frames of a job's request. Raises ``result_expired`` when they are not kept any more."""
        return self._fresh.get(job) or self.store.request(job)

    # ---- instructions ----------------------------------------------------------------------------------------------

    def _run(self, out: Sequence[s.Instruction]) -> None:
        for instruction in out:
            _CARRY_OUT[type(instruction)](self, instruction)

    def _put_off(self, i: s.Assign | s.StopJob) -> None:
        self._work.append(i)

    def _kill_worker(self, i: s.KillWorker) -> None:
        self._to_workers().kill(i.worker, i.reason)

    def _drop_result(self, i: s.DropResult) -> None:
        self._after_commit.append(lambda: void(self.store.drop_result(i.job, i.attempt)))

    def _encode_ended(self, i: s.EncodeEnded) -> None:
        self.store.read_elsewhere(i.job, False)
        self.on_encoded(i.job, i.format, i.error)

    def _nothing(self, i: s.Known | s.Refused) -> None:
        """Who asked is told by what ``handle`` returned."""

    def _changed(self, i: s.Changed) -> None:
        job = self.machine.jobs[i.job]
        self.store.save(job, lazily=i.event is EventName.JOB_STARTED)
        self._events.job(i.event, lambda: self.machine.status(i.job))
        if job.state.is_final:
            logs.tell(_log, f"job {job.state}", i.job, _told(job))
            self._told_s.pop(i.job, None)
            self._drop_fresh(i.job)
            self.store.spares.returned(i.job)
            if i.event is EventName.JOB_EXPIRED:
                self._after_commit.append(lambda: self.store.drop_large_request(i.job))
            self.on_final(i.job)

    def _progressed(self, i: s.Progressed) -> None:
        job, now_s = i.job, self._clock.now_s()
        if now_s - self._told_s.get(job, 0.0) >= self._progress_every_s:
            self._told_s[job] = now_s
            self._events.job(EventName.JOB_PROGRESS, lambda: self.machine.status(job))

    def _hand_out(self, i: s.Assign | s.StopJob) -> None:
        if isinstance(i, s.Assign):
            self._assign(i)
        else:
            self._to_workers().stop_job(i.worker, i.job)

    def _assign(self, i: s.Assign) -> None:
        jobs = []
        for job_id in i.jobs:
            try:
                jobs.append((self.machine.jobs[job_id], self.request_frames(job_id)))
            except KineographError as e:
                self.feed(s.TaskFailed(i.worker, job_id, e.to_envelope(), self._clock.now_s()))
        if jobs:
            self._to_workers().assign(i.worker, i.task, i.model, jobs)
        for job_id in i.jobs:
            self._drop_fresh(job_id)

    def _start_encode(self, i: s.StartEncode) -> None:
        try:
            frames = self.request_frames(i.job)
        except KineographError as e:
            self.feed(s.Encoded(i.worker, i.job, i.format, e.to_envelope(), self._clock.now_s()))
            return
        self.store.read_elsewhere(i.job, True)
        self._to_workers().encode(i.worker, self.machine.jobs[i.job], i.format, frames)

    def _forgotten(self, i: s.Forgotten) -> None:
        self.store.drop(i.job, i.attempt)
        self._events.job(EventName.JOB_FORGOTTEN, lambda: i.status)
        self._drop_fresh(i.job)

    def _to_workers(self) -> Workers:
        assert self.workers is not None, "the composition root wires the workers before the first turn"
        return self.workers

    # ---- small things ----------------------------------------------------------------------------------------------

    def _take_back(self, job: str) -> bool:
        """Undo a submit that could not be kept; False when the job has started already."""
        now_s = self._clock.now_s()
        known = self.machine.jobs.get(job)
        if known is None or known.state is not JobState.QUEUED:
            return False
        self._run(self.machine.handle(s.Cancel(job, "the daemon, which could not keep it", now_s)))
        self._run(self.machine.handle(s.Forget(job, now_s)))
        return True

    def _keep_fresh(self, job: str, frames: list[Buffer]) -> None:
        size = sum(len(f) for f in frames)
        if self._fresh_bytes + size <= _FRESH_BYTES:
            self._fresh[job] = frames
            self._fresh_bytes += size

    def _drop_fresh(self, job: str) -> None:
        frames = self._fresh.pop(job, None)
        if frames is not None:
            self._fresh_bytes -= sum(len(f) for f in frames)


_CARRY_OUT: dict[type[Any], Callable[[Desk, Any], None]] = {
    s.Changed: Desk._changed,
    s.Progressed: Desk._progressed,
    s.Assign: Desk._put_off,
    s.StopJob: Desk._put_off,
    s.KillWorker: Desk._kill_worker,
    s.DropResult: Desk._drop_result,
    s.Forgotten: Desk._forgotten,
    s.StartEncode: Desk._start_encode,
    s.EncodeEnded: Desk._encode_ended,
    s.Known: Desk._nothing,
    s.Refused: Desk._nothing,
}
"""What an instruction is carried out by; a test holds it against ``signals.Instruction``."""


def _told(job: Job) -> dict[str, Any]:
    told: dict[str, Any] = {"client": job.facts.client, "model": job.facts.model, "attempt": job.attempt}
    if job.started_s is not None and job.finished_s is not None:
        elapsed_s = int((job.finished_s - job.started_s) * 1e4) / 1e4
        told |= {"elapsed_s": elapsed_s, "bytes": job.size_bytes}
    if job.error is not None:
        told["error"] = job.error.get("error")
    return told


def _raise_refusal(out: Sequence[s.Instruction]) -> None:
    for i in out:
        if isinstance(i, s.Refused):
            raise from_envelope(i.error)


def void(_: object) -> None:
    """Drop a value."""
