# SPDX-License-Identifier: Apache-2.0
"""Errors at the door: MMCP's envelope with the HTTP status and headers that belong to it."""

from __future__ import annotations

import json
import math
from typing import Any

from kineograph.errors import DEFAULT_RETRY_AFTER_S, ErrorCode, InternalError, KineographError, LinkError, error
from kineograph.wire.http_status import HTTP_STATUS

Headers = list[tuple[str, str]]
JSON = "application/json"
_WAIT_STATUSES = frozenset({429, 503, 504})


class Refusal(Exception):
    """An error whose status is HTTP's business (an unknown path, say) and not its code's."""

    def __init__(self, status: int, cause: KineographError, headers: Headers | None = None) -> None:
        super().__init__(str(cause))
        self.status = status
        self.cause = cause
        self.headers = headers or []


def refusal(status: int, code: ErrorCode, message: str, headers: Headers | None = None, **details: Any) -> Refusal:
    """A ``Refusal`` in one line."""
    return Refusal(status, error(code, message, details), headers)


def answer_of(e: BaseException, request_id: str) -> tuple[int, bytes, Headers]:
    """Status, body and headers for anything that went wrong."""
    headers: Headers = []
    status = None
    if isinstance(e, Refusal):
        status, headers, e = e.status, list(e.headers), e.cause
    cause = _ours(e)
    status = status or HTTP_STATUS.get(cause.code, 500)
    envelope = {**cause.to_envelope(), "request_id": request_id}
    if status in _WAIT_STATUSES:
        wait_s = cause.retry_after_s if cause.retry_after_s is not None else DEFAULT_RETRY_AFTER_S
        envelope["retry_after_s"] = wait_s
        headers.append(("retry-after", str(whole_seconds(wait_s))))
    if status == 401:
        headers.append(("www-authenticate", 'Bearer realm="kineograph"'))
    return status, to_json(envelope), headers


def whole_seconds(wait_s: float) -> int:
    """``Retry-After`` counts whole seconds, and 0 would mean at once."""
    return max(1, math.ceil(min(wait_s, 86_400.0)))


def to_json(value: Any) -> bytes:
    """Strict JSON: what it has no form for becomes null or text, never an answer that cannot be parsed."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), default=str).encode()
    except (ValueError, RecursionError):
        return json.dumps(_strict(value, 64), allow_nan=False, separators=(",", ":"), default=str).encode()


def _ours(e: BaseException) -> KineographError:
    if isinstance(e, LinkError) and e.code not in HTTP_STATUS:
        # Between the door and the daemon: to an HTTP client that is one service, which is away for a moment.
        return error(ErrorCode.SERVICE_UNAVAILABLE, "the daemon does not answer", {"reason": str(e.code)})
    if isinstance(e, KineographError):
        return e
    return InternalError(ErrorCode.INTERNAL_ERROR, "the HTTP door failed on this request", {"reason": type(e).__name__})


def _strict(value: Any, depth: int) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if depth == 0:
        return str(type(value).__name__)
    if isinstance(value, dict):
        return {str(k): _strict(v, depth - 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(v, depth - 1) for v in value]
    return value
