# SPDX-License-Identifier: Apache-2.0
"""The asyncio face: the same verbs, cancelled by cancelling the task."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.fakes.daemon import FakeDaemon
from tests.unit.core.client.conftest import QUICK

from kineograph.client import AsyncClient, Client, LinkState, Snapshot
from kineograph.errors import ErrorCode, JobError, LinkError, UnavailableError
from kineograph.wire.messages import JobState, JobStatus, Method

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def client(daemon: FakeDaemon) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(daemon.endpoint, settings=QUICK, deadline_s=5.0) as made:
        yield made


async def came(daemon: FakeDaemon, method: Method, count: int = 1) -> list[dict[str, Any]]:
    return await asyncio.to_thread(daemon.wait_for, method, count)


async def test_the_faces_have_the_same_verbs() -> None:
    def verbs(face: type[Any]) -> set[str]:
        return {
            name for name, _ in inspect.getmembers(face) if not name.startswith("_") and not name.endswith("_nowait")
        }

    assert verbs(Client) - {"poll"} == verbs(AsyncClient)


async def test_generate_with_progress(daemon: FakeDaemon, client: AsyncClient) -> None:
    seen: list[JobStatus] = []
    task = asyncio.create_task(client.generate({"a": 1}, on_progress=seen.append))
    (body,) = await came(daemon, Method.JOB_RESULT)
    while not any(s.progress.fraction == 0.5 for s in seen):
        daemon.progress(body["job"], 0.5)
        await asyncio.sleep(0.02)
    daemon.finish(body["job"])
    result = await task
    assert result.job.state is JobState.SUCCEEDED
    assert seen[0].state is JobState.QUEUED


async def test_many_at_once(daemon: FakeDaemon, client: AsyncClient) -> None:
    daemon.auto = True
    results = await asyncio.gather(*(client.generate({"i": i}) for i in range(20)))
    assert len({r.job.job for r in results}) == 20


async def test_cancelling_the_task_cancels_the_job(daemon: FakeDaemon, client: AsyncClient) -> None:
    task = asyncio.create_task(client.generate({}))
    (body,) = await came(daemon, Method.GENERATE_WAIT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await came(daemon, Method.JOB_CANCEL))[0]["jobs"] == [body["job"]]


async def test_a_callback_that_fails_ends_the_wait(daemon: FakeDaemon, client: AsyncClient) -> None:
    def fail(job: JobStatus) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await client.generate({}, on_progress=fail)
    await came(daemon, Method.JOB_CANCEL)


async def test_verbs(daemon: FakeDaemon, client: AsyncClient) -> None:
    job = await client.submit({}, label="x")
    assert (await client.status(job.job)).label == "x"
    assert await client.result(job.job) is None
    assert (await client.list())[0].job == job.job
    assert (await client.move(job.job)).job == job.job
    assert (await client.request_of(job.job)).request == {}
    with pytest.raises(UnavailableError):
        await client.wait(job.job, timeout_s=0.05)
    (cancelled,) = await client.cancel(job)
    assert cancelled is not None
    assert (await client.wait(job.job)).state is JobState.CANCELLED
    with pytest.raises(JobError) as caught:
        await client.result(job.job)
    assert caught.value.code is ErrorCode.REQUEST_CANCELLED
    await client.forget(job.job)
    first, second = await client.submit_batch([{"a": 1}, {"bad": 1}])
    assert isinstance(first, JobStatus)
    assert second.code is ErrorCode.INVALID_REQUEST  # type: ignore[union-attr]
    assert (await client.capabilities()).default_model == "fake"
    assert (await client.load("fake")).model == (await client.unload("fake")).model
    assert client.hello is not None
    assert (await client.stats()).epoch == client.hello.epoch
    await client.drain(False)
    assert client.state is LinkState.READY
    assert client.link_error is None
    await client.stop_daemon()


async def test_events(daemon: FakeDaemon, client: AsyncClient) -> None:
    job = await client.submit({})
    async for event in client.events():
        if isinstance(event, Snapshot):
            assert event.jobs[0].job == job.job
            break


async def test_events_end_when_the_client_closes(client: AsyncClient) -> None:
    heard = []

    async def listen() -> None:
        async for event in client.events():
            heard.append(event)

    task = asyncio.create_task(listen())
    while not heard:
        await asyncio.sleep(0.01)
    await client.close()
    await asyncio.wait_for(task, 5)


async def test_nobody_there() -> None:
    with pytest.raises(LinkError) as caught:
        async with AsyncClient(settings=QUICK):
            pass
    assert caught.value.code is ErrorCode.DAEMON_UNREACHABLE
