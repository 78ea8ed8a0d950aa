# SPDX-License-Identifier: Apache-2.0
"""A job's status in its wire form. ``messages.to_body`` says the same; this one is written once for each event."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any

from kineograph.wire.messages import JobStatus, Progress
from kineograph_daemon.jobs.record import Job

COLUMNS = [f.name for f in fields(JobStatus)]
_VALUES = attrgetter(*COLUMNS)
_PROGRESS_AT = COLUMNS.index("progress")


def status_row(status: JobStatus) -> list[Any]:
    """The values in the order of ``COLUMNS``."""
    row = list(_VALUES(status))
    row[_PROGRESS_AT] = _progress(status.progress)
    return row


def job_row(job: Job, position: int | None, eta_s: float | None) -> list[Any]:
    """``status_row`` of a job, without the status in between: a list has ten thousand of them."""
    f = job.facts
    return [
        f.job,
        job.state,
        f.kind,
        f.model,
        f.client,
        f.label,
        f.character,
        f.prompt,
        f.priority,
        f.frames,
        f.fps_hz,
        f.samples,
        job.attempt,
        job.created_s,
        job.started_s,
        job.finished_s,
        f.deadline_s,
        position,
        eta_s,
        _progress(job.progress),
        job.error,
        job.note,
    ]


def status_map(status: JobStatus) -> dict[str, Any]:
    """The map that ``messages.to_body`` makes."""
    return {**vars(status), "progress": _progress(status.progress)}


def _progress(p: Progress) -> dict[str, Any]:
    return dict(vars(p))
