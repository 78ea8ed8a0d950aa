# SPDX-License-Identifier: Apache-2.0
"""The daemon's capabilities, asked for at most a few times a second however many clients ask."""

from __future__ import annotations

import asyncio
import gzip
import time
from dataclasses import dataclass
from typing import Any

from kineograph.wire.messages import CapabilitiesReply, Method
from kineograph.wire.version import MAX_BODY_BYTES
from kineograph_daemon.http.envelope import to_json
from kineograph_daemon.http.line import Lines

_FRESH_S = 0.5
_DEFAULT_BODY_BYTES = 2**20
_NAME = "http:door"


@dataclass(frozen=True)
class Page:
    """Capabilities as they were asked for once, ready to be sent."""

    body: bytes
    packed: bytes
    largest_bytes: int
    smallest_bytes: int
    asynchronous: frozenset[str]
    asked_s: float


class Book:
    """The last page, renewed when it is old; who comes meanwhile waits for the same answer."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._page: Page | None = None
        self._asking: asyncio.Task[Page] | None = None

    async def page(self) -> Page:
        """The capabilities of now. Raises what the daemon answered."""
        if self._page is not None and time.monotonic() - self._page.asked_s < _FRESH_S:
            return self._page
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def largest_body_bytes(self) -> int:
        """The largest body that any model takes: the cap before it is known which one is meant."""
        return (await self.page()).largest_bytes

    async def smallest_body_bytes(self) -> int:
        """The smallest cap of all models."""
        return (await self.page()).smallest_bytes

    async def is_async(self, model: str) -> bool:
        """Whether a model advertises that it answers with 202."""
        return model in (await self.page()).asynchronous

    async def _ask(self) -> Page:
        asked_s = time.monotonic()
        reply: CapabilitiesReply = await self._lines.of(_NAME).ask(Method.CAPABILITIES)
        models: list[dict[str, Any]] = reply.mmcp.get("models") or []
        caps = [int(m["limits"]["max_request_bytes"]) for m in models] or [_DEFAULT_BODY_BYTES]
        body = to_json(reply.mmcp)
        self._page = Page(
            body=body,
            packed=gzip.compress(body, 6, mtime=0),
            largest_bytes=min(max(caps), MAX_BODY_BYTES),
            smallest_bytes=min(caps),
            asynchronous=frozenset(str(m["id"]) for m in models if m.get("supports_async")),
            asked_s=asked_s,
        )
        return self._page
