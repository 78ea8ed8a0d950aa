# SPDX-License-Identifier: Apache-2.0
"""What is known of one job: the facts it was submitted with, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, NamedTuple

from kineograph.wire.messages import JobState, JobStatus, Priority, Progress, ResultFormat, built

RETARGET = "retarget"
"""The kind of a job that carries a clip onto another rig, and what stands for its model: every worker can do it."""

_FINGERPRINT_BYTES = 32


class JobFacts(NamedTuple):
    """What never changes. ``deadline_s`` counts from the submit; ``group`` ties the items of one batch together.

    ``digest`` tells whether a submit of the same id is the same: the request's fingerprint (32 bytes, see
    ``mmcp.fingerprint``) and a byte for ``trajectories``, or 16 bytes of a hash over the whole body.
    """

    job: str
    model: str
    client: str = ""
    priority: Priority = Priority.INTERACTIVE
    kind: str = "generate"
    label: str = ""
    character: str = ""
    prompt: str = ""
    frames: int = 0
    fps_hz: float = 0.0
    samples: int = 1
    deadline_s: float | None = None
    formats: tuple[ResultFormat, ...] = (ResultFormat.ARRAYS,)
    trajectories: bool = False
    group: str = ""
    digest: bytes = b""

    @property
    def request_sha256(self) -> str:
        """The request's fingerprint, hexadecimal; empty where it was not taken."""
        return self.digest[:_FINGERPRINT_BYTES].hex() if len(self.digest) > _FINGERPRINT_BYTES else ""


_NOT_BEGUN = Progress()


@dataclass(slots=True)
class Job:
    """A job and its state. Times are seconds since 1970. Only the state machine writes to it.

    ``losses`` counts the workers that died under it, ``stop_s`` is when its worker was told to stop, ``stop_by`` who
    wanted that (empty: its deadline did). ``turn`` and ``order`` are its place in the waiting line.
    """

    facts: JobFacts
    created_s: float
    state: JobState = JobState.QUEUED
    started_s: float | None = None
    finished_s: float | None = None
    attempt: int = 0
    losses: int = 0
    turn: float = 0.0
    order: float = 0.0
    size_bytes: int = 0
    progress: Progress = _NOT_BEGUN
    error: dict[str, Any] | None = None
    note: str = ""
    worker: str | None = None
    task: str | None = None
    stop_s: float | None = None
    stop_by: str = ""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.facts.job

    @property
    def due_s(self) -> float | None:
        """When the deadline strikes, seconds since 1970."""
        return None if self.facts.deadline_s is None else self.created_s + self.facts.deadline_s


def to_status(job: Job, position: int | None, eta_s: float | None) -> JobStatus:
    """A job as everybody sees it."""
    f = job.facts
    values = {
        "job": f.job,
        "state": job.state,
        "kind": f.kind,
        "model": f.model,
        "client": f.client,
        "label": f.label,
        "character": f.character,
        "prompt": f.prompt,
        "priority": f.priority,
        "frames": f.frames,
        "fps_hz": f.fps_hz,
        "samples": f.samples,
        "attempt": job.attempt,
        "created_s": job.created_s,
        "started_s": job.started_s,
        "finished_s": job.finished_s,
        "deadline_s": f.deadline_s,
        "position": position,
        "eta_s": eta_s,
        "progress": job.progress,
        "error": job.error,
        "note": job.note,
    }
    return built(JobStatus, values)


_TRANSIENT = ("id", "facts", "worker", "task", "stop_s", "progress", "state")
_KEPT = tuple(f.name for f in fields(Job) if f.name not in _TRANSIENT)
_FACTS = JobFacts._fields
_kept_of = attrgetter(*_KEPT)


def to_map(job: Job) -> dict[str, Any]:
    """What the store keeps of a job: plain values only."""
    facts: dict[str, Any] = dict(zip(_FACTS, job.facts, strict=True))
    facts["formats"] = [str(f) for f in job.facts.formats]
    out = dict(zip(_KEPT, _kept_of(job), strict=True))
    return {**out, "state": str(job.state), "facts": facts, "progress": vars(job.progress)}


def from_map(stored: Mapping[str, Any]) -> Job:
    """A job as it was stored; fields of a newer version are left out. Raises KeyError, TypeError or ValueError."""
    facts = {k: v for k, v in stored["facts"].items() if k in _FACTS}
    facts["priority"] = Priority(facts["priority"])
    facts["formats"] = tuple(ResultFormat(f) for f in facts["formats"])
    kept = {k: stored[k] for k in _KEPT if k in stored}
    return Job(
        facts=JobFacts(**facts), state=JobState(stored["state"]), progress=Progress(**stored["progress"]), **kept
    )
