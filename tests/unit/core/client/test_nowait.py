# SPDX-License-Identifier: Apache-2.0
"""For main threads that must not wait: nothing here blocks, callbacks run inside poll, on the polling thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.daemon import FakeDaemon, Silence
from tests.unit.core.client.conftest import until

from kineograph.client import Client, Errand, LinkSettings, LinkState, Result, Snapshot
from kineograph.client.inbox import Inbox
from kineograph.client.verbs import new_job_id, next_job_id
from kineograph.errors import ErrorCode, KineographError, LinkError, RequestError, error
from kineograph.wire import messages as m
from kineograph.wire.messages import EventName, JobState, JobStatus, Method

Connect = Callable[..., Client]


def polled(client: Client, condition: Callable[[], Any]) -> Any:
    return until(lambda: (client.poll(), condition())[1])


@pytest.mark.timeout(60)
def test_nothing_waits_even_when_nobody_answers(daemon: FakeDaemon, connect: Connect) -> None:
    """Whatever waited for the silent daemon would wait for ten minutes."""
    for method in Method:
        daemon.on(method, lambda body: Silence())
    client = connect(daemon.endpoint, deadline_s=600.0, settings=LinkSettings(hello_s=600.0))
    done: list[Any] = []
    client.call_nowait(Method.CAPABILITIES, m.Empty(), done.append)
    client.generate_nowait({"a": 1}, done.append)
    client.watch_nowait(done.append)
    for _ in range(20):
        client.poll()
    assert client.state is not LinkState.READY
    assert client.link_error is None


def test_a_callback_gets_the_future_on_the_polling_thread(daemon: FakeDaemon, client: Client) -> None:
    out: list[tuple[int, Future[Any]]] = []
    client.call_nowait(Method.CAPABILITIES, m.Empty(), lambda f: out.append((threading.get_ident(), f)))
    client.call_nowait(Method.JOB_STATUS, m.JobRef("x"), lambda f: out.append((threading.get_ident(), f)))
    polled(client, lambda: len(out) == 2)
    assert {ident for ident, _ in out} == {threading.get_ident()}
    assert out[0][1].result().default_model == "fake"
    why = out[1][1].exception()
    assert isinstance(why, KineographError)
    assert why.code is ErrorCode.REQUEST_NOT_FOUND


def test_an_errand_generates(daemon: FakeDaemon, client: Client) -> None:
    seen: list[JobStatus] = []
    done: list[Errand[Result]] = []
    errand = client.generate_nowait({"a": 1}, done.append, on_progress=seen.append, label="take")
    polled(client, lambda: daemon.bodies(Method.JOB_RESULT))
    assert errand.job == daemon.bodies(Method.GENERATE)[0]["job"]
    polled(client, lambda: (daemon.progress(errand.job, 0.5), any(s.progress.fraction == 0.5 for s in seen))[1])
    daemon.finish(errand.job)
    polled(client, lambda: done)
    assert done == [errand]
    assert errand.error is None
    assert errand.value is not None
    assert errand.value.job.state is JobState.SUCCEEDED
    assert errand.is_done


def test_an_errand_tries_again_by_itself(daemon: FakeDaemon, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kineograph.client.retry.retry_delay_s", lambda e, attempt, rng: 0.02 if attempt < 3 else None)
    daemon.auto = True
    daemon.then(Method.GENERATE, error("model_unavailable", "loading"))
    done: list[Errand[Result]] = []
    retries: list[ErrorCode] = []
    client.generate_nowait({}, done.append, on_retry=lambda e, delay_s: retries.append(e.code))
    polled(client, lambda: done)
    assert done[0].error is None
    assert retries == ["model_unavailable"]


def test_an_errand_ends_with_the_error(daemon: FakeDaemon, client: Client) -> None:
    daemon.on(Method.GENERATE, lambda body: error("unknown_model", "no such model"))
    done: list[Errand[Result]] = []
    client.generate_nowait({}, done.append)
    polled(client, lambda: done)
    assert isinstance(done[0].error, RequestError)
    assert done[0].value is None


def test_an_errand_whose_request_cannot_travel_ends_with_that(client: Client) -> None:
    done: list[Errand[Result]] = []
    client.generate_nowait({"x": object()}, done.append)
    polled(client, lambda: done)
    assert isinstance(done[0].error, RequestError)


def test_an_abandoned_errand_is_silent(daemon: FakeDaemon, client: Client) -> None:
    done: list[Any] = []
    errand = client.generate_nowait({}, done.append, on_progress=done.append)
    until(lambda: (errand.job and daemon.received) or client.poll())
    errand.abandon()
    done.clear()
    daemon.publish(EventName.DAEMON_HEARTBEAT)
    client.call_nowait(Method.JOB_CANCEL, m.JobCancel([errand.job])).result(5)
    client.poll()
    assert done == []


def test_events_come_by_poll(daemon: FakeDaemon, client: Client) -> None:
    heard: list[Any] = []
    stop = client.watch_nowait(heard.append)
    polled(client, lambda: any(isinstance(e, Snapshot) for e in heard))
    stop()
    client.capabilities()
    until(lambda: not client._engine._subscribed)


def test_no_daemon_is_an_error_of_the_errand(tmp_path: Path, connect: Connect) -> None:
    client = connect()
    done: list[Errand[Result]] = []
    client.generate_nowait({}, done.append)
    polled(client, lambda: done)
    assert isinstance(done[0].error, LinkError)
    assert client.state in (LinkState.LOST, LinkState.LOOKING)


def test_the_inbox_keeps_to_its_budget_and_its_order(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    ran: list[str] = []
    inbox = Inbox(lambda: now_s)

    def slow() -> None:
        nonlocal now_s
        now_s += 0.003
        ran.append("slow")

    for _ in range(5):
        inbox.post(slow)
    inbox.post_later(0.001, lambda: ran.append("timer"))
    assert inbox.poll(0.004) == 3
    assert ran == ["slow", "timer", "slow"]
    inbox.post(lambda: 1 / 0)
    inbox.post(lambda: ran.append("last"))
    with caplog.at_level(logging.ERROR):
        while len(inbox):
            inbox.poll(1.0)
    assert ran[-1] == "last"
    assert "callback" in caplog.text
    assert inbox.poll() == 0


def test_a_job_of_a_program_that_is_gone_is_gone_on_with(daemon: FakeDaemon, connect: Connect) -> None:
    before = connect(daemon.endpoint)
    sent: list[Errand[Result]] = []
    job = before.generate_nowait({"a": 1}, sent.append).job
    polled(before, lambda: daemon.bodies(Method.GENERATE))
    before.close()
    client, seen, done = connect(daemon.endpoint), [], []
    errand = client.resume_nowait(job, done.append, seen.append)
    polled(client, lambda: daemon.bodies(Method.JOB_RESULT))
    polled(client, lambda: (daemon.progress(job, 0.5), any(s.progress.fraction == 0.5 for s in seen))[1])
    daemon.finish(job)
    polled(client, lambda: done)
    assert errand.error is None
    assert errand.value is not None
    assert errand.value.job.job == job
    assert len(daemon.bodies(Method.GENERATE)) == 1, "nothing is sent again"
    assert not sent


def test_of_a_jobs_retries_the_newest_is_gone_on_with(daemon: FakeDaemon, client: Client) -> None:
    first = new_job_id()
    retried = next_job_id(next_job_id(first))
    for job in (first, retried):
        client.submit({"a": 1}, job=job)
    daemon.finish(retried)
    done: list[Errand[Result]] = []
    errand = client.resume_nowait(first, done.append)
    polled(client, lambda: done)
    assert errand.job == retried
    assert errand.error is None


def test_a_job_that_nobody_knows_is_not_waited_for(daemon: FakeDaemon, client: Client) -> None:
    done: list[Errand[Result]] = []
    errand = client.resume_nowait(new_job_id(), done.append)
    polled(client, lambda: done)
    assert isinstance(errand.error, KineographError)
    assert errand.error.code is ErrorCode.REQUEST_NOT_FOUND
