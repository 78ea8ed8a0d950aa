# SPDX-License-Identifier: Apache-2.0
"""When to try again."""

from __future__ import annotations

import random

import pytest

from kineograph.errors import RETRYABLE_CODES, ErrorCode
from kineograph.fixes import MAX_TRIES, RetryPolicy, retry_delay_s, row_of

POLICY = RetryPolicy(auto=True, base_s=1.0, factor=2.0, tries=5, jitter=0.25)


def test_waits_double_and_then_stop() -> None:
    plain = RetryPolicy(auto=True, base_s=1.0, factor=2.0)
    assert [retry_delay_s(plain, n) for n in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, None, None]


@pytest.mark.parametrize("attempt", range(1, MAX_TRIES))
def test_jitter_only_adds(attempt: int) -> None:
    base = 2.0 ** (attempt - 1)
    found = {retry_delay_s(POLICY, attempt, rng=random.Random(seed)) for seed in range(50)}
    assert len(found) == 50
    assert all(d is not None and base <= d <= 1.25 * base for d in found)


def test_the_other_sides_wish_is_a_least_wait() -> None:
    for seed in range(20):
        delay = retry_delay_s(POLICY, 1, 30.0, random.Random(seed))
        assert delay is not None
        assert 30.0 <= delay <= 37.5
    assert retry_delay_s(RetryPolicy(auto=True, base_s=4.0), 1, 0.5) == 4.0


def test_the_same_seed_gives_the_same_wait() -> None:
    assert retry_delay_s(POLICY, 2, rng=random.Random(3)) == retry_delay_s(POLICY, 2, rng=random.Random(3))


@pytest.mark.parametrize("code", [c for c in ErrorCode if c not in RETRYABLE_CODES and c != "file_incomplete"])
def test_never_for_the_rest(code: ErrorCode) -> None:
    assert retry_delay_s(row_of(code).retry, 1, 3.0) is None


@pytest.mark.parametrize("code", sorted(RETRYABLE_CODES))
def test_at_most_five_tries(code: ErrorCode) -> None:
    waits = [retry_delay_s(row_of(code).retry, n) for n in range(1, 8)]
    assert all(w is not None and w > 0 for w in waits[: MAX_TRIES - 1])
    assert waits[MAX_TRIES - 1 :] == [None, None, None]


def test_no_wait_before_the_first_failure() -> None:
    assert retry_delay_s(POLICY, 0) is None
