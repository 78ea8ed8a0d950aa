# SPDX-License-Identifier: Apache-2.0
"""A daemon to script: a real ROUTER and a real PUB on a thread, behaviour by method, everything received kept.

    with FakeDaemon(tmp_path) as daemon:
        daemon.on(Method.CAPABILITIES, lambda body: error("model_unavailable", "loading"))
        client = Client(daemon.endpoint)
        ...
        daemon.finish(job, arrays)

Out of the box it plays along: jobs it is given wait until ``start``, ``progress``, ``finish``, ``fail`` or ``cancel``
moves them (``auto=True`` finishes each at once), and ``job.result`` is a real long-poll.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import zmq

from kineograph.client.discovery import RunFile
from kineograph.client.lock import DaemonLock
from kineograph.errors import JobError, KineographError, LinkError, error
from kineograph.wire import codec
from kineograph.wire import messages as m
from kineograph.wire.codec import Header, Kind
from kineograph.wire.messages import EventName, JobState, JobStatus, Method
from kineograph.wire.version import MMCP_VERSION, WIRE_VERSION

_numbers = itertools.count()


@dataclass(frozen=True)
class Raw:
    """Answer with exactly these frames."""

    frames: list[bytes]


class Silence:
    """Do not answer."""


@dataclass
class Received:
    """One request as it came."""

    method: str
    body: dict[str, Any]
    frames: list[bytes]
    identity: bytes
    request_id: str


@dataclass
class _Held:
    received: Received
    message: m.JobResult
    until_s: float


Handler = Callable[[dict[str, Any]], Any]


def arrays_result(frames: int = 4, joints: int = 2, samples: int = 1) -> dict[str, Any]:
    """A small result in the ``arrays`` form: the rest pose, standing still."""
    rotations = np.zeros((samples, frames, joints, 4), np.float32)
    rotations[..., 3] = 1
    return {
        "fps_hz": 30.0,
        "joint_names": [f"j{i}" for i in range(joints)],
        "num_frames": frames,
        "num_samples": samples,
        "rotations_xyzw": rotations,
        "root_m": np.zeros((samples, frames, 3), np.float32),
        "contacts": {"j1": np.ones((samples, frames), np.bool_)},
        "report": {},
        "provenance": {"seed": 1},
        "notes": [],
    }


@dataclass
class _Jobs:
    """What the fake knows of its jobs; survives a restart, as a real store does."""

    status: dict[str, JobStatus] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: dict[str, Any] = field(default_factory=dict)


class FakeDaemon:
    """See the module. ``publish``, ``finish`` and the rest may be called from any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        auto: bool = False,
        tcp_keys: tuple[bytes, bytes] | None = None,
        endpoint: str | None = None,
        wire: int = WIRE_VERSION,
    ) -> None:
        self.auto = auto
        self.wire = wire
        self.epoch = ""
        self.seq = 0
        self.received: list[Received] = []
        self.jobs = _Jobs()
        self._keys = tcp_keys
        stem = f"d{os.getpid()}-{next(_numbers)}"
        self.endpoint = endpoint or (f"ipc://{folder / stem}.sock" if tcp_keys is None else "tcp://127.0.0.1:*")
        self.events_endpoint = f"ipc://{folder / stem}.ev" if tcp_keys is None else "tcp://127.0.0.1:*"
        self._handlers: dict[str, Handler] = {}
        self._tasks: deque[Callable[[], None]] = deque()
        self._held: list[_Held] = []
        self._lock: DaemonLock | None = None
        self._run_file: RunFile | None = None
        self._thread: threading.Thread | None = None

    # --- life ---------------------------------------------------------------------------------------------------------
    def __enter__(self) -> FakeDaemon:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> FakeDaemon:
        """Listen, under a new epoch."""
        self.epoch, self.seq = uuid.uuid4().hex, 0
        self._stopping = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._router = self._bind(zmq.ROUTER, self.endpoint)
        self._pub = self._bind(zmq.PUB, self.events_endpoint)
        self.endpoint = self._router.last_endpoint.decode().rstrip("\0")
        self.events_endpoint = self._pub.last_endpoint.decode().rstrip("\0")
        wake = f"inproc://fake-{next(_numbers)}"
        self._ear = self._context.socket(zmq.PULL)
        self._ear.bind(wake)
        self._mouth = self._context.socket(zmq.PUSH)
        self._mouth.connect(wake)
        self._mouth_lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="fake-daemon", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Go away without a word, as ``kill -9`` does."""
        if self._thread is not None:
            self._do(lambda: setattr(self, "_stopping", True))
            self._thread.join(60)
            assert not self._thread.is_alive(), "the fake daemon hangs"
            self._thread = None
        if self._run_file is not None:
            self._run_file.remove()
        if self._lock is not None:
            self._lock.release()
        self._run_file = self._lock = None

    def restart(self) -> None:
        """Stop, and listen again at the same address under a new epoch, jobs kept."""
        announced = self._lock is not None
        self.stop()
        self.start()
        if announced:
            self.announce()

    def announce(self) -> RunFile:
        """Take the lock and write the run file (set KINEOGRAPH_HOME first)."""
        self._lock = DaemonLock()
        assert self._lock.acquire(), "another daemon holds the lock"
        key = self._keys[0].decode() if self._keys else None
        self._run_file = RunFile(
            self.endpoint, self.events_endpoint, os.getpid(), self.epoch, "0.0", self.wire, time.time(), key
        )
        self._run_file.write()
        return self._run_file

    # --- the script ---------------------------------------------------------------------------------------------------
    def on(self, method: Method, handler: Handler) -> None:
        """Answer ``method`` with what ``handler`` returns: a message, a KineographError, ``Raw`` or ``Silence()``."""
        self._handlers[method] = handler

    def then(self, method: Method, *answers: Any) -> None:
        """Answer ``method`` with each of ``answers`` once, then as usual."""
        queue = deque(answers)
        usual = self._handlers.get(method) or self._usual(method)
        self.on(method, lambda body: queue.popleft() if queue else usual(body))

    def bodies(self, method: Method) -> list[dict[str, Any]]:
        """The bodies of all requests of one method, in order."""
        return [r.body for r in self.received if r.method == method]

    def wait_for(self, method: Method, count: int = 1, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """The bodies, once ``count`` requests of that method came."""
        end_s = time.monotonic() + timeout_s
        while len(self.bodies(method)) < count:
            assert time.monotonic() < end_s, f"{method} came {len(self.bodies(method))} times, wanted {count}"
            time.sleep(0.002)
        return self.bodies(method)

    def publish(self, name: EventName | str, message: Any = None, *, seq: int | None = None, epoch: str = "") -> None:
        """Publish an event with the next number (or another one, to make a gap)."""
        body = message if isinstance(message, dict) else m.to_body(message if message is not None else m.Empty())
        self._do(lambda: self._publish(str(name), body, seq, epoch or self.epoch))

    def skip_events(self, count: int) -> None:
        """Lose ``count`` events."""
        self._do(lambda: setattr(self, "seq", self.seq + count))

    def send_event_frames(self, frames: list[bytes]) -> None:
        """Publish anything at all."""
        self._do(lambda: self._pub.send_multipart(frames))

    def change(self, job: str, name: EventName, **changes: Any) -> None:
        """Change a job's status, publish it, answer those who wait for its end."""
        self._do(lambda: self._change(job, name, changes))

    def progress(self, job: str, fraction: float, step: int = 0, steps: int = 0) -> None:
        """A running job gets on."""
        self.change(
            job, EventName.JOB_PROGRESS, state=JobState.RUNNING, progress=m.Progress(fraction, step, steps, "s")
        )

    def finish(self, job: str, result: Mapping[str, Any] | None = None) -> None:
        """A job succeeds."""
        self.jobs.results[job] = dict(result or arrays_result())
        self.change(job, EventName.JOB_SUCCEEDED, state=JobState.SUCCEEDED, progress=m.Progress(1.0))

    def fail(self, job: str, why: KineographError) -> None:
        """A job fails."""
        self.change(job, EventName.JOB_FAILED, state=JobState.FAILED, error=why.to_envelope())

    # --- the thread ---------------------------------------------------------------------------------------------------
    def _bind(self, kind: int, endpoint: str) -> Any:
        socket = self._context.socket(kind)
        socket.linger = 0
        if self._keys is not None:
            socket.curve_server = True
            socket.curve_publickey, socket.curve_secretkey = self._keys
        socket.bind(endpoint)
        return socket

    def _do(self, task: Callable[[], None]) -> None:
        self._tasks.append(task)
        with self._mouth_lock:
            self._mouth.send(b"")

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._ear, zmq.POLLIN)
        while not self._stopping:
            until_s = min((h.until_s for h in self._held), default=time.monotonic() + 1)
            ready = dict(poller.poll(max(0.0, (until_s - time.monotonic()) * 1000)))
            if self._ear in ready:
                self._ear.recv()
                self._tasks.popleft()()
            if self._router in ready:
                self._take(self._router.recv_multipart())
            self._release_held()
        self._held.clear()
        for socket in (self._router, self._pub, self._ear, self._mouth):
            socket.close(0)
        self._context.term()

    def _take(self, parts: list[bytes]) -> None:
        identity, *frames = parts
        try:
            message = codec.decode(frames)
        except LinkError as e:
            self._send(identity, codec.encode(Header(Kind.ERROR, "", ""), e.to_envelope()))
            return
        header = message.header
        received = Received(header.method, message.body, frames, identity, header.request_id)
        self.received.append(received)
        try:
            method = Method(header.method)
            handler = self._handlers.get(method)
            answer = handler(message.body) if handler else self._answer(method, received)
        except KineographError as e:
            answer = e
        if answer is not None:
            self._reply(received, answer)

    def _reply(self, received: Received, answer: Any) -> None:
        if isinstance(answer, Silence):
            return
        if isinstance(answer, Raw):
            self._send(received.identity, answer.frames)
            return
        failed = isinstance(answer, KineographError)
        body = answer.to_envelope() if failed else answer if isinstance(answer, dict) else m.to_body(answer)
        kind = Kind.ERROR if failed else Kind.REPLY
        self._send(
            received.identity, codec.encode(Header(kind, received.method, received.request_id, self.epoch), body)
        )

    def _send(self, identity: bytes, frames: list[Any]) -> None:
        self._router.send_multipart([identity, *frames])

    def _publish(self, name: str, body: dict[str, Any], seq: int | None, epoch: str) -> None:
        self.seq = self.seq + 1 if seq is None else seq
        header = Header(Kind.EVENT, name, "", epoch, self.seq)
        self._pub.send_multipart([name.encode(), *codec.encode(header, body)])

    # --- how it usually answers ---------------------------------------------------------------------------------------
    def _usual(self, method: Method) -> Handler:
        return lambda body: self._answer(method, Received(method, body, [], b"", ""))

    def _answer(self, method: Method, received: Received) -> Any:
        message = m.from_body(m.REQUEST_OF[method], received.body)
        name = "_" + method.replace(".", "_")
        if method is Method.JOB_RESULT:
            return self._job_result(message, received)
        if method is Method.GENERATE_WAIT:
            self._generate(message)
            return self._job_result(m.JobResult(message.job, wait_s=message.wait_s), received)
        return getattr(self, name)(message)

    def _hello(self, message: m.Hello) -> m.HelloReply:
        return m.HelloReply(
            wire=self.wire,
            daemon_version="0.0-fake",
            mmcp_version=MMCP_VERSION,
            epoch=self.epoch,
            pid=os.getpid(),
            role=m.Role.ADMIN,
            events=self.events_endpoint,
            seq=self.seq,
            limits={},
            models=["fake"],
        )

    def _capabilities(self, message: m.Empty) -> m.CapabilitiesReply:
        return m.CapabilitiesReply(
            mmcp={"protocol_version": MMCP_VERSION, "models": []}, models={}, default_model="fake"
        )

    def _generate(self, message: m.Generate) -> JobStatus:
        known = self.jobs.requests.get(message.job)
        if known is not None and known != message.request:
            raise error("idempotency_conflict", "the same id with another body", {"job": message.job})
        if message.job not in self.jobs.status:
            self.jobs.requests[message.job] = message.request
            self.jobs.status[message.job] = JobStatus(message.job, JobState.QUEUED, label=message.label, position=1)
            self._change(message.job, EventName.JOB_QUEUED, {})
            if self.auto:
                self.jobs.results[message.job] = arrays_result()
                self._change(message.job, EventName.JOB_SUCCEEDED, {"state": JobState.SUCCEEDED})
        return self.jobs.status[message.job]

    def _generate_batch(self, message: m.GenerateBatch) -> m.GenerateBatchReply:
        items = message.batch["requests"] if isinstance(message.batch, dict) else message.batch
        results: list[Any] = []
        for job, request in zip(message.jobs, items, strict=True):
            if isinstance(request, dict) and request.get("bad"):
                results.append(error("invalid_request", "bad item").to_envelope())
            else:
                results.append({"job": m.to_body(self._generate(m.Generate(job, request)))})
        return m.GenerateBatchReply(results)

    def _known(self, job: str) -> JobStatus:
        if job not in self.jobs.status:
            raise JobError("request_not_found", f"no job {job}", {"job": job})
        return self.jobs.status[job]

    def _job_status(self, message: m.JobRef) -> JobStatus:
        return self._known(message.job)

    def _job_result(self, message: m.JobResult, received: Received) -> m.JobResultReply | None:
        status = self._known(message.job)
        if not status.state.is_final and message.wait_s > 0 and received.identity:
            self._held.append(_Held(received, message, time.monotonic() + message.wait_s))
            return None
        return m.JobResultReply(status, self.jobs.results.get(message.job) if status.state.is_final else None)

    def _release_held(self) -> None:
        now_s = time.monotonic()
        for held in list(self._held):
            status = self.jobs.status[held.message.job]
            if status.state.is_final or now_s >= held.until_s:
                self._held.remove(held)
                self._reply(held.received, m.JobResultReply(status, self.jobs.results.get(status.job)))

    def _job_request(self, message: m.JobRef) -> m.JobRequestReply:
        return m.JobRequestReply(self._known(message.job), self.jobs.requests[message.job], {})

    def _job_list(self, message: m.JobList) -> m.JobListReply:
        columns = [f.name for f in fields(JobStatus)]
        rows = [list(m.to_body(s).values()) for s in self.jobs.status.values() if _wanted(s, message)]
        page = rows[message.offset : message.offset + message.limit]
        return m.JobListReply(columns, page, len(rows), self.seq)

    def _job_cancel(self, message: m.JobCancel) -> m.JobCancelReply:
        out: list[Any] = []
        for job in message.jobs:
            status = self.jobs.status.get(job)
            if status is not None and not status.state.is_final:
                self._change(
                    job, EventName.JOB_CANCELLED, {"state": JobState.CANCELLED, "note": "cancelled by a client"}
                )
            out.append(m.to_body(self.jobs.status[job]) if status is not None else None)
        return m.JobCancelReply(out)

    def _job_move(self, message: m.JobMove) -> JobStatus:
        return self._known(message.job)

    def _job_forget(self, message: m.JobRef) -> m.Done:
        self._known(message.job)
        del self.jobs.status[message.job]
        return m.Done()

    def _models_load(self, message: m.ModelRef) -> m.ModelReply:
        return m.ModelReply(message.model, m.ModelState.READY, "cpu")

    def _models_unload(self, message: m.ModelRef) -> m.ModelReply:
        return m.ModelReply(message.model, m.ModelState.UNLOADED)

    def _daemon_stats(self, message: m.Empty) -> m.DaemonStats:
        return m.DaemonStats(self.epoch, "0.0-fake", os.getpid(), 1.0, False, {}, [], 0, self.seq)

    def _daemon_drain(self, message: m.DaemonDrain) -> m.Done:
        return m.Done()

    def _daemon_stop(self, message: m.Empty) -> m.Done:
        self._publish(EventName.DAEMON_STOPPING, {}, None, self.epoch)
        return m.Done()

    def _change(self, job: str, name: EventName, changes: dict[str, Any]) -> None:
        self.jobs.status[job] = replace(self.jobs.status[job], **changes)
        self._publish(name, m.to_body(self.jobs.status[job]), None, self.epoch)


def _wanted(status: JobStatus, message: m.JobList) -> bool:
    return (
        (not message.states or status.state in message.states)
        and (not message.jobs or status.job in message.jobs)
        and (not message.client or status.client == message.client)
        and message.text.lower() in f"{status.label} {status.prompt} {status.job}".lower()
    )
