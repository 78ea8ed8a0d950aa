# SPDX-License-Identifier: Apache-2.0
"""A message's frames, its skeleton packed once.

A character comes along with every request for it, and packing its joints is most of what packing a request costs. A
skeleton that was sent twice is kept, as a copy and packed; what is equal to the copy has those bytes. So nobody has to
promise that a skeleton stays as it is.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

from kineograph.wire import codec
from kineograph.wire.codec import Buffer

_MOST = 4
_MOST_BYTES = 2**18
_NEVER_CHANGE = frozenset({str, float, int, bool, type(None), bytes})


class Packing:
    """Packs the bodies of messages. Any thread may: what it remembers is replaced, never changed."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[dict[str, Any], bytes], ...] = ()
        self._last = b""

    def pack(self, body: Mapping[str, Any]) -> list[Buffer]:
        """``codec.pack_body``, the request last: where it ends needs no looking for then (``codec.packed_value``)."""
        if "request" not in body:
            return codec.pack_body(body)
        body = dict(body)
        request = body["request"] = body.pop("request")
        skeleton = request.get("skeleton") if type(request) is dict else None
        packed = self._packed(skeleton) if type(skeleton) is dict else None
        return codec.pack_body(body) if packed is None else codec.pack_body_with(body, "request", "skeleton", packed)

    def _packed(self, skeleton: dict[str, Any]) -> bytes | None:
        for kept, packed in self._kept:
            if _is_equal(kept, skeleton):
                return packed
        whole, *arrays = codec.pack_body(skeleton)
        if arrays or len(whole) > _MOST_BYTES:
            return None
        packed, before, self._last = bytes(whole), self._last, bytes(whole)
        if packed == before:
            with contextlib.suppress(RecursionError):  # nested deeper than Python goes: packed each time
                self._kept = ((_copy(skeleton), packed), *self._kept)[:_MOST]
        return packed


def _copy(value: Any) -> Any:
    """A deep copy of plain values whose texts and numbers are the same objects: those compare at a glance."""
    kind = type(value)
    if kind is dict:
        return {key: _copy(part) for key, part in value.items()}
    if kind is list or kind is tuple:
        return kind([_copy(part) for part in value])
    return value if kind in _NEVER_CHANGE else copy.deepcopy(value)


def _is_equal(kept: dict[str, Any], skeleton: dict[str, Any]) -> bool:
    try:
        return kept == skeleton
    except Exception:  # noqa: BLE001 - arrays do not say whether they are equal, nor does who knows what else
        return False
