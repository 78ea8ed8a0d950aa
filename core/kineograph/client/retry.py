# SPDX-License-Identifier: Apache-2.0
"""Whether, and after how long, the same thing is tried again. Decided by code, by the catalogue's policy."""

from __future__ import annotations

from random import Random

from kineograph.errors import KineographError

MAX_TRIES = 5


def retry_delay_s(error: KineographError, attempt: int, rng: Random) -> float | None:
    """Seconds to wait after ``attempt`` tries (1: the first failed); None to give up.

    Exponential back-off with jitter, never sooner than the daemon's ``retry_after_s``, at most ``MAX_TRIES`` tries.
    """
    if not error.is_retryable:
        return None
    from kineograph import fixes  # the catalogue is read at the first error, not at every start

    return fixes.retry_delay_s(fixes.row_of(error.code).retry, min(attempt, MAX_TRIES), error.retry_after_s, rng)
