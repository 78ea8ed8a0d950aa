# SPDX-License-Identifier: Apache-2.0
"""Other services' envelopes and codes, mapped onto ours in one place.

Read are: ours; ``{success, data, error}``; ``{detail}`` as text, list or map; ``{code, message}``; a bare sentence;
a bare HTTP status. ``request_id`` is kept wherever it stands; the foreign code stays in ``details["foreign_code"]``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from kineograph.errors import ErrorCode
from kineograph.fixes.catalogue import aliases

_KNOWN = frozenset(str(code) for code in ErrorCode)
_ID_KEYS = ("request_id", "requestId", "x-request-id", "trace_id")
_WAIT_KEYS = ("retry_after_s", "retry_after", "retryAfter", "Retry-After", "retry-after")
_CODE_KEYS = ("code", "error_code", "errorCode", "type", "name")
_TEXT_KEYS = ("message", "msg", "detail", "error", "title", "reason")


def alias(envelope: Any, status: int | None = None) -> dict[str, Any]:
    """Our envelope, with a code of the closed set, for anything that a service may answer. Never raises.

    ``status`` is the HTTP status where there is one; it decides only when nothing in the body does.
    """
    if isinstance(envelope, int) and not isinstance(envelope, bool):
        status, envelope = envelope, {}
    if isinstance(envelope, Mapping):
        outer: Mapping[str, Any] = envelope
        inner = _inner(outer)
    else:
        outer, inner = {}, {"message": str(envelope)}
    status = status if status is not None else _status(outer, inner)
    foreign = _first_text(inner, _CODE_KEYS)
    message = _first_text(inner, _TEXT_KEYS) or _first_text(outer, _TEXT_KEYS) or ""
    code = _code(foreign, message, status, inner)
    details = _details(inner, code, foreign, status)
    out: dict[str, Any] = {"error": {"code": str(code), "message": message, "details": details}}
    for key, value in (("request_id", _find(_ID_KEYS, outer, inner)), ("retry_after_s", _wait(outer, inner))):
        if value is not None:
            out[key] = value
    return out


def _inner(outer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of an envelope that speaks of the error."""
    for key in ("error", "detail", "errors"):
        body = outer.get(key)
        if isinstance(body, Mapping):
            return body
        if isinstance(body, str) and body:
            code = _first_text(outer, _CODE_KEYS)
            return {"message": body, **({"code": code} if code else {})}
        if isinstance(body, (list, tuple)) and body:
            if isinstance(body[0], Mapping) and "loc" in body[0]:  # a framework's own validation records
                return {"code": "schema_validation", "message": str(body[0].get("msg", "")), "errors": list(body)}
            return body[0] if isinstance(body[0], Mapping) else {"message": str(body[0])}
    return outer


def _code(foreign: str, message: str, status: int | None, inner: Mapping[str, Any]) -> ErrorCode:
    known = aliases()
    lower = re.sub(r"[\s-]+", "_", foreign.strip().lower())
    code = ErrorCode(lower) if lower in _KNOWN else known.codes.get(lower)
    if code is None:
        sentence = message.strip().rstrip(".!").lower()
        code = known.sentences.get(sentence) or known.sentences.get(foreign.strip().lower())
        code = code or known.codes.get(sentence) or (ErrorCode(sentence) if sentence in _KNOWN else None)
    if code is None and status is not None:
        code = known.statuses.get(status) or (ErrorCode.SERVICE_UNAVAILABLE if 500 <= status < 600 else None)
    if code is ErrorCode.INVALID_REQUEST and _param(inner) is not None:
        return ErrorCode.INVALID_PARAMETERS
    return code or ErrorCode.BAD_RESPONSE


def _details(inner: Mapping[str, Any], code: ErrorCode, foreign: str, status: int | None) -> dict[str, Any]:
    own = inner.get("details")
    out: dict[str, Any] = dict(own) if isinstance(own, Mapping) else {}
    used = {"details", *_CODE_KEYS, *_TEXT_KEYS, *_ID_KEYS, *_WAIT_KEYS}
    if inner.get("code") or inner.get("message"):
        out = {str(k): v for k, v in inner.items() if k not in used} | out
    param = _param(inner)
    if code is ErrorCode.INVALID_PARAMETERS and param is not None:
        out["param"] = param
    if foreign and foreign != str(code):
        out.setdefault("foreign_code", foreign)
    if status is not None:
        out.setdefault("http_status", status)
    return out


def _param(inner: Mapping[str, Any]) -> str | None:
    own = inner.get("details")
    for source in (inner, own if isinstance(own, Mapping) else {}):
        value = source.get("param") or source.get("parameter")
        if isinstance(value, str) and value:
            return value
    return None


def _status(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> int | None:
    for source in (inner, outer):
        for key in ("status", "status_code", "statusCode", "http_status", "code"):
            value = source.get(key)
            if isinstance(value, str) and re.fullmatch(r"[45]\d\d", value):
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
                return value
    return None


def _first_text(source: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((source[k] for k in keys if isinstance(source.get(k), str) and source[k]), "")


def _find(keys: tuple[str, ...], *sources: Mapping[str, Any]) -> str | None:
    return next((s[k] for s in sources for k in keys if isinstance(s.get(k), str) and s[k]), None)


def _wait(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> float | None:
    own = inner.get("details")
    for source in (outer, inner, own if isinstance(own, Mapping) else {}):
        for key in _WAIT_KEYS:
            value = source.get(key)
            if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
                value = float(value)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
                return float(value)
    return None
