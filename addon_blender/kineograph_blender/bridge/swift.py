# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's lock comes back to Blender's main thread at once: the add-on's other threads have time, a redraw has not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TURN_S = 0.0002


@contextmanager
def swift() -> Iterator[None]:
    """Wait for Python's lock 0.2 ms at most instead of 5 ms, each time that the main thread has let go of it.

    A slice of 4 ms beside a thread that writes a take took up to 12 ms. What others have set comes back at the end.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(min(before_s, _TURN_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
