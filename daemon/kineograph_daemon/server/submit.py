# SPDX-License-Identifier: Apache-2.0
"""``generate`` and ``generate.batch``: checked at the door, kept, queued.

The job's id is made by the client and is the idempotency key: the same id with the same request is the same job, with
another one a conflict, also after a restart.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from kineograph.errors import ErrorCode, JobError, KineographError, RequestError
from kineograph.wire import codec
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import (
    Generate,
    GenerateBatch,
    GenerateWait,
    JobStatus,
    Method,
    OnBusy,
    ResultFormat,
    to_body,
)
from kineograph_daemon.jobs.record import JobFacts
from kineograph_daemon.server.call import Call, Outbox, Peers
from kineograph_daemon.server.desk import Desk
from kineograph_daemon.server.models import ModelTable
from kineograph_daemon.server.parking import Parking
from kineograph_daemon.server.results import Results, answer_to
from kineograph_daemon.server.status import status_map

_ID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}")
MAX_TEXT = 500
_COMPARED = ("request", "trajectories")
"""What decides whether two submits are the same: what changes the result. Any form of it can be had later."""
_MOST_PACKING = 3
"""How many times longer a request can be here than as JSON (9 bytes for ``0.0,``), so that no client makes it less."""


class Submitting:
    """The two handlers that make jobs."""

    def __init__(
        self,
        desk: Desk,
        models: ModelTable,
        peers: Peers,
        outbox: Outbox,
        parking: Parking,
        results: Results,
        wait_s: float,
    ) -> None:
        self._desk = desk
        self._models = models
        self._peers = peers
        self._outbox = outbox
        self._parking = parking
        self._results = results
        self._wait_limit_s = wait_s

    def generate(self, call: Call) -> None:
        """One job."""
        if self._admit(call):
            job = call.message.job
            self._outbox.reply(call.sender, status_map(self._desk.machine.status(job)), promises=job)

    def generate_and_wait(self, call: Call) -> None:
        """One job, answered when it has ended. An error is about the submit; the job itself is told by its status."""
        if self._admit(call):
            m: GenerateWait = call.message
            answer = answer_to(self._outbox, call.sender, promises=m.job)
            by_file = m.by_file and call.sender.door.is_local
            self._results.ask_gently(m.job, min(m.wait_s, self._wait_limit_s), answer, by_file)

    def batch(self, call: Call) -> None:
        """One job an item, each with its own answer."""
        m: GenerateBatch = call.message
        told = m.batch.get("requests") if isinstance(m.batch, dict) else None
        items: list[Any] = told if isinstance(told, list) else []
        count = len(items)
        if isinstance(told, list) and len(m.jobs) != count:
            raise _wrong(["jobs"], len(m.jobs), count, f"{len(m.jobs)} job ids for {count} requests")
        if len(set(m.jobs)) != len(m.jobs):
            raise _wrong(["jobs"], "the same id twice", "an id for each request", "a job id stands twice")
        for index, job in enumerate(m.jobs):
            check_id(job, m.deadline_s, ["jobs", index])
        if self._parking.must_wait(call, *map(_named, items)):
            return
        self._outbox.reply(call.sender, {"results": self._batch(m, call, items)})

    # ---- one job ---------------------------------------------------------------------------------------------------

    def _admit(self, call: Call) -> bool:
        """Whether the job is, or was, submitted; False while it waits for its model to come up."""
        m: Generate = call.message
        check_id(m.job, m.deadline_s, ["job"])
        if self.is_known(m.job, call.frames):
            return True
        if self._parking.must_wait(call, _named(m.request)):
            return False
        request = self._check(m, call)
        place = _place_of(request, call.frames[0])
        mark = digest(call.frames) if place is None else _mark_at(place, call.frames, m.trajectories)
        facts = self._facts(m.job, m, request, self._peers.name(call.sender), mark)
        self._desk.submit(facts, call.frames, m.on_busy, place)
        return True

    def _check(self, m: Generate, call: Call) -> Any:
        from kineograph_daemon.mmcp.validate import check_request

        size_bytes = _size_bytes(m, call)
        try:
            return check_request(m.request, size_bytes, self._models.entries, m.refs)
        except KineographError:
            # A refusal is told from the request as it was sent, not from one that was read around its skeleton.
            sent = codec.decode_body(call.frames[0], call.frames[1:])["request"]
            return check_request(sent, size_bytes, self._models.entries, m.refs)

    def _facts(
        self,
        job: str,
        m: Generate | GenerateBatch,
        request: Any,
        client: str,
        mark: bytes,
        group: str = "",
    ) -> JobFacts:
        spec = self._models.entries[request.model].ready_spec()
        options = request.options
        return JobFacts(
            job=job,
            model=request.model,
            client=client,
            priority=m.priority,
            label=m.label[:MAX_TEXT],
            character=m.character[:MAX_TEXT],
            prompt=_prompt(request)[:MAX_TEXT],
            frames=int(request.total_frames),
            fps_hz=float(request.fps(spec.fps)),
            samples=1 if options is None else int(options.num_samples),
            deadline_s=m.deadline_s,
            formats=tuple(dict.fromkeys([ResultFormat.ARRAYS, *m.formats])),
            trajectories=m.trajectories,
            group=group,
            digest=mark,
        )

    def is_known(self, job: str, frames: Sequence[Buffer]) -> bool:
        """Whether the job was submitted before with the same request. Raises ``idempotency_conflict``."""
        known = self._desk.machine.jobs.get(job)
        if known is None:
            return False
        if not _is_marked(known.facts, frames) and not self._says_the_same(job, frames):
            details = {"job": job, "state": str(known.state), "where": {"path": ["job"]}, "got": job}
            message = f"job {job} exists already with another request"
            raise JobError(ErrorCode.IDEMPOTENCY_CONFLICT, message, details)
        return True

    def _says_the_same(self, job: str, frames: Sequence[Buffer]) -> bool:
        # Another order of keys, another deadline or label: still the same job.
        try:
            before = self._desk.request_frames(job)
        except KineographError:
            return False
        old, new = codec.decode_body(before[0], before[1:]), codec.decode_body(frames[0], frames[1:])
        return all(same(old.get(key), new.get(key)) for key in _COMPARED)

    # ---- a batch ---------------------------------------------------------------------------------------------------

    def _batch(self, m: GenerateBatch, call: Call, items: Sequence[Any]) -> list[dict[str, Any]]:
        from kineograph_daemon.mmcp.validate import check_batch

        checked = check_batch(m.batch, _size_bytes(m, call), self._models.entries, m.item_bytes)
        client, group = self._peers.name(call.sender), f"batch-{m.jobs[0]}"
        version = m.batch["protocol_version"]
        results: list[dict[str, Any]] = []
        for job, item, request in zip(m.jobs, items, checked, strict=True):
            try:
                if isinstance(request, KineographError):
                    raise request
                results.append(
                    {
                        "job": status_map(
                            self._item(job, {"protocol_version": version, **item}, request, m, client, group)
                        )
                    }
                )
            except KineographError as e:
                results.append(e.to_envelope())
        return results

    def _item(self, job: str, item: Any, request: Any, m: GenerateBatch, client: str, group: str) -> JobStatus:
        single = Generate(
            job,
            item,
            priority=m.priority,
            deadline_s=m.deadline_s,
            formats=m.formats,
            trajectories=m.trajectories,
            label=m.label,
            character=m.character,
        )
        frames = codec.pack_body(to_body(single))
        if not self.is_known(job, frames):
            self._desk.submit(self._facts(job, m, request, client, digest(frames), group), frames, OnBusy.WAIT)
        return self._desk.machine.status(job)


def _read(frames: Sequence[Buffer]) -> dict[str, Any]:
    from kineograph_daemon.mmcp.known import read_body  # the schema's library is not on the time of a start

    return read_body(frames).fields


def _place_of(request: Any, body: Buffer) -> slice | None:
    """Where the request's skeleton lies in its body: many others have the same."""
    from kineograph_daemon.mmcp.known import KNOWN

    return KNOWN.place_in(body, request.skeleton) if isinstance(body, bytes) else None


READERS = {Method.GENERATE: _read, Method.GENERATE_WAIT: _read}
"""Methods whose body is read in a way of its own."""


def _mark_at(place: slice, frames: Sequence[Buffer], trajectories: bool) -> bytes:
    """The mark of a body in which a known skeleton lies at ``place``."""
    from kineograph_daemon.mmcp.known import ReadBody

    return _mark(ReadBody({}, frames, place), trajectories)


def _mark(body: Any, trajectories: bool) -> bytes:
    """What tells a submit from another: the fingerprint of its request and what else changes the result."""
    from kineograph_daemon.mmcp import fingerprint

    return fingerprint.of_body(body) + bytes([trajectories])


def _is_marked(facts: JobFacts, frames: Sequence[Buffer]) -> bool:
    """Whether a body has the mark of a job."""
    if not facts.request_sha256:
        return facts.digest == digest(frames)
    from kineograph_daemon.mmcp.known import read_body

    body = read_body(frames)
    return facts.digest == _mark(body, bool(body.fields.get("trajectories")))


def digest(frames: Sequence[Buffer]) -> bytes:
    """A whole body's fingerprint, where its request is not told apart."""
    h = hashlib.sha256()  # processors have it built in
    for frame in frames:
        h.update(len(frame).to_bytes(8, "little"))
        h.update(frame)
    return h.digest()[:16]


def same(a: Any, b: Any) -> bool:
    """Whether two decoded values are equal; arrays by dtype, shape and content."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return (
            isinstance(a, np.ndarray)
            and isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
        )
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


def _size_bytes(m: Generate | GenerateBatch, call: Call) -> int:
    """What counts against byte caps: MMCP's are about JSON, so a door that took JSON tells its length."""
    return call.size_bytes if m.size_bytes is None else max(m.size_bytes, call.size_bytes // _MOST_PACKING)


def check_id(job: str, deadline_s: float | None, path: list[Any]) -> None:
    """Refuse what is no job id, and a deadline that cannot be met."""
    if not _ID.fullmatch(job):
        raise _wrong(path, job[:80], "a UUID in lower case", f"a job's id is a UUID, not {job[:80]!r}")
    if deadline_s is not None and not (deadline_s > 0.0 and math.isfinite(deadline_s)):
        shown = deadline_s if math.isfinite(deadline_s) else str(deadline_s)
        raise _wrong(["deadline_s"], shown, "more than 0 seconds", f"a deadline of {deadline_s} s cannot be met")


def _wrong(path: list[Any], got: Any, allowed: Any, message: str) -> RequestError:
    details = {"where": {"path": path}, "got": got, "allowed": allowed}
    return RequestError(ErrorCode.SCHEMA_VALIDATION, message, details)


def _named(request: Any) -> str | None:
    """The model that a raw request names."""
    model = request.get("model") if isinstance(request, dict) else None
    return model if isinstance(model, str) else None


def _prompt(request: Any) -> str:
    prompts = [p for segment in request.segments if (p := getattr(segment, "prompt", None))]
    return " / ".join(prompts)


__all__ = ["MAX_TEXT", "Submitting", "check_id", "digest", "same"]
