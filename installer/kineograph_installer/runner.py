# SPDX-License-Identifier: Apache-2.0
"""One run of pytest, and on request a second one of the few tests that failed in the first."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from kineograph_installer.console import say

MOST_AGAIN = 3
"""More failures than these are no accident of timing: they are not tried again."""
_FAILED = 1  # pytest's exit code for "tests ran, and some failed"


def run(
    python: Path, arguments: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None, *, again: bool = False
) -> int:
    """Pytest's exit code for ``arguments``, run in ``folder`` with ``extra`` in its environment.

    ``again``: where at most ``MOST_AGAIN`` tests failed, they alone run once more in a process of their own, as
    CPython's own test runner does. Its exit code then counts, and each test that needed it is named: such a test, or
    what it tests, has a race that is to be mended.
    """
    environment = {**os.environ, **(extra or {})}
    command = [str(python), "-m", "pytest"]
    if not again:
        return subprocess.call([*command, *arguments], cwd=folder, env=environment)
    with tempfile.TemporaryDirectory(prefix="kineograph-tests-") as cache:
        kept = ["-o", f"cache_dir={cache}"]
        code = subprocess.call([*command, *arguments, *kept], cwd=folder, env=environment)
        failed = _failed(Path(cache))
        if code != _FAILED or not 0 < len(failed) <= MOST_AGAIN:
            return code
        say(f"\nOnce more, alone: {', '.join(failed)}")
        code = subprocess.call([*command, *arguments, *kept, "--last-failed"], cwd=folder, env=environment)
    if code == 0:
        say(f"\nFailed once and passed alone, so a race to be mended: {', '.join(failed)}")
    return code


def _failed(cache: Path) -> list[str]:
    """The tests that failed, by pytest's own notes."""
    try:
        return sorted(json.loads((cache / "v" / "cache" / "lastfailed").read_text("utf-8")))
    except (OSError, ValueError):
        return []
