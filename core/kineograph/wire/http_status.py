# SPDX-License-Identifier: Apache-2.0
"""The HTTP status that goes with each code a daemon can answer, for doors and clients that speak HTTP.

The numbers of MMCP's own codes are the official ones; the others follow the same lines.
"""

from __future__ import annotations

from kineograph.errors import ErrorCode

HTTP_STATUS: dict[ErrorCode, int] = {
    ErrorCode.SCHEMA_VALIDATION: 422,
    ErrorCode.UNKNOWN_MODEL: 400,
    ErrorCode.RETARGETING_UNSUPPORTED: 400,
    ErrorCode.UNSUPPORTED_CONSTRAINT: 400,
    ErrorCode.UNSUPPORTED_SEGMENT: 400,
    ErrorCode.UNKNOWN_JOINT: 400,
    ErrorCode.INVALID_SKELETON: 400,
    ErrorCode.FRAME_OUT_OF_RANGE: 400,
    ErrorCode.INVALID_OPTIONS: 400,
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.VERSION_UNSUPPORTED: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.RESOURCE_EXHAUSTED: 503,
    ErrorCode.MODEL_UNAVAILABLE: 503,
    ErrorCode.TIMEOUT: 504,
    ErrorCode.REQUEST_NOT_FOUND: 404,
    ErrorCode.RESULT_EXPIRED: 404,
    ErrorCode.REQUEST_CANCELLED: 410,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.CONCURRENCY_LIMIT: 429,
    ErrorCode.QUEUE_FULL: 429,
    ErrorCode.QUOTA_EXCEEDED: 402,
    ErrorCode.CONTENT_POLICY_VIOLATION: 422,
    ErrorCode.GENERATION_FAILED_NO_CONTENT: 502,
    ErrorCode.INVALID_PARAMETERS: 400,
    ErrorCode.IMAGE_PROCESSING_ERROR: 422,
    ErrorCode.SERVICE_UNAVAILABLE: 503,
    ErrorCode.PROTOCOL_MISMATCH: 400,
    ErrorCode.BAD_RESPONSE: 400,
    ErrorCode.MAP_INCOMPLETE: 400,
    ErrorCode.PROMPT_NOT_IN_PACK: 400,
}
"""Codes that are not here are made by clients, of connections, scenes and files, and never cross the wire."""
