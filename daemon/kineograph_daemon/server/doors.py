# SPDX-License-Identifier: Apache-2.0
"""The doors that clients come in by: a ROUTER for requests and an XPUB for events on each of ipc and TCP.

Everything is bounded before it is looked at: the size of a frame, their number, the messages kept for a peer that does
not read. A peer that breaks the protocol of ZeroMQ itself is dropped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import zmq

from kineograph.wire import parts
from kineograph.wire.codec import Buffer
from kineograph.wire.messages import Role
from kineograph.wire.parts import Socket
from kineograph_daemon.server.routers import LibzmqRouter, Router, UnixRouter

Context = Any

_MOST_TOPIC_BYTES = 1024
"""Of what a subscriber says, its handshake with a key too. libzmq keeps each byte of a topic in a node of its own."""

_MOST_UNSENT_BYTES = 2 * 2**20
"""Of answers that wait for one peer to read. What comes beyond is one answer: its next request is not taken before."""


class Incoming(NamedTuple):
    """One message of a client, undecoded. ``frames`` is cut off beyond the allowed number."""

    door: Door
    peer: bytes
    role: Role | None
    frames: list[Buffer]


@dataclass
class Door:
    """A bound pair. ``role_of`` tells the role of a TCP client's key; without it everybody is admin."""

    name: str
    requests: Router
    events: Socket
    events_endpoint: str
    role_of: Callable[[str], Role | None] | None = None
    _topics: set[bytes] = field(default_factory=set)

    @property
    def endpoint(self) -> str:
        """Where requests go."""
        return self.requests.endpoint

    @property
    def is_local(self) -> bool:
        """Whether who comes in here is on this machine, and may read what this user may."""
        return self.endpoint.startswith("ipc:")

    def receive(self) -> Iterator[Incoming]:
        """The messages that wait, without waiting for more. To be asked when there is one."""
        for peer, frames, user in self.requests.receive():
            yield Incoming(self, peer, self._role(user), frames)

    def send(self, peer: bytes, frames: list[Buffer]) -> None:
        """Answer a client; dropped when it is gone or does not read."""
        self.requests.send(peer, frames)

    @property
    def is_heard(self) -> bool:
        """Whether anybody subscribes to anything here; asks the socket, which says so only where somebody reads."""
        while parts.is_readable(self.events):
            told = self.events.recv(parts.NOBLOCK)
            if told[:1] == b"\1":
                self._topics.add(told)
            elif told[:1] == b"\0":
                self._topics.discard(b"\1" + told[1:])
        return bool(self._topics)

    def publish(self, frames: Sequence[Buffer]) -> None:
        """Send an event to whoever listens."""
        with contextlib.suppress(zmq.Again):
            parts.send(self.events, frames)

    def close(self, linger_ms: int = 200) -> None:
        """Unbind; what was sent has ``linger_ms`` to leave."""
        self.requests.close(linger_ms)
        self.events.close(linger_ms)

    def _role(self, user: str | None) -> Role | None:
        if self.role_of is None:
            return Role.ADMIN
        return self.role_of(user) if user else None


def open_door(
    context: Context,
    name: str,
    endpoints: tuple[str, str],
    *,
    frame_bytes: int,
    peer_queue: int,
    server_secret: bytes | None = None,
    role_of: Callable[[str], Role | None] | None = None,
) -> Door:
    """A door at ``endpoints`` (requests, events). With ``server_secret`` peers need a key (CURVE, asked by ZAP)."""

    def bound(kind: int, endpoint: str) -> Socket:
        socket = context.socket(kind)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.SNDHWM, peer_queue)
        socket.set(zmq.RCVHWM, peer_queue)
        socket.set(zmq.MAXMSGSIZE, frame_bytes if kind == zmq.ROUTER else _MOST_TOPIC_BYTES)
        socket.set(zmq.HANDSHAKE_IVL, 5000)
        if server_secret is not None:
            socket.set(zmq.ZAP_DOMAIN, b"kineograph")
            socket.curve_server = True
            socket.curve_secretkey = server_secret
            # A peer behind a network that went away is noticed, or its messages would be kept for ever.
            socket.set(zmq.HEARTBEAT_IVL, 10_000)
            socket.set(zmq.HEARTBEAT_TIMEOUT, 30_000)
        socket.bind(endpoint)
        return socket

    requests: Router
    if endpoints[0].startswith("ipc:") and server_secret is None and UnixRouter.is_possible():
        requests = UnixRouter(
            endpoints[0], most_bytes=frame_bytes, peer_queue=peer_queue, most_unsent=_MOST_UNSENT_BYTES
        )
    else:
        requests = LibzmqRouter(bound(zmq.ROUTER, endpoints[0]), with_user=role_of is not None)
    events = bound(zmq.XPUB, endpoints[1])
    return Door(name, requests, events, events.get(zmq.LAST_ENDPOINT).rstrip(b"\0").decode(), role_of)
