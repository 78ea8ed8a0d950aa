# SPDX-License-Identifier: Apache-2.0
"""Whether, and after how long, the same thing is tried again. Decided by code, never by message."""

from __future__ import annotations

from random import Random

from kineograph.errors import KineographError

MAX_TRIES = 5
_MAX_DELAY_S = 60.0
_JITTER = 0.25


def retry_delay_s(error: KineographError, attempt: int, rng: Random) -> float | None:
    """Seconds to wait before try number ``attempt + 1`` (the first retry has ``attempt`` 1); None means give up.

    The daemon's ``retry_after_s`` grows exponentially from try to try, with jitter so that clients spread out.
    """
    if not error.is_retryable or attempt >= MAX_TRIES:
        return None
    base_s = error.retry_after_s if error.retry_after_s is not None else 1.0
    delay_s = min(max(base_s, 0.0) * 2.0 ** (attempt - 1), _MAX_DELAY_S)
    return delay_s * (1.0 + _JITTER * rng.random())
