# SPDX-License-Identifier: Apache-2.0
"""The desk on a real store: what a full disk does to submits, and that nothing is told before it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kineograph.errors import ErrorCode
from kineograph.wire import codec
from kineograph.wire.messages import JobState, OnBusy
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.record import JobFacts
from kineograph_daemon.jobs.state import JobMachine
from kineograph_daemon.jobs.store import JobStore
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.events import Publisher


class Recorder:
    """Stands where the workers are."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def assign(self, worker: str, task: str, model: str, jobs: Any) -> None:
        self.said.append(("assign", worker, [job.id for job, _ in jobs]))

    def stop_job(self, worker: str, job: str) -> None:
        self.said.append(("stop", worker, job))

    def encode(self, worker: str, job: Any, form: Any, frames: Any) -> None:
        self.said.append(("encode", worker, job.id))

    def kill(self, worker: str, reason: str) -> None:
        self.said.append(("kill", worker))


class Setup:
    """A desk with everything it needs, and the events it sent."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[str] = []
        self.store = JobStore(folder)
        events = Publisher("epoch", lambda frames: self.sent.append(codec.decode(frames[1:]).header.method))
        self.events = events
        self.clock = Clock()
        self.desk = Desk(JobMachine(), self.store, events, self.clock, 0.1)
        self.workers = self.desk.workers = Recorder()

    def submit(self, job: str, size: int = 10) -> None:
        self.desk.submit(JobFacts(job, "m", "c"), [b"x" * size], OnBusy.WAIT)

    def fill_disk(self, full: bool = True) -> None:
        pages = self.store._db.execute("PRAGMA page_count").fetchone()[0]
        self.store._db.execute(f"PRAGMA max_page_count = {pages if full else 10**6}")


@pytest.fixture
def setup(tmp_path: Path) -> Any:
    made = Setup(tmp_path)
    yield made
    made.store.close()


def test_work_and_events_wait_for_the_commit(setup: Setup) -> None:
    setup.desk.feed(s.WorkerReady("w1", frozenset("m"), setup.clock.now_s()))
    setup.submit("j")
    setup.desk.tick(setup.clock.now_s())
    assert setup.workers.said == []
    assert setup.sent == []
    assert setup.desk.commit() == {}
    setup.events.flush()
    assert setup.workers.said == [("assign", "w1", ["j"])]
    assert setup.sent == ["job.queued", "job.started"]


def test_a_full_disk_refuses_the_new_and_keeps_the_old(setup: Setup) -> None:
    setup.submit("kept")
    assert setup.desk.commit() == {}
    setup.fill_disk()
    setup.submit("refused", 100_000)
    refused = setup.desk.commit()
    assert refused["refused"].code is ErrorCode.RESOURCE_EXHAUSTED
    assert refused["refused"].retry_after_s
    assert list(setup.desk.machine.jobs) == ["kept"]
    setup.fill_disk(False)
    setup.submit("refused")
    assert setup.desk.commit() == {}
    assert {j.id for j in setup.store.load()} == {"kept", "refused"}


def test_a_job_that_started_before_the_disk_was_full_goes_on(setup: Setup) -> None:
    setup.desk.feed(s.WorkerReady("w1", frozenset("m"), setup.clock.now_s()))
    setup.fill_disk()
    setup.submit("j", 100_000)
    setup.desk.tick(setup.clock.now_s())
    assert setup.desk.commit() == {}
    assert setup.workers.said == [("assign", "w1", ["j"])]
    setup.fill_disk(False)
    setup.desk.feed(s.TaskDone("w1", "j", setup.clock.now_s()))
    assert setup.desk.commit() == {}
    assert [j.state for j in setup.store.load()] == [JobState.SUCCEEDED]


def test_a_job_whose_request_is_gone_fails_alone(setup: Setup) -> None:
    setup.submit("j")
    setup.submit("other")
    setup.desk.commit()
    setup.desk._drop_fresh("j")
    setup.store._db.execute("DELETE FROM requests WHERE id = 'j'")
    setup.desk.feed(s.WorkerReady("w1", frozenset("m"), setup.clock.now_s()))
    for _ in range(2):
        setup.desk.tick(setup.clock.now_s())
        setup.desk.commit()
    assert setup.desk.machine.jobs["j"].state is JobState.FAILED
    assert setup.workers.said == [("assign", "w1", ["other"])]
