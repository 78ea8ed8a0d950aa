# SPDX-License-Identifier: Apache-2.0
"""What a failed installation says: the cause among many lines, and the line that mends it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kineograph.errors import KineographError
from kineograph_daemon.backbones.environments import advice, make, recipes


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("apt-get", "sudo apt-get install git g++"),
        ("dnf", "sudo dnf install git gcc-c++"),
        ("pacman", "sudo pacman -S git gcc"),
        ("winget", "winget install Git.Git c++"),
        ("", ""),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="Apple brings its own compiler")
def test_the_line_that_installs_what_is_missing(manager: str, line: str) -> None:
    assert advice.line_for(["git", "c++"], lambda name: name if name == manager else None) == line


PIP = [
    "Collecting kimodo",
    "  ERROR: Command errored out with exit status 1:",
    "  fatal: unable to access 'https://code.example/': Could not resolve host: code.example",
    "  error: subprocess-exited-with-error",
    "ERROR: Failed to build 'kimodo'",
    "hint: See above for output from the failure.",
    "",
]


def test_the_cause_is_found_among_the_lines() -> None:
    assert advice.cause_of(PIP).startswith("fatal: unable to access")
    assert "no connection" in advice.advice_on(PIP)
    assert advice.cause_of(["one", "two", ""]) == "two"
    assert (advice.cause_of([]), advice.advice_on([])) == ("", "")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for torch>=9", "no such release"),
        ("RuntimeError: CMake must be installed to build this package", "cmake is missing"),
        ("CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage", "compiler is missing"),
        ("huggingface_hub.errors.GatedRepoError: 403 Client Error.", "terms were accepted"),
        ("error: something nobody has seen", ""),
    ],
)
def test_known_causes_come_with_what_to_do(line: str, word: str) -> None:
    told = advice.advice_on([line])
    assert (word in told) if word else told == ""
    assert advice.cause_of([line, "note: This error originates from a subprocess"]) == line


def test_kimodo_needs_no_compiler() -> None:
    recipe = recipes.load("kimodo")
    assert recipe.tools == ("git",)
    assert dict(recipe.environment)["SKIP_MOTION_CORRECTION_IN_SETUP"] == "1"
    assert "@7330e7e" in recipe.packages[2][0]  # the commit that it was tried with, not whatever comes next


def test_a_tool_that_is_missing_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    monkeypatch.setattr(make.shutil, "which", lambda name: None if name == "git" else f"/usr/bin/{name}")
    monkeypatch.setattr(make, "find_python", lambda recipe: sys.executable)
    with pytest.raises(KineographError) as caught:
        make.refuse(recipes.load("kimodo"))
    assert caught.value.code == "model_unavailable"
    assert caught.value.details["got"] == ["git"]
