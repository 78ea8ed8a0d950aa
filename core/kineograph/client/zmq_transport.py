# SPDX-License-Identifier: Apache-2.0
"""The transport of every program: a DEALER for requests, a SUB for events, a PAIR that wakes the engine's thread."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from collections.abc import Sequence
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from kineograph.client import keys
from kineograph.client.transport import Arrival, PeerGone, PeerReached, PeerRefused, Published, Replied
from kineograph.errors import AccessError, ErrorCode, KineographError, LinkError
from kineograph.wire import parts
from kineograph.wire import version as limits
from kineograph.wire.codec import Buffer

_BURST = 64
"""Messages taken from one socket before the other sockets get their turn."""
_WATCHED = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_counter = itertools.count()

Socket = zmq.Socket[bytes]


class ZmqTransport:
    """See ``Transport``. Built in any thread, used by one."""

    def __init__(self) -> None:
        self._context: zmq.Context[Socket] = zmq.Context()
        address = f"inproc://wake-{next(_counter)}"
        self._wake_in = self._context.socket(zmq.PAIR)
        self._wake_in.bind(address)
        self._wake_out = self._context.socket(zmq.PAIR)
        self._wake_out.connect(address)
        self._wake_lock = threading.Lock()
        self._woken = False
        self._dealer: Socket | None = None
        self._monitor: Socket | None = None
        self._events: Socket | None = None
        self._poller = zmq.Poller()
        self._poller.register(self._wake_in, zmq.POLLIN)

    def connect(self, endpoint: str, server_key: str | None) -> None:
        self.disconnect()
        dealer = self._open(zmq.DEALER, server_key)
        dealer.set(zmq.SNDHWM, 0)
        dealer.set(zmq.RCVHWM, 0)  # a full queue here would make the daemon drop replies
        monitor = dealer.get_monitor_socket(_WATCHED)
        self._dealer, self._monitor = dealer, monitor
        self._poller.register(dealer, zmq.POLLIN)
        self._poller.register(monitor, zmq.POLLIN)
        try:
            dealer.connect(endpoint)
        except zmq.ZMQError as e:
            self.disconnect()
            raise _no_address(endpoint, e) from None

    def subscribe(self, endpoint: str, server_key: str | None) -> None:
        self.unsubscribe()
        events = self._open(zmq.SUB, server_key)
        self._events = events
        self._poller.register(events, zmq.POLLIN)
        events.set(zmq.SUBSCRIBE, b"")
        try:
            events.connect(endpoint)
        except zmq.ZMQError as e:
            self.unsubscribe()
            raise _no_address(endpoint, e) from None

    def unsubscribe(self) -> None:
        if self._events is not None:
            self._poller.unregister(self._events)
            self._events.close(0)
            self._events = None

    def disconnect(self) -> None:
        self.unsubscribe()
        if self._dealer is not None and self._monitor is not None:
            self._poller.unregister(self._dealer)
            self._poller.unregister(self._monitor)
            self._dealer.disable_monitor()
            self._monitor.close(0)
            self._dealer.close(0)
        self._dealer = self._monitor = None

    def send(self, frames: Sequence[Buffer]) -> bool:
        if self._dealer is None:
            return False
        try:
            parts.send(self._dealer, frames)
        except zmq.Again:
            return False
        return True

    def wait(self, timeout_s: float | None) -> list[Arrival]:
        ready = self._poller.poll(None if timeout_s is None else math.ceil(max(0.0, timeout_s) * 1000.0))
        out: list[Arrival] = []
        for socket, _ in ready:
            if socket is self._dealer:
                out.extend(Replied(frames) for frames in _receive(socket))
            elif socket is self._events:
                out.extend(Published(frames) for frames in _receive(socket))
            elif socket is self._monitor:
                out.extend(_news(socket))
            else:
                self._slept_enough()
        return out

    def wake(self) -> None:
        with self._wake_lock:
            if not self._woken and not self._wake_out.closed:
                self._wake_out.send(b"", parts.NOBLOCK)
                self._woken = True  # in this order a Ctrl-C in between wakes once too often, never too seldom

    def close(self) -> None:
        self.disconnect()
        with self._wake_lock:
            self._wake_out.close(0)
        self._wake_in.close(0)
        self._context.term()

    def _slept_enough(self) -> None:
        with self._wake_lock:
            self._woken = False
            self._wake_in.recv(parts.NOBLOCK)

    def _open(self, kind: int, server_key: str | None) -> Socket:
        pair = keys.client_keys() if server_key else None
        socket = self._context.socket(kind)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.MAXMSGSIZE, limits.MAX_ARRAY_BYTES)
        if pair is not None and server_key:
            try:
                socket.curve_publickey = pair.public.encode()
                socket.curve_secretkey = pair.secret.encode()
                socket.curve_serverkey = server_key.encode()
            except zmq.ZMQError as e:
                socket.close(0)
                raise AccessError(ErrorCode.UNAUTHORIZED, f"a key cannot be used: {e}", {"got": server_key}) from None
        return socket


def _no_address(endpoint: str, why: Exception) -> LinkError:
    message = f"{endpoint!r} is no address to connect to: {why}"
    return LinkError(ErrorCode.CONNECTION_FAILED, message, {"got": endpoint})


def _receive(socket: Any) -> list[list[Buffer]]:
    messages: list[list[Buffer]] = []
    with contextlib.suppress(zmq.Again):
        for _ in range(_BURST):
            messages.append(parts.receive(socket))
            if not parts.is_readable(socket):  # asking costs less than the exception of a vain try
                break
    return messages


def _news(monitor: Any) -> list[Arrival]:
    out: list[Arrival] = []
    while monitor.poll(0):
        match recv_monitor_message(monitor)["event"]:
            case zmq.EVENT_CONNECTED:
                out.append(PeerReached())
            case zmq.EVENT_DISCONNECTED:
                out.append(PeerGone())
            case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                out.append(PeerRefused(_unauthorized()))
            case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                out.append(PeerRefused(_foreign()))
    return out


def _unauthorized() -> KineographError:
    return AccessError(ErrorCode.UNAUTHORIZED, "the daemon does not know this user's key")


def _foreign() -> KineographError:
    return LinkError(
        ErrorCode.PROTOCOL_MISMATCH, "the server at this address is no Kineograph daemon (no ZeroMQ handshake)"
    )
