# SPDX-License-Identifier: Apache-2.0
"""The transport of every program: a DEALER for requests, a SUB for events, and what wakes the engine's thread.

A daemon that listens on a Unix socket is talked to without libzmq's thread (see ``wire.dealer``); where none takes the
connection at once, over TCP and on Windows, the DEALER is libzmq's.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import threading
from collections.abc import Sequence
from typing import Any

import zmq

from kineograph.client import keys
from kineograph.client.transport import Arrival, PeerGone, PeerReached, PeerRefused, Published, Replied
from kineograph.errors import AccessError, ErrorCode, KineographError, LinkError
from kineograph.wire import parts, zmtp
from kineograph.wire import version as limits
from kineograph.wire.codec import Buffer
from kineograph.wire.dealer import UnixDealer
from kineograph.wire.stream import Gone

_BURST = 64
"""Messages taken from one socket before the other sockets get their turn."""
_WATCHED = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)

Socket = zmq.Socket[bytes]


class ZmqTransport:
    """See ``Transport``. Built in any thread, used by one."""

    def __init__(self) -> None:
        self._context: zmq.Context[Socket] = zmq.Context()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._wake_lock = threading.Lock()
        self._woken = False
        self._direct: UnixDealer | None = None
        self._is_pressing = False
        self._endpoint = ""
        self._news: list[Arrival] = []
        self._dealer: Socket | None = None
        self._monitor: Socket | None = None
        self._events: Socket | None = None
        self._poller = zmq.Poller()
        self._poller.register(self._wake_in.fileno(), zmq.POLLIN)
        self._plain: Any = select.poll() if hasattr(select, "poll") else None
        if self._plain is not None:
            self._plain.register(self._wake_in.fileno(), select.POLLIN)

    def connect(self, endpoint: str, server_key: str | None) -> None:
        self.disconnect()
        self._endpoint = endpoint
        self._direct = UnixDealer.reach(endpoint) if server_key is None else None
        if self._direct is None:
            self._connect_by_libzmq(endpoint, server_key)
        else:
            self._news.append(PeerReached())
            self._poller.register(self._direct.fileno(), zmq.POLLIN)
            self._plain.register(self._direct.fileno(), select.POLLIN)

    def _connect_by_libzmq(self, endpoint: str, server_key: str | None) -> None:
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
        self._drop_direct()
        self._news.clear()

    def send(self, frames: Sequence[Buffer]) -> bool:
        if self._direct is not None:
            self._direct.send(frames)
            self._watch_direct()
            return True
        if self._dealer is None:
            return False
        try:
            parts.send(self._dealer, frames)
        except zmq.Again:
            return False
        return True

    def wait(self, timeout_s: float | None) -> list[Arrival]:
        if self._news:
            timeout_s = 0.0
        # Where no socket of libzmq's is open, the system is asked by one call instead of two.
        poller = self._poller if self._direct is None or self._events is not None else self._plain
        ready = poller.poll(None if timeout_s is None else math.ceil(max(0.0, timeout_s) * 1000.0))
        out, self._news = self._news, []
        for source, _ in ready:
            if self._direct is not None and source == self._direct.fileno():
                out.extend(self._take_direct(self._direct))
            elif source is self._dealer:
                out.extend(Replied(frames) for frames in _receive(source))
            elif source is self._events:
                out.extend(Published(frames) for frames in _receive(source))
            elif source is self._monitor:
                out.extend(_news(source))
            else:
                self._slept_enough()
        return out

    def wake(self) -> None:
        with self._wake_lock:
            if not self._woken and self._wake_out.fileno() >= 0:
                self._wake_out.send(b"x")
                self._woken = True  # in this order a Ctrl-C in between wakes once too often, never too seldom

    def close(self) -> None:
        self.disconnect()
        with self._wake_lock:
            self._wake_out.close()
        self._wake_in.close()
        self._context.term()

    def _slept_enough(self) -> None:
        with self._wake_lock, contextlib.suppress(BlockingIOError):
            self._woken = False
            self._wake_in.recv(64)

    def _take_direct(self, direct: UnixDealer) -> list[Arrival]:
        try:
            if direct.unsent:
                direct.flush()
            messages = direct.receive()
            self._watch_direct()
        except zmtp.Broken:
            self._drop_direct()
            return [PeerRefused(_foreign())]
        except Gone as e:
            self._drop_direct()
            if e.unsent:  # nobody was met yet: libzmq waits for whoever comes next
                self._connect_by_libzmq(self._endpoint, None)
                for frames in e.unsent:
                    self.send(frames)
            return [PeerGone()]
        return [Replied(frames) for frames in messages]

    def _watch_direct(self) -> None:
        """Ask for room on the way out as long as something waits for it, and no longer."""
        if self._direct is not None and bool(self._direct.unsent) is not self._is_pressing:
            self._is_pressing = not self._is_pressing
            self._poller.modify(self._direct.fileno(), zmq.POLLIN | (zmq.POLLOUT if self._is_pressing else 0))
            self._plain.modify(self._direct.fileno(), select.POLLIN | (select.POLLOUT if self._is_pressing else 0))

    def _drop_direct(self) -> None:
        if self._direct is not None:
            self._poller.unregister(self._direct.fileno())
            self._plain.unregister(self._direct.fileno())
            self._direct.close()
        self._direct, self._is_pressing = None, False

    def _open(self, kind: int, server_key: str | None) -> Socket:
        pair = keys.client_keys() if server_key else None
        opened = self._context.socket(kind)
        opened.set(zmq.LINGER, 0)
        opened.set(zmq.MAXMSGSIZE, limits.MAX_ARRAY_BYTES)
        if pair is not None and server_key:
            try:
                opened.curve_publickey = pair.public.encode()
                opened.curve_secretkey = pair.secret.encode()
                opened.curve_serverkey = server_key.encode()
            except zmq.ZMQError as e:
                opened.close(0)
                raise AccessError(ErrorCode.UNAUTHORIZED, f"a key cannot be used: {e}", {"got": server_key}) from None
        return opened


def _no_address(endpoint: str, why: Exception) -> LinkError:
    message = f"{endpoint!r} is no address to connect to: {why}"
    return LinkError(ErrorCode.CONNECTION_FAILED, message, {"got": endpoint, "no_address": endpoint})


def _receive(socket: Any) -> list[list[Buffer]]:
    messages: list[list[Buffer]] = []
    with contextlib.suppress(zmq.Again):
        for _ in range(_BURST):
            messages.append(parts.receive(socket))
            if not parts.is_readable(socket):  # asking costs less than the exception of a vain try
                break
    return messages


def _news(monitor: Any) -> list[Arrival]:
    from zmq.utils.monitor import recv_monitor_message  # it imports asyncio, which who speaks on ipc need not have

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
