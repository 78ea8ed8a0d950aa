# SPDX-License-Identifier: Apache-2.0
"""Being told to end by another program: the same as by Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGTERM", "SIGBREAK")
"""A closed terminal (SIGHUP) is no wish to stop: what was sent goes on, and can be waited for from another one."""


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM raises ``KeyboardInterrupt`` inside, unless whoever started this program chose otherwise."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
        before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is signal.SIG_DFL}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
