# SPDX-License-Identifier: Apache-2.0
"""The closed set of codes and the one tree."""

from __future__ import annotations

import pickle  # noqa: TID251 - errors cross process borders of the standard library's making; only that is tested

import pytest

from kineograph import errors
from kineograph.errors import RETRYABLE_CODES, ErrorCode, KineographError, NoteCode, error, from_envelope

CODES = """
    schema_validation unknown_model retargeting_unsupported unsupported_constraint unsupported_segment unknown_joint
    invalid_skeleton frame_out_of_range invalid_options invalid_request version_unsupported unauthorized forbidden
    payload_too_large rate_limited internal_error resource_exhausted model_unavailable timeout
    request_not_found result_expired request_cancelled idempotency_conflict concurrency_limit queue_full quota_exceeded
    content_policy_violation generation_failed_no_content invalid_parameters image_processing_error service_unavailable
    daemon_unreachable handshake_timeout daemon_restarted protocol_mismatch bad_response connection_failed
    rig_changed apply_blocked profile_missing map_incomplete ambiguous_map file_incomplete file_unreadable
    duplicate_input prompt_not_in_pack control_unmapped take_edited
"""
NOTES = """
    path_too_fast key_outside_blocks target_out_of_reach too_long_for_model text_not_understood fps_differs
    block_shorter_than_transition ground_unreachable
    motion_interpolated
"""


def test_the_set_of_codes_is_closed() -> None:
    """A code is part of the protocol: adding one means a row, documentation and a test that raises it."""
    assert sorted(ErrorCode) == sorted(CODES.split())
    assert sorted(NoteCode) == sorted(NOTES.split())


def test_retryable_codes() -> None:
    names = "rate_limited resource_exhausted model_unavailable timeout service_unavailable"
    assert sorted(RETRYABLE_CODES) == sorted(names.split())


def test_every_code_has_one_class() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, KineographError)]
    owners = {code: [c.__name__ for c in classes if code in c.codes] for code in ErrorCode}
    assert {code: names for code, names in owners.items() if len(names) != 1} == {}


@pytest.mark.parametrize("code", list(ErrorCode))
def test_an_error_survives_its_envelope(code: ErrorCode) -> None:
    sent = error(code, "what happened", {"got": 3, "where": {"path": ["a", 1], "ref": "Grab"}}, request_id="r1")
    back = from_envelope(sent.to_envelope())
    assert type(back) is type(sent)
    assert (back.code, back.message, back.details, back.request_id) == (code, sent.message, sent.details, "r1")
    assert back.retry_after_s == sent.retry_after_s
    assert (sent.retry_after_s is not None) == sent.is_retryable


def test_an_error_survives_pickling() -> None:
    back = pickle.loads(pickle.dumps(error("timeout", "late", {"step": 3})))  # noqa: S301 - made one line above
    assert (back.code, back.details, back.retry_after_s) == (ErrorCode.TIMEOUT, {"step": 3}, 2.0)


@pytest.mark.parametrize("body", [{}, {"error": None}, {"error": "text"}, {"error": {"message": "no code"}}])
def test_what_is_no_envelope_is_a_bad_response(body: dict[str, object]) -> None:
    assert from_envelope(body).code is ErrorCode.BAD_RESPONSE


def test_a_foreign_code_is_kept() -> None:
    found = from_envelope({"error": {"code": "teapot", "message": "short and stout"}, "request_id": "r"})
    assert (found.code, found.details["foreign_code"], found.request_id) == (ErrorCode.BAD_RESPONSE, "teapot", "r")


def test_a_code_outside_the_set_cannot_be_raised() -> None:
    with pytest.raises(ValueError, match="teapot"):
        error("teapot", "no")
