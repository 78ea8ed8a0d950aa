# SPDX-License-Identifier: Apache-2.0
"""What goes into the job state machine (events) and what comes out (instructions).

Events say what happened, and when (``at_s``, seconds since 1970, never decreasing). Instructions say what the daemon
has to do about it, in order. Both are plain values: every race is a list of events in a unit test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kineograph.wire.messages import EventName, JobStatus, OnBusy, Progress, ResultFormat
from kineograph_daemon.jobs.record import JobFacts

Envelope = dict[str, Any]


class Submit(NamedTuple):
    """A client wants a job. The request has been validated and its body is at hand."""

    facts: JobFacts
    at_s: float
    on_busy: OnBusy = OnBusy.WAIT


class WorkerReady(NamedTuple):
    """A worker is there and hosts these models; also sent again when the list changes."""

    worker: str
    models: frozenset[str]
    at_s: float


class WorkerLost(NamedTuple):
    """A worker is gone. ``details`` is what is known: exit status, last lines of its log."""

    worker: str
    reason: str
    at_s: float
    details: Mapping[str, Any] | None = None


class ModelsSettled(NamedTuple):
    """Every worker has reported: jobs for models that none of them hosts cannot run here any more."""

    models: frozenset[str]
    at_s: float


class TaskProgress(NamedTuple):
    """How far a worker is with a job."""

    worker: str
    job: str
    progress: Progress
    at_s: float


class TaskDone(NamedTuple):
    """A worker has written the job's result."""

    worker: str
    job: str
    at_s: float
    size_bytes: int = 0
    elapsed_s: float = 0.0


class TaskFailed(NamedTuple):
    """A worker could not do the job."""

    worker: str
    job: str
    error: Envelope
    at_s: float


class TaskCancelled(NamedTuple):
    """A worker stopped a job because it was told to."""

    worker: str
    job: str
    step: int
    steps: int
    at_s: float


class TaskEnd(NamedTuple):
    """A worker has nothing more to say about a task."""

    worker: str
    task: str
    at_s: float


class Cancel(NamedTuple):
    """Somebody wants a job stopped."""

    job: str
    by: str
    at_s: float


class Move(NamedTuple):
    """A waiting job goes to the ``front`` or ``back`` of its priority, or before another waiting job."""

    job: str
    to: str
    before: str | None
    at_s: float


class Forget(NamedTuple):
    """A finished job is wanted no more: no row, no result."""

    job: str
    at_s: float


class Expire(NamedTuple):
    """A result is pruned; the job is remembered."""

    job: str
    at_s: float


class Drain(NamedTuple):
    """Stop starting jobs, or go on."""

    on: bool
    at_s: float


class Encode(NamedTuple):
    """A finished result is wanted in another format."""

    job: str
    format: ResultFormat
    at_s: float


class Encoded(NamedTuple):
    """A worker has written (or could not write) a result in another format."""

    worker: str
    job: str
    format: ResultFormat
    error: Envelope | None
    at_s: float
    size_bytes: int = 0


class Tick(NamedTuple):
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


class Changed(NamedTuple):
    """Keep the job's new state, then tell everybody."""

    job: str
    event: EventName


class Progressed(NamedTuple):
    """Tell everybody how far the job is; nothing to keep."""

    job: str


class Known(NamedTuple):
    """The submit repeats a job that is known already, with the same body."""

    job: str


class Refused(NamedTuple):
    """The event is refused; nothing changed."""

    error: Envelope


class Assign(NamedTuple):
    """Send a task to a worker."""

    worker: str
    task: str
    model: str
    jobs: tuple[str, ...]


class StopJob(NamedTuple):
    """Tell a worker to stop one job."""

    worker: str
    job: str


class KillWorker(NamedTuple):
    """A worker does not listen: end its process. ``WorkerLost`` follows."""

    worker: str
    reason: str


class DropResult(NamedTuple):
    """Delete what the job's attempt has written."""

    job: str
    attempt: int


class Forgotten(NamedTuple):
    """Delete the job's row, body and results; tell everybody, with the last that was known of it."""

    job: str
    attempt: int
    status: JobStatus


class StartEncode(NamedTuple):
    """Have an idle worker write a result in another format."""

    worker: str
    job: str
    format: ResultFormat


class EncodeEnded(NamedTuple):
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
