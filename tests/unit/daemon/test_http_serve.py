# SPDX-License-Identifier: Apache-2.0
"""The door's socket: what it gives to every connection."""

from __future__ import annotations

import asyncio
import socket

import pytest

pytest.importorskip("uvicorn", reason="the HTTP door needs uvicorn")

from kineograph_daemon.http.config import DoorConfig
from kineograph_daemon.http.serve import bind


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_no_answer_waits_for_an_acknowledgement(host: str) -> None:
    """With Nagle's algorithm an answer of two parts waits 40 ms for the client's delayed acknowledgement."""

    async def nodelay(listener: socket.socket) -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            link = writer.get_extra_info("socket")
            told.set_result(link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        server = await asyncio.start_server(connected, sock=listener)
        async with server:
            _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            on = await told
            writer.close()
        return on

    try:
        listener = bind(DoorConfig(host, 0))
    except OSError:
        pytest.skip(f"this computer has no {host}")
    with listener:
        assert asyncio.run(nodelay(listener)) != 0
