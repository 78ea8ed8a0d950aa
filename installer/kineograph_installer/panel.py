# SPDX-License-Identifier: Apache-2.0
"""The desktop panel after a set-up: opened where there is a display, and never a reason to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kineograph_installer import libraries
from kineograph_installer.console import SetupError, say

ALIVE_S = 3.0


def has_display(environment: Mapping[str, str] | None = None, platform: str = sys.platform) -> bool:
    """Whether a window can open here."""
    known = os.environ if environment is None else environment
    if not platform.startswith("linux"):
        return True
    return bool(known.get("DISPLAY") or known.get("WAYLAND_DISPLAY"))


def open_panel(kineograph: Path, log: Path) -> bool:
    """Open it beside this program; says what to do when it does not stay open."""
    try:
        libraries.ensure({**libraries.PANEL, **libraries.PANEL_WINDOW}, log)
    except SetupError as e:
        say(f"  - The panel does not open yet. {e}")
        return False
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(kineograph), "gui"], stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        code = process.wait(ALIVE_S)
    except subprocess.TimeoutExpired:
        say("The panel is open. Later: kineograph gui")
        return True
    if code != 0:
        say(f"  - The panel ended at once (exit {code}). Its words: {log}")
    return code == 0
