# SPDX-License-Identifier: Apache-2.0
"""The settings file is changed a line at a time, all of it or nothing, and only to what a start accepts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kineograph.errors import KineographError
from kineograph_daemon import settings, settings_file

BEFORE = """# mine
queue_limit = 500  # small

device = [
  "cpu",
  "cuda:0",
]
keep_days = 3.0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with comments and a list over several lines."""
    out = tmp_path / "settings.toml"
    out.write_text(BEFORE)
    return out


def test_what_nobody_touched_stays(file: Path) -> None:
    settings_file.change({"device": ["cpu"], "http": "127.0.0.1", "fsync_results": "true"}, file)
    text = file.read_text()
    assert "# mine" in text
    assert "queue_limit = 500  # small" in text
    assert "cuda:0" not in text
    loaded = settings.load({}, {}, file)
    assert (loaded.device, loaded.http, loaded.fsync_results, loaded.keep_days) == (("cpu",), "127.0.0.1", True, 3.0)


def test_a_setting_goes_back_to_its_default(file: Path) -> None:
    settings_file.change({"queue_limit": None, "device": None}, file)
    assert settings.load({}, {}, file) == settings.load({"keep_days": 3.0}, {}, Path("/nowhere"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"queue_limit": "many"}, "queue_limit is 'many'"),
        ({"queue_limit": "-1"}, "at least 0"),
        ({"keep_days": "7", "heartbeat_s": "nan"}, "heartbeat_s"),
        ({"nothing": "1"}, "there is no setting 'nothing'"),
    ],
)
def test_a_value_that_does_not_fit_changes_nothing(file: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(KineographError, match=said):
        settings_file.change(changes, file)
    assert file.read_text() == BEFORE
    assert [p.name for p in file.parent.iterdir()] == ["settings.toml"]


def test_a_broken_file_is_named_and_kept(file: Path) -> None:
    file.write_text("queue_limit = = 3")
    with pytest.raises(KineographError, match="cannot be read"):
        settings_file.change({"queue_limit": "3"}, file)
    assert file.read_text() == "queue_limit = = 3"


def test_the_form_knows_where_a_value_comes_from(file: Path) -> None:
    told = settings_file.describe(file, {"KINEOGRAPH_TCP": "127.0.0.1:7"})
    rows = {row["name"]: row for row in told["settings"]}
    assert (rows["queue_limit"]["value"], rows["queue_limit"]["source"]) == (500, "file")
    assert (rows["tcp"]["value"], rows["tcp"]["source"]) == ("127.0.0.1:7", "environment")
    assert rows["heartbeat_s"]["source"] == "default"
    assert len(rows) == len(settings.TABLE)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    command = [sys.executable, "-m", "kineograph_daemon", "settings"]
    done = subprocess.run([*command, "--set", "queue_limit=9"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert next(r for r in json.loads(done.stdout)["settings"] if r["name"] == "queue_limit")["value"] == 9
    refused = subprocess.run([*command, "--set", "queue_limit=x"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "a whole number" in refused.stderr
