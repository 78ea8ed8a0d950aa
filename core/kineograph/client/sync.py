# SPDX-License-Identifier: Apache-2.0
"""The face for scripts and for programs with a main thread: ``Client``."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from random import Random
from types import TracebackType
from typing import Any

from kineograph import __version__
from kineograph.client import verbs
from kineograph.client.discovery import RunFile
from kineograph.client.engine import DEFAULT_DEADLINE_S, Engine
from kineograph.client.events import EventStream, JobPage, Listener
from kineograph.client.finder import Finder, FixedFinder, LocalFinder, target_of
from kineograph.client.inbox import Inbox
from kineograph.client.link import LinkSettings, LinkState, Target
from kineograph.client.result import Result
from kineograph.client.runners import Errand, Narrator, OnLink, OnRetry, OnStatus, SyncRunner
from kineograph.client.transport import Transport
from kineograph.client.zmq_transport import ZmqTransport
from kineograph.errors import ErrorCode, KineographError, LinkError
from kineograph.wire import messages as m
from kineograph.wire.messages import HelloReply, JobState, JobStatus, Method, ResultFormat
from kineograph.wire.version import SUPPORTED_WIRE_VERSIONS

Address = str | RunFile | None


def build_engine(
    address: Address,
    name: str,
    kind: str,
    start_daemon: bool,
    *,
    server_key: str | None = None,
    transport: Transport | None = None,
    settings: LinkSettings | None = None,
    daemon_flags: Sequence[str] = (),
) -> Engine:
    """The engine both faces stand on. ``settings`` replaces the supervision constants, ``transport`` ZeroMQ;
    ``daemon_flags`` go to a daemon that is started."""
    finder: Finder
    if address is None:
        finder = LocalFinder(flags=daemon_flags)
    elif isinstance(address, RunFile):
        finder = FixedFinder(target_of(address))
    else:
        finder = FixedFinder(Target(address, server_key=server_key))
    settings = settings or LinkSettings(may_start=start_daemon and address is None)
    hello = m.Hello(name=name, client=kind, version=__version__, wire=list(SUPPORTED_WIRE_VERSIONS))
    return Engine(transport or ZmqTransport(), finder, hello, settings)


class Client:
    """A client of the daemon. Making one does not wait; the first call does, and ``with`` does.

    ``address``: None finds this user's daemon, a text is an endpoint (``ipc://...``, ``tcp://...``), a ``RunFile``
    names one. ``kind`` says what sort of program this is (script, cli, blender, panel, watcher). ``deadline_s`` is how
    long a call may take; ``daemon_flags`` go to a daemon that this client starts. Every method raises the
    ``KineographError`` that the daemon answered, or a ``LinkError``.

    Methods ending in ``_nowait`` return at once; their callbacks run inside ``poll``, on the thread that calls it.
    """

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
        self._inbox = Inbox()
        # A forgotten client must not keep its sockets, nor the interpreter from ending.
        self._finalizer = weakref.finalize(self, self._engine.close)

    # --- life ---------------------------------------------------------------------------------------------------------
    def __enter__(self) -> Client:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection. Jobs go on; what still waits raises ``connection_failed``."""
        self._finalizer()

    def connect(self, deadline_s: float | None = None) -> HelloReply:
        """Wait until a daemon has answered ``hello``. Raises ``daemon_unreachable`` or ``handshake_timeout``.

        This user's own daemon is known to live, so a busy machine gets the whole ``deadline_s``; another address gets
        one handshake.
        """
        if self._engine.state is LinkState.READY and self._engine.hello is not None:
            return self._engine.hello
        wait_s = deadline_s if deadline_s is not None else max(self._deadline_s, LinkSettings.start_s)
        until_s = time.monotonic() + wait_s
        while True:
            try:
                reply: HelloReply = self._engine.greet(max(0.0, until_s - time.monotonic())).result()
            except LinkError as e:
                if not (self._is_own and e.code is ErrorCode.HANDSHAKE_TIMEOUT and time.monotonic() < until_s):
                    raise
            else:
                return reply

    @property
    def hello(self) -> HelloReply:
        """What the daemon says of itself: versions, epoch, role, limits, models. Connects if need be."""
        return self._engine.hello or self.connect()

    @property
    def state(self) -> LinkState:
        """Where the connection stands, at once."""
        return self._engine.state

    @property
    def link_error(self) -> KineographError | None:
        """Why there is no connection, at once."""
        return self._engine.error

    # --- jobs ---------------------------------------------------------------------------------------------------------
    def submit(self, request: Any, job: str | None = None, **fields: Any) -> JobStatus:
        """Submit a ``GenerateRequest``; ``fields`` are those of ``Generate`` (priority, deadline_s, label, ...).

        ``job`` is a UUID (made here by default): the same id and body again is the same job.
        """
        return self._run(verbs.submit(verbs.submission(request, job, fields), self._rng))

    def submit_batch(self, batch: Any, jobs: Sequence[str] | None = None, **fields: Any) -> verbs.Outcomes:
        """Submit an MMCP batch body; one entry an item: a ``JobStatus``, or the error it was refused with."""
        message = verbs.batch_submission(batch, jobs, fields)
        return verbs.batch_outcomes(self._ask(Method.GENERATE_BATCH, message))

    def submit_retarget(self, request: Any, job: str | None = None, **fields: Any) -> JobStatus:
        """Submit a clip to be carried onto another rig (see ``client.retargeting``); ``fields`` as in ``Retarget``."""
        return self._run(verbs.submit(verbs.retarget_submission(request, job, fields), self._rng))

    def status(self, job: str) -> JobStatus:
        """Where a job stands. Raises ``request_not_found``."""
        status: JobStatus = self._ask(Method.JOB_STATUS, m.JobRef(job))
        return status

    def result(self, job: str, format: str = "arrays", wait_s: float = 0.0) -> dict[str, Any] | None:
        """A job's result in a form, waiting up to ``wait_s`` for the job to end; None while it has not.

        Raises what the job failed with, ``request_cancelled``, ``result_expired`` or ``request_not_found``.
        """
        return self._run(verbs.result(job, ResultFormat(format), wait_s))

    def wait(
        self,
        job: str,
        timeout_s: float | None = None,
        on_progress: OnStatus | None = None,
        on_link: OnLink | None = None,
    ) -> JobStatus:
        """The job's final status; rides out a restart of the daemon. Raises ``timeout`` (the job goes on)."""
        narrator = Narrator(on_progress, None, on_link)
        return self._run(verbs.wait(job, timeout_s, time.monotonic), narrator, verbs.Ticket(job))

    def generate(
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
        """Submit, wait and fetch, with retry by code. An exception from here (Ctrl-C too) cancels the job.

        ``on_progress`` gets each ``JobStatus``, ``on_retry`` the error that is tried again and the delay in seconds,
        ``on_link`` each change of the connection: a daemon that goes away is waited for, up to ``verbs.PATIENCE_S``.
        """
        message = verbs.submission(request, job, fields)
        ticket, narrator = verbs.Ticket(message.job), Narrator(on_progress, on_retry, on_link)
        watched = ticket if narrator.wants_news else None
        is_watched = watched is not None
        conversation = verbs.generate(message, ticket, timeout_s, self._rng, time.monotonic, watched=is_watched)
        try:
            return self._run(conversation, narrator, watched)
        except BaseException as e:
            if verbs.may_still_run(e):
                self._engine.call(Method.JOB_CANCEL, m.JobCancel([ticket.job]))
            raise

    def retarget(
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
        """As ``generate``, for a clip that is carried onto another rig (see ``client.retargeting``)."""
        message = verbs.retarget_submission(request, job, fields)
        ticket, narrator = verbs.Ticket(message.job), Narrator(on_progress, on_retry, on_link)
        watched = ticket if narrator.wants_news else None
        conversation = verbs.generate(message, ticket, timeout_s, self._rng, time.monotonic)
        try:
            return self._run(conversation, narrator, watched)
        except BaseException as e:
            if verbs.may_still_run(e):
                self._engine.call(Method.JOB_CANCEL, m.JobCancel([ticket.job]))
            raise

    def list(
        self,
        states: Sequence[JobState | str] = (),
        client: str = "",
        text: str = "",
        jobs: Sequence[str] = (),
        limit: int = m.JobList.limit,
        offset: int = 0,
    ) -> JobPage:
        """Jobs, newest last; empty filters mean all."""
        message = m.JobList([JobState(s) for s in states], client, text, [*jobs], limit, offset)
        return JobPage(self._ask(Method.JOB_LIST, message))

    def cancel(self, *jobs: str | JobStatus) -> verbs.Cancelled:
        """Cancel the jobs named and no other; the state of each, None for an unknown one."""
        return verbs.cancelled(self._ask(Method.JOB_CANCEL, m.JobCancel(verbs.job_ids(jobs))))

    def move(self, job: str, to: str = "front", before: str | None = None) -> JobStatus:
        """Move a waiting job to the ``front`` or ``back`` of its priority, or before another job."""
        status: JobStatus = self._ask(Method.JOB_MOVE, m.JobMove(job, to, before))
        return status

    def forget(self, job: str) -> None:
        """Remove a finished job and its result."""
        self._ask(Method.JOB_FORGET, m.JobRef(job))

    def request_of(self, job: str) -> m.JobRequestReply:
        """What a job was submitted with, so that it can be sent again."""
        reply: m.JobRequestReply = self._ask(Method.JOB_REQUEST, m.JobRef(job))
        return reply

    # --- the daemon ---------------------------------------------------------------------------------------------------
    def capabilities(self) -> m.CapabilitiesReply:
        """MMCP's capabilities document and what MMCP has no word for."""
        reply: m.CapabilitiesReply = self._ask(Method.CAPABILITIES, m.Empty())
        return reply

    def load(self, model: str) -> m.ModelReply:
        """Start loading a model; its state comes with the reply and by events."""
        reply: m.ModelReply = self._ask(Method.MODELS_LOAD, m.ModelRef(model))
        return reply

    def unload(self, model: str) -> m.ModelReply:
        """Free a model's memory."""
        reply: m.ModelReply = self._ask(Method.MODELS_UNLOAD, m.ModelRef(model))
        return reply

    def stats(self) -> m.DaemonStats:
        """What the daemon is doing."""
        reply: m.DaemonStats = self._ask(Method.DAEMON_STATS, m.Empty())
        return reply

    def drain(self, on: bool = True) -> None:
        """Stop starting jobs, or go on. Running jobs end, waiting ones stay."""
        self._ask(Method.DAEMON_DRAIN, m.DaemonDrain(on))

    def stop_daemon(self) -> None:
        """End the daemon; this client will not start it again."""
        self._engine.never_start()
        self._ask(Method.DAEMON_STOP, m.Empty())

    def events(self, timeout_s: float | None = None) -> EventStream:
        """Every event from now on, ``LinkChanged`` and a ``Snapshot`` first; ends after ``timeout_s`` of silence
        (None: never)."""
        return EventStream(self._engine.watch, timeout_s)

    # --- without waiting ----------------------------------------------------------------------------------------------
    def call_nowait(
        self,
        method: Method,
        message: Any,
        callback: Callable[[Future[Any]], None] | None = None,
        deadline_s: float | None = None,
    ) -> Future[Any]:
        """Ask; ``callback`` gets the finished future inside ``poll``. Raises only if the message cannot travel."""
        future = self._engine.call(method, message, deadline_s if deadline_s is not None else self._deadline_s)
        if callback is not None:
            future.add_done_callback(lambda f: self._inbox.post(lambda: callback(f)))
        return future

    def generate_nowait(
        self,
        request: Any,
        on_done: Callable[[Errand[Result]], None],
        on_progress: OnStatus | None = None,
        timeout_s: float | None = None,
        *,
        job: str | None = None,
        on_retry: OnRetry | None = None,
        **fields: Any,
    ) -> Errand[Result]:
        """As ``generate``; ``on_done`` gets the errand with its ``value`` (a ``Result``) or ``error``."""
        message = verbs.submission(request, job, fields)
        ticket = verbs.Ticket(message.job)
        conversation = verbs.generate(message, ticket, timeout_s, self._rng, time.monotonic)
        return Errand(self._engine, self._inbox, conversation, on_done, Narrator(on_progress, on_retry), ticket)

    def resume_nowait(
        self,
        job: str,
        on_done: Callable[[Errand[Result]], None],
        on_progress: OnStatus | None = None,
        timeout_s: float | None = None,
    ) -> Errand[Result]:
        """Go on with a job that was sent before, by this program or one that is gone; ``on_done`` as above."""
        ticket = verbs.Ticket(job)
        conversation = verbs.resume(ticket, timeout_s, time.monotonic)
        return Errand(self._engine, self._inbox, conversation, on_done, Narrator(on_progress, None), ticket)

    def watch_nowait(self, listener: Listener, *, snapshots: bool = True) -> Callable[[], None]:
        """Call ``listener`` with every event inside ``poll``; returns what stops it."""
        return self._engine.watch(lambda event: self._inbox.post(lambda: listener(event)), snapshots=snapshots)

    def poll(self, budget_s: float = 0.004) -> int:
        """Run the callbacks that are due, for about ``budget_s``; never waits. Returns how many ran."""
        return self._inbox.poll(budget_s)

    # --- inside -------------------------------------------------------------------------------------------------------
    def _ask(self, method: Method, message: Any) -> Any:
        return self._engine.ask(method, message, self._deadline_s)

    def _run(
        self,
        conversation: verbs.Conversation[verbs.T],
        narrator: Narrator | None = None,
        watch: verbs.Ticket | None = None,
    ) -> verbs.T:
        return SyncRunner(self._engine, narrator, watch).run(conversation)
