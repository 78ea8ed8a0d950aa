# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels say about jobs and takes: short sentences from plain values. Knows no bpy."""

from __future__ import annotations

import math
import time

from kineograph.wire.messages import JobState, JobStatus

from ..session import Job


def seconds(value_s: float) -> str:
    """A time for people: '4 s', '2 min'."""
    if value_s < 90:
        return f"{max(1, math.ceil(value_s))} s"
    return f"{round(value_s / 60)} min"


def ago(value_s: float) -> str:
    """How long since, for people: 'just now', '3 min ago', '2 h ago', '5 days ago'."""
    if value_s < 60:
        return "just now"
    for unit_s, most, unit in ((60, 60, "min"), (3600, 24, "h")):
        if value_s < unit_s * most:
            return f"{int(value_s // unit_s)} {unit} ago"
    days = int(value_s // 86400)
    return "a day ago" if days == 1 else f"{days} days ago"


def job_line(job: Job, now_s: float | None = None) -> str:
    """Where a job stands, in a line."""
    if job.retry is not None:
        left_s = job.retry[1] - (time.monotonic() if now_s is None else now_s)
        return f"trying again in {seconds(left_s)}" if left_s > 0 else "trying again"
    if job.wants_cancel and not job.is_done:
        return "stopping"
    if job.status is None:
        return "sending"
    return status_line(job.status)


def status_line(status: JobStatus) -> str:
    """What the daemon said last, in a line."""
    eta = f", {seconds(status.eta_s)} left" if status.eta_s else ""
    match status.state:
        case JobState.QUEUED:
            ahead = (status.position or 1) - 1
            return "next in line" + eta if ahead == 0 else f"waiting, {ahead} ahead{eta}"
        case JobState.RUNNING:
            progress = status.progress
            step = f"step {progress.step} of {progress.steps}" if progress.steps else "running"
            return step + eta
        case JobState.CANCELLING:
            return "stopping"
        case JobState.SUCCEEDED:
            return "done"
        case _:
            return str(status.state.value)


def fraction(job: Job) -> float:
    """How far a job is, 0 to 1."""
    return 0.0 if job.status is None else max(0.0, min(1.0, job.status.progress.fraction))


def status_bar(jobs: list[Job]) -> str:
    """One line for the status bar; empty when nothing runs."""
    running = [j for j in jobs if not j.is_done]
    if not running:
        return ""
    first = running[0]
    more = f" and {len(running) - 1} more" if len(running) > 1 else ""
    return f"Kineograph: {first.label} for {first.armature}, {job_line(first)}{more}"


def centimetres(value_cm: float) -> str:
    """A take's worst miss, in the list, where there is room for six letters: '0.2 cm', '10 cm', '118 cm'."""
    return f"{value_cm:.1f} cm" if value_cm < 9.95 else f"{value_cm:.0f} cm"
