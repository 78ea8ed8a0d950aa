# SPDX-License-Identifier: Apache-2.0
"""When to try again: exponential back-off with jitter, never sooner than the other side asked, at most five tries."""

from __future__ import annotations

import random
from dataclasses import dataclass

MAX_TRIES = 5
MAX_DELAY_S = 120.0
"""A wait longer than this is not worth holding a client for, unless the other side asks for it."""


@dataclass(frozen=True)
class RetryPolicy:
    """``auto``: whether a client may repeat the request by itself. ``tries`` counts all sendings, the first too."""

    auto: bool = False
    base_s: float = 0.0
    factor: float = 2.0
    tries: int = MAX_TRIES
    jitter: float = 0.0
    name: str = "never"


def retry_delay_s(
    policy: RetryPolicy,
    attempt: int,
    retry_after_s: float | None = None,
    rng: random.Random | None = None,
) -> float | None:
    """Seconds to wait before the next try after ``attempt`` tries (1 = the first failed); None to stop.

    ``base * factor ** (attempt - 1)``, never less than ``retry_after_s``, plus up to ``jitter`` of itself on top (not
    taken off: the other side's wish is a least wait). Pure: give a seeded ``rng`` for the same answer.
    """
    if not policy.auto or attempt < 1 or attempt >= min(policy.tries, MAX_TRIES):
        return None
    delay = min(policy.base_s * policy.factor ** (attempt - 1), MAX_DELAY_S)
    if retry_after_s is not None and retry_after_s > delay:
        delay = retry_after_s
    return delay * (1.0 + policy.jitter * (rng or random).random())
