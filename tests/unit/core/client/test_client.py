# SPDX-License-Identifier: Apache-2.0
"""The sync face on a real ROUTER: verbs, waits, retries, results."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from itertools import takewhile
from typing import Any

import numpy as np
import pytest
from tests.fakes.daemon import FakeDaemon, arrays_result
from tests.unit.core.client.conftest import until

from kineograph.client import Client, JobEvent, LinkChanged, LinkState, Snapshot
from kineograph.client.verbs import next_job_id
from kineograph.errors import (
    ErrorCode,
    InternalError,
    JobError,
    KineographError,
    LinkError,
    PayloadTooLarge,
    RequestError,
    UnavailableError,
    error,
)
from kineograph.wire import messages as m
from kineograph.wire import version
from kineograph.wire.messages import EventName, JobState, JobStatus, Method

Connect = Callable[..., Client]
BUSY = error("rate_limited", "wait", retry_after_s=0.01)


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy's shape is tested where it lives; here only that it is followed."""
    monkeypatch.setattr(
        "kineograph.client.retry.retry_delay_s",
        lambda error, attempt, rng: 0.01 if error.is_retryable and attempt < 5 else None,
    )


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    out: list[Any] = []

    def run() -> None:
        try:
            out.append(work())
        except BaseException as e:  # noqa: BLE001 - looked at by the test
            out.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, out


def test_hello_is_said_with_who_it_is(daemon: FakeDaemon, connect: Connect) -> None:
    with connect(daemon.endpoint, name="shot_020", kind="blender") as client:
        assert client.hello.epoch == daemon.epoch
        assert client.state is LinkState.READY
    (said, *_) = daemon.bodies(Method.HELLO)
    assert (said["name"], said["client"], said["wire"]) == ("shot_020", "blender", [1])


def test_every_simple_verb(daemon: FakeDaemon, client: Client) -> None:
    assert client.capabilities().default_model == "fake"
    job = client.submit({"a": 1}, label="take 1")
    assert uuid.UUID(job.job)
    assert (job.state, job.label) == (JobState.QUEUED, "take 1")
    assert client.status(job.job).job == job.job
    assert client.result(job.job) is None
    assert client.move(job.job, to="back").job == job.job
    assert client.request_of(job.job).request == {"a": 1}
    assert [j.job for j in client.list(states=["queued"])] == [job.job]
    assert len(client.list(states=["running"])) == 0
    cancelled, unknown = client.cancel(job, "nobody")
    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED
    assert unknown is None
    client.forget(job.job)
    assert client.load("fake").state is m.ModelState.READY
    assert client.unload("fake").state is m.ModelState.UNLOADED
    assert client.stats().epoch == daemon.epoch
    client.drain()
    assert daemon.bodies(Method.DAEMON_DRAIN) == [{"on": True}]
    client.stop_daemon()


def test_generate_submits_waits_and_fetches(daemon: FakeDaemon, client: Client) -> None:
    seen: list[JobStatus] = []
    rotation = np.random.default_rng(1).random((2, 5, 3, 4)).astype(np.float32)
    body = {**arrays_result(5, 3, 2), "rotations_xyzw": rotation}

    def play() -> None:
        (submitted,) = daemon.wait_for(Method.GENERATE)
        daemon.wait_for(Method.JOB_RESULT)
        job = submitted["job"]
        daemon.change(job, EventName.JOB_STARTED, state=JobState.RUNNING, attempt=1)
        for step in range(1, 4):  # each again until the subscription has joined
            until(lambda n=step: (daemon.progress(job, n / 4, n, 4), n / 4 in [s.progress.fraction for s in seen])[1])
        daemon.finish(job, body)

    thread, _ = in_background(play)
    result = client.generate({"text": "walk"}, on_progress=seen.append, priority="batch", label="x")
    thread.join()
    assert np.array_equal(result.rotations_xyzw, rotation)
    assert (result.samples, result.frames, result.joint_names) == (2, 5, ("j0", "j1", "j2"))
    assert daemon.bodies(Method.GENERATE)[0]["priority"] == "batch"
    assert [s.state for s in seen][-1] is JobState.SUCCEEDED
    fractions = [s.progress.fraction for s in seen if s.state is JobState.RUNNING]
    assert fractions == sorted(fractions)
    assert 0.75 in fractions
    assert len(daemon.bodies(Method.JOB_RESULT)) == 1  # a long poll, not a poll


def test_a_job_that_failed_raises_what_it_failed_with(daemon: FakeDaemon, client: Client) -> None:
    thread, out = in_background(lambda: client.generate({}))
    (body,) = daemon.wait_for(Method.GENERATE_WAIT)
    daemon.fail(body["job"], error("internal_error", "the model failed", {"ref": "7f3a"}))
    thread.join()
    assert isinstance(out[0], InternalError)
    assert out[0].details["ref"] == "7f3a"
    assert out[0].details["job_state"] == "failed"
    assert len(daemon.bodies(Method.GENERATE_WAIT)) == 1


def test_a_cancelled_job_is_no_result_and_tells_the_step(daemon: FakeDaemon, client: Client) -> None:
    thread, out = in_background(lambda: client.generate({}))
    (body,) = daemon.wait_for(Method.GENERATE_WAIT)
    daemon.progress(body["job"], 0.24, 12, 50)
    client.cancel(body["job"])
    thread.join()
    assert isinstance(out[0], JobError)
    assert out[0].code is ErrorCode.REQUEST_CANCELLED
    assert (out[0].details["step"], out[0].details["steps"]) == (12, 50)


def test_refused_submits_are_tried_again_under_the_same_id(daemon: FakeDaemon, client: Client) -> None:
    daemon.auto = True
    daemon.then(Method.GENERATE_WAIT, BUSY, error("model_unavailable", "loading"), BUSY)
    told: list[tuple[ErrorCode, float]] = []
    client.generate({}, on_retry=lambda e, delay_s: told.append((e.code, delay_s)))
    bodies = daemon.bodies(Method.GENERATE_WAIT)
    assert len({b["job"] for b in bodies}) == 1
    assert len(bodies) == 4
    assert [code for code, _ in told] == ["rate_limited", "model_unavailable", "rate_limited"]


def test_five_tries_are_enough(daemon: FakeDaemon, client: Client) -> None:
    daemon.on(Method.GENERATE_WAIT, lambda body: BUSY)
    with pytest.raises(UnavailableError):
        client.generate({})
    assert len(daemon.bodies(Method.GENERATE_WAIT)) == 5


@pytest.mark.parametrize("code", ["schema_validation", "unknown_model", "internal_error", "queue_full", "forbidden"])
def test_what_cannot_help_is_never_repeated(code: str, daemon: FakeDaemon, client: Client) -> None:
    daemon.on(Method.GENERATE_WAIT, lambda body: error(code, "no"))
    with pytest.raises(KineographError) as caught:
        client.generate({})
    assert caught.value.code == code
    assert len(daemon.bodies(Method.GENERATE_WAIT)) == 1


def test_a_job_that_failed_for_now_runs_again_as_another_job(daemon: FakeDaemon, client: Client) -> None:
    thread, out = in_background(lambda: client.generate({"a": 1}))
    (first,) = daemon.wait_for(Method.GENERATE_WAIT)
    daemon.fail(first["job"], error("resource_exhausted", "needs 9.1 GB", retry_after_s=0.0))
    _, second = daemon.wait_for(Method.GENERATE_WAIT, 2)
    daemon.finish(second["job"])
    thread.join()
    assert second["job"] == next_job_id(first["job"]) != first["job"]
    assert second["request"] == first["request"]
    assert out[0].job.state is JobState.SUCCEEDED


def test_a_deadline_that_the_caller_set_is_not_tried_again(daemon: FakeDaemon, client: Client) -> None:
    thread, out = in_background(lambda: client.generate({}, deadline_s=2.0))
    (body,) = daemon.wait_for(Method.GENERATE_WAIT)
    daemon.fail(body["job"], error("timeout", "stopped after 2 s"))
    thread.join()
    assert out[0].code is ErrorCode.TIMEOUT
    assert len(daemon.bodies(Method.GENERATE_WAIT)) == 1


def test_the_status_decides_whether_a_job_is_over_not_an_error(daemon: FakeDaemon, client: Client) -> None:
    daemon.then(Method.JOB_RESULT, BUSY, error("rate_limited", "too many wait", retry_after_s=0.01))
    thread, out = in_background(lambda: client.generate({}, on_progress=lambda job: None))
    (body,) = daemon.wait_for(Method.GENERATE)
    daemon.wait_for(Method.JOB_RESULT, 3)
    daemon.finish(body["job"])
    thread.join()
    assert out[0].job.state is JobState.SUCCEEDED
    assert len(daemon.bodies(Method.JOB_STATUS)) == 2


@pytest.mark.parametrize(
    ("state", "code"),
    [(JobState.EXPIRED, ErrorCode.RESULT_EXPIRED), (JobState.CANCELLED, ErrorCode.REQUEST_CANCELLED)],
)
def test_no_ending_without_a_result_is_taken_for_done(
    state: JobState, code: ErrorCode, daemon: FakeDaemon, client: Client
) -> None:
    job = client.submit({})
    daemon.change(job.job, EventName.JOB_EXPIRED, state=state)
    until(lambda: client.status(job.job).state is state)
    with pytest.raises(JobError) as caught:
        client.result(job.job)
    assert caught.value.code is code


def test_a_success_without_its_result_is_a_bad_response(
    daemon: FakeDaemon, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kineograph.client.verbs._MAX_EMPTY", 2)
    done = JobStatus("x", JobState.SUCCEEDED)
    daemon.on(Method.GENERATE_WAIT, lambda body: m.JobResultReply(done))
    daemon.on(Method.JOB_RESULT, lambda body: m.JobResultReply(done))
    with pytest.raises(LinkError) as caught:
        client.generate({})
    assert caught.value.code is ErrorCode.BAD_RESPONSE


def test_an_unknown_job_is_never_done(client: Client) -> None:
    for ask in (client.status, client.result, client.wait, client.forget, client.request_of):
        with pytest.raises(JobError) as caught:
            ask("7f3a")
        assert caught.value.code is ErrorCode.REQUEST_NOT_FOUND


def test_wait_ends_with_the_event_long_before_the_next_poll(
    daemon: FakeDaemon, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kineograph.client.verbs._POLL_S", (30.0, 30.0))
    job = client.submit({})
    thread, out = in_background(lambda: client.wait(job.job))
    daemon.wait_for(Method.JOB_STATUS)
    until(lambda: (daemon.publish(EventName.DAEMON_HEARTBEAT), thread.is_alive())[1])
    while thread.is_alive():  # the subscription may join a little later than the question
        daemon.finish(job.job)
        thread.join(0.05)
    assert out[0].state is JobState.SUCCEEDED


def test_wait_gives_up_in_time_and_the_job_goes_on(daemon: FakeDaemon, client: Client) -> None:
    job = client.submit({})
    with pytest.raises(UnavailableError) as caught:
        client.wait(job.job, timeout_s=0.1)
    assert caught.value.code is ErrorCode.TIMEOUT
    assert daemon.bodies(Method.JOB_CANCEL) == []


def test_generate_that_gives_up_cancels_its_job(daemon: FakeDaemon, client: Client) -> None:
    with pytest.raises(UnavailableError):
        client.generate({}, timeout_s=0.1)
    (body,) = daemon.wait_for(Method.JOB_CANCEL)
    assert body["jobs"] == [daemon.bodies(Method.GENERATE_WAIT)[0]["job"]]


def test_an_exception_in_on_progress_cancels_the_job(daemon: FakeDaemon, client: Client) -> None:
    def stop(job: JobStatus) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.generate({}, on_progress=stop)
    daemon.wait_for(Method.JOB_CANCEL)


def test_a_batch_gives_each_item_its_own_outcome(daemon: FakeDaemon, client: Client) -> None:
    first, second = client.submit_batch({"requests": [{"a": 1}, {"bad": True}]}, label="set")
    assert isinstance(first, JobStatus)
    assert isinstance(second, RequestError)
    assert len(daemon.bodies(Method.GENERATE_BATCH)[0]["jobs"]) == 2


def test_events_begin_with_the_link_and_a_snapshot(daemon: FakeDaemon, client: Client) -> None:
    job = client.submit({})
    heard: list[Any] = []
    with client.events(timeout_s=60) as stream:
        thread, _ = in_background(lambda: heard.extend(takewhile(lambda e: not isinstance(e, JobEvent), stream)))
        while thread.is_alive():  # again until the subscription has joined
            daemon.progress(job.job, 0.5)
            thread.join(0.05)
    assert isinstance(heard[0], LinkChanged)
    assert isinstance(heard[1], Snapshot)
    assert [j.job for j in heard[1].jobs] == [job.job]


def test_events_end_with_silence_and_with_close(client: Client) -> None:
    client.connect()
    until_silent = [type(e) for e in client.events(timeout_s=0.1)]
    assert until_silent == [LinkChanged, Snapshot][: len(until_silent)]
    stream = client.events()
    assert next(stream) == LinkChanged(LinkState.READY)
    assert isinstance(next(stream), Snapshot)
    client.close()
    assert [e.state for e in stream if not isinstance(e, Snapshot)] == [LinkState.CLOSED]
    assert [e.state for e in client.events() if isinstance(e, LinkChanged)] == [LinkState.CLOSED]


def test_nobody_listening_means_no_subscription(daemon: FakeDaemon, client: Client) -> None:
    daemon.auto = True
    client.generate({})
    assert daemon.bodies(Method.JOB_LIST) == []
    assert not client._engine._subscribed


@pytest.mark.parametrize("bad", [object(), {1j}, 2**70, "\ud800"])
def test_what_cannot_travel_is_refused_here(bad: Any, daemon: FakeDaemon, client: Client) -> None:
    with pytest.raises(RequestError) as caught:
        client.submit({"x": bad})
    assert caught.value.code is ErrorCode.SCHEMA_VALIDATION
    assert daemon.bodies(Method.GENERATE) == []


def test_what_is_too_large_is_refused_here(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "MAX_BODY_BYTES", 1000)
    with pytest.raises(PayloadTooLarge):
        client.submit({"x": "y" * 2000})


@pytest.mark.parametrize(
    "fields", [{"colour": "red"}, {"priority": "urgent"}, {"deadline_s": "soon"}, {"formats": ["fbx"]}]
)
def test_a_wrong_keyword_is_refused_here(fields: dict[str, Any], client: Client) -> None:
    with pytest.raises(RequestError) as caught:
        client.submit({}, **fields)
    assert caught.value.details["where"]["path"][0].startswith(next(iter(fields)))


def test_many_threads_share_one_client(daemon: FakeDaemon, client: Client) -> None:
    daemon.auto = True
    jobs = [in_background(lambda i=i: client.generate({"i": i})) for i in range(8)]
    for thread, out in jobs:
        thread.join()
        assert out[0].job.state is JobState.SUCCEEDED
    assert {b["request"]["i"] for b in daemon.bodies(Method.GENERATE_WAIT)} == set(range(8))


def test_large_results_are_views_that_outlive_the_client(daemon: FakeDaemon, connect: Connect) -> None:
    client = connect(daemon.endpoint)
    job = client.submit({})
    big = np.arange(300 * 77 * 4 * 4, dtype=np.float32).reshape(4, 300, 77, 4)
    daemon.finish(job.job, {**arrays_result(300, 77, 4), "rotations_xyzw": big})
    body = client.result(job.job, wait_s=5)
    client.close()
    assert body is not None
    assert not body["rotations_xyzw"].flags.owndata
    assert np.array_equal(body["rotations_xyzw"], big)


def test_closing_ends_waits_with_a_clear_error(daemon: FakeDaemon, client: Client) -> None:
    job = client.submit({})
    thread, out = in_background(lambda: client.wait(job.job))
    daemon.wait_for(Method.JOB_STATUS)
    client.close()
    thread.join(60)
    assert out[0].code is ErrorCode.CONNECTION_FAILED
    with pytest.raises(LinkError):
        client.capabilities()
    client.close()


def test_a_forgotten_client_lets_go(daemon: FakeDaemon) -> None:
    client = Client(daemon.endpoint)
    client.connect()
    thread = client._engine._thread
    del client
    thread.join(60)
    assert not thread.is_alive()
