# SPDX-License-Identifier: Apache-2.0
"""One small typed class per message. A message is decoded once, at the door, and never travels as a loose map.

``docs/protocol.md`` describes each class in a table; a test walks the tables against this module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kineograph.wire.fields import built as built
from kineograph.wire.fields import from_body as from_body
from kineograph.wire.fields import to_body as to_body


class Method(StrEnum):
    """Every method a client can call."""

    HELLO = "hello"
    CAPABILITIES = "capabilities"
    GENERATE = "generate"
    GENERATE_WAIT = "generate.wait"
    GENERATE_BATCH = "generate.batch"
    RETARGET = "retarget"
    JOB_STATUS = "job.status"
    JOB_RESULT = "job.result"
    JOB_REQUEST = "job.request"
    JOB_LIST = "job.list"
    JOB_CANCEL = "job.cancel"
    JOB_MOVE = "job.move"
    JOB_FORGET = "job.forget"
    MODELS_LOAD = "models.load"
    MODELS_UNLOAD = "models.unload"
    DAEMON_STATS = "daemon.stats"
    DAEMON_DRAIN = "daemon.drain"
    DAEMON_STOP = "daemon.stop"


class EventName(StrEnum):
    """Every event on the event socket. Job events carry the whole ``JobStatus``."""

    JOB_QUEUED = "job.queued"
    JOB_STARTED = "job.started"
    JOB_PROGRESS = "job.progress"
    JOB_MOVED = "job.moved"
    JOB_CANCELLING = "job.cancelling"
    JOB_REQUEUED = "job.requeued"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    JOB_EXPIRED = "job.expired"
    JOB_FORGOTTEN = "job.forgotten"
    MODEL_LOADING = "model.loading"
    MODEL_READY = "model.ready"
    MODEL_UNLOADED = "model.unloaded"
    MODEL_FAILED = "model.failed"
    DAEMON_HEARTBEAT = "daemon.heartbeat"
    DAEMON_DRAINING = "daemon.draining"
    DAEMON_STOPPING = "daemon.stopping"


class JobState(StrEnum):
    """Where a job stands. The last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether the job can no longer change (but for a result that is pruned)."""
        return self in _FINAL


_FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLING, JobState.QUEUED}),
    JobState.CANCELLING: frozenset({JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset({JobState.EXPIRED}),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
    JobState.EXPIRED: frozenset(),
}
"""Where a job may go from each state. Back to ``queued`` only when it lost its worker or the daemon restarted."""


class Priority(StrEnum):
    """Interactive jobs go before batch jobs."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class OnBusy(StrEnum):
    """At the client's limit of running jobs: wait in the queue, or be refused with ``rate_limited``."""

    WAIT = "wait"
    REFUSE = "refuse"


class ResultFormat(StrEnum):
    """How a result travels."""

    ARRAYS = "arrays"
    GLB = "glb"
    GLTF = "gltf"


class Role(StrEnum):
    """What a client's key allows, each including the one before."""

    OBSERVE = "observe"
    SUBMIT = "submit"
    ADMIN = "admin"


class ModelState(StrEnum):
    """Where a model stands."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Hello:
    """First message of a client: who it is, what it speaks."""

    name: str = "client"
    client: str = "other"
    version: str = ""
    wire: list[int] = field(default_factory=lambda: [1])


@dataclass(frozen=True)
class HelloReply:
    """Proof that a daemon answers: its epoch changes with every start."""

    wire: int
    daemon_version: str
    mmcp_version: str
    epoch: str
    pid: int
    role: Role
    events: str
    seq: int
    limits: dict[str, Any]
    models: list[str]


@dataclass(frozen=True)
class Empty:
    """No fields: ``capabilities``, ``daemon.stats``, ``daemon.stop``."""


@dataclass(frozen=True)
class CapabilitiesReply:
    """``mmcp`` is MMCP's own document; ``models`` adds what MMCP has no word for, by model id."""

    mmcp: dict[str, Any]
    models: dict[str, Any]
    default_model: str | None = None


@dataclass(frozen=True)
class Generate:
    """Submit one job. ``job`` is a UUID made by the client: the same id and body again is the same job."""

    job: str
    request: Any
    priority: Priority = Priority.INTERACTIVE
    deadline_s: float | None = None
    on_busy: OnBusy = OnBusy.WAIT
    formats: list[ResultFormat] = field(default_factory=lambda: [ResultFormat.ARRAYS])
    trajectories: bool = False
    label: str = ""
    character: str = ""
    refs: dict[str, Any] = field(default_factory=dict)
    size_bytes: int | None = None


@dataclass(frozen=True)
class GenerateWait(Generate):
    """Submit one job and wait up to ``wait_s`` seconds for its arrays: ``generate`` and ``job.result`` in one."""

    wait_s: float = 0.0
    by_file: bool = False


@dataclass(frozen=True)
class GenerateBatch:
    """Submit an MMCP batch body: one job an item, ids in ``jobs``, one reply."""

    jobs: list[str]
    batch: Any
    priority: Priority = Priority.INTERACTIVE
    deadline_s: float | None = None
    formats: list[ResultFormat] = field(default_factory=lambda: [ResultFormat.ARRAYS])
    trajectories: bool = False
    label: str = ""
    character: str = ""
    size_bytes: int | None = None
    item_bytes: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class GenerateBatchReply:
    """One entry an item, in order: ``{"job": JobStatus}`` or ``{"error": {...}}``."""

    results: list[Any]


@dataclass(frozen=True)
class Retarget:
    """Submit one clip to be carried onto another rig: a job like any other, without a model."""

    job: str
    request: Any
    priority: Priority = Priority.INTERACTIVE
    deadline_s: float | None = None
    on_busy: OnBusy = OnBusy.WAIT
    label: str = ""
    character: str = ""


@dataclass(frozen=True)
class JobRef:
    """Names one job: ``job.status``, ``job.request``, ``job.forget``."""

    job: str


@dataclass(frozen=True)
class JobResult:
    """Ask for a result; wait up to ``wait_s`` seconds for the job to end."""

    job: str
    format: ResultFormat = ResultFormat.ARRAYS
    wait_s: float = 0.0
    by_file: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a running job is. ``fraction`` is 0 to 1."""

    fraction: float = 0.0
    step: int = 0
    steps: int = 0
    stage: str = ""


@dataclass(frozen=True)
class JobStatus:
    """A job as everybody sees it. Times are seconds since 1970; ``position`` counts from 1 among waiting jobs."""

    job: str
    state: JobState
    kind: str = "generate"
    model: str = ""
    client: str = ""
    label: str = ""
    character: str = ""
    prompt: str = ""
    priority: Priority = Priority.INTERACTIVE
    frames: int = 0
    fps_hz: float = 0.0
    samples: int = 1
    attempt: int = 0
    created_s: float = 0.0
    started_s: float | None = None
    finished_s: float | None = None
    deadline_s: float | None = None
    position: int | None = None
    eta_s: float | None = None
    progress: Progress = field(default_factory=Progress)
    error: dict[str, Any] | None = None
    note: str = ""


@dataclass(frozen=True)
class JobResultReply:
    """``result`` is None while the job has not ended: a partial answer, ask again. Or it lies in ``file``."""

    job: JobStatus
    result: dict[str, Any] | None = None
    file: str = ""


@dataclass(frozen=True)
class JobRequestReply:
    """The body a job was submitted with, so that it can be sent again."""

    job: JobStatus
    request: Any
    options: dict[str, Any]


@dataclass(frozen=True)
class JobList:
    """Ask for jobs, newest last; empty filters mean all."""

    states: list[JobState] = field(default_factory=list)
    client: str = ""
    text: str = ""
    jobs: list[str] = field(default_factory=list)
    limit: int = 100_000
    offset: int = 0


@dataclass(frozen=True)
class JobListReply:
    """A snapshot as columns and rows, true at event number ``seq``."""

    columns: list[str]
    rows: list[Any]
    total: int
    seq: int


@dataclass(frozen=True)
class JobCancel:
    """Cancel the jobs named, and no other."""

    jobs: list[str]


@dataclass(frozen=True)
class JobCancelReply:
    """The state of each job named, in order; ``None`` for an unknown one."""

    jobs: list[Any]


@dataclass(frozen=True)
class JobMove:
    """Move a waiting job: to the front or the back of its priority, or before another job."""

    job: str
    to: str = "front"
    before: str | None = None


@dataclass(frozen=True)
class ModelRef:
    """Names one model: ``models.load``, ``models.unload``."""

    model: str


@dataclass(frozen=True)
class ModelReply:
    """Where a model stands."""

    model: str
    state: ModelState
    device: str = ""
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class DaemonDrain:
    """Stop starting jobs (``on``) or go on. Running jobs end; waiting ones stay."""

    on: bool = True


@dataclass(frozen=True)
class DaemonStats:
    """What the daemon is doing."""

    epoch: str
    version: str
    pid: int
    uptime_s: float
    draining: bool
    jobs: dict[str, int]
    workers: list[Any]
    memory_bytes: int
    seq: int


@dataclass(frozen=True)
class Heartbeat:
    """``daemon.heartbeat``: the daemon lives; ``DaemonStats`` without what is costly to tell."""

    epoch: str
    version: str
    pid: int
    uptime_s: float
    draining: bool
    jobs: dict[str, int]
    memory_bytes: int


@dataclass(frozen=True)
class Stopping:
    """``daemon.stopping``: the last event of an epoch, unless the daemon is killed."""

    reason: str = ""


@dataclass(frozen=True)
class Done:
    """Acknowledged: ``job.forget``, ``daemon.drain``, ``daemon.stop``."""

    ok: bool = True


REQUEST_OF: dict[Method, type[Any]] = {
    Method.HELLO: Hello,
    Method.CAPABILITIES: Empty,
    Method.GENERATE: Generate,
    Method.GENERATE_WAIT: GenerateWait,
    Method.GENERATE_BATCH: GenerateBatch,
    Method.RETARGET: Retarget,
    Method.JOB_STATUS: JobRef,
    Method.JOB_RESULT: JobResult,
    Method.JOB_REQUEST: JobRef,
    Method.JOB_LIST: JobList,
    Method.JOB_CANCEL: JobCancel,
    Method.JOB_MOVE: JobMove,
    Method.JOB_FORGET: JobRef,
    Method.MODELS_LOAD: ModelRef,
    Method.MODELS_UNLOAD: ModelRef,
    Method.DAEMON_STATS: Empty,
    Method.DAEMON_DRAIN: DaemonDrain,
    Method.DAEMON_STOP: Empty,
}

REPLY_OF: dict[Method, type[Any]] = {
    Method.HELLO: HelloReply,
    Method.CAPABILITIES: CapabilitiesReply,
    Method.GENERATE: JobStatus,
    Method.GENERATE_WAIT: JobResultReply,
    Method.GENERATE_BATCH: GenerateBatchReply,
    Method.RETARGET: JobStatus,
    Method.JOB_STATUS: JobStatus,
    Method.JOB_RESULT: JobResultReply,
    Method.JOB_REQUEST: JobRequestReply,
    Method.JOB_LIST: JobListReply,
    Method.JOB_CANCEL: JobCancelReply,
    Method.JOB_MOVE: JobStatus,
    Method.JOB_FORGET: Done,
    Method.MODELS_LOAD: ModelReply,
    Method.MODELS_UNLOAD: ModelReply,
    Method.DAEMON_STATS: DaemonStats,
    Method.DAEMON_DRAIN: Done,
    Method.DAEMON_STOP: Done,
}

ROLE_OF: dict[Method, Role] = {
    Method.HELLO: Role.OBSERVE,
    Method.CAPABILITIES: Role.OBSERVE,
    Method.GENERATE: Role.SUBMIT,
    Method.GENERATE_WAIT: Role.SUBMIT,
    Method.GENERATE_BATCH: Role.SUBMIT,
    Method.RETARGET: Role.SUBMIT,
    Method.JOB_STATUS: Role.OBSERVE,
    Method.JOB_RESULT: Role.SUBMIT,
    Method.JOB_REQUEST: Role.SUBMIT,
    Method.JOB_LIST: Role.OBSERVE,
    Method.JOB_CANCEL: Role.SUBMIT,
    Method.JOB_MOVE: Role.SUBMIT,
    Method.JOB_FORGET: Role.SUBMIT,
    Method.MODELS_LOAD: Role.ADMIN,
    Method.MODELS_UNLOAD: Role.ADMIN,
    Method.DAEMON_STATS: Role.OBSERVE,
    Method.DAEMON_DRAIN: Role.ADMIN,
    Method.DAEMON_STOP: Role.ADMIN,
}
"""The least role that may call a method."""

EVENT_OF: dict[EventName, type[Any]] = {
    **{name: JobStatus for name in EventName if name.startswith("job.")},
    **{name: ModelReply for name in EventName if name.startswith("model.")},
    EventName.DAEMON_HEARTBEAT: Heartbeat,
    EventName.DAEMON_DRAINING: DaemonDrain,
    EventName.DAEMON_STOPPING: Stopping,
}
"""What an event's body is."""
