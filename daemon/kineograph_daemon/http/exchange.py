# SPDX-License-Identifier: Apache-2.0
"""One HTTP request and its one answer, over ASGI: headers, the streamed body with its caps, the way out."""

from __future__ import annotations

import asyncio
import gzip
import re
import uuid
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from kineograph.errors import ErrorCode, PayloadTooLarge, RequestError
from kineograph_daemon.http.envelope import Headers, answer_of, refusal

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_GZIP_FROM_BYTES = 1024
_GZIP_ASIDE_BYTES = 32 * 1024
_LINGER_S, _LINGER_BYTES = 1.0, 64 * 2**20


class Gone(Exception):
    """The client hung up: nobody waits for an answer."""


class Exchange:
    """A request as it came, and the place where its answer goes. Headers' names are lower case."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.peer: str = (scope.get("client") or ("", 0))[0]
        self.is_tls: bool = scope.get("scheme") == "https"
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            known = self.headers.get(key)
            self.headers[key] = value.decode("latin-1") if known is None else f"{known}, {value.decode('latin-1')}"
        own = self.headers.get("x-request-id", "")
        self.request_id = own if _ID.fullmatch(own) else uuid.uuid4().hex
        self.status = 0
        self.received_bytes = 0
        self.sent_bytes = 0
        self.extra: Headers = []
        self._unread = self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers

    # ---- the body --------------------------------------------------------------------------------------------------

    async def read(self, cap_bytes: int, read_s: float) -> bytes:
        """The whole body, unpacked. Raises ``payload_too_large`` as soon as it is known, ``timeout`` (408), ``Gone``.

        A body may be sent with ``Content-Encoding: gzip``; the cap holds for what comes out of it too.
        """
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > cap_bytes:
            raise _too_large(cap_bytes, int(declared))
        unpack = _unpacker(self.headers.get("content-encoding", ""), cap_bytes)
        chunks: list[bytes] = []
        total = 0
        try:
            async with asyncio.timeout(read_s):
                while self._unread or not chunks:
                    chunk = unpack(await self._next_chunk())
                    total += len(chunk)
                    if total > cap_bytes:
                        raise _too_large(cap_bytes)
                    chunks.append(chunk)
        except TimeoutError:
            raise refusal(
                408, ErrorCode.TIMEOUT, f"the request's body did not arrive within {read_s:g} s", deadline_s=read_s
            ) from None
        return b"".join(chunks)

    async def gone(self) -> None:
        """Return when the client hangs up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next_chunk(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self._unread = bool(message.get("more_body", False))
        body: bytes = message.get("body", b"")
        self.received_bytes += len(body)
        return body

    # ---- the answer ------------------------------------------------------------------------------------------------

    async def respond(
        self, status: int, body: bytes = b"", media_type: str = "", headers: Headers | None = None
    ) -> None:
        """Answer, packed when the client takes that and it pays."""
        out: Headers = [*(headers or []), *self.extra]
        if media_type:
            out.append(("content-type", media_type))
            out.append(("vary", "accept, accept-encoding"))
        if len(body) >= _GZIP_FROM_BYTES and takes_gzip(self.headers.get("accept-encoding", "")):
            body = await _packed(body)
            out.append(("content-encoding", "gzip"))
        await self.respond_packed(status, body, out)

    async def respond_packed(self, status: int, body: bytes, headers: Headers) -> None:
        """Answer with a body that is as it should be."""
        out = [
            *headers,
            ("x-request-id", self.request_id),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-cache" if any(name == "etag" for name, _ in headers) else "no-store"),
        ]
        if status not in (204, 304):
            out.append(("content-length", str(len(body))))
        if self._unread:
            out.append(("connection", "close"))
        self.status, self.sent_bytes = status, len(body)
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in out]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
        if self._unread:
            # Closing on a client that still sends would reset the connection before the answer was read.
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            await self._linger()
            body = b""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def fail(self, e: BaseException) -> None:
        """Answer with the envelope."""
        status, body, headers = answer_of(e, self.request_id)
        await self.respond(status, body, "application/json", headers)

    async def _linger(self) -> None:
        read = 0
        try:
            async with asyncio.timeout(_LINGER_S):
                while self._unread and read < _LINGER_BYTES:
                    read += len(await self._next_chunk())
        except (TimeoutError, Gone):
            return


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client takes gzip."""
    for part in accept_encoding.lower().split(","):
        name, _, rest = part.strip().partition(";")
        if name.strip() in ("gzip", "*"):
            return rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def _packed(body: bytes) -> bytes:
    if len(body) < _GZIP_ASIDE_BYTES:
        return gzip.compress(body, 1, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, 1, mtime=0)


def _unpacker(encoding: str, cap_bytes: int) -> Callable[[bytes], bytes]:
    match encoding.strip().lower():
        case "" | "identity":
            return lambda chunk: chunk
        case "gzip":
            packed = zlib.decompressobj(wbits=31)
        case other:
            raise refusal(
                415,
                ErrorCode.INVALID_PARAMETERS,
                f"a body in {other[:40]!r} cannot be read",
                [("accept-encoding", "gzip, identity")],
                where={"path": ["Content-Encoding"]},
                got=other[:40],
                allowed=["gzip", "identity"],
            )

    def unpack(chunk: bytes) -> bytes:
        try:
            out = packed.decompress(chunk, cap_bytes + 1)
        except zlib.error as e:
            raise RequestError(ErrorCode.SCHEMA_VALIDATION, f"the body is no gzip: {e}", {"got": "gzip"}) from None
        if packed.unconsumed_tail:
            raise _too_large(cap_bytes)
        return out

    return unpack


def _too_large(cap_bytes: int, size_bytes: int | None = None) -> PayloadTooLarge:
    told = f"more than {cap_bytes:,}" if size_bytes is None else f"{size_bytes:,}"
    details: dict[str, Any] = {"max_request_bytes": cap_bytes, "allowed": cap_bytes}
    if size_bytes is not None:
        details |= {"request_bytes": size_bytes, "got": size_bytes}
    message = f"the request has {told} bytes, the limit is {cap_bytes:,}"
    return PayloadTooLarge(ErrorCode.PAYLOAD_TOO_LARGE, message, details)
