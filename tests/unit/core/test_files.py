# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, and files that are read again when they change."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from kineograph import files
from kineograph.files import WatchedJson


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "new" / "note.json"
    files.write_json(place, {"a": 1})

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        files.write_whole(place, fail)
    assert json.loads(place.read_text()) == {"a": 1}
    assert [f.name for f in place.parent.iterdir()] == ["note.json"]


def test_what_cannot_be_told_is_not_half_told(tmp_path: Path) -> None:
    place = tmp_path / "note.json"
    with pytest.raises(TypeError):
        files.write_json(place, {"a": object()})
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_private_file_is_its_owners_from_the_start(tmp_path: Path) -> None:
    seen: list[int] = []
    files.write_whole(tmp_path / "key", lambda p: seen.append(p.stat().st_mode & 0o777), private=True)
    assert seen == [0o600]
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_many_writers_leave_one_whole_file(tmp_path: Path) -> None:
    place = tmp_path / "note.json"
    threads = [threading.Thread(target=files.write_json, args=(place, [i] * 2000)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(json.loads(place.read_text()))) == 1
    assert [f.name for f in tmp_path.iterdir()] == ["note.json"]


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    place, read = tmp_path / "note.json", []

    def parse(raw: Any) -> int:
        read.append(raw)
        return int(raw["a"])

    watched = WatchedJson(place, parse, -1)
    assert watched.value == -1
    files.write_json(place, {"a": 1})
    assert (watched.value, watched.value, len(read)) == (1, 1, 1)
    before = place.stat()
    files.write_json(place, {"a": 2})  # as long as before, and by the clock not later
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert watched.value == 2
    place.unlink()
    assert watched.value == -1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"b": 1}', '{"a": "x"}', "[" * 100_000, "null"])
def test_a_file_that_cannot_be_understood_says_nothing(tmp_path: Path, text: str) -> None:
    place = tmp_path / "note.json"
    files.write_json(place, {"a": 1})
    watched = WatchedJson(place, lambda raw: int(raw["a"]), -1)
    assert watched.value == 1
    place.write_text(text)
    assert watched.value == -1


def test_a_folder_in_its_place_says_nothing(tmp_path: Path) -> None:
    assert WatchedJson(tmp_path, lambda raw: 1, -1).value == -1
