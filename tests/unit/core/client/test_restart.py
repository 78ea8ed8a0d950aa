# SPDX-License-Identifier: Apache-2.0
"""Daemons that go away and come back: epochs, repeats, gaps, stale run files."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.daemon import FakeDaemon, Silence
from tests.unit.core.client.conftest import QUICK, until
from tests.unit.core.client.test_client import in_background

from kineograph.client import Client, JobEvent, LinkChanged, LinkState, Snapshot
from kineograph.errors import ErrorCode, JobError, LinkError
from kineograph.wire import messages as m
from kineograph.wire.messages import EventName, JobState, Method

Connect = Callable[..., Client]


def collect(client: Client) -> list[Any]:
    heard: list[Any] = []
    client._engine.watch(heard.append)
    return heard


def test_a_restart_is_signalled_and_the_snapshot_renewed(daemon: FakeDaemon, client: Client) -> None:
    client.connect()
    heard = collect(client)
    until(lambda: any(isinstance(e, Snapshot) for e in heard))
    before = client.hello.epoch
    heard.clear()
    daemon.restart()
    until(lambda: any(isinstance(e, Snapshot) and e.epoch == daemon.epoch for e in heard))
    changes = [e for e in heard if isinstance(e, LinkChanged)]
    (ready,) = [e for e in changes if e.state is LinkState.READY]
    assert ready.restarted
    assert ready.error is not None
    assert ready.error.code is ErrorCode.DAEMON_RESTARTED
    assert LinkState.LOST in [e.state for e in changes]
    assert client.hello.epoch == daemon.epoch != before


def test_a_wait_rides_out_a_restart(daemon: FakeDaemon, client: Client) -> None:
    thread, out = in_background(lambda: client.generate({"a": 1}, on_progress=lambda job: None))
    (body,) = daemon.wait_for(Method.GENERATE)
    daemon.wait_for(Method.JOB_RESULT)
    daemon.restart()
    daemon.wait_for(Method.JOB_RESULT, 2)  # the same question, asked again of the new daemon
    daemon.finish(body["job"])
    thread.join()
    assert out[0].job.job == body["job"]
    assert len(daemon.bodies(Method.GENERATE)) == 1


def test_one_question_for_all_is_repeated_to_the_byte_after_a_restart(daemon: FakeDaemon, client: Client) -> None:
    thread, out = in_background(lambda: client.generate({"a": 1}))
    (body,) = daemon.wait_for(Method.GENERATE_WAIT)
    daemon.restart()
    daemon.wait_for(Method.GENERATE_WAIT, 2)
    daemon.finish(body["job"])
    thread.join()
    assert out[0].job.job == body["job"]
    first, second = (r.frames[1:] for r in daemon.received if r.method == Method.GENERATE_WAIT)
    assert first == second


def test_a_submit_without_an_answer_is_repeated_to_the_byte(daemon: FakeDaemon, client: Client) -> None:
    client.connect()
    daemon.on(Method.GENERATE, lambda body: Silence())
    thread, out = in_background(lambda: client.submit({"a": [1, 2, 3]}))
    daemon.wait_for(Method.GENERATE)
    daemon._handlers.clear()
    daemon.restart()
    thread.join()
    first, second = (r.frames[1:] for r in daemon.received if r.method == Method.GENERATE)
    assert first == second
    assert out[0].job == daemon.bodies(Method.GENERATE)[0]["job"]


@pytest.mark.parametrize("verb", ["stop_daemon", "drain"])
def test_what_another_daemon_must_not_see_fails_instead(verb: str, daemon: FakeDaemon, client: Client) -> None:
    client.connect()
    method = {"stop_daemon": Method.DAEMON_STOP, "drain": Method.DAEMON_DRAIN}[verb]
    daemon.on(method, lambda body: Silence())
    thread, out = in_background(getattr(client, verb))
    daemon.wait_for(method)
    daemon.restart()
    thread.join()
    assert out[0].code is ErrorCode.CONNECTION_FAILED
    client.capabilities()
    assert len(daemon.bodies(method)) == 1


def test_a_daemon_that_forgot_the_job_gets_it_again_under_the_same_id(daemon: FakeDaemon, client: Client) -> None:
    thread, out = in_background(lambda: client.generate({"a": 1}, on_progress=lambda job: None))
    (body,) = daemon.wait_for(Method.GENERATE)
    daemon.stop()
    daemon.jobs.status.clear()
    daemon.jobs.requests.clear()
    daemon.auto = True
    daemon.start()
    thread.join()
    assert [b["job"] for b in daemon.bodies(Method.GENERATE)] == [body["job"]] * 2
    assert out[0].job.state is JobState.SUCCEEDED


def test_a_daemon_that_forgets_twice_is_not_asked_for_ever(daemon: FakeDaemon, client: Client) -> None:
    gone = JobError(ErrorCode.REQUEST_NOT_FOUND, "no such job")
    daemon.on(Method.JOB_RESULT, lambda body: gone)
    with pytest.raises(JobError):
        client.generate({}, on_progress=lambda job: None)
    assert len(daemon.bodies(Method.GENERATE)) == 2


def test_calls_made_during_an_outage_are_answered_after_it(daemon: FakeDaemon, client: Client) -> None:
    client.connect()
    daemon.stop()
    until(lambda: client.state is not LinkState.READY)
    thread, out = in_background(client.capabilities)
    thread.join(0.1)
    assert thread.is_alive()
    daemon.start()
    thread.join(60)
    assert out[0].default_model == "fake"


def test_an_outage_that_lasts_is_an_error_in_time(daemon: FakeDaemon, connect: Connect) -> None:
    client = connect(daemon.endpoint, deadline_s=0.3)
    client.connect()
    daemon.stop()
    with pytest.raises(LinkError):
        client.capabilities()


def test_a_gap_in_the_numbers_brings_a_snapshot(daemon: FakeDaemon, client: Client) -> None:
    client.connect()
    job = client.submit({})
    heard = collect(client)
    until(lambda: (daemon.progress(job.job, 0.1), any(isinstance(e, JobEvent) for e in heard))[1])
    lists = len(daemon.bodies(Method.JOB_LIST))
    heard.clear()
    daemon.skip_events(3)
    daemon.progress(job.job, 0.9)
    until(lambda: any(isinstance(e, Snapshot) for e in heard))
    assert len(daemon.bodies(Method.JOB_LIST)) == lists + 1
    (snapshot,) = [e for e in heard if isinstance(e, Snapshot)]
    assert snapshot.jobs[0].progress.fraction == 0.9


def test_an_event_of_another_epoch_makes_it_say_hello_again(daemon: FakeDaemon, client: Client) -> None:
    client.connect()
    heard = collect(client)
    until(lambda: any(isinstance(e, Snapshot) for e in heard))
    hellos = len(daemon.bodies(Method.HELLO))
    until(
        lambda: (
            daemon.publish(EventName.DAEMON_HEARTBEAT, seq=1, epoch="another"),
            len(daemon.bodies(Method.HELLO)) > hellos,
        )[1]
    )
    client.capabilities()


@pytest.mark.parametrize("frames", [[b"x"], [b"", b"\xc1", b""], [b"job.queued", b"\x80", b"\x80"], [b"a"] * 9])
def test_garbage_on_the_event_socket_is_skipped(frames: list[bytes], daemon: FakeDaemon, client: Client) -> None:
    client.connect()
    job = client.submit({})
    heard = collect(client)
    until(lambda: (daemon.progress(job.job, 0.1), any(isinstance(e, JobEvent) for e in heard))[1])
    heard.clear()
    daemon.send_event_frames(frames)
    daemon.progress(job.job, 0.2)
    until(lambda: any(isinstance(e, JobEvent) and e.job.progress.fraction == 0.2 for e in heard))


# --- finding it -------------------------------------------------------------------------------------------------------
def test_no_daemon_is_said_at_once(connect: Connect) -> None:
    client = connect(deadline_s=5.0)
    with pytest.raises(LinkError) as caught:
        client.capabilities()
    assert caught.value.code is ErrorCode.DAEMON_UNREACHABLE
    assert client.link_error is not None


def test_a_client_follows_the_run_file_to_another_address(tmp_path: Path, connect: Connect) -> None:
    with FakeDaemon(tmp_path) as first:
        first.announce()
        client = connect()
        assert client.hello.epoch == first.epoch
    with FakeDaemon(tmp_path) as second:
        second.announce()
        assert client.capabilities().default_model == "fake"
        assert client.hello.epoch == second.epoch


def test_a_stale_run_file_is_nobody(tmp_path: Path, connect: Connect) -> None:
    with FakeDaemon(tmp_path) as gone:
        run = gone.announce()
    run.write()
    with pytest.raises(LinkError) as caught:
        connect().capabilities()
    assert caught.value.code is ErrorCode.DAEMON_UNREACHABLE


def test_a_daemon_stopped_on_purpose_is_not_started_again(tmp_path: Path, connect: Connect) -> None:
    with FakeDaemon(tmp_path) as fake:
        fake.announce()
        client = connect(settings=QUICK.__class__(may_start=True, hello_s=0.5, backoff_s=0.01))
        client.connect()
        client.stop_daemon()
    until(lambda: client.state is LinkState.LOST)
    with pytest.raises(LinkError) as caught:
        client._engine.greet(0.3).result()
    assert caught.value.code is ErrorCode.DAEMON_UNREACHABLE
    assert not client._engine._link.may_start


def test_the_job_id_is_the_key(daemon: FakeDaemon, client: Client) -> None:
    job = str(uuid.uuid4())
    assert client.submit({"a": 1}, job) == client.submit({"a": 1}, job)
    with pytest.raises(JobError) as caught:
        client.submit({"a": 2}, job)
    assert caught.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
    assert m.JobState.QUEUED is client.status(job).state
