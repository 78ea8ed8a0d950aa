# SPDX-License-Identifier: Apache-2.0
"""uvicorn's HTTP/1.1 connection with what it lacks: time limits for headers, a limit of connections, our envelope.

What is wrong before a request exists (no HTTP, endless headers) is answered here; the rest is the app's.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from kineograph.errors import ErrorCode
from kineograph_daemon.http.envelope import answer_of, refusal

HEADER_S = 10.0
"""How long a client may take for its headers, unless the time for a body is shorter."""
MAX_HEADER_BYTES = 32 * 1024


class DoorProtocol(H11Protocol):
    """One connection. ``most_connections`` and ``header_s`` are the door's."""

    most_connections = 4096
    header_s = HEADER_S
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: its headers are awaited from now on."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._refuse(503, ErrorCode.RATE_LIMITED, "the HTTP door has too many connections")
            return
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Bytes came: the start of a request, or more of one."""
        if self.transport.is_closing():
            return
        self._await_headers()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._headers_are_in()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._headers_are_in()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP request."""
        self._refuse(400, ErrorCode.SCHEMA_VALIDATION, msg)

    def _should_upgrade(self) -> bool:
        return False  # there is nothing here to upgrade to; the request itself is answered

    def _await_headers(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        if self._header_timer is None and not busy:
            self._header_timer = self.loop.call_later(self.header_s, self._too_slow)

    def _headers_are_in(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _too_slow(self) -> None:
        self._header_timer = None
        if self.conn.states[h11.CLIENT] is h11.IDLE and not self.conn.trailing_data[0]:
            self.transport.close()  # connected and silent: nothing was asked
            return
        self._refuse(408, ErrorCode.TIMEOUT, f"the request's headers did not arrive within {self.header_s:g} s")

    def _refuse(self, status: int, code: ErrorCode, message: str) -> None:
        request_id = uuid.uuid4().hex
        status, body, headers = answer_of(refusal(status, code, message), request_id)
        headers += [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("x-request-id", request_id),
            ("connection", "close"),
        ]
        raw = [(name.encode(), value.encode()) for name, value in headers]
        # When an answer is under way already there is nothing to say but to hang up.
        with contextlib.suppress(h11.LocalProtocolError):
            head = self.conn.send(h11.Response(status_code=status, headers=raw))
            data = self.conn.send(h11.Data(data=body))
            end = self.conn.send(h11.EndOfMessage())
            self.transport.write(b"".join(part for part in (head, data, end) if part))
        self.transport.close()
