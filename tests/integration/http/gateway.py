# SPDX-License-Identifier: Apache-2.0
"""What services put before a server: a token on every request, and 202 with a job to ask for."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any


class Gateway:
    """An ASGI app before another. ``folder/accepted`` lists the tokens of now, ``folder/seen`` those that came.

    A POST with ``Prefer: respond-async`` is answered with 202; its job is told by the inner app's answer.
    """

    def __init__(self, inner: Any, folder: Path) -> None:
        self._inner = inner
        self._folder = folder
        self._jobs: dict[str, asyncio.Task[tuple[int, list[Any], bytes]]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        headers = {k.decode().lower(): v.decode() for k, v in scope["headers"]}
        token = headers.get("authorization", "").removeprefix("Bearer ")
        with (self._folder / "seen").open("a") as seen:
            seen.write(f"{scope['method']} {token}\n")
        if token not in (self._folder / "accepted").read_text().split():
            await _answer(send, 401, {"detail": "Not authenticated"})
        elif scope["path"].startswith("/generate/jobs/"):
            await self._told(scope["path"].rpartition("/")[2], send)
        elif scope["method"] == "POST" and "respond-async" in headers.get("prefer", ""):
            await self._accepted(scope, await _body(receive), send)
        else:
            await self._inner(scope, receive, send)

    async def _accepted(self, scope: Any, body: bytes, send: Any) -> None:
        job = uuid.uuid4().hex
        self._jobs[job] = asyncio.create_task(self._ask(scope, body))
        where = [(b"location", f"/generate/jobs/{job}".encode()), (b"retry-after", b"0")]
        await _answer(send, 202, {"status": "queued"}, where)

    async def _told(self, job: str, send: Any) -> None:
        task = self._jobs.get(job)
        if task is None:
            await _answer(send, 404, {"detail": "no such job"})
        elif not task.done():
            await _answer(send, 202, {"status": "running"}, [(b"retry-after", b"0")])
        else:
            status, headers, body = task.result()
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def _ask(self, scope: Any, body: bytes) -> tuple[int, list[Any], bytes]:
        told: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        await self._inner(scope, receive, send)
        return told[0]["status"], told[0]["headers"], b"".join(m.get("body", b"") for m in told[1:])


async def _body(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _answer(send: Any, status: int, body: Any, headers: Any = ()) -> None:
    data = json.dumps(body).encode()
    length = (b"content-length", str(len(data)).encode())
    content = [(b"content-type", b"application/json"), length, *headers]
    await send({"type": "http.response.start", "status": status, "headers": content})
    await send({"type": "http.response.body", "body": data})
