# SPDX-License-Identifier: Apache-2.0
"""What tests started ends with them: also where they are killed, and what has left their session."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fakes import reaper

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process's environment")
ROOT = Path(__file__).resolve().parents[2]

STARTS_ONE_AND_WAITS = """
import subprocess, sys, time
from tests.fakes import reaper
reaper.watch_over()
program = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
left = subprocess.Popen(program, start_new_session=True, stdout=subprocess.PIPE)
left.stdout.readline()
print(left.pid, flush=True)
sys.stdin.read()
"""


def runs(pid: int) -> bool:
    """Whether a process is there, and not only its entry, which nobody has read yet."""
    try:
        return bool(Path(f"/proc/{pid}/environ").read_bytes())
    except OSError:
        return False


@pytest.mark.parametrize("killed", [True, False])
def test_what_is_left_ends_with_the_tests(killed: bool) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", STARTS_ONE_AND_WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=env) as tests:  # fmt: skip
        assert tests.stdout is not None
        assert tests.stdin is not None
        left = int(tests.stdout.readline())
        assert runs(left)
        if killed:
            tests.kill()
        else:
            tests.stdin.close()
    while runs(left):
        time.sleep(0.01)  # the test's own limit ends this


def test_this_process_is_watched_over() -> None:
    mark = os.environ[reaper.MARK]
    program = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in reaper.marked(mark)
    assert child.pid not in reaper.marked(mark)
