# SPDX-License-Identifier: Apache-2.0
"""What a second run may forgive, and what not: of failures, and of tests that take their process with them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "installer"))

from kineograph_installer.main import MOST_PROCESSES, _spread
from kineograph_installer.runner import MOST_AGAIN, Outcome, run

ONCE = """
from pathlib import Path

def test_fine():
    note("fine")

def test_races():
    note("races")
    assert Path("ran.txt").read_text().count("races") > 1

def note(name):
    with open("ran.txt", "a") as file:
        file.write(name + " ")
"""


DIES = """
import os, signal
from pathlib import Path

import pytest

TIMES = {times}

@pytest.mark.parametrize("name", ["a", "b", "dies", "z"])
def test_each(name):
    with open("ran.txt", "a") as file:
        file.write(name + " ")
    if name == "dies" and Path("ran.txt").read_text().count("dies") <= TIMES:
        {death}
"""
RACES = """
import logging, os

def test_a():
    logging.warning("half a character: \\udfff")
    assert os.path.exists("ran.txt")
"""
SEGFAULT = "os.kill(os.getpid(), signal.SIGSEGV)"
SPREADS = [(), ("--numprocesses=1", "--dist=loadfile", "--no-loadscope-reorder")]


def dying(folder: Path, times: int, death: str = SEGFAULT) -> None:
    (folder / "test_die.py").write_text(DIES.format(times=times, death=death))


def ran(folder: Path) -> list[str]:
    return (folder / "ran.txt").read_text().split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -q -p no:pytest-qt -p no:asyncio -p no:hypothesispytest -p no:anyio\n"
    )
    return tmp_path


def test_what_failed_once_runs_alone_and_is_named(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "test_once.py").write_text(ONCE)
    end = run(Path(sys.executable), [], folder, again=True)
    assert end == Outcome(0, "\nFailed once and passed alone, so a race to be mended: test_once.py::test_races")
    assert (folder / "ran.txt").read_text().split() == ["fine", "races", "races"]
    assert "Once more, alone: test_once.py::test_races" in capfd.readouterr().out


def test_without_being_asked_nothing_runs_twice(folder: Path) -> None:
    (folder / "test_once.py").write_text(ONCE)
    assert run(Path(sys.executable), [], folder) == Outcome(1)
    assert (folder / "ran.txt").read_text().split() == ["fine", "races"]


def test_what_fails_twice_has_failed(folder: Path) -> None:
    (folder / "test_never.py").write_text("def test_never():\n    assert False\n")
    assert run(Path(sys.executable), [], folder, again=True) == Outcome(1)


def test_many_failures_are_no_accident(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [f"def test_{i}():\n    assert False\n" for i in range(MOST_AGAIN + 1)]
    (folder / "test_many.py").write_text("\n".join(lines))
    assert run(Path(sys.executable), [], folder, again=True) == Outcome(1)
    assert "Once more" not in capfd.readouterr().out


def test_a_broken_file_is_not_tried_again(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "test_broken.py").write_text("def test_broken(:\n")
    assert run(Path(sys.executable), [], folder, again=True) == Outcome(2)
    assert "Once more" not in capfd.readouterr().out


def test_its_environment_reaches_the_tests(folder: Path) -> None:
    (folder / "test_env.py").write_text("import os\ndef test_env():\n    assert os.environ['KINEOGRAPH_TOLD'] == 'x'\n")
    assert run(Path(sys.executable), [], folder, {"KINEOGRAPH_TOLD": "x"}) == Outcome(0)


@pytest.mark.parametrize("spread", SPREADS)
def test_what_died_or_failed_once_is_named_and_the_rest_runs(
    folder: Path, capfd: pytest.CaptureFixture[str], spread: tuple[str, ...]
) -> None:
    (folder / "test_a.py").write_text(RACES)
    dying(folder, times=1)
    end = run(Path(sys.executable), [], folder, again=True, spread=spread)
    assert end.code == 0
    assert ran(folder) == ["a", "b", "dies", "z", "dies"]
    assert "a race to be mended: test_a.py::test_a\n" in end.closing
    said = capfd.readouterr().out
    assert "DIED by SIGSEGV: test_die.py::test_each[dies]" in said
    for words in (said, end.closing):
        assert "Fatal Python error: Segmentation fault" in words
        assert "in test_each" in words
    assert "died once by SIGSEGV: test_die.py::test_each[dies]" in end.closing


def test_tests_that_are_others_in_each_process_run_in_one(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    named = "import os, pytest\n@pytest.mark.parametrize('pid', [os.getpid()])\ndef test_named(pid):\n    pass\n"
    (folder / "test_named.py").write_text(named)
    spread = ("--numprocesses=2", "--dist=loadfile")
    assert run(Path(sys.executable), [], folder, again=True, spread=spread) == Outcome(0)
    said = capfd.readouterr().out
    assert "Different tests were collected" in said
    assert "1 passed" in said


@pytest.mark.parametrize("spread", SPREADS)
def test_what_dies_twice_has_failed(folder: Path, spread: tuple[str, ...]) -> None:
    dying(folder, times=2)
    end = run(Path(sys.executable), [], folder, again=True, spread=spread)
    assert end.code == 1
    assert ran(folder) == ["a", "b", "dies", "z", "dies"]
    assert "DIED by SIGSEGV: test_die.py::test_each[dies]" in end.closing
    assert "in test_each" in end.closing


@pytest.mark.parametrize("spread", SPREADS)
def test_without_being_asked_a_death_is_a_failure(folder: Path, spread: tuple[str, ...]) -> None:
    dying(folder, times=1)
    end = run(Path(sys.executable), [], folder, spread=spread)
    assert end.code == 1
    assert ran(folder).count("dies") == 1
    assert "DIED by SIGSEGV: test_die.py::test_each[dies]" in end.closing


def test_an_end_in_the_middle_is_a_death_whatever_its_exit_code(folder: Path) -> None:
    dying(folder, times=2, death="os._exit(0)")
    end = run(Path(sys.executable), [], folder, again=True)
    assert end.code == 1
    assert "DIED by exit code 0: test_die.py::test_each[dies]" in end.closing
    assert "Python said nothing" in end.closing


def test_who_is_told_to_end_does_not_go_on(folder: Path) -> None:
    dying(folder, times=1, death="os.kill(os.getpid(), signal.SIGTERM)")
    assert run(Path(sys.executable), [], folder, again=True).code == 1
    assert ran(folder) == ["a", "b", "dies"]


def test_a_process_that_dies_over_and_over_is_left(folder: Path) -> None:
    dying(folder, times=99)
    (folder / "test_die.py").write_text((folder / "test_die.py").read_text().replace('== "dies"', "in 'abdiesz'"))
    (folder / "test_die.py").write_text((folder / "test_die.py").read_text().replace('count("dies")', "count(name)"))
    end = run(Path(sys.executable), [], folder, again=True)
    assert end.code == 1
    assert len(ran(folder)) == MOST_AGAIN + 1


def test_a_death_while_collecting_is_told_and_not_tried_again(folder: Path) -> None:
    (folder / "test_early.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    end = run(Path(sys.executable), [], folder, again=True)
    assert end.code == 1
    assert "DIED by SIGSEGV: (no test yet" in end.closing
    assert "test_early.py" in end.closing


def test_a_death_after_the_last_test_is_laid_at_its_door(folder: Path) -> None:
    dying(folder, times=0)
    (folder / "conftest.py").write_text(
        "import os, signal\nfrom pathlib import Path\n"
        "def pytest_sessionfinish():\n"
        "    if Path('ran.txt').read_text().count('z') < 2:\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    end = run(Path(sys.executable), [], folder, again=True)
    assert ran(folder) == ["a", "b", "dies", "z", "z"]
    assert end.code == 0
    assert "died once by SIGSEGV: test_die.py::test_each[z]" in end.closing


def test_files_are_shared_out_unless_somebody_does_or_looks_in() -> None:
    how_many = int(_spread(["-k", "bvh", "--no-header"])[0].removeprefix("--numprocesses="))
    assert 1 <= how_many <= MOST_PROCESSES
    for argument in ("-n0", "--numprocesses=2", "--dist=load", "-s", "--pdb", "no:xdist"):
        assert _spread([argument]) == []
