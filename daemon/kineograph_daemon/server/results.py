# SPDX-License-Identifier: Apache-2.0
"""Results: sent as they lie on disk, waited for without blocking anybody.

The reply's body is put together from packed parts, and the arrays are the mapped file's own pages: a result of a
hundred megabytes costs the front no copy. Who can read the file, and says so, is told its name instead.
"""

from __future__ import annotations

import heapq
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack

from kineograph.errors import ErrorCode, JobError, KineographError, UnavailableError, error, from_envelope
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import JobState, JobStatus, ResultFormat
from kineograph_daemon.jobs import blobs
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.record import RETARGET
from kineograph_daemon.server.call import Outbox, Sender
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.models import ModelTable
from kineograph_daemon.server.status import status_map

Answer = Callable[[list[Buffer] | KineographError], None]
"""Takes the packed body of the reply, or the error; called exactly once."""

_TWO_KEYS = b"\x82"
_KEY_JOB, _KEY_RESULT, _KEY_FILE = msgpack.packb("job"), msgpack.packb("result"), msgpack.packb("file")
_NIL = msgpack.packb(None)


@dataclass
class _Waiter:
    job: str
    form: ResultFormat
    until_s: float
    answer: Answer
    by_file: bool
    done: bool = False


class Results:
    """Answers ``job.result``, now or when the job has ended."""

    def __init__(self, desk: Desk, models: ModelTable, clock: Clock, limit: int) -> None:
        self._desk = desk
        self._models = models
        self._clock = clock
        self._limit = limit
        self._waiters: dict[str, list[_Waiter]] = {}
        self._deadlines: list[tuple[float, int, _Waiter]] = []
        self._numbers = itertools.count()
        self._waiting = 0
        desk.on_final = self._job_ended
        desk.on_encoded = self._encode_ended

    def ask(self, job: str, form: ResultFormat, wait_s: float, answer: Answer, by_file: bool = False) -> None:
        """Answer with the result (``by_file``: with the name of its file), or with the status alone: at once for a
        job that failed or was cancelled, after ``wait_s`` for one that goes on.

        Raises ``request_not_found`` or ``result_expired``; ``model_unavailable`` when the form cannot be written now.
        """
        body = self._now(job, form, by_file)
        if body is not None:
            answer(body)
        elif wait_s <= 0.0:
            answer(self._partial(job))
        else:
            self._wait(_Waiter(job, form, self._clock.now_s() + wait_s, answer, by_file))

    def ask_gently(self, job: str, wait_s: float, answer: Answer, by_file: bool = False) -> None:
        """As ``ask`` for the arrays, but where there is no room to wait the status is the answer: ask again."""
        try:
            self.ask(job, ResultFormat.ARRAYS, wait_s, answer, by_file)
        except UnavailableError:
            answer(self._partial(job))

    def expire(self, now_s: float) -> None:
        """Answer those whose time is over with the state so far."""
        while self._deadlines and (self._deadlines[0][2].done or self._deadlines[0][0] <= now_s):
            waiter = heapq.heappop(self._deadlines)[2]
            if not waiter.done:
                self._settle(waiter, self._partial_or_error(waiter.job))

    def next_s(self) -> float | None:
        """When ``expire`` has something to do."""
        return self._deadlines[0][0] if self._deadlines else None

    # ---- answers ---------------------------------------------------------------------------------------------------

    def _now(self, job_id: str, form: ResultFormat, by_file: bool) -> list[Buffer] | None:
        job = self._desk.machine.jobs.get(job_id)
        if job is None:
            raise unknown(job_id)
        match job.state:
            case JobState.SUCCEEDED:
                return self._stored(job_id, form, by_file)
            case JobState.EXPIRED:
                raise _expired(job_id)
            case JobState.FAILED | JobState.CANCELLED:
                # Not an error of this call: what became of a job is said by its status alone.
                return self._partial(job_id)
            case _:
                return None

    def _stored(self, job_id: str, form: ResultFormat, by_file: bool) -> list[Buffer] | None:
        job = self._desk.machine.jobs[job_id]
        file = self._desk.store.result_path(job_id, job.attempt, form)
        if form is not ResultFormat.ARRAYS and not os.path.exists(file):
            self._order(job_id, form)
            return None
        if by_file:  # one that is gone is noticed when the client asks again, for its bytes
            status = msgpack.packb(status_map(self._desk.machine.status(job_id)))
            return [b"".join((_TWO_KEYS, _KEY_JOB, status, _KEY_FILE, msgpack.packb(file)))]
        try:
            stored = blobs.open(file)
        except JobError:
            # Somebody deleted the file: from now on the job says so itself.
            self._desk.feed(s.Expire(job_id, self._clock.now_s()))
            raise _expired(job_id) from None
        head = b"".join(
            (_TWO_KEYS, _KEY_JOB, msgpack.packb(status_map(self._desk.machine.status(job_id))), _KEY_RESULT, stored[0])
        )
        return [head, *stored[1:]]

    def _order(self, job_id: str, form: ResultFormat) -> None:
        job = self._desk.machine.jobs[job_id]
        if not self._desk.store.result_file(job_id, job.attempt).exists():
            self._desk.feed(s.Expire(job_id, self._clock.now_s()))
            raise _expired(job_id)
        if job.facts.kind == RETARGET:
            details = {"job": job_id, "got": str(form), "allowed": ["arrays"]}
            raise error(ErrorCode.INVALID_PARAMETERS, "what a retarget made is had as arrays", details)
        if job.facts.model not in self._models.hosted():
            details = {"model": job.facts.model, "format": str(form), "got": str(form), "allowed": ["arrays"]}
            message = f"the model {job.facts.model!r} is needed to write {form}, and no worker hosts it now"
            raise error(ErrorCode.MODEL_UNAVAILABLE, message, details)
        self._desk.feed(s.Encode(job_id, form, self._clock.now_s()))

    def _partial(self, job_id: str) -> list[Buffer]:
        status: JobStatus = self._desk.machine.status(job_id)
        return [b"".join((_TWO_KEYS, _KEY_JOB, msgpack.packb(status_map(status)), _KEY_RESULT, _NIL))]

    def _partial_or_error(self, job_id: str) -> list[Buffer] | KineographError:
        return self._partial(job_id) if job_id in self._desk.machine.jobs else unknown(job_id)

    # ---- waiting ---------------------------------------------------------------------------------------------------

    def _wait(self, waiter: _Waiter) -> None:
        if self._waiting >= self._limit:
            details = {"active_requests": self._waiting, "concurrency_limit": self._limit}
            raise UnavailableError(ErrorCode.RATE_LIMITED, "too many requests wait for results", details)
        self._waiting += 1
        self._waiters.setdefault(waiter.job, []).append(waiter)
        heapq.heappush(self._deadlines, (waiter.until_s, next(self._numbers), waiter))

    def _job_ended(self, job: str) -> None:
        for waiter in list(self._waiters.get(job, ())):
            self._try(waiter)

    def _encode_ended(self, job: str, form: ResultFormat, failure: dict[str, Any] | None) -> None:
        for waiter in [w for w in self._waiters.get(job, ()) if w.form is form]:
            if failure is None:
                self._try(waiter)
            else:
                self._settle(waiter, from_envelope(failure))

    def _try(self, waiter: _Waiter) -> None:
        try:
            body = self._now(waiter.job, waiter.form, waiter.by_file)
        except KineographError as e:
            self._settle(waiter, e)
            return
        if body is not None:
            self._settle(waiter, body)

    def _settle(self, waiter: _Waiter, outcome: list[Buffer] | KineographError) -> None:
        if waiter.done:
            return
        waiter.done = True
        self._waiting -= 1
        others = self._waiters[waiter.job]
        others.remove(waiter)
        if not others:
            del self._waiters[waiter.job]
        waiter.answer(outcome)


def answer_to(outbox: Outbox, to: Sender, promises: str = "") -> Answer:
    """Answers a client; ``promises`` is the job that must be on disk before."""

    def answer(outcome: list[Buffer] | KineographError) -> None:
        if isinstance(outcome, KineographError):
            outbox.fail(to, outcome)
        else:
            outbox.reply_packed(to, outcome, promises)

    return answer


def unknown(job: str) -> JobError:
    """The error for an id that no job has."""
    named = job[:80]  # whatever a client sent: it is not sent back as it came
    return JobError(ErrorCode.REQUEST_NOT_FOUND, f"job {named} is not known here", {"job": named, "got": named})


def _expired(job: str) -> JobError:
    return JobError(ErrorCode.RESULT_EXPIRED, f"the result of job {job} is not kept any more", {"job": job, "got": job})
