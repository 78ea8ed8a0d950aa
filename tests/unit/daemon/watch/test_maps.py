# SPDX-License-Identifier: Apache-2.0
"""Maps that the watcher wrote, and maps that a person edited: only the second open work again."""

from __future__ import annotations

from pathlib import Path

from kineograph_daemon.watch.rules import Config
from kineograph_daemon.watch.runner import Runner


def _stamp(path: Path) -> tuple[str, int, int]:
    info = path.stat()
    return str(path), info.st_mtime_ns, info.st_size


def test_a_map_edited_before_a_scan_saw_it_counts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "needs_map").mkdir(parents=True)
    runner = Runner(Config(tmp_path / "in", out, (), tmp_path / "state.sqlite"), lambda told: None)
    made: set[tuple[str, int, int]] = set()
    assert not runner._maps_changed(made)  # the first look compares with nothing
    first, second = (out / "needs_map" / name for name in ("first.toml", "second.toml"))
    for path in (first, second):
        path.write_text("[roles]\n")
        made.add(_stamp(path))
    second.write_text('[roles]\nleft_hand = "zorg_L"\n')
    assert runner._maps_changed(made), "the second was edited before any scan"
    assert not runner._maps_changed(made), "nothing happened since"
    first.write_text('[roles]\nleft_hand = "hand"\n')
    assert runner._maps_changed(made), "the first was edited after a scan"


def test_a_map_that_lies_as_it_was_made_opens_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "needs_map").mkdir(parents=True)
    runner = Runner(Config(tmp_path / "in", out, (), tmp_path / "state.sqlite"), lambda told: None)
    made: set[tuple[str, int, int]] = set()
    assert not runner._maps_changed(made)
    path = out / "needs_map" / "made.toml"
    path.write_text("[roles]\n")
    made.add(_stamp(path))
    assert not runner._maps_changed(made)
