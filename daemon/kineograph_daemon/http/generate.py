# SPDX-License-Identifier: Apache-2.0
"""``POST /generate``: one request or a batch becomes jobs of the queue, answered when done or with 202."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from kineograph.errors import ErrorCode, JobError, KineographError, UnavailableError
from kineograph.wire.messages import (
    Generate,
    GenerateBatch,
    GenerateBatchReply,
    JobCancel,
    JobStatus,
    Method,
    ResultFormat,
)
from kineograph_daemon.http import forms, keys, payload
from kineograph_daemon.http.access import Caller
from kineograph_daemon.http.book import Book
from kineograph_daemon.http.config import DoorConfig
from kineograph_daemon.http.envelope import JSON, Headers, to_json, whole_seconds
from kineograph_daemon.http.exchange import Exchange, Gone
from kineograph_daemon.http.line import Line, Lines

T = TypeVar("T")
Outcome = dict[str, Any] | KineographError

POLL_S = 1.0
"""What ``Retry-After`` of a 202 says while nothing better is known."""
_REFUSED_KEPT = 1000


class Generating:
    """The handler of ``POST /generate``, and what it shares with the handlers of jobs."""

    def __init__(self, config: DoorConfig, lines: Lines, book: Book) -> None:
        self._config = config
        self._lines = lines
        self._book = book
        self._submits: dict[str, asyncio.Lock] = {}
        self._refused: OrderedDict[str, KineographError] = OrderedDict()

    async def post(self, x: Exchange, caller: Caller) -> None:
        """Either kind of body."""
        caller.check(Method.GENERATE)
        body = await x.read(await self._book.largest_body_bytes(), self._config.read_s)
        asked = await payload.parse(body)
        base = keys.job_id(x.headers.get("idempotency-key"), caller.name)
        x.extra.append(("x-job-id", base))
        prefer = forms.preference_of(x.headers.get("prefer", ""))
        line = self._lines.of(caller.name)
        if isinstance(asked, dict) and "requests" in asked:
            await self._batch(x, line, base, asked, len(body), prefer)
        else:
            await self._single(x, line, base, asked, len(body), prefer)

    # ---- one job ---------------------------------------------------------------------------------------------------

    async def _single(
        self, x: Exchange, line: Line, job: str, request: Any, size_bytes: int, prefer: forms.Preference
    ) -> None:
        form = forms.form_of(x.headers.get("accept", ""))
        message = Generate(job, request, formats=[ResultFormat.ARRAYS, form], size_bytes=size_bytes)
        has_key = "idempotency-key" in x.headers
        status: JobStatus = await self._once(x, job, has_key, line, lambda: line.ask(Method.GENERATE, message))
        advertises = await self._book.is_async(status.model)
        is_async = prefer.respond_async or (advertises and prefer.wait_s is None)
        hold_s = (prefer.wait_s or 0.0) if is_async else self._config.wait_s
        if prefer.wait_s is not None:
            hold_s = min(hold_s, prefer.wait_s, self._config.wait_s) if is_async else hold_s
        if is_async and hold_s <= 0.0 and not status.state.is_final:
            await self.accepted(x, status, job, applied=prefer.respond_async)
            return
        try:
            body = await self._attend(x, line, [job], has_key or is_async, self.document(line, job, form, hold_s))
        except UnavailableError as e:
            if not is_async or not is_unfinished(e):
                raise
            await self.accepted(x, await line.status(job) or status, job, applied=prefer.respond_async)
        else:
            await x.respond(200, body, forms.MEDIA_TYPE[form])

    async def document(self, line: Line, job: str, form: ResultFormat, hold_s: float) -> bytes:
        """The job's motion as bytes. Raises what it ended with, or ``timeout`` when it has not."""
        return await forms.document(form, await line.result(job, form, hold_s))

    async def accepted(self, x: Exchange, status: JobStatus, path: str, *, applied: bool = False) -> None:
        """202: where to ask, and when."""
        body = {
            "job_id": path,
            "status": str(status.state),
            "position": status.position,
            "eta_s": status.eta_s,
            "progress": status.progress.fraction,
            "stage": status.progress.stage,
        }
        headers: Headers = [("location", f"/generate/jobs/{path}"), ("retry-after", str(whole_seconds(POLL_S)))]
        if applied:
            headers.append(("preference-applied", "respond-async"))
        await x.respond(202, to_json(body), JSON, headers)

    # ---- a batch ---------------------------------------------------------------------------------------------------

    async def _batch(
        self, x: Exchange, line: Line, base: str, batch: dict[str, Any], size_bytes: int, prefer: forms.Preference
    ) -> None:
        forms.form_of(x.headers.get("accept", ""), only_json=True)
        items = batch["requests"] if isinstance(batch["requests"], list) else []
        jobs = keys.item_ids(base, len(items))
        sizes = payload.item_bytes(items) if size_bytes > await self._book.smallest_body_bytes() else []
        formats = [ResultFormat.ARRAYS, ResultFormat.GLTF]
        message = GenerateBatch(jobs, batch, formats=formats, size_bytes=size_bytes, item_bytes=sizes)
        has_key = "idempotency-key" in x.headers
        first = jobs[0] if jobs else base
        reply = await self._once(x, first, has_key, line, lambda: line.ask(Method.GENERATE_BATCH, message))
        waiting = self._note_refused(jobs, reply)
        if prefer.respond_async and waiting:
            path = keys.batch_id(base, len(jobs))
            await self.accepted(x, waiting[0], path, applied=True)
            return
        work = self.results(line, jobs, self._config.wait_s)
        await x.respond(200, await self._attend(x, line, [s.job for s in waiting], has_key, work), JSON)

    async def results(self, line: Line, jobs: Sequence[str], hold_s: float) -> bytes:
        """The answer of a batch: each item's motion or its own error."""
        return forms.batch_document(list(await asyncio.gather(*(self._item(line, job, hold_s) for job in jobs))))

    async def _item(self, line: Line, job: str, hold_s: float) -> bytes:
        try:
            if job in self._refused:
                raise self._refused[job]
            return b'{"gltf":' + await self.document(line, job, ResultFormat.GLTF, hold_s) + b"}"
        except KineographError as e:
            return to_json(e.to_envelope())

    def refusal_of(self, job: str) -> KineographError | None:
        """Why an item of a batch never became a job, as long as the door remembers."""
        return self._refused.get(job)

    def _note_refused(self, jobs: Sequence[str], reply: GenerateBatchReply) -> list[JobStatus]:
        from kineograph.client.verbs import batch_outcomes

        accepted = []
        for job, outcome in zip(jobs, batch_outcomes(reply), strict=False):
            if isinstance(outcome, JobStatus):
                accepted.append(outcome)
                self._refused.pop(job, None)
            else:
                self._refused[job] = outcome
        while len(self._refused) > _REFUSED_KEPT:
            self._refused.popitem(last=False)
        return accepted

    # ---- both ------------------------------------------------------------------------------------------------------

    async def _once(self, x: Exchange, job: str, has_key: bool, line: Line, submit: Callable[[], Awaitable[T]]) -> T:
        """Submit; with a key, say whether the job was there before."""
        if not has_key:
            return await submit()
        lock = self._submits.setdefault(job, asyncio.Lock())
        try:
            async with lock:
                known = await line.status(job)
                reply = await submit()
        finally:
            if not lock.locked():
                self._submits.pop(job, None)
        x.extra.append(("idempotency-status", "new" if known is None else "replayed"))
        return reply

    async def _attend(self, x: Exchange, line: Line, jobs: Sequence[str], kept: bool, work: Awaitable[bytes]) -> bytes:
        """Wait for the work, or for the client to hang up: then jobs that nobody can ask for again are cancelled."""
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(x.gone())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Gone
            return working.result()
        except BaseException as e:
            # A 504 ends the wait of a client without a key as surely as its hanging up.
            if not kept and jobs and (not isinstance(e, KineographError) or is_unfinished(e)):
                with suppress(KineographError):
                    await asyncio.shield(line.ask(Method.JOB_CANCEL, JobCancel(list(jobs))))
            raise
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)


def is_unfinished(e: KineographError) -> bool:
    """Whether an error only says that a job has not ended in the time given."""
    return e.code is ErrorCode.TIMEOUT and "job_state" not in e.details


def unknown(job: str) -> JobError:
    """404."""
    return JobError(
        ErrorCode.REQUEST_NOT_FOUND, f"job {job[:80]} is not known here", {"job": job[:80], "got": job[:80]}
    )
