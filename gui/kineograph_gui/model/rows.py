# SPDX-License-Identifier: Apache-2.0
"""How a job reads in the table: its words, its sort keys, its text for the filter."""

from __future__ import annotations

import time
from enum import IntEnum
from typing import Any, assert_never

from kineograph.fixes import Problem, resolve
from kineograph.wire.messages import JobState, JobStatus
from kineograph_gui.model.groups import Group
from kineograph_gui.model.words import say


class Column(IntEnum):
    """The table's columns, left to right."""

    JOB = 0
    PROMPT = 1
    CHARACTER = 2
    MODEL = 3
    CLIENT = 4
    STATE = 5
    PROGRESS = 6
    LEFT = 7
    WHEN = 8


TITLES = ("job", "prompt", "character", "model", "client", "state", "progress", "eta", "created")
SENDING = "sending"
"""The note of a job that the daemon has not acknowledged yet."""

OPEN, CLOSED = "\u25be", "\u25b8"
_RANK = {state: rank for rank, state in enumerate(JobState)}


def name_of(job: JobStatus) -> str:
    """What a job is called: its label, else its prompt, else its id's start."""
    return job.label or job.prompt or job.job[:8]


def state_words(job: JobStatus) -> str:
    """The state as a word, with the number that matters."""
    match job.state:
        case JobState.QUEUED:
            if job.note == SENDING:
                return say("state.sending")
            if job.attempt > 0:
                return say("state.lost", attempt=job.attempt + 1)
            return say("state.queued_at", position=job.position) if job.position else say("state.queued")
        case JobState.RUNNING if job.started_s is not None:
            return say("state.running_for", time=duration(max(0.0, time.time() - job.started_s), whole=True))
        case JobState.SUCCEEDED:
            took_s = elapsed_s(job)
            return say("state.succeeded") if took_s is None else say("state.succeeded_in", time=duration(took_s))
        case _:
            return say(f"state.{job.state}")


def elapsed_s(job: JobStatus) -> float | None:
    """How long the job ran; None before it has ended."""
    if job.started_s is None or job.finished_s is None:
        return None
    return max(0.0, job.finished_s - job.started_s)


def progress_words(job: JobStatus) -> str:
    """What stands in the progress column when there is no bar."""
    if job.state is JobState.FAILED:
        return problem_of(job).title
    if job.state is JobState.CANCELLED and job.progress.steps:
        return f"{job.progress.step}/{job.progress.steps}"
    return ""


def left_words(job: JobStatus) -> str:
    """The time that is left, as a clock."""
    if job.eta_s is None or job.state.is_final:
        return ""
    seconds = max(0, round(job.eta_s))
    return f"{seconds // 60}:{seconds % 60:02d}"


def duration(seconds: float, *, whole: bool = False) -> str:
    """A time span in words; ``whole``: without tenths, for what changes while it is read."""
    if seconds < 10 and not whole:
        return say("time.seconds", count=f"{seconds:.1f}")
    if seconds < 90:
        return say("time.seconds", count=round(seconds))
    if seconds < 5400:
        return say("time.minutes", count=round(seconds / 60))
    if seconds < 129_600:
        return say("time.hours", count=round(seconds / 3600))
    return say("time.days", count=round(seconds / 86_400))


def ago(then_s: float, now_s: float | None = None) -> str:
    """How long ago, in words."""
    passed_s = (time.time() if now_s is None else now_s) - then_s
    if then_s <= 0:
        return ""
    return say("time.now") if passed_s < 5 else say("time.ago", time=duration(passed_s, whole=True))


def exact(then_s: float | None) -> str:
    """The time itself, for a tooltip."""
    return "" if not then_s else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(then_s))


def problem_of(job: JobStatus, context: dict[str, Any] | None = None) -> Problem:
    """What is said about a job's error."""
    return resolve(job.error or {"error": {"code": "internal_error", "message": ""}}, context)


def problem_of_error(error: Any) -> Problem:
    """What is said about any error."""
    return resolve(error)


def cell(job: JobStatus, column: Column) -> str:
    """The text of one cell."""
    match column:
        case Column.JOB:
            return name_of(job)
        case Column.PROMPT:
            return job.prompt if job.label else ""  # without a name of its own the job is called by its prompt
        case Column.CHARACTER:
            return job.character
        case Column.MODEL:
            return job.model
        case Column.CLIENT:
            return job.client
        case Column.STATE:
            return state_words(job)
        case Column.PROGRESS:
            return progress_words(job)
        case Column.LEFT:
            return left_words(job)
        case Column.WHEN:
            return ago(job.created_s)
        case _:
            assert_never(column)


def head_cell(client: str, group: Group, column: Column, folded: bool) -> str:
    """The text of one cell of a group's head."""
    match column:
        case Column.JOB:
            return f"{CLOSED if folded else OPEN} {client or say('queue.no_client')}"
        case Column.STATE:
            return say("queue.group_one") if group.jobs == 1 else say("queue.group_count", count=group.jobs)
        case Column.PROGRESS:
            return say("queue.group_active", count=group.active) if group.active else ""
        case _:
            return ""


def head_words(client: str, group: Group, folded: bool) -> str:
    """A group's head as it is read out."""
    parts = [
        client or say("queue.no_client"),
        *(head_cell(client, group, c, folded) for c in (Column.STATE, Column.PROGRESS)),
    ]
    return ", ".join([*(p for p in parts if p), say("queue.folded" if folded else "queue.unfolded")])


def key_of(job: JobStatus, column: Column) -> tuple[Any, ...]:
    """The sort key; ends with time and id, so that no two are the same."""
    tail = (-job.created_s, job.job)
    match column:
        case Column.JOB:
            return (name_of(job).casefold(), *tail)
        case Column.PROMPT:
            return (job.prompt.casefold(), *tail)
        case Column.CHARACTER:
            return (job.character.casefold(), *tail)
        case Column.MODEL:
            return (job.model, *tail)
        case Column.CLIENT:
            return (job.client.casefold(), *tail)
        case Column.STATE:
            return (_RANK[job.state], job.position or 0, *tail)
        case Column.PROGRESS:
            return (-job.progress.fraction, *tail)
        case Column.LEFT:
            return (job.eta_s if job.eta_s is not None else 1e12, *tail)
        case Column.WHEN:
            return tail
        case _:
            assert_never(column)


def haystack(job: JobStatus) -> str:
    """What the filter's words are looked for in."""
    code = ""
    if job.error:
        code = str((job.error.get("error") or {}).get("code", "")) if isinstance(job.error.get("error"), dict) else ""
    parts = (job.label, job.prompt, job.character, job.model, job.client, job.job, code.replace("_", " "))
    return "\n".join(parts).casefold()
