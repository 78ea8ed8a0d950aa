# SPDX-License-Identifier: Apache-2.0
"""What requests have in common is kept once, and every request comes back whole."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kineograph.errors import ErrorCode, KineographError
from kineograph_daemon.jobs.commons import LEAST_BYTES, Commons, cut, joined
from kineograph_daemon.jobs.record import Job, JobFacts
from kineograph_daemon.jobs.store import JobStore

PART = bytes(range(256)) * 8
OTHER = PART[::-1]


def add(store: JobStore, name: str, part: bytes = PART) -> list[bytes]:
    body = b"<" + name.encode() + part + b">"
    start = 1 + len(name)
    store.add(Job(JobFacts(name, "m"), created_s=1.0), [body, b"array"], slice(start, start + len(part)))
    return [body, b"array"]


def parts(folder: Path) -> list[bytes]:
    with sqlite3.connect(folder / "jobs.sqlite") as db:
        found = [row[0] for row in db.execute("SELECT part FROM commons ORDER BY number")]
    db.close()
    return found


def test_a_part_is_kept_once_and_requests_come_back_whole(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    sent = {name: add(store, name, part) for name, part in (("a", PART), ("b", OTHER), ("c", PART))}
    store.commit()
    sent["d"] = add(store, "d")
    store.commit()
    assert parts(tmp_path) == [PART, OTHER]
    assert all(store.request(name) == frames for name, frames in sent.items())
    store.close()
    again = JobStore(tmp_path)
    assert all(again.request(name) == frames for name, frames in sent.items())
    sent["e"] = add(again, "e", OTHER)
    again.commit()
    assert all(again.request(name) == frames for name, frames in sent.items())
    again.close()


def test_what_no_request_needs_goes_at_the_next_start(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    add(store, "a")
    kept = add(store, "b", OTHER)
    store.commit()
    store.drop("a", 0)
    store.commit()
    later = add(store, "c")  # the part is there still
    store.commit()
    assert store.request("c") == later
    store.drop("c", 0)
    store.close()
    again = JobStore(tmp_path)
    assert parts(tmp_path) == [OTHER]
    assert again.request("b") == kept
    again.close()


def test_a_commit_that_failed_loses_no_part(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    sent = {"a": add(store, "a", PART * 20)}
    with pytest.raises(KineographError):
        store.commit()
    sent["b"] = add(store, "b", PART * 20)
    store._db.execute("PRAGMA max_page_count = 100000")
    store.commit()
    assert all(store.request(name) == frames for name, frames in sent.items())
    assert parts(tmp_path) == [PART * 20]
    store.close()


def test_a_request_whose_part_is_lost_says_so(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    add(store, "a")
    store.commit()
    store._db.execute("DELETE FROM commons")
    with pytest.raises(KineographError) as caught:
        store.request("a")
    assert caught.value.code is ErrorCode.RESULT_EXPIRED
    store.close()


def test_a_database_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.sqlite") as db:
        db.executescript(
            "CREATE TABLE jobs (id TEXT PRIMARY KEY, job BLOB NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE requests (id TEXT PRIMARY KEY, frames BLOB); PRAGMA user_version = 1;"
        )
        db.execute("INSERT INTO requests VALUES ('old', ?)", (b"\x91\xc4\x04body",))
    db.close()
    store = JobStore(tmp_path)
    assert store.request("old") == [b"body"]
    new = add(store, "new")
    store.commit()
    assert store.request("new") == new
    store.close()


def test_the_part_needed_longest_ago_is_forgotten() -> None:
    commons = Commons(7, most=2)
    assert [commons.number_of(p) for p in (b"a", b"b", b"a", b"c", b"a", b"b")] == [7, 8, 7, 9, 7, 10]
    assert commons.unwritten == [(7, b"a"), (8, b"b"), (9, b"c"), (10, b"b")]


@pytest.mark.parametrize("place", [None, slice(0, 0), slice(0, LEAST_BYTES - 1), slice(5000, 9000), slice(9, 3)])
def test_what_is_not_worth_it_is_not_cut(place: slice | None) -> None:
    assert cut(PART, place) is None


@pytest.mark.parametrize("place", [slice(0, LEAST_BYTES), slice(0, 10**9), slice(500, None), slice(7, 1900)])
def test_cut_and_joined(place: slice) -> None:
    found = cut(PART, place)
    assert found is not None
    rest, part, at = found
    assert len(part) >= LEAST_BYTES
    assert joined(rest, part, at) == PART
