# SPDX-License-Identifier: Apache-2.0
"""Skeletons that passed the schema before.

A character comes along with every request made for it, and reading its joints is most of what reading a request costs.
A skeleton that comes again, to the byte, is the typed one it was: the same object, which nobody may change.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgpack
from motionmcp.schemas import Skeleton

_MOST = 32
_MOST_BYTES = 2**18


class KnownSkeletons:
    """The last few skeletons, by their packed bytes. One thread at a time."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._by_bytes: OrderedDict[bytes, Skeleton] = OrderedDict()

    def key_of(self, sent: Any) -> bytes | None:
        """What a skeleton is known by; None for one that is not worth, or not fit for, knowing."""
        if not isinstance(sent, Mapping):
            return None
        try:
            packed: bytes = msgpack.packb(sent)
        except (TypeError, ValueError, OverflowError):  # arrays in it, or numbers that the schema will refuse
            return None
        return packed if len(packed) <= _MOST_BYTES else None

    def recall(self, key: bytes | None) -> Skeleton | None:
        """The typed skeleton, if it passed before."""
        found = None if key is None else self._by_bytes.get(key)
        if found is not None and key is not None:
            self._by_bytes.move_to_end(key)
        return found

    def remember(self, key: bytes | None, skeleton: Skeleton) -> None:
        """A skeleton passed: every check of it, that of its numbers too."""
        if key is None:
            return
        self._by_bytes[key] = skeleton
        if len(self._by_bytes) > self._most:
            self._by_bytes.popitem(last=False)
