# SPDX-License-Identifier: Apache-2.0
"""The table of settings: where values come from, what is refused, and its document."""

from __future__ import annotations

from pathlib import Path

import pytest

from kineograph.errors import ErrorCode, RequestError
from kineograph_daemon import settings
from kineograph_daemon.__main__ import main

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


def load(
    tmp_path: Path, text: str = "", flags: dict[str, object] | None = None, **environment: str
) -> settings.Settings:
    file = tmp_path / "settings.toml"
    file.write_text(text, "utf-8")
    return settings.load(flags, environment, file)


def test_the_document_is_the_tables(request: pytest.FixtureRequest) -> None:
    assert DOCUMENT.read_text("utf-8") == settings.document(), (
        "run: python -m kineograph_daemon.settings > docs/settings.md"
    )


def test_defaults_need_nothing(tmp_path: Path) -> None:
    assert settings.load({}, {}, tmp_path / "none.toml") == settings.Settings()


def test_every_default_passes_its_own_check() -> None:
    for row in settings.TABLE:
        assert settings.check(row, row.default, "default") == row.default
        assert row.help.endswith("."), row.name


def test_later_sources_win(tmp_path: Path) -> None:
    text = 'queue_limit = 1\nclient_limit = 2\nkeep_days = 3\nbackbone = ["a:B", "c:D"]'
    got = load(tmp_path, text, {"client_limit": "9"}, KINEOGRAPH_QUEUE_LIMIT="5", KINEOGRAPH_CLIENT_LIMIT="7")
    assert (got.queue_limit, got.client_limit, got.keep_days, got.backbone) == (5, 9, 3.0, ("a:B", "c:D"))


def test_texts_become_values(tmp_path: Path) -> None:
    got = load(tmp_path, KINEOGRAPH_FSYNC_RESULTS="yes", KINEOGRAPH_DEVICE="cpu, cuda:0", KINEOGRAPH_KEEP_GB="0.5")
    assert (got.fsync_results, got.device, got.keep_gb) == (True, ("cpu", "cuda:0"), 0.5)


@pytest.mark.parametrize(
    ("text", "environment", "flags", "name"),
    [
        ("queue_limit = -1", {}, {}, "queue_limit"),
        ("queue_limit = 1.5", {}, {}, "queue_limit"),
        ("queue_limit = true", {}, {}, "queue_limit"),
        ("keep_days = nan", {}, {}, "keep_days"),
        ("backbone = 'a:B'", {}, {}, "backbone"),
        ("backbone = [1]", {}, {}, "backbone"),
        ("batch_limit = 5000", {}, {}, "batch_limit"),
        ("typo = 1", {}, {}, "typo"),
        ("not toml at all", {}, {}, "settings.toml"),
        ("", {"KINEOGRAPH_KEEP_DAYS": "a week"}, {}, "keep_days"),
        ("", {"KINEOGRAPH_FSYNC_RESULTS": "maybe"}, {}, "fsync_results"),
        ("", {}, {"queue_limit": "many"}, "queue_limit"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_fit(
    tmp_path: Path, text: str, environment: dict[str, str], flags: dict[str, object], name: str
) -> None:
    with pytest.raises(RequestError) as caught:
        load(tmp_path, text, flags, **environment)
    assert caught.value.code is ErrorCode.INVALID_PARAMETERS
    assert caught.value.details["where"] == {"path": [name]}
    assert caught.value.details["allowed"]
    assert "got" in caught.value.details


def test_the_command_line_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    assert main(["run", "--queue-limit", "lots"]) == 2
    assert "queue_limit is 'lots', it takes a whole number, at least 0" in capsys.readouterr().err
    assert main(["status"]) == 3
    assert main(["stop"]) == 0
