# SPDX-License-Identifier: Apache-2.0
"""For all tests outside Blender: what is made up for a property is judged by what it shows, not by how long it takes.

A machine with more work than cores takes a second over what takes a millisecond on others.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from tests.fakes import reaper

# Before numpy comes: its threads wait for each other on cores that are busy. The daemon's workers do without them too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

reaper.watch_over()
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
