# SPDX-License-Identifier: Apache-2.0
"""What clients do, once for every face: conversations as generators, without I/O.

A conversation yields ``Call`` and gets the reply's typed message (or has the error thrown into it), yields ``Pause``
to wait, ``Tell`` to show a job's status, and returns its value. ``Client`` runs it on futures, ``AsyncClient`` on an
event loop, a test on a list.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from random import Random
from typing import Any, NamedTuple, TypeVar, cast

from kineograph.client import retry
from kineograph.client.engine import DEFAULT_DEADLINE_S
from kineograph.client.events import JobPage
from kineograph.client.result import Result
from kineograph.errors import (
    ErrorCode,
    JobError,
    KineographError,
    LinkError,
    RequestError,
    UnavailableError,
    from_envelope,
)
from kineograph.wire import messages as m
from kineograph.wire.messages import JobState, JobStatus, Method, ResultFormat

LONG_POLL_S = 20.0
"""How long the daemon may hold one ``job.result`` before it answers 'not yet'."""
PATIENCE_S = 60.0
"""How long a wait outlasts a daemon that cannot be reached."""
_LEAST_S = 1.0
_OUTAGE = frozenset({ErrorCode.DAEMON_UNREACHABLE, ErrorCode.HANDSHAKE_TIMEOUT, ErrorCode.CONNECTION_FAILED})
_POLL_S = (0.05, 2.0)
_MAX_EMPTY = 30


class Call(NamedTuple):
    """Ask the daemon."""

    method: Method
    message: Any
    deadline_s: float = DEFAULT_DEADLINE_S


class Pause(NamedTuple):
    """Wait ``delay_s``; less is fine when the job's status changes. ``error`` is what will be tried again."""

    delay_s: float
    error: KineographError | None = None


class Tell(NamedTuple):
    """Show a job's status to whoever watches."""

    job: JobStatus


@dataclass
class Ticket:
    """Which job a conversation is about right now: a retry goes on under another id."""

    job: str


Step = Call | Pause | Tell
T = TypeVar("T")
Conversation = Generator[Step, Any, T]
Clock = Callable[[], float]
Cancelled = list[JobStatus | None]
Outcomes = list[JobStatus | KineographError]
Submission = m.Generate | m.Retarget
_METHOD_OF: dict[type[Any], Method] = {m.Generate: Method.GENERATE, m.Retarget: Method.RETARGET}


M = TypeVar("M")
_NAMES: dict[type[Any], list[str]] = {}


def ask(method: Method, message: Any, deadline_s: float = DEFAULT_DEADLINE_S) -> Conversation[Any]:
    """One question, one answer."""
    return (yield Call(method, message, deadline_s))


def new_job_id() -> str:
    """A job id: the client makes it, so that a submit can be repeated without making a second job."""
    return str(uuid.uuid4())


def next_job_id(job: str) -> str:
    """The id of a job's retry: always the same for the same job, so that a repeated retry is one job."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, job))


def submission(request: Any, job: str | None, fields: Mapping[str, Any]) -> m.Generate:
    """The submit message; ``fields`` are those of ``Generate``. Raises ``schema_validation`` for a wrong one."""
    return checked(m.Generate, {**fields, "job": job or new_job_id(), "request": request})


def retarget_submission(request: Any, job: str | None, fields: Mapping[str, Any]) -> m.Retarget:
    """The submit message of a retarget; ``fields`` are those of ``Retarget``. Raises ``schema_validation``."""
    return checked(m.Retarget, {**fields, "job": job or new_job_id(), "request": request})


def checked(kind: type[M], values: Mapping[str, Any]) -> M:
    """A message from keyword arguments. A name it does not have is an error here, not something to skip."""
    names = _NAMES.get(kind) or _NAMES.setdefault(kind, [f.name for f in dataclass_fields(cast(Any, kind))])
    for name in values:
        if name not in names:
            raise RequestError(
                ErrorCode.SCHEMA_VALIDATION,
                f"{kind.__name__} has no field {name!r}",
                {"where": {"path": [name]}, "got": name, "allowed": [*names]},
            )
    return m.from_body(kind, values)


def batch_submission(batch: Any, jobs: Sequence[str] | None, fields: Mapping[str, Any]) -> m.GenerateBatch:
    """The submit message of an MMCP batch body, with an id for each item. Raises ``schema_validation``."""
    items = batch.get("requests") if isinstance(batch, Mapping) else batch
    # What is no list of requests is the daemon's to refuse, in MMCP's words.
    count = len(items) if isinstance(items, Sized) else 0
    ids = [*jobs] if jobs is not None else [new_job_id() for _ in range(count)]
    return checked(m.GenerateBatch, {**fields, "jobs": ids, "batch": batch})


def batch_outcomes(reply: m.GenerateBatchReply) -> Outcomes:
    """One entry an item, in order."""
    out: list[JobStatus | KineographError] = []
    for entry in reply.results:
        job = entry.get("job") if isinstance(entry, Mapping) else None
        out.append(m.from_body(JobStatus, job) if isinstance(job, Mapping) else from_envelope(entry))
    return out


def cancelled(reply: m.JobCancelReply) -> Cancelled:
    """The state of each job named, None for an unknown one."""
    return [None if job is None else m.from_body(JobStatus, job) for job in reply.jobs]


def result(job: str, form: ResultFormat, wait_s: float) -> Conversation[dict[str, Any] | None]:
    """The result, or None while the job has not ended. Raises what it failed with."""
    asked = m.JobResult(job, form, wait_s, by_file=True)
    reply: m.JobResultReply = yield Call(Method.JOB_RESULT, asked, wait_s + DEFAULT_DEADLINE_S)
    if reply.job.state is not JobState.SUCCEEDED:
        raise_if_over(reply.job)
    return reply.result


def submit(message: Submission, rng: Random) -> Conversation[JobStatus]:
    """Submit, again under the same id after a retryable refusal."""
    attempt = 0
    while True:
        try:
            status: JobStatus = yield Call(_METHOD_OF[type(message)], message)
        except KineographError as e:
            attempt += 1
            delay_s = retry.retry_delay_s(e, attempt, rng)
            if delay_s is None:
                raise
            yield Pause(delay_s, e)
        else:
            yield Tell(status)
            return status


def order(message: m.Generate, wait_s: float, rng: Random) -> Conversation[m.JobResultReply]:
    """Submit and wait for the result in one question; again under the same id after a retryable refusal.

    The reply's result is None when the job has not ended in time; ``fetch`` goes on from there.
    """
    attempt = 0
    asked = m.built(m.GenerateWait, {**vars(message), "wait_s": wait_s, "by_file": True})
    while True:
        try:
            reply: m.JobResultReply = yield Call(Method.GENERATE_WAIT, asked, wait_s + DEFAULT_DEADLINE_S)
        except KineographError as e:
            attempt += 1
            delay_s = retry.retry_delay_s(e, attempt, rng)
            if delay_s is None:
                raise
            yield Pause(delay_s, e)
        else:
            yield Tell(reply.job)
            return reply


def wait(job: str, timeout_s: float | None, clock: Clock) -> Conversation[JobStatus]:
    """The job's final status. Polls slowly: events, where somebody listens, cut a pause short.

    Raises ``timeout`` after ``timeout_s`` (the job goes on) and ``request_not_found`` for an unknown job.
    """
    deadline_s = None if timeout_s is None else clock() + timeout_s
    patience = _Patience(clock, False)
    pause_s = _POLL_S[0]
    while True:
        try:
            status: JobStatus = yield Call(Method.JOB_STATUS, m.JobRef(job), patience.left_s(DEFAULT_DEADLINE_S))
        except LinkError as e:
            patience.bear(e)
        else:
            patience.rest()
            yield Tell(status)
            if status.state.is_final:
                return status
        _check_time(deadline_s, clock, job)
        yield Pause(pause_s if deadline_s is None else min(pause_s, max(0.0, deadline_s - clock())))
        pause_s = min(pause_s * 1.5, _POLL_S[1])


def fetch(
    job: str, form: ResultFormat, timeout_s: float | None, clock: Clock, *, met: bool = False
) -> Conversation[m.JobResultReply]:
    """The result of a job, waiting for it by long-poll. Raises what the job failed with.

    ``met``: the daemon is known to live, so that an outage at the very start is borne too.
    """
    deadline_s = None if timeout_s is None else clock() + timeout_s
    patience = _Patience(clock, met)
    empty = refused = 0
    while True:
        wait_s = LONG_POLL_S if deadline_s is None else min(LONG_POLL_S, max(0.0, deadline_s - clock()))
        if patience.is_tried:  # a short question has its answer as soon as the daemon is back
            wait_s = 0.0
        asked_s = clock()
        try:
            reply: m.JobResultReply = yield Call(
                Method.JOB_RESULT,
                m.JobResult(job, form, wait_s, by_file=True),
                patience.left_s(wait_s + DEFAULT_DEADLINE_S),
            )
        except LinkError as e:
            patience.bear(e)
        except KineographError as e:
            refused += 1
            if refused >= retry.MAX_TRIES:
                raise
            try:
                yield from _explain(job, e)
            except LinkError as outage:
                patience.bear(outage)
        else:
            patience.rest()
            yield Tell(reply.job)
            if reply.result is not None and reply.job.state is JobState.SUCCEEDED:
                return reply
            empty += reply.job.state is JobState.SUCCEEDED  # another form of the result is still being written
            if reply.job.state is not JobState.SUCCEEDED or empty > _MAX_EMPTY:
                raise_if_over(reply.job)
        _check_time(deadline_s, clock, job)
        if clock() - asked_s < min(wait_s or 1.0, 1.0):  # an answer before its time must not become a busy loop
            yield Pause(0.2)


def _explain(job: str, refusal: KineographError) -> Conversation[None]:
    """Whether the job is over, or only the question was refused: that is for its status to say, never for an error."""
    if refusal.code is ErrorCode.REQUEST_NOT_FOUND:
        raise refusal
    status: JobStatus = yield Call(Method.JOB_STATUS, m.JobRef(job))
    yield Tell(status)
    if status.state is not JobState.SUCCEEDED:
        raise_if_over(status)
    if not refusal.is_retryable:
        raise refusal
    yield Pause(refusal.retry_after_s or 1.0, refusal)


def resume(ticket: Ticket, timeout_s: float | None, clock: Clock) -> Conversation[Result]:
    """Go on with a job that was sent before, perhaps by a program that is gone: wait for it, fetch its result.

    A retry goes on under another id, which follows from the first one: the newest of them that the daemon knows is
    meant. Nothing is sent again. Raises what the job ended with, and ``request_not_found`` for an unknown one.
    """
    ids = [ticket.job]
    while len(ids) <= retry.MAX_TRIES:
        ids.append(next_job_id(ids[-1]))
    known: m.JobListReply = yield Call(Method.JOB_LIST, m.JobList(jobs=ids))
    found = {status.job for status in JobPage(known)}
    ticket.job = next((i for i in reversed(ids) if i in found), ticket.job)
    reply = yield from fetch(ticket.job, ResultFormat.ARRAYS, timeout_s, clock)
    assert reply.result is not None
    return Result.from_body(reply.job, reply.result)


def generate(
    message: Submission, ticket: Ticket, timeout_s: float | None, rng: Random, clock: Clock, *, watched: bool = True
) -> Conversation[Result]:
    """Submit, wait, fetch; retry by code. A job that ended cannot run again: its retry is a new job (``ticket``).

    ``watched``: somebody wants to hear of the job from its submit on; else one question asks for all at once.
    """
    deadline_s = None if timeout_s is None else clock() + timeout_s
    attempt, resubmitted = 0, False
    while True:
        try:
            if watched or not isinstance(message, m.Generate):
                status = yield from submit(message, rng)
                reply = yield from _rest(status, deadline_s, clock)
            else:
                reply = yield from _at_once(message, deadline_s, rng, clock)
        except KineographError as e:
            if e.code is ErrorCode.REQUEST_NOT_FOUND and not resubmitted:
                resubmitted = True  # a daemon that lost its store: the same id and body make the same job
                continue
            attempt += 1
            delay_s = retry.retry_delay_s(e, attempt, rng) if _may_run_again(e, message) else None
            if delay_s is None or (deadline_s is not None and clock() + delay_s > deadline_s):
                raise
            yield Pause(delay_s, e)
            ticket.job = next_job_id(message.job)
            message = replace(message, job=ticket.job)
        else:
            assert reply.result is not None
            return Result.from_body(reply.job, reply.result)


def _at_once(
    message: m.Generate, deadline_s: float | None, rng: Random, clock: Clock
) -> Conversation[m.JobResultReply]:
    asked_s = clock()
    wait_s = LONG_POLL_S if deadline_s is None else min(LONG_POLL_S, max(0.0, deadline_s - asked_s))
    try:
        reply = yield from order(message, wait_s, rng)
    except LinkError as e:
        # Only who had met a daemon waits out the whole time; whether the job came through is for the daemon to say.
        if e.code not in _OUTAGE or e.details.get("client_closed") or clock() - asked_s < wait_s:
            raise
        return (yield from fetch(message.job, ResultFormat.ARRAYS, _left_s(deadline_s, clock), clock, met=True))
    if reply.result is not None and reply.job.state is JobState.SUCCEEDED:
        return reply
    if reply.job.state is not JobState.SUCCEEDED:
        raise_if_over(reply.job)
    return (yield from _rest(reply.job, deadline_s, clock))


def _rest(status: JobStatus, deadline_s: float | None, clock: Clock) -> Conversation[m.JobResultReply]:
    return (yield from fetch(status.job, ResultFormat.ARRAYS, _left_s(deadline_s, clock), clock, met=True))


def _left_s(deadline_s: float | None, clock: Clock) -> float | None:
    return None if deadline_s is None else max(0.0, deadline_s - clock())


def _may_run_again(error: KineographError, message: Submission) -> bool:
    # A deadline that the caller set was a decision: the same again would end the same way.
    ran_out = error.code is ErrorCode.TIMEOUT and message.deadline_s is not None
    return error.details.get("job_state") == JobState.FAILED and not ran_out


def raise_if_over(status: JobStatus) -> None:
    """Raises what a job that ended without a result ended with; nothing while it may still succeed."""
    known = {"job": status.job, "job_state": str(status.state)}
    match status.state:
        case JobState.FAILED:
            error = from_envelope(status.error or {"error": {"code": "internal_error", "message": "the job failed"}})
            error.details |= known
            raise error
        case JobState.CANCELLED:
            at = {"step": status.progress.step, "steps": status.progress.steps}
            said = from_envelope(status.error) if status.error else None
            message = said.message if said is not None else status.note or "the job was cancelled"
            raise JobError(ErrorCode.REQUEST_CANCELLED, message, {**(said.details if said else {}), **at, **known})
        case JobState.EXPIRED:
            raise JobError(ErrorCode.RESULT_EXPIRED, "the job's result is kept no longer", known)
        case JobState.SUCCEEDED:
            raise LinkError(ErrorCode.BAD_RESPONSE, "the job succeeded, yet its result did not come", known)
        case _:
            return


def may_still_run(error: BaseException) -> bool:
    """Whether the job of a conversation that raised ``error`` may still be at work, and so wants to be cancelled."""
    return not isinstance(error, KineographError) or (
        error.code is ErrorCode.TIMEOUT and "job_state" not in error.details
    )


def job_ids(jobs: Sequence[str | JobStatus]) -> list[str]:
    """Ids of jobs given as ids or as statuses."""
    return [job if isinstance(job, str) else job.job for job in jobs]


class _Patience:
    """Bears an outage for a while, so that a daemon may restart under a wait; not before it was ever ``met``.

    The while begins when the connection broke, however long a question had already waited then or has since.
    """

    def __init__(self, clock: Clock, met: bool) -> None:
        self._clock = clock
        self._met = met
        self._since_s: float | None = None

    def bear(self, error: LinkError) -> None:
        """Raises ``error`` when it is no outage, or when the outage has lasted too long."""
        now_s = self._clock()
        if self._since_s is None:
            self._since_s = now_s - float(error.details.get("away_s", 0.0))
        too_long = now_s - self._since_s >= PATIENCE_S
        if error.code not in _OUTAGE or not self._met or too_long or error.details.get("client_closed"):
            raise error

    @property
    def is_tried(self) -> bool:
        """Whether the daemon is away."""
        return self._since_s is not None

    def left_s(self, most_s: float) -> float:
        """How long to wait for the next answer: ``most_s``, or until patience is at its end."""
        if self._since_s is None:
            return most_s
        return min(most_s, max(self._since_s + PATIENCE_S - self._clock(), _LEAST_S))

    def rest(self) -> None:
        """The daemon answered."""
        self._met, self._since_s = True, None


def _check_time(deadline_s: float | None, clock: Clock, job: str) -> None:
    if deadline_s is not None and clock() >= deadline_s:
        raise UnavailableError(ErrorCode.TIMEOUT, "the job has not ended in the time given; it goes on", {"job": job})
