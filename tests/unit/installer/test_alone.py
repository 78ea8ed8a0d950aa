# SPDX-License-Identifier: Apache-2.0
"""Two set-ups in one folder: one works, the other waits and finds everything done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "installer"))

from kineograph_installer.alone import NAME, alone, handed_on

INSTALLER = Path(__file__).resolve().parents[3] / "installer"
SETUP = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
folder = Path(sys.argv[2])
from kineograph_installer.alone import alone
from kineograph_installer.environment import Environment

class Told(Environment):
    def _make(self):
        with (folder / "made.txt").open("a") as file:
            file.write(f"{os.getpid()}\\n")
        super()._make()

print("asks", flush=True)
with alone(folder):
    if "first" in sys.argv:
        print("in", flush=True)
        sys.stdin.readline()
    Told(folder / "env", ("pip",), "import pip", Path(sys.executable)).ensure()
print("ready", flush=True)
"""
HOLDS = """
import subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from kineograph_installer.alone import alone, handed_on
with alone(Path(sys.argv[2])):
    if "hand" in sys.argv:
        code = "import sys; print('in', flush=True); sys.stdin.readline()"
        subprocess.call([sys.executable, "-c", code], pass_fds=handed_on())
    print("in", flush=True)
    sys.stdin.readline()
"""


def started(code: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(INSTALLER), str(folder), *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.slow
def test_the_second_waits_and_then_finds_everything_done(tmp_path: Path) -> None:
    first = started(SETUP, tmp_path, "first")
    assert [line(first), line(first)] == ["asks", "in"]
    second = started(SETUP, tmp_path)
    assert line(second) == "asks"
    waits = line(second)
    assert "Another set-up is at work in this folder" in waits
    assert f"process {first.pid}" in waits
    said = [process.communicate("go on\n", timeout=120)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "Making env" in said[0]
    assert "Making env" not in said[1]
    assert "The other set-up has ended" in said[1]
    assert (tmp_path / "made.txt").read_text().split() == [str(first.pid)]


def test_a_killed_set_up_blocks_nobody(tmp_path: Path) -> None:
    holder = started(HOLDS, tmp_path)
    assert line(holder) == "in"
    holder.kill()
    holder.communicate(timeout=60)
    assert (tmp_path / NAME).exists(), "its file is left, and means nothing"
    with alone(tmp_path):
        assert (tmp_path / NAME).read_text() == str(os.getpid())


@pytest.mark.skipif(sys.platform == "win32", reason="a lock is not passed on there")
def test_an_installation_that_outlives_its_installer_is_waited_for(tmp_path: Path) -> None:
    holder = started(HOLDS, tmp_path, "hand")
    assert line(holder) == "in"
    os.kill(holder.pid, 9)
    holder.wait(timeout=60)
    second = started(SETUP, tmp_path)
    assert line(second) == "asks"
    assert "Another set-up is at work" in line(second)
    second.kill()
    second.communicate(timeout=60)
    holder.communicate("go on\n", timeout=60)  # the child reads it, and ends


def test_where_nothing_can_be_written_nobody_waits() -> None:
    with alone(Path("/nowhere/at/all")):
        assert handed_on() == ()
