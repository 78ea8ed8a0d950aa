# SPDX-License-Identifier: Apache-2.0
"""A state machine with a clock that a test turns by hand."""

from __future__ import annotations

from typing import Any

from kineograph.errors import ErrorCode
from kineograph.wire.messages import EventName, JobState, OnBusy, Priority, Progress
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.record import JobFacts
from kineograph_daemon.jobs.state import JobMachine, Rules


class Desk:
    """Feeds events and keeps the instructions."""

    def __init__(self, **rules: Any) -> None:
        self.machine = JobMachine(Rules(**rules))
        self.now_s = 1000.0
        self.out: list[s.Instruction] = []

    def do(self, event: s.Event) -> list[s.Instruction]:
        """One event."""
        out = self.machine.handle(event)
        self.out += out
        return out

    def tick(self, after_s: float = 0.0) -> list[s.Instruction]:
        """Time passes."""
        self.now_s += after_s
        return self.do(s.Tick(self.now_s))

    def submit(self, job: str, client: str = "c", on_busy: OnBusy = OnBusy.WAIT, **facts: Any) -> list[s.Instruction]:
        """A job for model m."""
        facts = {"model": "m", "digest": b"body", **facts}
        return self.do(s.Submit(JobFacts(job, client=client, **facts), self.now_s, on_busy))

    def worker(self, name: str = "w1", *models: str) -> list[s.Instruction]:
        """A worker that hosts m (or other models), with work if there is any."""
        self.do(s.WorkerReady(name, frozenset(models or ("m",)), self.now_s))
        return self.tick()

    def running(self, job: str = "j", worker: str = "w1", **facts: Any) -> None:
        """A job that a worker has begun."""
        self.submit(job, **facts)
        self.worker(worker)
        assert self.state(job) is JobState.RUNNING

    def lost(self, worker: str = "w1", reason: str = "it was ended by SIGKILL") -> list[s.Instruction]:
        """The worker dies."""
        return self.do(s.WorkerLost(worker, reason, self.now_s, {"exit_code": -9}))

    def done(self, job: str = "j", worker: str = "w1", elapsed_s: float = 2.0) -> list[s.Instruction]:
        """The worker has finished."""
        return self.do(s.TaskDone(worker, job, self.now_s, 100, elapsed_s))

    def failed(self, job: str = "j", worker: str = "w1") -> list[s.Instruction]:
        """The worker has failed."""
        return self.do(s.TaskFailed(worker, job, {"error": {"code": "internal_error", "message": "x"}}, self.now_s))

    def cancelled(self, job: str = "j", worker: str = "w1", step: int = 12, steps: int = 50) -> list[s.Instruction]:
        """The worker has stopped."""
        return self.do(s.TaskCancelled(worker, job, step, steps, self.now_s))

    def cancel(self, job: str = "j", by: str = "somebody") -> list[s.Instruction]:
        """A client cancels."""
        return self.do(s.Cancel(job, by, self.now_s))

    def progress(self, job: str = "j", worker: str = "w1", step: int = 5, steps: int = 10) -> list[s.Instruction]:
        """The worker tells how far it is."""
        return self.do(s.TaskProgress(worker, job, Progress(step / steps, step, steps, "denoise"), self.now_s))

    def state(self, job: str = "j") -> JobState:
        """Where a job stands."""
        return self.machine.jobs[job].state

    def code(self, job: str = "j") -> ErrorCode:
        """What a job ended with."""
        error = self.machine.jobs[job].error
        assert error is not None
        return ErrorCode(error["error"]["code"])

    def events(self, job: str = "j") -> list[EventName]:
        """What was told of a job."""
        return [i.event for i in self.out if isinstance(i, s.Changed) and i.job == job]

    def assigned(self) -> list[tuple[str, ...]]:
        """The jobs of every task that was handed out."""
        return [i.jobs for i in self.out if isinstance(i, s.Assign)]


def refusal(out: list[s.Instruction]) -> dict[str, Any]:
    """The error of a refused event."""
    (refused,) = out
    assert isinstance(refused, s.Refused)
    return dict(refused.error)


__all__ = ["Desk", "EventName", "JobState", "OnBusy", "Priority", "refusal"]
