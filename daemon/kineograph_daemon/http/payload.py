# SPDX-License-Identifier: Apache-2.0
"""A body's bytes as the value that goes to the daemon's own checks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from kineograph.errors import ErrorCode, RequestError

_ASIDE_BYTES = 256 * 1024
_INT_BITS = 63


async def parse(body: bytes) -> Any:
    """The value of a JSON body. Raises ``schema_validation`` when it is none."""
    if len(body) > _ASIDE_BYTES:
        return await asyncio.to_thread(_parse, body)
    return _parse(body)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body, parse_int=_int)
    except (ValueError, RecursionError) as e:
        reason = f"{type(e).__name__}: {e}"[:300]
        message = f"the body is no JSON: {reason}"
        raise RequestError(ErrorCode.SCHEMA_VALIDATION, message, {"reason": reason, "got": "no JSON"}) from None


def _int(digits: str) -> int | str:
    # The wire has no integer beyond 64 bits; as a text the schema reads it as the same number.
    value = int(digits)
    return value if value.bit_length() <= _INT_BITS else str(value)


def item_bytes(items: list[Any]) -> list[int]:
    """What each item of a batch takes as compact JSON: its share of the body. Raises ``schema_validation``."""
    try:
        return [len(json.dumps(item, separators=(",", ":"))) for item in items]
    except RecursionError:
        raise RequestError(ErrorCode.SCHEMA_VALIDATION, "the body is nested too deeply", {"got": "nesting"}) from None
