# SPDX-License-Identifier: Apache-2.0
"""The daemon's capabilities, asked for at most a few times a second however many clients ask.

They are written and packed again only when they have changed, and whoever asks while they are being renewed gets those
of a moment ago: what the front does meanwhile delays nobody.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import math
import time
from dataclasses import dataclass, replace
from typing import Any

from kineograph.wire.messages import CapabilitiesReply, Method
from kineograph.wire.version import MAX_BODY_BYTES
from kineograph_daemon.http.envelope import to_json
from kineograph_daemon.http.line import Lines

_FRESH_S = 0.5
_USABLE_S = 2.0
"""A page older than this is waited for."""
_DEFAULT_BODY_BYTES = 2**20
_NAME = "http:door"


@dataclass(frozen=True)
class Page:
    """Capabilities as they were asked for once, ready to be sent. ``etag`` is of what they say."""

    told: dict[str, Any]
    etag: str
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

    async def page(self, *, usable_s: float = _USABLE_S) -> Page:
        """The capabilities of now, at most ``usable_s`` old. Raises what the daemon answered."""
        page = self._page
        age_s = math.inf if page is None else time.monotonic() - page.asked_s
        if page is not None and age_s < _FRESH_S:
            return page
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(_heard)
        return page if page is not None and age_s < usable_s else await asyncio.shield(self._asking)

    async def check(self) -> None:
        """Raise what the daemon answers when it does not answer."""
        await self.page(usable_s=_FRESH_S)

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
        if self._page is not None and self._page.told == reply.mmcp:
            self._page = replace(self._page, asked_s=asked_s)
            return self._page
        models: list[dict[str, Any]] = reply.mmcp.get("models") or []
        caps = [int(m["limits"]["max_request_bytes"]) for m in models] or [_DEFAULT_BODY_BYTES]
        body = to_json(reply.mmcp)
        self._page = Page(
            told=reply.mmcp,
            etag=f'"{hashlib.sha256(body).hexdigest()[:20]}"',
            body=body,
            packed=await asyncio.to_thread(gzip.compress, body, 6, mtime=0),
            largest_bytes=min(max(caps), MAX_BODY_BYTES),
            smallest_bytes=min(caps),
            asynchronous=frozenset(str(m["id"]) for m in models if m.get("supports_async")),
            asked_s=asked_s,
        )
        return self._page


def _heard(asking: asyncio.Task[Page]) -> None:
    """Who waits is told what went wrong; where nobody does, the next one asks again."""
    if not asking.cancelled():
        asking.exception()
