# SPDX-License-Identifier: Apache-2.0
"""What a second run may forgive, and what not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "installer"))

from kineograph_installer.runner import MOST_AGAIN, run

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q\n")
    return tmp_path


def test_what_failed_once_runs_alone_and_is_named(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "test_once.py").write_text(ONCE)
    assert run(Path(sys.executable), [], folder, again=True) == 0
    assert (folder / "ran.txt").read_text().split() == ["fine", "races", "races"]
    assert "a race to be mended: test_once.py::test_races" in capfd.readouterr().out
    assert not (folder / ".pytest_cache").exists()


def test_without_being_asked_nothing_runs_twice(folder: Path) -> None:
    (folder / "test_once.py").write_text(ONCE)
    assert run(Path(sys.executable), ["-p", "no:cacheprovider"], folder) == 1
    assert (folder / "ran.txt").read_text().split() == ["fine", "races"]


def test_what_fails_twice_has_failed(folder: Path) -> None:
    (folder / "test_never.py").write_text("def test_never():\n    assert False\n")
    assert run(Path(sys.executable), [], folder, again=True) == 1


def test_many_failures_are_no_accident(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [f"def test_{i}():\n    assert False\n" for i in range(MOST_AGAIN + 1)]
    (folder / "test_many.py").write_text("\n".join(lines))
    assert run(Path(sys.executable), [], folder, again=True) == 1
    assert "Once more" not in capfd.readouterr().out


def test_a_broken_file_is_not_tried_again(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "test_broken.py").write_text("def test_broken(:\n")
    assert run(Path(sys.executable), [], folder, again=True) == 2
    assert "Once more" not in capfd.readouterr().out


def test_its_environment_reaches_the_tests(folder: Path) -> None:
    (folder / "test_env.py").write_text("import os\ndef test_env():\n    assert os.environ['KINEOGRAPH_TOLD'] == 'x'\n")
    assert run(Path(sys.executable), ["-p", "no:cacheprovider"], folder, {"KINEOGRAPH_TOLD": "x"}) == 0
