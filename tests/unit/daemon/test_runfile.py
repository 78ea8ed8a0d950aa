# SPDX-License-Identifier: Apache-2.0
"""Who may be this user's daemon, and what a killed one leaves behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kineograph.client.discovery import RunFile, find_daemon
from kineograph_daemon.runfile import move_in


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / "home"))


def test_a_daemon_that_starts_is_not_taken_for_the_killed_one_before_it() -> None:
    # Its number may belong to a living process: nobody has asked yet what it ended with, or another one has it now.
    RunFile("ipc:///gone", "ipc:///gone.ev", os.getpid(), "before", "0", 1, 0.0).write()
    residence = move_in("now")
    assert residence is not None
    try:
        assert find_daemon() is None
        assert move_in("another") is None
        run = residence.announce("ipc:///here", "ipc:///here.ev", None, os.getpid(), 1.0)
        assert find_daemon() == run
    finally:
        residence.leave()
    assert RunFile.read() is None
