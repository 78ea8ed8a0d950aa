# SPDX-License-Identifier: Apache-2.0
"""The daemon's state machine goes only where the protocol says that a job can go, and can go everywhere it says."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kineograph.wire.messages import TRANSITIONS, JobState, Progress
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.record import JobFacts
from kineograph_daemon.jobs.state import JobMachine, Rules

JOBS = ("a", "b", "c")
MODELS = frozenset({"m"})
FAILURE = {"error": {"code": "internal_error", "message": "x", "details": {}}}


class Walk:
    """A random life of a daemon; ``steps`` collects every change of state."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.now_s = 1000.0
        self.machine = JobMachine(Rules(max_losses=1, max_attempts=3, cancel_grace_s=1.0))
        self.tasks: dict[str, str] = {}
        self.steps: set[tuple[JobState, JobState]] = set()
        self.at: dict[str, JobState] = {}

    def feed(self, event: s.Event) -> None:
        for instruction in self.machine.handle(event):
            if isinstance(instruction, s.Assign):
                self.tasks[instruction.worker] = instruction.task
            elif isinstance(instruction, s.Forgotten):
                self.at.pop(instruction.job, None)
            elif isinstance(instruction, s.Changed):
                self.look(instruction.job)

    def look(self, job: str) -> None:
        now = self.machine.jobs[job].state
        before = self.at.get(job)
        if before is not None and before is not now:
            self.steps.add((before, now))
        self.at[job] = now

    def step(self) -> None:
        self.now_s += self.rng.choice((0.0, 0.1, 2.0))
        job, worker, t = self.rng.choice(JOBS), self.rng.choice(("w1", "w2")), self.now_s
        deadline_s = self.rng.choice((None, None, 1.0, 30.0))
        chosen = self.rng.randrange(14)
        match chosen:
            case 0 | 1:
                self.feed(s.Submit(JobFacts(job, "m", deadline_s=deadline_s, digest=b"x"), t))
            case 2 | 3:
                self.feed(s.WorkerReady(worker, MODELS, t))
            case 4:
                self.feed(s.WorkerLost(worker, "killed", t))
            case 5 | 6:
                self.feed(s.TaskDone(worker, job, t))
            case 7:
                self.feed(s.TaskFailed(worker, job, FAILURE, t))
            case 8:
                self.feed(s.TaskCancelled(worker, job, 1, 2, t))
            case 9:
                self.feed(s.Cancel(job, "x", t))
            case 10:
                self.feed(s.TaskProgress(worker, job, Progress(0.5), t))
            case 11:
                self.feed(s.TaskEnd(worker, self.tasks.get(worker, ""), t))
            case 12:
                self.feed(self.rng.choice((s.Expire(job, t), s.Forget(job, t))))
            case _:
                self.restart() if self.rng.random() < 0.2 else self.feed(s.ModelsSettled(MODELS, t))
        self.feed(s.Tick(self.now_s))

    def restart(self) -> None:
        """The daemon is killed and reads its jobs back."""
        jobs = list(self.machine.jobs.values())
        self.machine, self.tasks = JobMachine(self.machine.rules), {}
        for instruction in self.machine.restore(jobs, self.now_s):
            if isinstance(instruction, s.Changed):
                self.look(instruction.job)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_no_step_outside_the_table(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(80):
        walk.step()
    for before, after in walk.steps:
        assert after in TRANSITIONS[before], f"{before} -> {after}"


def test_every_step_of_the_table_is_taken_by_somebody() -> None:
    taken: set[tuple[JobState, JobState]] = set()
    for seed in range(60):
        walk = Walk(seed)
        for _ in range(150):
            walk.step()
        taken |= walk.steps
    assert taken == {(before, after) for before, to in TRANSITIONS.items() for after in to}
