# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the link for work: waits for the front's word, and says what there is to say.

A DEALER without a thread of its own where the front listens on a Unix socket (see ``wire.dealer``); libzmq's where it
does not, and where the other connection breaks: libzmq connects again as long as the heartbeat lets the worker live.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import zmq

from kineograph.wire import parts, zmtp
from kineograph.wire.codec import Buffer
from kineograph.wire.dealer import UnixDealer
from kineograph.wire.stream import Gone

IDLE_S = 1.0
_READY_S = 2.0
_LINGER_MS = 1000


class Line:
    """``receive`` belongs to one thread; any thread may ``send``."""

    def __init__(self, endpoint: str, identity: str) -> None:
        self._endpoint, self._identity = endpoint, identity.encode()
        self._sending = threading.Lock()
        self._came: deque[list[Buffer]] = deque()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._dealer: zmq.Socket[bytes] | None = None
        self._direct = self._reach()
        if self._direct is None:
            self._open_dealer()

    def receive(self) -> list[Buffer] | None:
        """The next message; None after ``IDLE_S`` without one."""
        if not self._came and self._direct is not None:
            try:
                self._came.extend(self._direct.receive())
            except (Gone, zmtp.Broken):
                self._fall_back()
        if self._came:
            return self._came.popleft()
        if self._direct is not None:
            return None
        try:
            return parts.receive(self._dealer, 0, most=None)
        except zmq.Again:
            return None

    def send(self, frames: Sequence[Buffer]) -> None:
        """Say a message; waits until it is on its way."""
        with self._sending:  # progress may come from a thread of the backbone
            if self._direct is not None:
                self._direct.send(frames)
                if self._direct.is_heard:
                    return
                self._open_dealer()
            parts.send(self._dealer, frames, 0)

    def close(self) -> None:
        """End the line; what was said still leaves."""
        if self._direct is not None:
            self._direct.close()
        if self._dealer is not None and self._context is not None:
            self._dealer.close(_LINGER_MS)
            self._context.term()

    def _reach(self) -> UnixDealer | None:
        direct = UnixDealer.reach(self._endpoint, self._identity, most=None)
        try:
            if direct is not None and direct.wait_ready(_READY_S, IDLE_S):
                return direct
        except (Gone, zmtp.Broken):
            pass
        if direct is not None:
            direct.close()
        return None

    def _fall_back(self) -> None:
        with self._sending:
            self._open_dealer()

    def _open_dealer(self) -> None:
        if self._direct is not None:
            self._direct.close()
            self._direct = None
        if self._dealer is None:
            self._context = zmq.Context()
            self._dealer = self._context.socket(zmq.DEALER)
            self._dealer.setsockopt(zmq.IDENTITY, self._identity)
            self._dealer.setsockopt(zmq.LINGER, _LINGER_MS)
            self._dealer.setsockopt(zmq.RCVTIMEO, int(IDLE_S * 1000))
            self._dealer.connect(self._endpoint)
