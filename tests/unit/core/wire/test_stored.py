# SPDX-License-Identifier: Apache-2.0
"""Another process's file is read whole or not at all, and stays as it is for as long as it is read."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from kineograph.wire import stored
from kineograph_daemon.jobs import blobs
from kineograph_daemon.jobs.spares import Spares

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="results are read as files where there is ipc")


def written(folder: Path, *frames: bytes, name: str = "a.kgb") -> str:
    path = folder / name
    blobs.write(path, frames)
    return str(path)


def taken(path: str) -> list[bytes] | None:
    frames = stored.read(path)
    return None if frames is None else [bytes(f) for f in frames]


def test_a_file_is_read_and_held_while_its_frames_live(tmp_path: Path) -> None:
    path = written(tmp_path, b"ab", b"", b"c" * 5000)
    frames = stored.read(path)
    assert frames is not None
    assert [bytes(f) for f in frames] == [b"ab", b"", b"c" * 5000]
    assert all(f.readonly for f in frames)
    assert stored.is_held(path)
    del frames
    gc.collect()
    assert not stored.is_held(path)


def test_what_is_no_file_of_ours_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "short").write_bytes(b"KGB1")
    (tmp_path / "other").write_bytes(b"not one of ours at all")
    whole = Path(written(tmp_path, b"x" * 900)).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:500])
    (tmp_path / "many").write_bytes(b"KGB1" + b"\xff" * 60)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "a.kgb")
    for name in ("none", "empty", "short", "other", "cut", "many", "fifo", "link", "."):
        assert stored.read(str(tmp_path / name)) is None, name
    assert stored.read("\0") is None


def test_more_files_than_may_be_held_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    path, other = written(tmp_path, b"first"), written(tmp_path, b"second", name="b.kgb")
    monkeypatch.setattr(stored, "MOST_HELD", len(stored._held) + 1)
    first, second = stored.read(path), stored.read(other)
    assert (stored.is_held(path), stored.is_held(other)) == (True, False)
    assert first is not None
    assert second is not None
    assert [bytes(f) for f in second] == [b"second"]
    assert second[0].readonly


def test_where_there_are_no_locks_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, b"x" * 300)
    monkeypatch.setattr(stored, "fcntl", None)
    held = len(stored._held)
    assert taken(path) == [b"x" * 300]
    assert len(stored._held) == held
    assert not stored.is_held(path)


@pytest.mark.parametrize("step", ["_mapped", "_copied"])
def test_a_file_that_is_taken_away_meanwhile_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = written(tmp_path, b"mine" * 100)
    do = getattr(stored, step)

    def rename_first(*args: Any) -> Any:
        os.replace(path, tmp_path / "spare")
        written(tmp_path, b"another's" * 100)
        return do(*args)

    monkeypatch.setattr(stored, step, rename_first)
    if step == "_copied":
        monkeypatch.setattr(stored, "MOST_HELD", 0)
    assert stored.read(path) is None


def test_a_file_that_somebody_holds_is_never_written_over(tmp_path: Path) -> None:
    spares = Spares(tmp_path)
    path = written(tmp_path, b"x" * 5000)
    frames = stored.read(path)
    assert frames is not None
    assert spares.keep(Path(path)) == 5120
    assert spares.lend("job") == ""
    assert not list(tmp_path.iterdir())
    assert bytes(frames[0]) == b"x" * 5000
