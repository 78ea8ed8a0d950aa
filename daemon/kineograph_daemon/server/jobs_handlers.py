# SPDX-License-Identifier: Apache-2.0
"""Handlers about jobs that exist: status, result, request, list, cancel, move, forget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kineograph.errors import ErrorCode, PayloadTooLarge, RequestError
from kineograph.wire import codec
from kineograph.wire.messages import (
    JobCancel,
    JobList,
    JobMove,
    JobRef,
    JobResult,
    JobStatus,
)
from kineograph_daemon.jobs import signals as s
from kineograph_daemon.jobs.record import Job
from kineograph_daemon.server.call import Call, Outbox, Peers
from kineograph_daemon.server.clock import Clock
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.events import Publisher
from kineograph_daemon.server.results import Results, answer_to, unknown
from kineograph_daemon.server.status import COLUMNS, job_row, status_map

MOST_JOBS = 100_000
"""In one answer."""
_OPTIONS = ("priority", "deadline_s", "on_busy", "formats", "trajectories", "label", "character", "refs")


class JobHandlers:
    """Each method of this class answers one method of the protocol."""

    def __init__(
        self, desk: Desk, results: Results, events: Publisher, peers: Peers, outbox: Outbox, clock: Clock, wait_s: float
    ) -> None:
        self._desk = desk
        self._results = results
        self._events = events
        self._peers = peers
        self._outbox = outbox
        self._clock = clock
        self._wait_limit_s = wait_s

    def status(self, call: Call) -> None:
        """``job.status``."""
        m: JobRef = call.message
        self._outbox.reply(call.sender, status_map(self._known(m.job)))

    def result(self, call: Call) -> None:
        """``job.result``: may be answered later."""
        m: JobResult = call.message
        answer = answer_to(self._outbox, call.sender)
        by_file = m.by_file and call.sender.door.is_local
        self._results.ask(m.job, m.format, min(m.wait_s, self._wait_limit_s), answer, by_file)

    def request(self, call: Call) -> None:
        """``job.request``: what the job was submitted with."""
        m: JobRef = call.message
        status = self._known(m.job)
        frames = self._desk.request_frames(m.job)
        body = codec.decode_body(frames[0], frames[1:])
        options = {key: body[key] for key in _OPTIONS if key in body}
        self._outbox.reply(call.sender, {"job": status_map(status), "request": body["request"], "options": options})

    def list(self, call: Call) -> None:
        """``job.list``: columns and rows, oldest first."""
        m: JobList = call.message
        for name, number in (("limit", m.limit), ("offset", m.offset)):
            if number < 0:
                details = {"where": {"path": [name]}, "got": number, "allowed": {"minimum": 0}}
                raise RequestError(ErrorCode.SCHEMA_VALIDATION, f"{name} is {number}, it takes at least 0", details)
        wanted = list(self._matching(m))
        page = wanted[m.offset : m.offset + min(m.limit, MOST_JOBS)]
        places = {job: n for n, job in enumerate(self._desk.machine.waiting(), 1)}
        eta_s = self._desk.machine.eta_s
        rows = [job_row(job, at := places.get(job.id), eta_s(job, at)) for job in page]
        self._outbox.reply(
            call.sender, {"columns": COLUMNS, "rows": rows, "total": len(wanted), "seq": self._events.seq}
        )

    def cancel(self, call: Call) -> None:
        """``job.cancel``: the jobs named, and no other."""
        m: JobCancel = call.message
        if len(m.jobs) > MOST_JOBS:
            details = {"where": {"path": ["jobs"]}, "got": len(m.jobs), "allowed": MOST_JOBS}
            raise PayloadTooLarge(ErrorCode.PAYLOAD_TOO_LARGE, f"{len(m.jobs):,} jobs in one question", details)
        by, now_s = self._peers.name(call.sender), self._clock.now_s()
        states: list[dict[str, Any] | None] = []
        for job in m.jobs:
            if job not in self._desk.machine.jobs:
                states.append(None)
                continue
            self._desk.feed(s.Cancel(job, by, now_s))
            states.append(status_map(self._desk.machine.status(job)))
        self._outbox.reply(call.sender, {"jobs": states})

    def move(self, call: Call) -> None:
        """``job.move``."""
        m: JobMove = call.message
        self._desk.ask(s.Move(m.job, m.to, m.before, self._clock.now_s()))
        self._outbox.reply(call.sender, status_map(self._known(m.job)))

    def forget(self, call: Call) -> None:
        """``job.forget``."""
        m: JobRef = call.message
        self._desk.ask(s.Forget(m.job, self._clock.now_s()))
        self._outbox.reply(call.sender, {"ok": True})

    def _known(self, job: str) -> JobStatus:
        try:
            return self._desk.machine.status(job)
        except KeyError:
            raise unknown(job) from None

    def _matching(self, m: JobList) -> Iterator[Job]:
        jobs = self._desk.machine.jobs
        chosen = jobs.values() if not m.jobs else [jobs[j] for j in dict.fromkeys(m.jobs) if j in jobs]
        states, text = frozenset(m.states), m.text.casefold()
        for job in chosen:
            if states and job.state not in states:
                continue
            if m.client and job.facts.client != m.client:
                continue
            if not text or text in _searched(job):
                yield job


def _searched(job: Job) -> str:
    f = job.facts
    return "\n".join((f.job, f.label, f.character, f.prompt, f.model, f.client)).casefold()
