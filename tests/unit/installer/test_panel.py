# SPDX-License-Identifier: Apache-2.0
"""The panel after a set-up: only where there is a display, and its failure is told, not passed on."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "installer"))

from kineograph_installer import libraries, panel


@pytest.mark.parametrize(
    ("environment", "platform", "found"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_a_window_is_opened_where_there_is_a_display(environment: dict[str, str], platform: str, found: bool) -> None:
    assert panel.has_display(environment, platform) is found


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_panel_that_ends_at_once_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(libraries, "PANEL", {})
    monkeypatch.setattr(libraries, "PANEL_WINDOW", {})
    program, log = tmp_path / "kineograph", tmp_path / "panel.log"
    program.write_text("#!/bin/sh\necho no window >&2\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert not panel.open_panel(program, log)
    assert "exit 3" in capsys.readouterr().out
    assert "no window" in log.read_text()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libraries are looked for on Linux only")
def test_a_library_that_is_missing_is_told_with_the_line_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(libraries, "PANEL_WINDOW", {"libnobody-has-this.so.9": "libnobody9"})
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert not panel.open_panel(tmp_path / "kineograph", tmp_path / "log")
    assert "sudo apt-get install --yes --no-install-recommends libnobody9" in capsys.readouterr().out
