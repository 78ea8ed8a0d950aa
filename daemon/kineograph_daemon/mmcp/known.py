# SPDX-License-Identifier: Apache-2.0
"""Skeletons that passed the schema before.

A character comes along with every request made for it, and its joints are most of what there is to read in one. A
skeleton that comes again, to the byte, is not read again: it is the typed one it was, the same object, which nobody may
change. A body is therefore decoded around its skeleton.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
from motionmcp.schemas import Skeleton

from kineograph.wire import codec
from kineograph.wire.codec import Buffer

_MOST = 32
_MOST_BYTES = 2**18
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
        packed, at = self._bytes_of.get(id(skeleton)), 0
        if packed is None:
            return None
        for _ in range(_MOST_TRIES):
            at = body.find(_KEY, at)
            if at < 0:
                return None
            at += len(_KEY)
            if body.startswith(packed, at):
                return slice(at, at + len(packed))
        return None

    def _forget(self, packed: bytes) -> None:
        skeleton = self._by_bytes.pop(packed, None)
        if skeleton is not None:
            self._bytes_of.pop(id(skeleton), None)


KNOWN = KnownSkeletons()
"""Those of this process."""


@dataclass(frozen=True)
class ReadBody:
    """The body of a ``Generate``. ``request_packed`` is its request as it came, where that could be told apart."""

    fields: dict[str, Any]
    request_packed: bytes | None = None


def read_body(frames: Sequence[Buffer], known: KnownSkeletons = KNOWN) -> ReadBody:
    """The body frames of a ``Generate``, its skeleton typed if it is known. Raises ``bad_response``."""
    around = codec.decode_body_around(frames[0], frames[1:], "request", "skeleton")
    if around is None:
        return ReadBody(codec.decode_body(frames[0], frames[1:]))
    request = around.body["request"]
    skeleton: Any = known.recall(around.inner)
    if skeleton is None:
        try:
            sent = msgpack.unpackb(around.inner, strict_map_key=True, ext_hook=_no_arrays)
        except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException):
            sent = None
        if not isinstance(sent, dict):
            return ReadBody(codec.decode_body(frames[0], frames[1:]))
        skeleton = SentSkeleton(sent)
        skeleton.packed = around.inner
    request["skeleton"] = skeleton
    return ReadBody(around.body, around.outer)


def _no_arrays(code: int, data: bytes) -> Any:
    raise ValueError("an array refers to a frame of its whole message")
