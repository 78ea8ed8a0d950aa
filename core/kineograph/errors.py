# SPDX-License-Identifier: Apache-2.0
"""The one exception tree and the closed set of codes.

    KineographError
    +-- RequestError          the request is wrong; sending it again unchanged cannot help (4xx)
    |   +-- PayloadTooLarge
    |   +-- AccessError       unauthorized, forbidden
    +-- UnavailableError      right request, wrong moment: retry by policy (429, 503, 504)
    +-- InternalError         the model or the daemon failed
    +-- JobError              what became of a job: cancelled, expired, unknown, conflicting
    +-- RemoteServiceError    a service beyond this computer
    +-- LinkError             no daemon, a silent one, a foreign one
    +-- SceneError            what a Blender scene or a file does not allow

Every error carries a code, a sentence and details; ``details`` holds what a fix needs: ``where`` (the sender's own
opaque reference), ``got``, ``allowed``, ``suggestions``. The envelope is MMCP's,
``{"error": {"code", "message", "details"}}``, plus ``request_id`` and ``retry_after_s``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar


class ErrorCode(StrEnum):
    """Every code that any part of Kineograph raises. Foreign spellings are aliased onto these by ``fixes``."""

    # MMCP (the official, closed set)
    SCHEMA_VALIDATION = "schema_validation"
    UNKNOWN_MODEL = "unknown_model"
    RETARGETING_UNSUPPORTED = "retargeting_unsupported"
    UNSUPPORTED_CONSTRAINT = "unsupported_constraint"
    UNSUPPORTED_SEGMENT = "unsupported_segment"
    UNKNOWN_JOINT = "unknown_joint"
    INVALID_SKELETON = "invalid_skeleton"
    FRAME_OUT_OF_RANGE = "frame_out_of_range"
    INVALID_OPTIONS = "invalid_options"
    INVALID_REQUEST = "invalid_request"
    VERSION_UNSUPPORTED = "version_unsupported"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    MODEL_UNAVAILABLE = "model_unavailable"
    TIMEOUT = "timeout"
    # queue, task and account
    REQUEST_NOT_FOUND = "request_not_found"
    RESULT_EXPIRED = "result_expired"
    REQUEST_CANCELLED = "request_cancelled"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    CONCURRENCY_LIMIT = "concurrency_limit"
    QUEUE_FULL = "queue_full"
    QUOTA_EXCEEDED = "quota_exceeded"
    CONTENT_POLICY_VIOLATION = "content_policy_violation"
    GENERATION_FAILED_NO_CONTENT = "generation_failed_no_content"
    INVALID_PARAMETERS = "invalid_parameters"
    IMAGE_PROCESSING_ERROR = "image_processing_error"
    SERVICE_UNAVAILABLE = "service_unavailable"
    # client side
    DAEMON_UNREACHABLE = "daemon_unreachable"
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    DAEMON_RESTARTED = "daemon_restarted"
    PROTOCOL_MISMATCH = "protocol_mismatch"
    BAD_RESPONSE = "bad_response"
    CONNECTION_FAILED = "connection_failed"
    RIG_CHANGED = "rig_changed"
    APPLY_BLOCKED = "apply_blocked"
    PROFILE_MISSING = "profile_missing"
    MAP_INCOMPLETE = "map_incomplete"
    AMBIGUOUS_MAP = "ambiguous_map"
    FILE_INCOMPLETE = "file_incomplete"
    FILE_UNREADABLE = "file_unreadable"
    DUPLICATE_INPUT = "duplicate_input"
    PROMPT_NOT_IN_PACK = "prompt_not_in_pack"
    CONTROL_UNMAPPED = "control_unmapped"
    TAKE_EDITED = "take_edited"


class NoteCode(StrEnum):
    """Codes of notes: said before sending or in a report, never a refusal."""

    PATH_TOO_FAST = "path_too_fast"
    KEY_OUTSIDE_BLOCKS = "key_outside_blocks"
    TARGET_OUT_OF_REACH = "target_out_of_reach"
    TOO_LONG_FOR_MODEL = "too_long_for_model"
    TEXT_NOT_UNDERSTOOD = "text_not_understood"
    FPS_DIFFERS = "fps_differs"
    BLOCK_SHORTER_THAN_TRANSITION = "block_shorter_than_transition"
    GROUND_UNREACHABLE = "ground_unreachable"
    MOTION_INTERPOLATED = "motion_interpolated"


RETRYABLE_CODES = frozenset(
    {
        ErrorCode.RATE_LIMITED,
        ErrorCode.RESOURCE_EXHAUSTED,
        ErrorCode.MODEL_UNAVAILABLE,
        ErrorCode.TIMEOUT,
        ErrorCode.SERVICE_UNAVAILABLE,
    }
)
"""Codes after which the same request may succeed later; each carries ``retry_after_s``."""

DEFAULT_RETRY_AFTER_S = 2.0


class KineographError(Exception):
    """The root of the tree. ``code`` decides what to do; ``message`` is for people and is never parsed."""

    codes: ClassVar[frozenset[ErrorCode]] = frozenset()

    def __init__(
        self,
        code: ErrorCode | str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = ErrorCode(code)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        if retry_after_s is None and self.code in RETRYABLE_CODES:
            retry_after_s = DEFAULT_RETRY_AFTER_S
        self.retry_after_s = retry_after_s
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        return (from_envelope, (self.to_envelope(),))

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may be sent again, with the same job id, after ``retry_after_s``."""
        return self.code in RETRYABLE_CODES

    def to_envelope(self) -> dict[str, Any]:
        """The wire form: ``{"error": {code, message, details}, request_id?, retry_after_s?}``."""
        out: dict[str, Any] = {"error": {"code": str(self.code), "message": self.message, "details": self.details}}
        if self.request_id is not None:
            out["request_id"] = self.request_id
        if self.retry_after_s is not None:
            out["retry_after_s"] = self.retry_after_s
        return out


class RequestError(KineographError):
    """The request itself is wrong; it must change before it can succeed."""

    codes = frozenset(
        {
            ErrorCode.SCHEMA_VALIDATION,
            ErrorCode.UNKNOWN_MODEL,
            ErrorCode.RETARGETING_UNSUPPORTED,
            ErrorCode.UNSUPPORTED_CONSTRAINT,
            ErrorCode.UNSUPPORTED_SEGMENT,
            ErrorCode.UNKNOWN_JOINT,
            ErrorCode.INVALID_SKELETON,
            ErrorCode.FRAME_OUT_OF_RANGE,
            ErrorCode.INVALID_OPTIONS,
            ErrorCode.INVALID_REQUEST,
            ErrorCode.VERSION_UNSUPPORTED,
            ErrorCode.INVALID_PARAMETERS,
            ErrorCode.PROMPT_NOT_IN_PACK,
        }
    )


class PayloadTooLarge(RequestError):
    """The request is larger than the model or the daemon takes."""

    codes = frozenset({ErrorCode.PAYLOAD_TOO_LARGE})


class AccessError(RequestError):
    """The key is missing, wrong, or not allowed to do this."""

    codes = frozenset({ErrorCode.UNAUTHORIZED, ErrorCode.FORBIDDEN})


class UnavailableError(KineographError):
    """The right request at the wrong moment; retry by policy."""

    codes = frozenset(
        {
            ErrorCode.RATE_LIMITED,
            ErrorCode.RESOURCE_EXHAUSTED,
            ErrorCode.MODEL_UNAVAILABLE,
            ErrorCode.TIMEOUT,
            ErrorCode.CONCURRENCY_LIMIT,
            ErrorCode.QUEUE_FULL,
        }
    )


class InternalError(KineographError):
    """The model or the daemon failed. Never retried by itself."""

    codes = frozenset({ErrorCode.INTERNAL_ERROR})


class JobError(KineographError):
    """What became of a job."""

    codes = frozenset(
        {
            ErrorCode.REQUEST_NOT_FOUND,
            ErrorCode.RESULT_EXPIRED,
            ErrorCode.REQUEST_CANCELLED,
            ErrorCode.IDEMPOTENCY_CONFLICT,
        }
    )


class RemoteServiceError(KineographError):
    """Trouble with a service beyond this computer."""

    codes = frozenset(
        {
            ErrorCode.QUOTA_EXCEEDED,
            ErrorCode.CONTENT_POLICY_VIOLATION,
            ErrorCode.GENERATION_FAILED_NO_CONTENT,
            ErrorCode.IMAGE_PROCESSING_ERROR,
            ErrorCode.SERVICE_UNAVAILABLE,
        }
    )


class LinkError(KineographError):
    """No daemon, a silent one, or one that speaks something else."""

    codes = frozenset(
        {
            ErrorCode.DAEMON_UNREACHABLE,
            ErrorCode.HANDSHAKE_TIMEOUT,
            ErrorCode.DAEMON_RESTARTED,
            ErrorCode.PROTOCOL_MISMATCH,
            ErrorCode.BAD_RESPONSE,
            ErrorCode.CONNECTION_FAILED,
        }
    )


class SceneError(KineographError):
    """What a scene, a rig or a file does not allow."""

    codes = frozenset(
        {
            ErrorCode.RIG_CHANGED,
            ErrorCode.APPLY_BLOCKED,
            ErrorCode.PROFILE_MISSING,
            ErrorCode.MAP_INCOMPLETE,
            ErrorCode.AMBIGUOUS_MAP,
            ErrorCode.FILE_INCOMPLETE,
            ErrorCode.FILE_UNREADABLE,
            ErrorCode.DUPLICATE_INPUT,
            ErrorCode.CONTROL_UNMAPPED,
            ErrorCode.TAKE_EDITED,
        }
    )


_CLASS_OF: dict[ErrorCode, type[KineographError]] = {
    code: cls
    for cls in (
        RequestError,
        PayloadTooLarge,
        AccessError,
        UnavailableError,
        InternalError,
        JobError,
        RemoteServiceError,
        LinkError,
        SceneError,
    )
    for code in cls.codes
}


def error(
    code: ErrorCode | str,
    message: str,
    details: Mapping[str, Any] | None = None,
    *,
    retry_after_s: float | None = None,
    request_id: str | None = None,
) -> KineographError:
    """The error of the class that ``code`` belongs to. Raises ValueError for a code outside the closed set."""
    cls = _CLASS_OF[ErrorCode(code)]
    return cls(code, message, details, retry_after_s=retry_after_s, request_id=request_id)


def from_envelope(envelope: Mapping[str, Any]) -> KineographError:
    """An error from its wire form.

    Codes outside the closed set become ``bad_response`` with the original kept in ``details["foreign_code"]``;
    ``kineograph.fixes`` maps the known foreign spellings before it comes to that.
    """
    body = envelope.get("error")
    if not isinstance(body, Mapping) or not isinstance(body.get("code"), str):
        return LinkError(ErrorCode.BAD_RESPONSE, "the answer is no error envelope", {"got": repr(envelope)[:500]})
    details = body.get("details")
    kept: dict[str, Any] = dict(details) if isinstance(details, Mapping) else {}
    code: str = body["code"]
    if code not in ErrorCode.__members__.values():
        kept["foreign_code"] = code
        code = ErrorCode.BAD_RESPONSE
    wait = envelope.get("retry_after_s")
    request_id = envelope.get("request_id")
    return error(
        code,
        str(body.get("message", "")),
        kept,
        retry_after_s=float(wait) if isinstance(wait, (int, float)) else None,
        request_id=request_id if isinstance(request_id, str) else None,
    )
