# SPDX-License-Identifier: Apache-2.0
"""What goes into the job state machine (events) and what comes out (instructions).

Events say what happened, and when (``at_s``, seconds since 1970, never decreasing). Instructions say what the daemon
has to do about it, in order. Both are plain values: every race is a list of events in a unit test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kineograph.wire.messages import EventName, JobStatus, OnBusy, Progress, ResultFormat
from kineograph_daemon.jobs.record import JobFacts

Envelope = dict[str, Any]


@dataclass(frozen=True)
class Submit:
    """A client wants a job. The request has been validated and its body is at hand."""

    facts: JobFacts
    at_s: float
    on_busy: OnBusy = OnBusy.WAIT


@dataclass(frozen=True)
class WorkerReady:
    """A worker is there and hosts these models; also sent again when the list changes."""

    worker: str
    models: frozenset[str]
    at_s: float


@dataclass(frozen=True)
class WorkerLost:
    """A worker is gone. ``details`` is what is known: exit status, last lines of its log."""

    worker: str
    reason: str
    at_s: float
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ModelsSettled:
    """Every worker has reported: jobs for models that none of them hosts cannot run here any more."""

    models: frozenset[str]
    at_s: float


@dataclass(frozen=True)
class TaskProgress:
    """How far a worker is with a job."""

    worker: str
    job: str
    progress: Progress
    at_s: float


@dataclass(frozen=True)
class TaskDone:
    """A worker has written the job's result."""

    worker: str
    job: str
    at_s: float
    size_bytes: int = 0
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class TaskFailed:
    """A worker could not do the job."""

    worker: str
    job: str
    error: Envelope
    at_s: float


@dataclass(frozen=True)
class TaskCancelled:
    """A worker stopped a job because it was told to."""

    worker: str
    job: str
    step: int
    steps: int
    at_s: float


@dataclass(frozen=True)
class TaskEnd:
    """A worker has nothing more to say about a task."""

    worker: str
    task: str
    at_s: float


@dataclass(frozen=True)
class Cancel:
    """Somebody wants a job stopped."""

    job: str
    by: str
    at_s: float


@dataclass(frozen=True)
class Move:
    """A waiting job goes to the ``front`` or ``back`` of its priority, or before another waiting job."""

    job: str
    to: str
    before: str | None
    at_s: float


@dataclass(frozen=True)
class Forget:
    """A finished job is wanted no more: no row, no result."""

    job: str
    at_s: float


@dataclass(frozen=True)
class Expire:
    """A result is pruned; the job is remembered."""

    job: str
    at_s: float


@dataclass(frozen=True)
class Drain:
    """Stop starting jobs, or go on."""

    on: bool
    at_s: float


@dataclass(frozen=True)
class Encode:
    """A finished result is wanted in another format."""

    job: str
    format: ResultFormat
    at_s: float


@dataclass(frozen=True)
class Encoded:
    """A worker has written (or could not write) a result in another format."""

    worker: str
    job: str
    format: ResultFormat
    error: Envelope | None
    at_s: float
    size_bytes: int = 0


@dataclass(frozen=True)
class Tick:
    """Time passes: deadlines and grace periods strike, free workers get work."""

    at_s: float


Event = (
    Submit
    | WorkerReady
    | WorkerLost
    | ModelsSettled
    | TaskProgress
    | TaskDone
    | TaskFailed
    | TaskCancelled
    | TaskEnd
    | Cancel
    | Move
    | Forget
    | Expire
    | Drain
    | Encode
    | Encoded
    | Tick
)


@dataclass(frozen=True)
class Changed:
    """Keep the job's new state, then tell everybody."""

    job: str
    event: EventName


@dataclass(frozen=True)
class Progressed:
    """Tell everybody how far the job is; nothing to keep."""

    job: str


@dataclass(frozen=True)
class Known:
    """The submit repeats a job that is known already, with the same body."""

    job: str


@dataclass(frozen=True)
class Refused:
    """The event is refused; nothing changed."""

    error: Envelope


@dataclass(frozen=True)
class Assign:
    """Send a task to a worker."""

    worker: str
    task: str
    model: str
    jobs: tuple[str, ...]


@dataclass(frozen=True)
class StopJob:
    """Tell a worker to stop one job."""

    worker: str
    job: str


@dataclass(frozen=True)
class KillWorker:
    """A worker does not listen: end its process. ``WorkerLost`` follows."""

    worker: str
    reason: str


@dataclass(frozen=True)
class DropResult:
    """Delete what the job's attempt has written."""

    job: str
    attempt: int


@dataclass(frozen=True)
class Forgotten:
    """Delete the job's row, body and results; tell everybody, with the last that was known of it."""

    job: str
    attempt: int
    status: JobStatus


@dataclass(frozen=True)
class StartEncode:
    """Have an idle worker write a result in another format."""

    worker: str
    job: str
    format: ResultFormat


@dataclass(frozen=True)
class EncodeEnded:
    """Answer whoever waits for the format."""

    job: str
    format: ResultFormat
    error: Envelope | None


Instruction = (
    Changed
    | Progressed
    | Known
    | Refused
    | Assign
    | StopJob
    | KillWorker
    | DropResult
    | Forgotten
    | StartEncode
    | EncodeEnded
)
