# SPDX-License-Identifier: Apache-2.0
"""ZMTP 3.1 without keys, the part that a DEALER and a ROUTER need: bytes in, messages out. No I/O.

What ZeroMQ sockets say to each other on a stream (https://rfc.zeromq.org/spec/37/): a greeting of 64 bytes, the command
READY, then frames ``flags | length | bytes``. Nothing that comes is believed: lengths are checked before there is room
for them, and a peer that breaks the rules raises ``Broken``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from kineograph.wire import version as limits
from kineograph.wire.codec import Buffer
from kineograph.wire.parts import COPY_BYTES

ROOM_BYTES = 64 * 1024
"""What is read at once; a larger part gets room of its own."""
_MORE, _LONG, _COMMAND = 1, 2, 4
_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
GREETING = _SIGNATURE + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
"""Signature, version 3.1, the mechanism without keys, not its server's side."""
_MOST_COMMAND_BYTES = 4096
_MOST_IDENTITY_BYTES = 255
_PEERS = {
    b"DEALER": frozenset({b"ROUTER", b"DEALER", b"REP"}),
    b"ROUTER": frozenset({b"ROUTER", b"DEALER", b"REQ"}),
}
"""Who talks to whom."""
_long = struct.Struct(">BQ")


class Broken(Exception):
    """The peer does not speak ZMTP 3, wants a key, or is a socket of another kind."""


def ready(kind: bytes, identity: bytes = b"") -> bytes:
    """The command that a socket introduces itself with."""
    body = b"\x05READY" + _property(b"Socket-Type", kind) + _property(b"Identity", identity)
    return _head(_COMMAND, len(body)) + body


def framed(parts: Sequence[Buffer]) -> list[Buffer]:
    """A message as it goes over the stream, in few pieces: small parts are copied, large ones as they lie."""
    out: list[Buffer] = []
    small: list[Buffer] = []
    last = len(parts) - 1
    for i, part in enumerate(parts):
        size = len(part)
        small.append(_head(0 if i == last else _MORE, size))
        if size <= COPY_BYTES:
            small.append(part)
        else:
            out += (b"".join(small), part)
            small = []
    if small:
        out.append(b"".join(small))
    return out


def _head(flags: int, size: int) -> bytes:
    return bytes((flags, size)) if size < 256 else _long.pack(flags | _LONG, size)


def _property(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


class Inbound:
    """What comes from the peer of a socket of some ``kind``: write into ``room()``, then say ``took``.

    ``is_ready`` once the peer has introduced itself, with ``identity`` if it has a name; ``answers`` is what the
    protocol wants to be said in return. ``most``: parts of a message beyond it are taken in, but not kept.
    """

    def __init__(
        self,
        kind: bytes,
        most: int | None = limits.MAX_ARRAYS + 3,
        most_bytes: int = limits.MAX_ARRAY_BYTES,
        room_bytes: int = ROOM_BYTES,
    ) -> None:
        self.is_ready = False
        self.identity = b""
        self.answers: list[bytes] = []
        self._peers = _PEERS[kind]
        self._most, self._most_bytes = most, most_bytes
        self._room = memoryview(bytearray(room_bytes))
        self._start = self._stop = 0
        self._greeted = False
        self._parts: list[Buffer] = []
        self._large: memoryview | None = None
        self._large_got = self._large_sum = 0
        self._large_more = False

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        return self._room[self._stop :] if self._large is None else self._large[self._large_got :]

    def took(self, count: int) -> list[list[Buffer]]:
        """``count`` bytes have come: the messages that they complete. Raises ``Broken``."""
        if self._large is not None:
            return self._took_large(count)
        self._stop += count
        if not self._greeted and not self._greet():
            return []
        messages: list[list[Buffer]] = []
        room, at, stop = self._room, self._start, self._stop
        while stop - at >= 2:
            flags, size, begin = room[at], room[at + 1], at + 2
            if flags & _LONG:
                if stop - at < 9:
                    break
                size, begin = int.from_bytes(room[at + 1 : at + 9], "big"), at + 9
            self._check(flags, size)
            end = begin + size
            if end > stop:
                if size > COPY_BYTES:
                    self._begin_large(begin, size, bool(flags & _MORE))
                    return messages
                break
            at = end
            if flags & _COMMAND:
                self._command(bytes(room[begin:end]))
            else:
                self._keep(bytes(room[begin:end]), flags & _MORE, messages)
        # What is left of the room's bytes goes to its beginning.
        left = stop - at
        if left:
            room[:left] = bytes(room[at:stop])
        self._start, self._stop = 0, left
        return messages

    def _took_large(self, count: int) -> list[list[Buffer]]:
        assert self._large is not None
        self._large_got += count
        if self._large_got < len(self._large):
            return []
        part, self._large = self._large.toreadonly(), None
        messages: list[list[Buffer]] = []
        self._keep(part, self._large_more, messages)
        return messages

    def _greet(self) -> bool:
        got = bytes(self._room[: self._stop])
        if got[:1] != b"\xff" or (len(got) > 9 and not got[9] & 1):
            raise Broken("no ZeroMQ greeting")
        if len(got) > 10 and got[10] < 3:
            raise Broken(f"ZMTP {got[10]}")
        if len(got) < len(GREETING):
            return False
        if got[12:32] != GREETING[12:32]:
            raise Broken("it wants a key")
        self._greeted, self._start = True, len(GREETING)
        return True

    def _check(self, flags: int, size: int) -> None:
        most = _MOST_COMMAND_BYTES if flags & _COMMAND else self._most_bytes
        if flags > 7 or (flags & _COMMAND and flags & _MORE) or size > most:
            raise Broken(f"a frame with flags {flags} of {size} bytes")
        if not (self.is_ready or flags & _COMMAND):
            raise Broken("a message before READY")

    def _begin_large(self, at: int, size: int, more: bool) -> None:
        self._large_sum += size
        if self._large_sum > limits.MAX_MESSAGE_BYTES:
            raise Broken(f"a message of more than {limits.MAX_MESSAGE_BYTES} bytes")
        import numpy as np  # its memory is not zeroed first

        large = memoryview(np.empty(size, np.uint8).data)
        got = self._stop - at
        large[:got] = self._room[at : self._stop]
        self._large, self._large_got, self._large_more = large, got, more
        self._start = self._stop = 0

    def _keep(self, part: Buffer, more: int, messages: list[list[Buffer]]) -> None:
        if self._most is None or len(self._parts) < self._most:
            self._parts.append(part)
        if not more:
            messages.append(self._parts)
            self._parts = []
            self._large_sum = 0

    def _command(self, said: bytes) -> None:
        name, rest = said[1 : 1 + said[0]] if said else b"", said[1 + said[0] :] if said else b""
        if not self.is_ready:
            if name != b"READY":
                raise Broken(f"it said {said[:80]!r}")
            self._met(_properties(rest))
        elif name == b"PING":  # two bytes of how long it waits, then what it wants to hear again
            body = b"\x04PONG" + rest[2:18]
            self.answers.append(_head(_COMMAND, len(body)) + body)

    def _met(self, told: dict[bytes, bytes]) -> None:
        kind, self.identity = told.get(b"socket-type", b""), told.get(b"identity", b"")
        if kind not in self._peers or len(self.identity) > _MOST_IDENTITY_BYTES:
            raise Broken(f"it is a {kind[:20]!r}")
        self.is_ready = True


def _properties(rest: bytes) -> dict[bytes, bytes]:
    """The properties of a command; their names are in no case."""
    out: dict[bytes, bytes] = {}
    at = 0
    while at < len(rest):
        value_at = at + 1 + rest[at] + 4
        stop = value_at + int.from_bytes(rest[value_at - 4 : value_at], "big")
        if value_at > len(rest) or stop > len(rest):
            raise Broken("a property is cut off")
        out[rest[at + 1 : value_at - 4].lower()] = rest[value_at:stop]
        at = stop
    return out
