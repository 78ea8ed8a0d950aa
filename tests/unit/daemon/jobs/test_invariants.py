# SPDX-License-Identifier: Apache-2.0
"""Whatever happens in whatever order: a job ends exactly once, with one worker at a time, and cancel is precise."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.daemon.jobs.machine import Desk

from kineograph.wire.messages import EventName, JobState, Priority
from kineograph_daemon.jobs import record
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.state import JobMachine

ENDINGS = {EventName.JOB_SUCCEEDED, EventName.JOB_FAILED, EventName.JOB_CANCELLED}
JOBS = st.integers(0, 11).map(lambda n: f"j{n}")
WORKERS = st.sampled_from(["w1", "w2", "w3"])


class Jobs(RuleBasedStateMachine):
    """Clients, workers and a clock, none of them well behaved."""

    @initialize()
    def begin(self) -> None:
        self.d = Desk(client_limit=2, batch_limit=3, queue_limit=8)
        self.endings: Counter[str] = Counter()
        self.held: dict[str, str] = {}
        self.busy: dict[str, set[str]] = {}
        self.cancelled: set[str] = set()
        self.killed: set[str] = set()

    def note(self, out: list[s.Instruction]) -> None:
        for i in out:
            match i:
                case s.Changed(job, event):
                    assert job in self.d.machine.jobs
                    self.endings[job] += event in ENDINGS
                    if event in ENDINGS or event is EventName.JOB_REQUEUED:
                        self.release(job)
                    if event is EventName.JOB_CANCELLED:
                        assert job in self.cancelled, "cancel touched another job"
                    if event is EventName.JOB_SUCCEEDED:
                        assert job not in self.cancelled, "cancelled jobs do not come back as successes"
                case s.Assign(worker, _, model, jobs):
                    assert worker not in self.busy, "a worker with two tasks"
                    assert len(jobs) == len(set(jobs)) > 0
                    assert {self.d.machine.jobs[j].facts.model for j in jobs} == {model}
                    for job in jobs:
                        assert job not in self.held, "two workers on one job"
                        self.held[job] = worker
                    self.busy[worker] = set(jobs)
                case s.StopJob(worker, job):
                    assert self.held[job] == worker
                case s.KillWorker(worker):
                    assert all(j in self.cancelled or self.is_late(j) for j in self.busy[worker])
                    self.killed.add(worker)
                case s.Forgotten(job):
                    self.endings.pop(job)
                    self.cancelled.discard(job)

    def is_late(self, job: str) -> bool:
        due_s = self.d.machine.jobs[job].due_s
        return due_s is not None and due_s <= self.d.now_s

    def release(self, job: str) -> None:
        worker = self.held.pop(job, None)
        if worker is not None:
            self.busy[worker].discard(job)
            if not self.busy[worker]:
                del self.busy[worker]

    @rule(
        job=JOBS,
        client=st.sampled_from("xyz"),
        model=st.sampled_from("mn"),
        priority=st.sampled_from(Priority),
        group=st.sampled_from(["", "g"]),
        deadline_s=st.sampled_from([None, 3.0]),
        body=st.sampled_from([b"1", b"2"]),
    )
    def submit(
        self, job: str, client: str, model: str, priority: Priority, group: str, deadline_s: float | None, body: bytes
    ) -> None:
        before = dict(self.d.machine.jobs)
        out = self.d.submit(
            job,
            client,
            model=model,
            priority=priority,
            group=group and group + client,
            deadline_s=deadline_s,
            digest=body,
        )
        if job in before:
            assert self.d.machine.jobs == before
        self.note(out)

    @rule(worker=WORKERS, models=st.sampled_from([("m",), ("m", "n")]))
    def worker_ready(self, worker: str, models: tuple[str, ...]) -> None:
        if worker not in self.killed:
            self.note(self.d.do(s.WorkerReady(worker, frozenset(models), self.d.now_s)))

    @rule(worker=WORKERS)
    def worker_lost(self, worker: str) -> None:
        self.note(self.d.lost(worker))
        self.killed.discard(worker)
        assert worker not in self.busy

    @rule(job=JOBS, worker=WORKERS, what=st.sampled_from(["done", "failed", "cancelled", "progress"]))
    def worker_says(self, job: str, worker: str, what: str) -> None:
        says = {
            "done": self.d.done,
            "failed": self.d.failed,
            "cancelled": self.d.cancelled,
            "progress": self.d.progress,
        }
        before = self.d.machine.jobs[job].state if job in self.d.machine.jobs else None
        truly = self.held.get(job) == worker
        out = says[what](job, worker)
        if not truly:
            assert out == []
            assert before is None or self.d.state(job) is before
        self.note(out)

    @rule(worker=WORKERS)
    def task_ends(self, worker: str) -> None:
        tasks = {self.d.machine.jobs[j].task for j in self.busy.get(worker, ())}
        for task in tasks:
            assert task is not None
            self.note(self.d.do(s.TaskEnd(worker, task, self.d.now_s)))

    @rule(job=JOBS)
    def cancel(self, job: str) -> None:
        known = self.d.machine.jobs.get(job)
        if known is not None and not known.state.is_final:
            self.cancelled.add(job)
        others = {j: x.state for j, x in self.d.machine.jobs.items() if j != job}
        self.note(self.d.cancel(job))
        assert others == {j: x.state for j, x in self.d.machine.jobs.items() if j != job}

    @rule(job=JOBS, to=st.sampled_from(["front", "back"]), before=st.none() | JOBS)
    def move(self, job: str, to: str, before: str | None) -> None:
        self.note(self.d.do(s.Move(job, to, before, self.d.now_s)))

    @rule(job=JOBS, how=st.sampled_from([s.Forget, s.Expire]))
    def put_away(self, job: str, how: type[s.Forget] | type[s.Expire]) -> None:
        self.note(self.d.do(how(job, self.d.now_s)))

    @rule(on=st.booleans())
    def drain(self, on: bool) -> None:
        self.note(self.d.do(s.Drain(on, self.d.now_s)))

    @rule(after_s=st.sampled_from([0.0, 0.5, 2.0, 6.0]))
    def tick(self, after_s: float) -> None:
        self.note(self.d.tick(after_s))

    @rule()
    def restart(self) -> None:
        kept = [record.from_map(record.to_map(j)) for j in self.d.machine.jobs.values()]
        waiting = self.d.machine.waiting()
        self.d.machine = JobMachine(self.d.machine.rules)
        self.held.clear()
        self.busy.clear()
        self.killed.clear()
        self.note(self.d.machine.restore(kept, self.d.now_s))
        now = self.d.machine.waiting()
        assert [j for j in now if j in waiting] == waiting, "a restart must not change the order"

    @invariant()
    def each_job_ends_once(self) -> None:
        for job, j in self.d.machine.jobs.items():
            assert self.endings[job] == int(j.state.is_final), (job, j.state)

    @invariant()
    def the_books_agree(self) -> None:
        machine = self.d.machine
        states = Counter(j.state for j in machine.jobs.values())
        assert +machine.counts == states
        waiting = machine.waiting()
        assert sorted(waiting) == sorted(j for j, x in machine.jobs.items() if x.state is JobState.QUEUED)
        assert len(waiting) <= 8 + 6, "only what lost its worker or its daemon may exceed the limit"
        for job, worker in self.held.items():
            assert machine.jobs[job].worker == worker
            assert job in machine.worker_of(worker)


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
