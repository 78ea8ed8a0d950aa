# SPDX-License-Identifier: Apache-2.0
"""The worker link: what the front and its worker processes say to each other, one frozen class a message.

The front binds a ROUTER; each worker has two DEALERs on it: ``w1`` for work and ``w1.hb``, on a thread of its own, for
heartbeats, pings and cancels, so that a worker deep in a model step is neither taken for dead nor out of reach.
A message is one frame, a map of version, name and fields in the client wire's codec: nobody has to be found by a
header here, and every frame less is a call less at both ends. The bodies of client requests travel unopened behind
``task.run`` and ``task.encode``; ``frames [start, count]`` of a job says which are its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kineograph.errors import ErrorCode, LinkError
from kineograph.wire import codec
from kineograph.wire.messages import ModelState, ResultFormat, built, from_body, to_body
from kineograph.wire.version import MAX_BODY_BYTES, WIRE_VERSION

TOKEN_ENV = "KINEOGRAPH_WORKER_TOKEN"
FRONT_PID_ENV = "KINEOGRAPH_FRONT_PID"
"""Optional: the front's process id, when the worker's parent is not the front itself."""
FSYNC_ENV = "KINEOGRAPH_FSYNC_RESULTS"
"""Set to 1: a result is on the disk, not only in its cache, before ``task.done``."""
REMOTES_ENV = "KINEOGRAPH_REMOTES"
"""The setting ``remotes``, for the worker that hosts them."""
HEARTBEAT_SUFFIX = ".hb"


@dataclass(frozen=True)
class TaskJob:
    """One job of a task. ``format_paths`` maps ``gltf`` and ``glb`` to where that form goes besides the arrays.

    ``spare_path`` is a file that may be used up for the result (see ``jobs.spares``). ``request_sha256`` is the
    request's fingerprint, if the front took it.
    """

    job: str
    frames: list[int]
    result_path: str
    formats: list[ResultFormat] = field(default_factory=lambda: [ResultFormat.ARRAYS])
    trajectories: bool = False
    format_paths: dict[str, Any] = field(default_factory=dict)
    deadline_s: float | None = None
    spare_path: str = ""
    request_sha256: str = ""


@dataclass(frozen=True)
class TaskRun:
    """``task.run``: run the jobs on one model, in one pass when ``batch`` and the model can. ``deadline_s`` of a job
    counts from when the worker starts it."""

    task: str
    model: str
    jobs: list[TaskJob]
    batch: bool = False


@dataclass(frozen=True)
class TaskEncode:
    """``task.encode``: write another form of a stored result; ``frames`` are those of the job's request."""

    job: str
    format: ResultFormat
    frames: list[int]
    result_path: str
    target_path: str


@dataclass(frozen=True)
class ModelLoad:
    """``model.load``: have the model ready."""

    model: str


@dataclass(frozen=True)
class ModelUnload:
    """``model.unload``: give back what the model holds."""

    model: str


@dataclass(frozen=True)
class WorkerStop:
    """``worker.stop``: end after the task that runs; a second one, or SIGTERM, stops the task as well."""


@dataclass(frozen=True)
class TaskCancel:
    """``task.cancel``, to the heartbeat socket: stop this job, and no other, at its next model step."""

    job: str


@dataclass(frozen=True)
class WorkerPing:
    """``worker.ping``, to the heartbeat socket, optional: the front lives. Once one came, silence means it is gone."""


@dataclass(frozen=True)
class WorkerReady:
    """``worker.ready``: ``models`` by id: ``{spec, error, state, extras}``; a model that failed has ``error``."""

    token: str
    pid: int
    device: str
    models: dict[str, Any]


@dataclass(frozen=True)
class ModelStateChanged:
    """``model.state``."""

    model: str
    state: ModelState
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class TaskProgress:
    """``task.progress``: at most about ten a second and job; the last one before the end is always sent."""

    job: str
    fraction: float
    step: int = 0
    steps: int = 0
    stage: str = ""


@dataclass(frozen=True)
class TaskDone:
    """``task.done``: the result lies complete at ``result_path``; ``bytes`` counts all its forms.

    ``seed`` is the one used: drawn by the worker when the request had none.
    """

    job: str
    frames: int
    samples: int
    bytes: int
    elapsed_s: float
    seed: int | None = None
    ends: str = ""


@dataclass(frozen=True)
class TaskFailed:
    """``task.failed``: ``error`` is the envelope."""

    job: str
    error: dict[str, Any]
    ends: str = ""


@dataclass(frozen=True)
class TaskCancelled:
    """``task.cancelled``: stopped at ``step`` of ``steps`` (0 of 0 when the model does not count)."""

    job: str
    step: int = 0
    steps: int = 0
    ends: str = ""


Ending = TaskDone | TaskFailed | TaskCancelled
"""A job's one final answer. ``ends`` names the task that is over with it: a ``task.end`` need not follow."""


@dataclass(frozen=True)
class TaskEnd:
    """``task.end``: every job of the task has been answered; the worker is free."""

    task: str


@dataclass(frozen=True)
class TaskEncoded:
    """``task.encoded``: the other form lies at ``target_path``, or ``error`` says why not."""

    job: str
    format: ResultFormat
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class WorkerHeartbeat:
    """``worker.heartbeat``, from the heartbeat socket: ``busy`` is the running task's id, or empty."""

    token: str
    rss_bytes: int
    busy: str = ""
    ready: bool = True


METHOD_OF: dict[type[Any], str] = {
    TaskRun: "task.run",
    TaskEncode: "task.encode",
    ModelLoad: "model.load",
    ModelUnload: "model.unload",
    WorkerStop: "worker.stop",
    TaskCancel: "task.cancel",
    WorkerPing: "worker.ping",
    WorkerReady: "worker.ready",
    ModelStateChanged: "model.state",
    TaskProgress: "task.progress",
    TaskDone: "task.done",
    TaskFailed: "task.failed",
    TaskCancelled: "task.cancelled",
    TaskEnd: "task.end",
    TaskEncoded: "task.encoded",
    WorkerHeartbeat: "worker.heartbeat",
}
_CLASS_OF = {method: cls for cls, method in METHOD_OF.items()}


class Packet(NamedTuple):
    """A decoded message of the link with the unopened frames that came along."""

    message: Any
    frames: Sequence[codec.Buffer]

    def payload(self, frames: Sequence[int]) -> dict[str, Any]:
        """The client's body in ``frames [start, count]``. Raises ``bad_response`` when they are not there."""
        body = self.part(frames)
        return codec.decode_body(body[0], body[1:])

    def part(self, frames: Sequence[int]) -> Sequence[codec.Buffer]:
        """The client's body frames ``[start, count]``. Raises ``bad_response`` when they are not there."""
        if len(frames) != 2 or frames[0] < 0 or frames[1] < 1 or sum(frames) > len(self.frames):
            raise LinkError(
                ErrorCode.BAD_RESPONSE,
                f"a job's frames are {list(frames)!r}, {len(self.frames)} came",
                {"got": list(frames), "allowed": len(self.frames)},
            )
        start, count = frames
        return self.frames[start : start + count]


def pack(message: Any, frames: Sequence[codec.Buffer] = ()) -> list[codec.Buffer]:
    """All frames of a message; ``frames`` are client bodies that travel along unopened."""
    cls = type(message)
    body = to_body(message)
    if isinstance(message, TaskRun):
        body["jobs"] = [to_body(job) for job in message.jobs]
    return [*codec.pack_body({"v": WIRE_VERSION, "m": METHOD_OF[cls], "b": body}), *frames]


def ending(answer: Ending, task: str) -> Ending:
    """A job's last answer that says which task is over with it."""
    return built(type(answer), {**vars(answer), "ends": task})


def unpack(frames: Sequence[codec.Buffer]) -> Packet:
    """A message from its frames. Raises ``bad_response``, ``protocol_mismatch`` or ``schema_validation``."""
    if not frames:
        raise _bad("a message of no frames")
    if len(frames[0]) > MAX_BODY_BYTES:
        raise _bad(f"a message of {len(frames[0])} bytes, limit {MAX_BODY_BYTES}")
    said = codec.decode_body(frames[0], ())
    method, body = said.get("m"), said.get("b")
    if said.get("v") != WIRE_VERSION:
        got = str(said.get("v"))[:80]
        message = f"the other side of the link speaks version {got}, this side {WIRE_VERSION}"
        raise LinkError(ErrorCode.PROTOCOL_MISMATCH, message, {"got": got, "allowed": [WIRE_VERSION]})
    cls = _CLASS_OF.get(method) if isinstance(method, str) else None
    if cls is None or not isinstance(body, dict):
        raise _bad(f"unknown message {str(method)[:80]!r}")
    return Packet(from_body(cls, body), frames[1:])


def _bad(message: str) -> LinkError:
    return LinkError(ErrorCode.BAD_RESPONSE, message, {"got": message})
