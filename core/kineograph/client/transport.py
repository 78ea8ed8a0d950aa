# SPDX-License-Identifier: Apache-2.0
"""The seam under the engine: what carries frames. Tests put a scripted transport here, programs the ZeroMQ one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kineograph.errors import KineographError
from kineograph.wire.codec import Buffer


class Replied(NamedTuple):
    """A message came on the request socket."""

    frames: list[Buffer]


class Published(NamedTuple):
    """A message came on the event socket."""

    frames: list[Buffer]


class PeerReached(NamedTuple):
    """The request socket's connection was accepted."""


class PeerGone(NamedTuple):
    """The request socket's connection ended."""


class PeerRefused(NamedTuple):
    """The connection failed in a way that waiting cannot mend: a foreign server, a key that is not accepted."""

    error: KineographError


Arrival = Replied | Published | PeerReached | PeerGone | PeerRefused


class Transport(Protocol):
    """Every method but ``wake`` belongs to whoever turns the engine's loop: one thread at a time."""

    def connect(self, endpoint: str, server_key: str | None) -> None:
        """Open a fresh request socket, dropping the one before. Raises ``connection_failed`` for a bad address."""

    def subscribe(self, endpoint: str, server_key: str | None) -> None:
        """Open the event socket, dropping the one before. Raises ``connection_failed`` for a bad address."""

    def unsubscribe(self) -> None:
        """Close the event socket."""

    def disconnect(self) -> None:
        """Close both sockets."""

    def send(self, frames: Sequence[Buffer]) -> bool:
        """Send on the request socket without waiting; False when it cannot take the message now."""

    def wait(self, timeout_s: float | None) -> list[Arrival]:
        """What arrived; waits until something does, ``wake`` is called or the time is over."""

    def wake(self) -> None:
        """Make ``wait`` return. Any thread may call it."""

    def close(self) -> None:
        """Release everything; the last call."""
