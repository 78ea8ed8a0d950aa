# SPDX-License-Identifier: Apache-2.0
"""Skeletons that passed the schema before.

A character comes along with every request made for it, and its joints are most of what there is to read in one. A
skeleton that comes again, to the byte, is not read again: it is the typed one it was, the same object, which nobody may
change. A body is therefore decoded around its skeleton: with those bytes taken out where they are known, and else value
by value.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgpack
from motionmcp.schemas import Skeleton

from kineograph.wire import codec
from kineograph.wire.codec import Buffer

_MOST = 32
_MOST_BYTES = 2**18
_MOST_COPIED = 2**22
_MOST_TRIES = 8
_KEY = msgpack.packb("skeleton")


class SentSkeleton(dict[str, Any]):
    """A skeleton as it was sent, with the bytes it came in: what it will be known by once it has passed."""

    packed: bytes = b""


class KnownSkeletons:
    """The last few skeletons, by their packed bytes. One thread at a time."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._by_bytes: OrderedDict[bytes, Skeleton] = OrderedDict()
        self._bytes_of: dict[int, bytes] = {}
        self._found: tuple[bytes, Skeleton, slice] | None = None

    def recall(self, packed: bytes) -> Skeleton | None:
        """The typed skeleton, if it passed before."""
        found = self._by_bytes.get(packed)
        if found is not None:
            self._by_bytes.move_to_end(packed)
        return found

    def remember(self, sent: Any, skeleton: Skeleton) -> None:
        """A skeleton passed: every check of it, that of its numbers too."""
        if isinstance(sent, SentSkeleton) and len(sent.packed) <= _MOST_BYTES:
            self._forget(sent.packed)
            self._by_bytes[sent.packed] = skeleton
            self._bytes_of[id(skeleton)] = sent.packed
            if len(self._by_bytes) > self._most:
                self._forget(next(iter(self._by_bytes)))

    def place_in(self, body: bytes, skeleton: Skeleton) -> slice | None:
        """Where a known skeleton lies in the body that brought it, if that is easily found."""
        if self._found is not None and self._found[0] is body and self._found[1] is skeleton:
            return self._found[2]
        packed = self._bytes_of.get(id(skeleton))
        found = None if packed is None else _place(body, (packed,))
        return None if found is None else found[0]

    def found_in(self, body: bytes) -> tuple[Skeleton, slice] | None:
        """A skeleton whose bytes lie in a body, and where; whether they are its request's own is for the reader."""
        found = _place(body, reversed(self._by_bytes))
        skeleton = None if found is None else self.recall(found[1])
        if found is None or skeleton is None:
            return None
        self._found = (body, skeleton, found[0])
        return skeleton, found[0]

    def _forget(self, packed: bytes) -> None:
        skeleton = self._by_bytes.pop(packed, None)
        if skeleton is not None:
            self._bytes_of.pop(id(skeleton), None)


def _place(body: bytes, wanted: Iterable[bytes]) -> tuple[slice, bytes] | None:
    """Where one of the wanted lies as a skeleton's value, and which: the very object, whose hash is known to it."""
    at, one_of = 0, tuple(wanted)
    for _ in range(_MOST_TRIES):
        at = body.find(_KEY, at)
        if at < 0:
            break
        at += len(_KEY)
        for packed in one_of:
            if body.startswith(packed, at):
                return slice(at, at + len(packed)), packed
    return None


KNOWN = KnownSkeletons()
"""Those of this process."""


class ReadBody(NamedTuple):
    """The body of a ``Generate``: ``fields``, the ``frames`` it came in, where a known skeleton lies in the first."""

    fields: dict[str, Any]
    frames: Sequence[Buffer]
    place: slice | None = None
    packed: bytes | None = None

    @property
    def request_packed(self) -> bytes | None:
        """The request as it came, where that can be told apart."""
        body = self.frames[0]
        if self.place is None or not isinstance(body, bytes):
            return self.packed
        return codec.packed_value(body, self.place, "request")


def read_body(frames: Sequence[Buffer], known: KnownSkeletons = KNOWN) -> ReadBody:
    """The body frames of a ``Generate``, its skeleton typed if it is known. Raises ``bad_response``."""
    body = bytes(frames[0]) if len(frames[0]) <= _MOST_COPIED else b""
    found = known.found_in(body)
    if found is not None:
        skeleton, place = found
        fields = codec.decode_body_knowing(body, frames[1:], place, skeleton)
        request = None if fields is None else fields.get("request")
        if fields is not None and type(request) is dict and request.get("skeleton") is skeleton:
            return ReadBody(fields, [body, *frames[1:]], place)
    return _read_unknown(frames)


def _read_unknown(frames: Sequence[Buffer]) -> ReadBody:
    around = codec.decode_body_around(frames[0], frames[1:], "request", "skeleton")
    if around is not None:
        try:
            sent = msgpack.unpackb(around.inner, strict_map_key=True, ext_hook=_no_arrays)
        except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException):
            sent = None
        if isinstance(sent, dict):
            skeleton = around.body["request"]["skeleton"] = SentSkeleton(sent)
            skeleton.packed = around.inner
            return ReadBody(around.body, frames, packed=around.outer)
    return ReadBody(codec.decode_body(frames[0], frames[1:]), frames)


def _no_arrays(code: int, data: bytes) -> Any:
    raise ValueError("an array refers to a frame of its whole message")
