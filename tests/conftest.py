# SPDX-License-Identifier: Apache-2.0
"""For all tests outside Blender: what is made up for a property is judged by what it shows, not by how long it takes.

A machine with more work than cores takes a second over what takes a millisecond on others.
"""

from __future__ import annotations

import os
import signal
import threading

from hypothesis import HealthCheck, settings
from tests.fakes import reaper

# Before numpy comes: its threads wait for each other on cores that are busy. The daemon's workers do without them too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A shell without job control starts what goes on in the background with Ctrl-C ignored, and so would every command be
# that a test interrupts.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

reaper.watch_over()
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
