# SPDX-License-Identifier: Apache-2.0
"""The door's lines to the daemon: one client of the queue for each name that comes in, so that fair share holds."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from kineograph.client import verbs
from kineograph.client.aio_runner import AsyncRunner
from kineograph.client.engine import DEFAULT_DEADLINE_S
from kineograph.client.link import LinkSettings
from kineograph.client.sync import build_engine
from kineograph.errors import ErrorCode, KineographError
from kineograph.wire.messages import Empty, JobRef, JobStatus, Method, ResultFormat


class Line:
    """One client. Every question is asked once: whether to try again is for who asks over HTTP to decide."""

    def __init__(self, name: str) -> None:
        self.name = name
        # A busy daemon's hello gets as long as the question itself: the door is part of it, and knows that it lives.
        settings = LinkSettings(hello_s=DEFAULT_DEADLINE_S)
        self._engine = build_engine(None, name, "other", False, settings=settings)

    async def ask(self, method: Method, message: Any = None, deadline_s: float = DEFAULT_DEADLINE_S) -> Any:
        """The reply's typed message. Raises what the daemon answered, or a ``LinkError``."""
        return await asyncio.wrap_future(self._engine.call(method, message or Empty(), deadline_s))

    async def status(self, job: str) -> JobStatus | None:
        """Where a job stands; None for one that is not known."""
        try:
            status: JobStatus = await self.ask(Method.JOB_STATUS, JobRef(job))
        except KineographError as e:
            if e.code is ErrorCode.REQUEST_NOT_FOUND:
                return None
            raise
        return status

    async def result(self, job: str, form: ResultFormat, timeout_s: float) -> dict[str, Any]:
        """The job's result, waited for, also while the daemon restarts.

        Raises what the job ended with, ``timeout`` without a ``job_state`` in its details when it has not ended.
        """
        talk = verbs.fetch(job, form, timeout_s, time.monotonic, met=True)
        reply = await AsyncRunner(self._engine).run(talk)
        assert reply.result is not None, "fetch returns with a result or raises"
        return reply.result

    def close(self) -> None:
        """Hang up; may wait a little for the engine's thread."""
        self._engine.close()


class Lines:
    """All lines of the door, by the caller's name. Names come from the file of tokens, so there are few."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    def of(self, name: str) -> Line:
        """The line of a name."""
        if name not in self._lines:
            self._lines[name] = Line(name)
        return self._lines[name]

    async def close(self) -> None:
        """Hang up everywhere."""
        lines, self._lines = list(self._lines.values()), {}
        await asyncio.gather(*(asyncio.to_thread(line.close) for line in lines))
