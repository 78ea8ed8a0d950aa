# SPDX-License-Identifier: Apache-2.0
"""Foreign spellings and envelopes."""

from __future__ import annotations

from typing import Any

import pytest

from kineograph.errors import ErrorCode, error
from kineograph.fixes import alias, resolve


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"code": "resource_not_found", "message": "?"}}, "request_not_found"),
        ({"error": {"code": "CONCURRENT_GENERATION_LIMIT"}}, "concurrency_limit"),
        ({"success": False, "data": None, "error": {"code": "INSUFFICIENT_CREDITS"}}, "quota_exceeded"),
        ({"success": False, "data": None, "error": "SPENDING_LIMIT_EXCEEDED"}, "quota_exceeded"),
        ({"success": False, "error": "no more", "code": "SPENDING_LIMIT_EXCEEDED"}, "quota_exceeded"),
        ({"error": {"code": "image_dimension_mismatch"}}, "image_processing_error"),
        ({"error": {"code": "service_error"}}, "service_unavailable"),
        ({"error": {"code": "unknown_error"}}, "service_unavailable"),
        ({"error": {"code": "generation_timeout"}}, "timeout"),
        ({"error": {"code": "UNAUTHORIZED"}}, "unauthorized"),
        ({"error": {"code": "FORBIDDEN"}}, "forbidden"),
        ({"error": {"code": "RATE_LIMIT_EXCEEDED"}}, "rate_limited"),
        ({"error": {"code": "invalid_request", "param": "num_frames"}}, "invalid_parameters"),
        ({"error": {"code": "invalid_request"}}, "invalid_request"),
        ({"error": {"type": "content_policy_violation", "message": "no"}}, "content_policy_violation"),
        ({"detail": "App not found"}, "unknown_model"),
        ({"detail": "Model not allowed for this user"}, "forbidden"),
        ({"detail": "Runtime execution failed"}, "internal_error"),
        ({"detail": "webhook not supported"}, "invalid_parameters"),
        ({"detail": "SSE streaming not supported."}, "invalid_parameters"),
        ({"detail": [{"loc": ["body", "model"], "msg": "Field required", "type": "missing"}]}, "schema_validation"),
        ({"detail": {"code": "forbidden", "message": "no"}}, "forbidden"),
        ({"code": "RATE_LIMITED", "message": "slow down"}, "rate_limited"),
        ("Runtime execution failed", "internal_error"),
        ({"error": {"code": "teapot"}}, "bad_response"),
        ({"status": 402, "message": "pay"}, "quota_exceeded"),
        ({"status_code": "503"}, "service_unavailable"),
    ],
)
def test_spellings(body: Any, code: str) -> None:
    assert alias(body)["error"]["code"] == code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request"),
        (401, "unauthorized"),
        (402, "quota_exceeded"),
        (403, "forbidden"),
        (404, "request_not_found"),
        (409, "idempotency_conflict"),
        (413, "payload_too_large"),
        (429, "rate_limited"),
        (500, "service_unavailable"),
        (502, "service_unavailable"),
        (504, "timeout"),
        (418, "bad_response"),
    ],
)
def test_a_status_alone(status: int, code: str) -> None:
    assert alias(status)["error"]["code"] == code
    assert alias({}, status)["error"]["code"] == code


def test_the_body_wins_over_the_status() -> None:
    assert alias({"error": {"code": "unknown_joint", "message": "?"}}, 500)["error"]["code"] == "unknown_joint"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "FORBIDDEN"}, "request_id": "r-1"},
        {"success": False, "error": {"code": "FORBIDDEN", "request_id": "r-1"}},
        {"detail": "Model not allowed for this user", "requestId": "r-1"},
    ],
)
def test_the_request_id_is_kept(body: dict[str, Any]) -> None:
    assert alias(body)["request_id"] == "r-1"
    assert resolve(body).request_id == "r-1"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "RATE_LIMIT_EXCEEDED", "retry_after": 7}},
        {"error": {"code": "RATE_LIMIT_EXCEEDED", "details": {"retry_after_s": 7.0}}},
        {"error": {"code": "RATE_LIMIT_EXCEEDED"}, "Retry-After": "7"},
    ],
)
def test_the_wish_to_wait_is_kept(body: dict[str, Any]) -> None:
    assert alias(body)["retry_after_s"] == 7.0
    assert resolve(body).text == "Waiting 7 s."


def test_our_own_envelope_passes_unchanged() -> None:
    ours = error("frame_out_of_range", "frame 9", {"frame": 9, "total_frames": 5}, request_id="r").to_envelope()
    assert alias(ours) == ours


def test_the_foreign_code_and_details_stay() -> None:
    out = alias({"error": {"code": "INSUFFICIENT_CREDITS", "details": {"reset": "18:00"}}})
    assert out["error"]["details"] == {"reset": "18:00", "foreign_code": "INSUFFICIENT_CREDITS"}
    assert resolve(out).text == "Plan limit reached; resets 18:00."


@pytest.mark.parametrize(
    "body", [None, 7, -1, 3.5, True, [], "", {"error": []}, {"error": {"code": 3}}, {"detail": [1]}, b"x"]
)
def test_anything_gets_a_text(body: Any) -> None:
    problem = resolve(body)
    assert problem.code in ErrorCode
    assert problem.text


def test_an_exception_is_an_internal_error() -> None:
    assert resolve(ZeroDivisionError("division by zero")).code is ErrorCode.INTERNAL_ERROR
