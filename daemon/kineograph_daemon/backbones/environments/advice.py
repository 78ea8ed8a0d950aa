# SPDX-License-Identifier: Apache-2.0
"""What to say when an installation cannot begin or fails: the line that mends it, and the cause among many lines."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Sequence

_MANAGERS = {
    "apt-get": "sudo apt-get install",
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "zypper": "sudo zypper install",
    "apk": "sudo apk add",
    "brew": "brew install",
    "winget": "winget install",
}
_PACKAGES = {
    "git": {"winget": "Git.Git"},
    "cmake": {"winget": "Kitware.CMake"},
    "c++": {"apt-get": "g++", "dnf": "gcc-c++", "pacman": "gcc", "zypper": "gcc-c++", "apk": "g++", "brew": "gcc"},
}
_CAUSE = re.compile(r"^\s*(ERROR|error|fatal|CMake Error|[\w.]*Error)\b[: ]")
_DULL = re.compile(r"subprocess-exited-with-error|failed to build|Failed building|metadata-generation-failed", re.I)
_ADVICE = (
    (
        r"resolve host|name resolution|getaddrinfo|Failed to establish|Network is unreachable|Connection refused"
        r"|timed out|Max retries",
        "there is no connection to where it comes from: when it is back, the same command goes on from here",
    ),
    (
        r"No space left|disk is full|Errno 28",
        "the disk is full: make room, then the same command goes on from here",
    ),
    (
        r"No matching distribution|requires a different Python|Requires-Python",
        "there is no such release for this Python and system",
    ),
    (r"Permission denied|Errno 13", "a file may not be written: see who owns the folder"),
    (r"CMake must be installed|cmake: (command )?not found|'cmake'", "cmake is missing"),
    (
        r"is not able to compile|CMAKE_CXX_COMPILER|g\+\+: (command )?not found|command 'gcc' failed"
        r"|Microsoft Visual C\+\+",
        "a C++ compiler is missing",
    ),
    (
        r"\b40[13] Client Error|GatedRepo|gated repo|Access to model",
        "the weights are given after their terms were accepted: log in with `huggingface-cli login` under an account "
        "that did, then the same command goes on from here",
    ),
)


def line_for(tools: Sequence[str], which: Callable[[str], str | None] = shutil.which) -> str:
    """The command that installs these programs here; empty where no package manager is known."""
    if sys.platform == "darwin" and "c++" in tools and which("brew") is None:
        return "xcode-select --install"
    manager = next((name for name in _MANAGERS if which(name) is not None), None)
    if manager is None:
        return ""
    names = [_PACKAGES.get(tool, {}).get(manager, tool) for tool in tools]
    return f"{_MANAGERS[manager]} {' '.join(names)}"


def cause_of(lines: Sequence[str]) -> str:
    """The line that tells most of why a program failed: the last that names an error, else the last that is none."""
    told = [line.strip() for line in lines if line.strip()]
    errors = [line for line in told if _CAUSE.match(line) and not _DULL.search(line)]
    return (errors or told or [""])[-1]


def advice_on(lines: Sequence[str]) -> str:
    """What to do about it, for causes that are known; empty otherwise."""
    text = "\n".join(lines)
    return next((words for pattern, words in _ADVICE if re.search(pattern, text)), "")
