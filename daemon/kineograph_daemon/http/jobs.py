# SPDX-License-Identifier: Apache-2.0
"""``GET`` and ``DELETE /generate/jobs/{id}``: 202 until the end, then the result or what the job ended with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kineograph.client.verbs import raise_if_over
from kineograph.errors import ErrorCode, KineographError, UnavailableError
from kineograph.wire.messages import JobCancel, JobCancelReply, JobState, JobStatus, Method
from kineograph_daemon.http import forms, keys
from kineograph_daemon.http.access import Caller
from kineograph_daemon.http.config import DoorConfig
from kineograph_daemon.http.envelope import JSON, refusal, to_json
from kineograph_daemon.http.exchange import Exchange
from kineograph_daemon.http.generate import Generating, is_unfinished, unknown
from kineograph_daemon.http.line import Line, Lines

PREFIX = "/generate/jobs/"
_WRITE_S = 30.0
"""How long a finished job's other form may take to be written before the client is told to ask again."""


class Jobs:
    """The handlers of one job's path, a batch's included."""

    def __init__(self, config: DoorConfig, lines: Lines, generating: Generating) -> None:
        self._config = config
        self._lines = lines
        self._generating = generating

    async def get(self, x: Exchange, caller: Caller) -> None:
        """202, 200, or what the job ended with: 404, 410, or the status of its error."""
        caller.check(Method.JOB_RESULT)
        base, count, path = _named(x)
        prefer = forms.preference_of(x.headers.get("prefer", ""))
        hold_s = min(prefer.wait_s or 0.0, self._config.wait_s)
        line = self._lines.of(caller.name)
        if count:
            await self._get_batch(x, line, keys.item_ids(base, count), path, hold_s)
        else:
            await self._get_single(x, line, base, hold_s)

    async def delete(self, x: Exchange, caller: Caller) -> None:
        """200 or 202 when cancelled, 409 when it had ended, 410 when it was cancelled before, 404."""
        caller.check(Method.JOB_CANCEL)
        base, count, path = _named(x)
        line = self._lines.of(caller.name)
        jobs = keys.item_ids(base, count) if count else [base]
        before = await self._states(line, jobs)
        if not before:
            raise unknown(path)
        if all(s.state.is_final for s in before):
            raise _ended(before)
        reply: JobCancelReply = await line.ask(Method.JOB_CANCEL, JobCancel(jobs))
        states = [JobState(job["state"]) for job in reply.jobs if job is not None]
        still = any(not state.is_final for state in states)
        told = JobState.CANCELLING if still else JobState.CANCELLED
        await x.respond(202 if still else 200, to_json({"job_id": path, "status": str(told)}), JSON)

    async def _get_single(self, x: Exchange, line: Line, job: str, hold_s: float) -> None:
        form = forms.form_of(x.headers.get("accept", ""))
        status = await line.status(job)
        if status is None:
            raise unknown(job)
        x.extra.append(("x-job-id", job))
        if status.state is not JobState.SUCCEEDED:
            raise_if_over(status)
            if hold_s <= 0.0:
                await self._generating.accepted(x, status, job)
                return
        try:
            wait_s = max(hold_s, _WRITE_S) if status.state is JobState.SUCCEEDED else hold_s
            body = await self._generating.document(line, job, form, wait_s)
        except UnavailableError as e:
            if not is_unfinished(e):
                raise
            await self._generating.accepted(x, await line.status(job) or status, job)
        else:
            await x.respond(200, body, forms.MEDIA_TYPE[form])

    async def _get_batch(self, x: Exchange, line: Line, jobs: Sequence[str], path: str, hold_s: float) -> None:
        forms.form_of(x.headers.get("accept", ""), only_json=True)
        states = await self._states(line, jobs)
        if not states:
            raise unknown(path)
        until_s = asyncio.get_running_loop().time() + hold_s
        while running := [s for s in states if not s.state.is_final]:
            left_s = until_s - asyncio.get_running_loop().time()
            if left_s <= 0.0:
                await self._generating.accepted(x, running[0], path)
                return
            await asyncio.sleep(min(left_s, 0.2))
            states = await self._states(line, jobs)
        await x.respond(200, await self._generating.results(line, jobs, _WRITE_S), JSON)

    async def _states(self, line: Line, jobs: Sequence[str]) -> list[JobStatus]:
        known = await asyncio.gather(*(line.status(job) for job in jobs))
        return [status for status in known if status is not None]


def _named(x: Exchange) -> tuple[str, int, str]:
    text = x.path.removeprefix(PREFIX)
    found = keys.parse_job(text)
    if found is None:
        raise unknown(text)
    return (*found, text)


def _ended(before: Sequence[JobStatus]) -> BaseException:
    """Why there is nothing to cancel."""
    for status in before:
        if status.state in (JobState.CANCELLED, JobState.EXPIRED):
            try:
                raise_if_over(status)
            except KineographError as e:
                return e
    state = str(before[0].state)
    return refusal(
        409,
        ErrorCode.INVALID_REQUEST,
        "the job has ended already",
        job=before[0].job,
        job_state=state,
        got=state,
        allowed=["queued", "running"],
    )
