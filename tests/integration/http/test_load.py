# SPDX-License-Identifier: Apache-2.0
"""A crowd at the door, small enough for a test; ``benchmarks/http_load.py`` measures a large one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_a_crowd_is_served_or_told_when_to_come_again() -> None:
    command = [str(ROOT / "benchmarks" / "http_load.py"), "--json", "--clients", "60", "--seconds", "3"]
    ran = subprocess.run(
        [sys.executable, *command, "--pause-s", "0.2"], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout[ran.stdout.index("{") :])
    assert told["answers"] > 60
    assert told["server_errors"] == told["without_retry_after"] == told["broken_connections"] == 0
    assert set(told["latency_ms"]) >= {"capabilities", "generate", "later"}
    memory = told["front_memory_mb"]
    assert memory["last"] < memory["first"] + 40
