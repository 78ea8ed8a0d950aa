# SPDX-License-Identifier: Apache-2.0
"""What the front hears its peers by: a ROUTER of libzmq, or on a Unix socket one that it reads itself.

Both speak ZMTP, so that a peer need not know which one it met.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
import stat
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

import zmq

from kineograph.wire import parts, zmtp
from kineograph.wire import version as limits
from kineograph.wire.codec import Buffer
from kineograph.wire.stream import BUFFER_BYTES, Gone, Stream

_SPARE_FILES = 128
_MOST_FRAMES = limits.MAX_ARRAYS + 3
_BACKLOG = 256
_HANDSHAKE_S = 5.0
_TIDY_EVERY_S = 1.0
_ROOM_BYTES = 16 * 1024 + 1024
"""Of each peer; what does not fit gets room of its own."""
_USER = "User-Id"


Heard = tuple[bytes, list[Buffer], str | None]
"""A message: who said it, its frames (cut off beyond the allowed number), the user of a key."""


class Router(Protocol):
    """One thread's. ``source`` is what to poll; ``has_more`` says that there is something to ``receive`` already."""

    source: Any
    endpoint: str

    @property
    def has_more(self) -> bool:
        """Whether a message was read and not taken."""

    def receive(self) -> Iterator[Heard]:
        """What waits, peer by peer in turn. To be asked when the source is readable or there is more."""

    def send(self, peer: bytes, frames: list[Buffer]) -> bool:
        """Say something to a peer without waiting; False when it is gone or does not read."""

    def tidy(self) -> None:
        """To be called now and then."""

    def close(self, linger_ms: int) -> None:
        """Unbind; what was sent has ``linger_ms`` to leave."""


class LibzmqRouter:
    """A bound ROUTER socket. ``with_user``: its peers have keys."""

    has_more = False

    def __init__(self, bound: Any, *, most: int | None = _MOST_FRAMES, with_user: bool = False) -> None:
        self.source = bound
        self.endpoint = bound.get(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
        self._most = most
        self._with_user = with_user

    def receive(self) -> Iterator[Heard]:
        """See ``Router``."""
        with contextlib.suppress(zmq.Again):
            while True:
                first = self.source.recv(parts.NOBLOCK, copy=False)
                yield self._rest(first)
                if not parts.is_readable(self.source):
                    return

    def send(self, peer: bytes, frames: list[Buffer]) -> bool:
        """See ``Router``."""
        try:
            parts.send(self.source, [peer, *frames])
        except zmq.ZMQError:
            return False
        return True

    def tidy(self) -> None:
        """libzmq does it."""

    def close(self, linger_ms: int) -> None:
        """See ``Router``."""
        self.source.close(linger_ms)

    def _rest(self, first: Any) -> Heard:
        frames: list[Buffer] = []
        user: str | None = None
        frame = first
        while frame.more:
            frame = self.source.recv(copy=False)
            if self._with_user and user is None:
                with contextlib.suppress(zmq.ZMQError):
                    user = frame.get(_USER)
            if self._most is None or len(frames) < self._most:  # beyond it they are taken off, but not kept
                frames.append(parts.contents(frame))
        return first.bytes, frames, user


class _Peer:
    """A connection and what it said that was not taken yet."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.name = b""
        self.said: deque[list[Buffer]] = deque()
        self.since_s = time.monotonic()
        self.is_pressing = False
        self.is_held = self.is_aside = False


class UnixRouter:
    """A ROUTER on a Unix socket, without a thread (see ``wire.stream``); ``peer_queue``: pieces kept for a peer that
    does not read, 0 for any number. ``most_unsent``: bytes that may wait for a peer; nothing more is heard of it, and
    what it said is not taken, until it has read them. 0 for any number.

    Peers are served in turn, a message each, and none is read from before what it said is taken: a flood stays in the
    system's buffers and holds up nobody but its sender.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        most: int | None = _MOST_FRAMES,
        most_bytes: int = limits.MAX_ARRAY_BYTES,
        peer_queue: int = 0,
        most_unsent: int = 0,
    ) -> None:
        self.endpoint = endpoint
        self._path = endpoint.removeprefix("ipc://")
        self._most, self._most_bytes, self._peer_queue = most, most_bytes, peer_queue
        self._most_unsent = most_unsent or math.inf
        self._most_peers = max(16, _open_files() - _SPARE_FILES)
        self._listener = _listening(self._path)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self.source: Any = self._epoll.fileno()
        self._is_deaf = False
        self._by_fd: dict[int, _Peer] = {}
        self._by_name: dict[bytes, _Peer] = {}
        self._turns: deque[_Peer] = deque()
        self._count = 0
        self._tidied_s = 0.0

    @staticmethod
    def is_possible() -> bool:
        """Whether this system has what it takes."""
        return hasattr(select, "epoll") and hasattr(socket, "AF_UNIX")

    @property
    def has_more(self) -> bool:
        """See ``Router``."""
        return bool(self._turns)

    def receive(self) -> Iterator[Heard]:
        """See ``Router``."""
        for fd, what in self._epoll.poll(0):
            if (peer := self._by_fd.get(fd)) is not None:
                self._look_at(peer, what)
            elif fd == self._listener.fileno():
                self._accept()
        turns = self._turns
        while turns:
            peer = turns.popleft()
            if peer.is_held:  # its turn comes again when it has read
                peer.is_aside = True
                continue
            frames = peer.said.popleft()
            if peer.said:
                turns.append(peer)
            yield peer.name, frames, None

    def send(self, peer: bytes, frames: list[Buffer]) -> bool:
        """See ``Router``."""
        known = self._by_name.get(peer)
        if known is None or (self._peer_queue and known.stream.unsent >= self._peer_queue):
            return False
        known.stream.send(frames)
        self._watch(known)
        return known.stream.is_heard

    def tidy(self) -> None:
        """Drop who connected and said nothing; listen again after there were too many open files."""
        now_s = time.monotonic()
        if now_s - self._tidied_s < _TIDY_EVERY_S:
            return
        self._tidied_s = now_s
        for peer in [p for p in self._by_fd.values() if not p.stream.is_ready and now_s - p.since_s > _HANDSHAKE_S]:
            self._drop(peer)
        if self._is_deaf:
            self._is_deaf = False
            self._epoll.register(self._listener, select.EPOLLIN)

    def close(self, linger_ms: int) -> None:
        """See ``Router``."""
        until_s = time.monotonic() + linger_ms / 1000.0
        for peer in list(self._by_fd.values()):
            while peer.stream.unsent and (left_s := until_s - time.monotonic()) > 0.0:
                room = select.poll()  # takes any number, where select() ends at 1,024 open files
                room.register(peer.stream, select.POLLOUT)
                room.poll(left_s * 1000.0)
                peer.stream.flush()
            self._drop(peer)
        self._listener.close()
        self._epoll.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _accept(self) -> None:
        while True:
            if len(self._by_fd) >= self._most_peers:  # the rest of the files is for results and the database
                self._rest()
                return
            try:
                connected, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # too many open files: asked again in a moment, not all the time
                self._rest()
                return
            connected.setblocking(False)
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            inbound = zmtp.Inbound(b"ROUTER", self._most, self._most_bytes, _ROOM_BYTES)
            peer = _Peer(Stream(connected, zmtp.ready(b"ROUTER"), inbound))
            self._by_fd[peer.stream.fileno()] = peer
            self._epoll.register(peer.stream, select.EPOLLIN)

    def _rest(self) -> None:
        """Accept nobody for a moment."""
        self._is_deaf = True
        self._epoll.unregister(self._listener)

    def _look_at(self, peer: _Peer, what: int) -> None:
        try:
            if what & select.EPOLLOUT:
                peer.stream.flush()
            if what & ~select.EPOLLOUT and not peer.said:
                said = peer.stream.receive()
                if not peer.name and peer.stream.is_ready:
                    self._name(peer)
                if said:
                    peer.said.extend(said)
                    self._turns.append(peer)
            self._watch(peer)
        except (Gone, zmtp.Broken):
            self._drop(peer)

    def _name(self, peer: _Peer) -> None:
        self._count += 1
        name = peer.stream.inbound.identity or b"\0" + self._count.to_bytes(8, "big")
        other = self._by_name.get(name)
        if other is not None:
            self._look_at(other, select.EPOLLIN)  # it may have ended, and nobody has looked yet
            if name in self._by_name:
                raise zmtp.Broken("somebody else has this name")
        peer.name = name
        self._by_name[name] = peer

    def _watch(self, peer: _Peer) -> None:
        """Ask for room on the way out as long as something waits for it, and no longer; hear no more of a peer that
        does not read."""
        is_pressing, is_held = bool(peer.stream.unsent), peer.stream.unsent_bytes > self._most_unsent
        if is_pressing is peer.is_pressing and is_held is peer.is_held:
            return
        peer.is_pressing, peer.is_held = is_pressing, is_held
        if not is_held:
            self._take_back(peer)
        self._epoll.modify(peer.stream, (0 if is_held else select.EPOLLIN) | (select.EPOLLOUT if is_pressing else 0))

    def _take_back(self, peer: _Peer) -> None:
        if peer.is_aside:
            peer.is_aside = False
            self._turns.append(peer)

    def _drop(self, peer: _Peer) -> None:
        """Its connection goes; what it said before stays in turn."""
        if self._by_fd.pop(peer.stream.fileno(), None) is None:
            return
        if self._by_name.get(peer.name) is peer:
            del self._by_name[peer.name]
        self._epoll.unregister(peer.stream)
        peer.stream.close()
        peer.is_held = False
        self._take_back(peer)


def _open_files() -> int:
    """How many files this process may have open."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2**31 if most == resource.RLIM_INFINITY else most


def _listening(path: str) -> socket.socket:
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)  # of a process that was killed
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(path)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
