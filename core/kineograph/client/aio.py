# SPDX-License-Identifier: Apache-2.0
"""The face for asyncio programs: ``AsyncClient``, the same verbs as ``Client`` with ``await``."""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from collections.abc import AsyncIterator, Sequence
from random import Random
from types import TracebackType
from typing import Any

from kineograph.client import verbs
from kineograph.client.aio_runner import AsyncRunner
from kineograph.client.engine import DEFAULT_DEADLINE_S
from kineograph.client.events import ClientEvent, JobPage, LinkChanged
from kineograph.client.link import LinkSettings, LinkState
from kineograph.client.result import Result
from kineograph.client.runners import Narrator, OnLink, OnRetry, OnStatus
from kineograph.client.sync import Address, build_engine
from kineograph.client.transport import Transport
from kineograph.errors import ErrorCode, KineographError, LinkError
from kineograph.wire import messages as m
from kineograph.wire.messages import HelloReply, JobState, JobStatus, Method, ResultFormat


class AsyncClient:
    """See ``Client`` for the arguments and for what each verb does. Callbacks run on the event loop."""

    def __init__(
        self,
        address: Address = None,
        *,
        name: str = "script",
        kind: str = "other",
        start_daemon: bool = False,
        deadline_s: float = DEFAULT_DEADLINE_S,
        server_key: str | None = None,
        transport: Transport | None = None,
        settings: LinkSettings | None = None,
        daemon_flags: Sequence[str] = (),
    ) -> None:
        self._deadline_s = deadline_s
        self._rng = Random(os.urandom(8))
        self._is_own = address is None
        self._engine = build_engine(
            address,
            name,
            kind,
            start_daemon,
            server_key=server_key,
            transport=transport,
            settings=settings,
            daemon_flags=daemon_flags,
        )
        self._finalizer = weakref.finalize(self, self._engine.close)

    async def __aenter__(self) -> AsyncClient:
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; what still waits raises ``connection_failed``."""
        await asyncio.to_thread(self._finalizer)

    async def connect(self, deadline_s: float | None = None) -> HelloReply:
        """Wait until a daemon has answered ``hello``, as the synchronous client does."""
        if self._engine.state is LinkState.READY and self._engine.hello is not None:
            return self._engine.hello
        wait_s = deadline_s if deadline_s is not None else max(self._deadline_s, LinkSettings.start_s)
        until_s = time.monotonic() + wait_s
        while True:
            try:
                return await asyncio.wrap_future(self._engine.greet(max(0.0, until_s - time.monotonic())))
            except LinkError as e:
                if not (self._is_own and e.code is ErrorCode.HANDSHAKE_TIMEOUT and time.monotonic() < until_s):
                    raise

    @property
    def hello(self) -> HelloReply | None:
        """What the daemon last met said of itself."""
        return self._engine.hello

    @property
    def state(self) -> LinkState:
        """Where the connection stands."""
        return self._engine.state

    @property
    def link_error(self) -> KineographError | None:
        """Why there is no connection."""
        return self._engine.error

    async def submit(self, request: Any, job: str | None = None, **fields: Any) -> JobStatus:
        """Submit a ``GenerateRequest``."""
        return await self._run(verbs.submit(verbs.submission(request, job, fields), self._rng))

    async def submit_batch(self, batch: Any, jobs: Sequence[str] | None = None, **fields: Any) -> verbs.Outcomes:
        """Submit an MMCP batch body."""
        message = verbs.batch_submission(batch, jobs, fields)
        return verbs.batch_outcomes(await self._ask(Method.GENERATE_BATCH, message))

    async def submit_retarget(self, request: Any, job: str | None = None, **fields: Any) -> JobStatus:
        """Submit a clip to be carried onto another rig."""
        return await self._run(verbs.submit(verbs.retarget_submission(request, job, fields), self._rng))

    async def status(self, job: str) -> JobStatus:
        """Where a job stands."""
        status: JobStatus = await self._ask(Method.JOB_STATUS, m.JobRef(job))
        return status

    async def result(self, job: str, format: str = "arrays", wait_s: float = 0.0) -> dict[str, Any] | None:
        """A job's result; None while it has not ended."""
        return await self._run(verbs.result(job, ResultFormat(format), wait_s))

    async def wait(
        self,
        job: str,
        timeout_s: float | None = None,
        on_progress: OnStatus | None = None,
        on_link: OnLink | None = None,
    ) -> JobStatus:
        """The job's final status."""
        return await self._run(
            verbs.wait(job, timeout_s, time.monotonic), Narrator(on_progress, None, on_link), verbs.Ticket(job)
        )

    async def generate(
        self,
        request: Any,
        on_progress: OnStatus | None = None,
        timeout_s: float | None = None,
        *,
        job: str | None = None,
        on_retry: OnRetry | None = None,
        on_link: OnLink | None = None,
        **fields: Any,
    ) -> Result:
        """Submit, wait and fetch, with retry by code. Cancelling the task cancels the job."""
        message = verbs.submission(request, job, fields)
        ticket, narrator = verbs.Ticket(message.job), Narrator(on_progress, on_retry, on_link)
        watched = ticket if narrator.wants_news else None
        is_watched = watched is not None
        conversation = verbs.generate(message, ticket, timeout_s, self._rng, time.monotonic, watched=is_watched)
        try:
            return await self._run(conversation, narrator, watched)
        except BaseException as e:
            if verbs.may_still_run(e):
                self._engine.call(Method.JOB_CANCEL, m.JobCancel([ticket.job]))
            raise

    async def retarget(
        self,
        request: Any,
        on_progress: OnStatus | None = None,
        timeout_s: float | None = None,
        *,
        job: str | None = None,
        on_retry: OnRetry | None = None,
        on_link: OnLink | None = None,
        **fields: Any,
    ) -> Result:
        """As ``generate``, for a clip that is carried onto another rig."""
        message = verbs.retarget_submission(request, job, fields)
        ticket, narrator = verbs.Ticket(message.job), Narrator(on_progress, on_retry, on_link)
        watched = ticket if narrator.wants_news else None
        conversation = verbs.generate(message, ticket, timeout_s, self._rng, time.monotonic)
        try:
            return await self._run(conversation, narrator, watched)
        except BaseException as e:
            if verbs.may_still_run(e):
                self._engine.call(Method.JOB_CANCEL, m.JobCancel([ticket.job]))
            raise

    async def list(
        self,
        states: Sequence[JobState | str] = (),
        client: str = "",
        text: str = "",
        jobs: Sequence[str] = (),
        limit: int = m.JobList.limit,
        offset: int = 0,
    ) -> JobPage:
        """Jobs, newest last."""
        message = m.JobList([JobState(s) for s in states], client, text, [*jobs], limit, offset)
        return JobPage(await self._ask(Method.JOB_LIST, message))

    async def cancel(self, *jobs: str | JobStatus) -> verbs.Cancelled:
        """Cancel the jobs named and no other."""
        return verbs.cancelled(await self._ask(Method.JOB_CANCEL, m.JobCancel(verbs.job_ids(jobs))))

    async def move(self, job: str, to: str = "front", before: str | None = None) -> JobStatus:
        """Move a waiting job."""
        status: JobStatus = await self._ask(Method.JOB_MOVE, m.JobMove(job, to, before))
        return status

    async def forget(self, job: str) -> None:
        """Remove a finished job and its result."""
        await self._ask(Method.JOB_FORGET, m.JobRef(job))

    async def request_of(self, job: str) -> m.JobRequestReply:
        """What a job was submitted with."""
        reply: m.JobRequestReply = await self._ask(Method.JOB_REQUEST, m.JobRef(job))
        return reply

    async def capabilities(self) -> m.CapabilitiesReply:
        """MMCP's capabilities document and what MMCP has no word for."""
        reply: m.CapabilitiesReply = await self._ask(Method.CAPABILITIES, m.Empty())
        return reply

    async def load(self, model: str) -> m.ModelReply:
        """Start loading a model."""
        reply: m.ModelReply = await self._ask(Method.MODELS_LOAD, m.ModelRef(model))
        return reply

    async def unload(self, model: str) -> m.ModelReply:
        """Free a model's memory."""
        reply: m.ModelReply = await self._ask(Method.MODELS_UNLOAD, m.ModelRef(model))
        return reply

    async def stats(self) -> m.DaemonStats:
        """What the daemon is doing."""
        reply: m.DaemonStats = await self._ask(Method.DAEMON_STATS, m.Empty())
        return reply

    async def drain(self, on: bool = True) -> None:
        """Stop starting jobs, or go on."""
        await self._ask(Method.DAEMON_DRAIN, m.DaemonDrain(on))

    async def stop_daemon(self) -> None:
        """End the daemon; this client will not start it again."""
        self._engine.never_start()
        await self._ask(Method.DAEMON_STOP, m.Empty())

    async def events(self) -> AsyncIterator[ClientEvent]:
        """Every event from now on, ``LinkChanged`` and a ``Snapshot`` first; ends when the client is closed."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[ClientEvent] = asyncio.Queue()

        def listener(event: ClientEvent) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(heard.put_nowait, event)

        stop = self._engine.watch(listener)
        try:
            while True:
                event = await heard.get()
                yield event
                if isinstance(event, LinkChanged) and event.state is LinkState.CLOSED:
                    return
        finally:
            stop()

    async def _ask(self, method: Method, message: Any) -> Any:
        return await asyncio.wrap_future(self._engine.call(method, message, self._deadline_s))

    async def _run(
        self,
        conversation: verbs.Conversation[verbs.T],
        narrator: Narrator | None = None,
        watch: verbs.Ticket | None = None,
    ) -> verbs.T:
        return await AsyncRunner(self._engine, narrator, watch).run(conversation)
