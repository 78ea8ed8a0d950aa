# SPDX-License-Identifier: Apache-2.0
"""Frames on disk: whole or not at all, and nothing damaged is ever taken for a result."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kineograph.errors import ErrorCode, KineographError
from kineograph.wire import codec
from kineograph_daemon.jobs import blobs


@settings(deadline=None, max_examples=40)
@given(st.lists(st.binary(max_size=300), max_size=12))
def test_frames_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, frames: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("b") / "x.kgb"
    assert blobs.write(path, frames) == path.stat().st_size
    read = blobs.open(path)
    assert [bytes(f) for f in read] == frames
    assert all(f.readonly for f in read)


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    path = tmp_path / "x.kgb"
    blobs.write(path, [b"ab", b"", b"c" * 65])
    raw = path.read_bytes()
    assert raw[:8] == b"KGB1" + struct.pack("<I", 3)
    assert struct.unpack_from("<3Q", raw, 8) == (2, 0, 65)
    assert raw[64:66] == b"ab"
    assert raw[128:193] == b"c" * 65
    assert len(raw) == 256


def test_arrays_are_read_without_a_copy_and_outlive_the_file(tmp_path: Path) -> None:
    array = np.arange(3000, dtype=np.float32).reshape(10, 100, 3)
    path = tmp_path / "x.kgb"
    blobs.write(path, codec.pack_body({"a": array}), fsync=True)
    frames = blobs.open(path)
    read = codec.decode_body(frames[0], frames[1:])["a"]
    assert not read.flags.owndata
    assert read.ctypes.data % 64 == 0
    assert blobs.remove(path) > array.nbytes
    assert blobs.remove(path) == 0
    np.testing.assert_array_equal(read, array)


def test_a_file_that_is_open_is_not_opened_again_and_another_of_its_name_is(tmp_path: Path) -> None:
    path = tmp_path / "x.kgb"
    blobs.write(path, [b"a" * 100])
    first, again = blobs.open(path), blobs.open(path)
    assert first[0].obj is again[0].obj
    blobs.write(path, [b"b" * 100])
    other = blobs.open(path)
    assert (bytes(first[0][:1]), bytes(other[0][:1])) == (b"a", b"b")
    del first, again, other
    assert not blobs.is_open(path)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_too_many_open_files_are_no_damage(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.kgb"
    blobs.write(path, [b"a"])

    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", full)
        with pytest.raises(KineographError) as caught:
            blobs.open(path)
    assert caught.value.code is ErrorCode.RESOURCE_EXHAUSTED
    assert bytes(blobs.open(path)[0]) == b"a"


def test_more_parts_than_one_system_call_takes(tmp_path: Path) -> None:
    frames = [bytes([i % 256]) * (i % 70) for i in range(1500)]
    blobs.write(tmp_path / "x.kgb", frames)
    assert [bytes(f) for f in blobs.open(tmp_path / "x.kgb")] == frames
    with pytest.raises(ValueError, match="limit"):
        blobs.write(tmp_path / "y.kgb", [b""] * (blobs.MAX_FRAMES + 1))


def test_a_system_without_writev_writes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [b"a" * 100, b"", memoryview(np.arange(50.0)).cast("B")]
    blobs.write(tmp_path / "a", frames)
    monkeypatch.delattr(os, "writev")
    blobs.write(tmp_path / "b", frames)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_is_gone_has_expired(tmp_path: Path) -> None:
    with pytest.raises(KineographError) as caught:
        blobs.open(tmp_path / "gone.kgb")
    assert caught.value.code is ErrorCode.RESULT_EXPIRED


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"KGB1",
        b"NOPE" + bytes(60),
        b"KGB1" + struct.pack("<I", 2**31) + bytes(64),
        b"KGB1" + struct.pack("<IQ", 1, 10 * 2**30) + bytes(52),
        b"KGB1" + struct.pack("<IQ", 1, 2**64 - 1) + bytes(52),
    ],
)
def test_damage_is_told(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.kgb").write_bytes(raw)
    with pytest.raises(KineographError) as caught:
        blobs.open(tmp_path / "x.kgb")
    assert caught.value.code is ErrorCode.INTERNAL_ERROR
    assert caught.value.details["where"] == {"file": "x.kgb"}


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.kgb"
    blobs.write(path, [b"a" * 70, b"b" * 64])
    raw = path.read_bytes()
    for length in range(0, len(raw), 7):
        path.write_bytes(raw[:length])
        with pytest.raises(KineographError):
            blobs.open(path)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    blobs.write(tmp_path / "x.kgb", [b"before"])
    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(KineographError) as caught:
        blobs.write(tmp_path / "x.kgb", [b"after"])
    assert caught.value.code is ErrorCode.RESOURCE_EXHAUSTED
    assert caught.value.details["resource"] == "disk"
    assert caught.value.details["free_bytes"] > 0
    assert [p.name for p in tmp_path.iterdir()] == ["x.kgb"]
    assert bytes(blobs.open(tmp_path / "x.kgb")[0]) == b"before"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KineographError) as caught:
        blobs.write(tmp_path / "file" / "x.kgb", [b"a"])
    assert caught.value.code is ErrorCode.INTERNAL_ERROR
