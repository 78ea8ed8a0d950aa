# SPDX-License-Identifier: GPL-3.0-or-later
"""Work of ours on Blender's main thread is held up as little as can be, by other threads and by Python itself."""

from __future__ import annotations

import gc
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


@contextmanager
def in_one_go() -> Iterator[None]:
    """``swift``, and what circles nobody needs is looked for afterwards, once, instead of every few hundred objects.

    For a call that does all at once. In turns that look is better short and often: it belongs to one of them.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with swift():
            yield
    finally:
        if collects:
            gc.enable()
