# SPDX-License-Identifier: Apache-2.0
"""Files that are written over belong to nobody who still reads."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from kineograph.wire.messages import ResultFormat
from kineograph_daemon.jobs import blobs
from kineograph_daemon.jobs.spares import Spares
from kineograph_daemon.jobs.store import JobStore


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path)


def written(store: JobStore, job: str, *frames: bytes, over: str = "") -> Path:
    path = store.result_file(job, 1)
    blobs.write(path, frames, over=over)
    return path


def test_a_result_that_goes_is_used_for_the_next(store: JobStore) -> None:
    inode = written(store, "aa", b"x" * 5000).stat().st_ino
    assert store.drop_result("aa", 1) > 5000
    spare = store.spares.lend("bb")
    path = written(store, "bb", b"y" * 300, over=spare)
    store.spares.returned("bb")
    assert path.stat().st_ino == inode
    assert path.stat().st_size < 1000
    assert [bytes(f) for f in blobs.open(path)] == [b"y" * 300]
    assert store.spares.lend("cc") == ""
    store.close()


def test_a_result_that_is_read_is_left_as_it_is(store: JobStore) -> None:
    read = blobs.open(written(store, "aa", b"x" * 5000))
    store.drop_result("aa", 1)
    assert store.spares.lend("bb") == ""
    assert bytes(read[0]) == b"x" * 5000
    read.clear()
    gc.collect()
    assert not blobs.is_open(store.result_path("aa", 1))
    store.close()


def test_a_result_that_a_worker_reads_is_left_as_it_is(store: JobStore) -> None:
    for on, expected in ((True, ""), (False, "1.spare")):
        written(store, "aa", b"x")
        store.read_elsewhere("aa", on)
        store.drop_result("aa", 1)
        assert Path(store.spares.lend("bb")).name == expected
    store.close()


def test_what_a_job_did_not_use_is_spare_again(store: JobStore) -> None:
    written(store, "aa", b"x")
    store.drop_result("aa", 1)
    spare = store.spares.lend("bb")
    assert store.spares.lend("cc") == ""
    assert store.spares.lend("bb") == spare  # a second attempt
    store.spares.returned("bb")
    store.spares.returned("nobody")
    assert store.spares.lend("cc") == spare
    store.close()


def test_a_spare_that_is_gone_does_not_matter(store: JobStore) -> None:
    path = written(store, "aa", b"x", over=str(store.folder / "spare" / "7.spare"))
    assert [bytes(f) for f in blobs.open(path)] == [b"x"]
    store.close()


def test_only_so_much_is_kept(tmp_path: Path) -> None:
    spares = Spares(tmp_path, most_bytes=100, most_files=3)
    for n, size in enumerate((60, 60, 10, 10, 10)):
        (tmp_path / f"f{n}").write_bytes(bytes(size))
    assert [spares.keep(tmp_path / f"f{n}") for n in range(5)] == [60, None, 10, 10, None]
    assert spares.keep(tmp_path / "none") is None
    spares.clear()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f1", "f4"]


def test_other_forms_are_deleted(store: JobStore) -> None:
    path = store.result_file("aa", 1, ResultFormat.GLB)
    blobs.write(path, [b"glb"])
    store.drop_result("aa", 1)
    assert not path.exists()
    assert store.spares.lend("bb") == ""
    store.close()


def test_the_sweep_deletes_what_a_daemon_before_left(store: JobStore) -> None:
    written(store, "aa", b"x")
    store.drop_result("aa", 1)
    (store.folder / "spare" / "99.spare").write_bytes(b"left")
    store.sweep([])
    assert Path(store.spares.lend("bb")).exists()
    assert not (store.folder / "spare" / "99.spare").exists()
    store.close()
    assert not list((store.folder / "spare").iterdir())
