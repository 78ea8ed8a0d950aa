# SPDX-License-Identifier: Apache-2.0
"""A DEALER on a Unix socket without a thread (see ``stream``).

It is for who finds somebody listening at once; waiting for a peer, connecting again, keys and TCP are libzmq's.
"""

from __future__ import annotations

import socket
import struct
import time

from kineograph.wire import version as limits
from kineograph.wire import zmtp
from kineograph.wire.stream import BUFFER_BYTES, Stream


class UnixDealer(Stream):
    """Made by ``reach``."""

    def __init__(self, connected: socket.socket, identity: bytes, most: int | None) -> None:
        super().__init__(connected, zmtp.ready(b"DEALER", identity), zmtp.Inbound(b"DEALER", most))

    @classmethod
    def reach(cls, endpoint: str, identity: bytes = b"", most: int | None = limits.MAX_ARRAYS + 3) -> UnixDealer | None:
        """A connection to ``ipc://PATH``; None for another sort of endpoint, and where nobody takes it at once."""
        path = endpoint.removeprefix("ipc://")
        if path in ("", endpoint) or path[0] in "@*" or not hasattr(socket, "AF_UNIX"):
            return None
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.setblocking(False)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            connected.connect(path)
            return cls(connected, identity, most)
        except (OSError, ValueError):
            connected.close()
            return None

    def wait_ready(self, timeout_s: float, then_wait_s: float) -> bool:
        """Wait until the peer has introduced itself; whether it has.

        From then on calls wait: ``receive`` up to ``then_wait_s`` for something to come, ``send`` until it is out.
        """
        end_s = time.monotonic() + timeout_s
        self._socket.setblocking(True)
        while not self.is_ready:
            left_s = end_s - time.monotonic()
            if left_s <= 0.0:
                return False
            self._wait_at_most(left_s)
            self.receive()
        self._wait_at_most(then_wait_s)
        return True

    def _wait_at_most(self, seconds: float) -> None:
        whole = int(seconds)
        told = struct.pack("@ll", whole, max(1, int((seconds - whole) * 1e6)))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, told)
