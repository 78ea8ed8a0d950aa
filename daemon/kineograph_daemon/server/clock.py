# SPDX-License-Identifier: Apache-2.0
"""One clock for all the front's times: seconds since 1970 that never jump."""

from __future__ import annotations

import time


class Clock:
    """The wall clock's time at the start, carried on by the monotonic clock: fit for delays and for people."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()
        self.started_s = self.now_s()

    def now_s(self) -> float:
        """Seconds since 1970, never decreasing while the process lives."""
        return self._offset_s + time.monotonic()
