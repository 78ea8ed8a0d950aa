# SPDX-License-Identifier: Apache-2.0
"""Every case, over ZeroMQ, through the queue and a worker, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from motionmcp.errors import STATUS_FOR
from tests.conformance.adapter import answer
from tests.conformance.cases import CASES, Case
from tests.conformance.house import HOUSE, request

from kineograph.errors import RETRYABLE_CODES, ErrorCode

MMCP_CODES = {str(code) for code in ErrorCode if str(code) in STATUS_FOR}


def ask(payload: Any) -> dict[str, Any]:
    return answer(HOUSE, {"request": payload})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    got = ask(case.request)
    if isinstance(case.answer, list):
        assert got["status"] == 200
        assert [r["error"]["code"] if "error" in r else None for r in got["results"]] == case.answer
    elif case.answer is None:
        assert got["status"] == 200, got["error"]
        assert_is_a_motion(case.request, got["ok"])
    else:
        assert "error" in got, "a motion came instead of a refusal"
        assert got["error"]["code"] == case.answer, got["error"]["message"]
        assert_is_an_instruction(case, got)


def assert_is_a_motion(asked: dict[str, Any], ok: dict[str, Any]) -> None:
    assert ok["node_names"] == [joint["name"] for joint in asked["skeleton"]["joints"]]
    assert ok["num_samples"] == ((asked.get("options") or {}).get("num_samples") or 1)
    assert np.isfinite(ok["rotations_xyzw"]).all()
    assert np.isfinite(ok["root_m"]).all()


def assert_is_an_instruction(case: Case, got: dict[str, Any]) -> None:
    """Status, sentence, place and numbers, as every refusal must have them."""
    error = got["error"]
    assert got["status"] == STATUS_FOR[str(case.answer)]
    assert len(error["message"]) > 5
    if case.answer in RETRYABLE_CODES:
        assert got["retry_after_s"] > 0
    else:
        assert got["retry_after_s"] is None
    if case.where is not None:
        assert [str(p) for p in error["details"]["where"]["path"]] == [str(p) for p in case.where]
        assert "got" in error["details"]
    for key, value in case.details.items():
        assert error["details"][key] == value, key


def test_the_table_covers_every_code_that_mmcp_has() -> None:
    named = {code for case in CASES for code in (case.answer if isinstance(case.answer, list) else [case.answer])}
    assert MMCP_CODES - named == set()
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


def test_another_frame_rate_is_resampled_not_refused() -> None:
    slow = ask(request("walker", frames=60, timing={"fps": 60.0}))["ok"]
    assert slow["fps"] == 60.0
    assert slow["num_frames"] == [60]
    assert math.isclose(slow["root_m"][0, -1, 2] - slow["root_m"][0, 0, 2], 59 / 60, abs_tol=0.02)


def test_a_models_own_notes_and_contacts_arrive() -> None:
    ok = ask(request("rich"))["ok"]
    assert ok["contacts"] == ["LeftFoot", "RightFoot"]
    assert "path_too_fast" in [note["code"] for note in ok["notes"]]
