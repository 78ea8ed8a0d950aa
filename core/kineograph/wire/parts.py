# SPDX-License-Identifier: Apache-2.0
"""A message's parts on and off a ZeroMQ socket, by the fewest calls: small parts copied, large ones as they lie.

A part says itself whether another one follows; asking the socket after each, as ``recv_multipart`` does, costs more
than taking it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

from kineograph.wire import version as limits
from kineograph.wire.codec import Buffer

COPY_BYTES = 16 * 1024
"""Below this a copy costs less than keeping libzmq's own buffer alive."""
NOBLOCK = int(zmq.NOBLOCK)
_EVENTS, _POLLIN, _SNDMORE = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.SNDMORE)
"""Plain numbers: arithmetic with pyzmq's own costs more than a system call."""

_send: Any = zmq.backend.Socket.send
"""Under ``zmq.Socket.send``, which only adds options for sockets that are not used here."""

Socket = Any
"""pyzmq's generic socket types say less than they cost here."""


def send(socket: Socket, parts: Sequence[Buffer], flags: int = NOBLOCK) -> None:
    """Send a message; with the default flags at once or not at all (``zmq.Again``)."""
    *others, last = parts
    more = flags | _SNDMORE
    for part in others:  # only the first part can be refused: libzmq takes a message whole
        _send(socket, part, more, len(part) <= COPY_BYTES)
    _send(socket, last, flags, len(last) <= COPY_BYTES)


def receive(socket: Socket, flags: int = NOBLOCK, most: int | None = limits.MAX_ARRAYS + 3) -> list[Buffer]:
    """The parts of the next message. Raises ``zmq.Again`` when none waits.

    Beyond ``most`` they are taken off the socket, but not kept: who sends too many is known by one more than allowed.
    """
    frame = socket.recv(flags, copy=False)
    return rest(socket, frame, [contents(frame)], most)


def rest(socket: Socket, first: Any, parts: list[Buffer], most: int | None = limits.MAX_ARRAYS + 3) -> list[Buffer]:
    """``parts`` with those that follow the frame ``first``."""
    frame = first
    while frame.more:
        frame = socket.recv(copy=False)
        if most is None or len(parts) < most:
            parts.append(contents(frame))
    return parts


def contents(frame: Any) -> Buffer:
    """What a frame holds."""
    held: Buffer = frame.bytes if len(frame) <= COPY_BYTES else frame.buffer
    return held


def is_readable(socket: Socket) -> bool:
    """Whether a message waits; libzmq takes in news of its own thread with this question."""
    return bool(socket.getsockopt(_EVENTS) & _POLLIN)
