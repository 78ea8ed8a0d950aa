# SPDX-License-Identifier: Apache-2.0
"""The job store: what is committed is there, what is damaged is set aside."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kineograph.errors import ErrorCode, KineographError
from kineograph.wire.messages import JobState, Priority, Progress, ResultFormat
from kineograph_daemon.jobs import blobs
from kineograph_daemon.jobs.record import Job, JobFacts
from kineograph_daemon.jobs.store import JobStore


def job(name: str = "j", **changes: object) -> Job:
    facts = JobFacts(
        name, "m", "c", Priority.BATCH, formats=(ResultFormat.ARRAYS, ResultFormat.GLB), digest=b"\x00\xff"
    )
    made = Job(facts, created_s=1.5, progress=Progress(0.5, 1, 2, "x"), error={"error": {"code": "timeout"}})
    for key, value in changes.items():
        setattr(made, key, value)
    return made


def test_a_job_and_its_request_come_back_as_they_were(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    store.add(job(), [b"body", memoryview(b"array")])
    store.commit()
    store.close()
    again = JobStore(tmp_path)
    assert again.load() == [job()]
    assert again.request("j") == [b"body", b"array"]
    again.close()


def test_a_large_request_is_a_file(tmp_path: Path) -> None:
    store = JobStore(tmp_path, inline_bytes=10)
    store.add(job("small"), [b"0123456789"])
    store.add(job("large"), [b"0123456789", b"x"])
    store.commit()
    assert [p.name for p in (tmp_path / "requests").iterdir()] == ["large.kgb"]
    assert [bytes(f) for f in store.request("large")] == [b"0123456789", b"x"]
    store.drop("large", 0)
    store.commit()
    assert not list((tmp_path / "requests").iterdir())
    with pytest.raises(KineographError) as caught:
        store.request("large")
    assert caught.value.code is ErrorCode.RESULT_EXPIRED
    store.close()


def test_nothing_is_there_before_the_commit(tmp_path: Path) -> None:
    store, reader = JobStore(tmp_path), JobStore(tmp_path)
    store.add(job(), [b"x"])
    assert reader.load() == []
    store.commit()
    assert [j.id for j in reader.load()] == ["j"]
    store.close()
    reader.close()


def test_a_lazy_change_waits_for_company_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("kineograph_daemon.jobs.store.time.monotonic", lambda: now_s[0])
    store, reader = JobStore(tmp_path), JobStore(tmp_path)
    store.add(job(), [b"x"])
    store.commit()
    store.save(job(state=JobState.RUNNING), lazily=True)
    store.commit()
    assert [j.state for j in reader.load()] == [JobState.QUEUED]
    now_s[0] += 1.0
    store.commit()
    assert [j.state for j in reader.load()] == [JobState.RUNNING]
    store.save(job(state=JobState.QUEUED), lazily=True)
    store.save(job("other"))
    store.commit()
    assert [j.state for j in reader.load()] == [JobState.QUEUED, JobState.QUEUED]
    store.save(job(state=JobState.FAILED), lazily=True)
    store.close()
    assert JobState.FAILED in [j.state for j in reader.load()], "the end waits for nobody"
    reader.close()


def test_every_attempt_has_its_own_result(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    files = [store.result_file("j", attempt, form) for attempt in (1, 2) for form in ResultFormat]
    assert len(set(files)) == len(files)
    for file in files:
        blobs.write(file, [b"x"])
    store.drop_result("j", 1)
    assert [f.exists() for f in files] == [False] * 3 + [True] * 3
    assert store.sweep([job(attempt=2)]) == 0
    assert store.sweep([job("other", attempt=2)]) > 0
    assert not any(f.exists() for f in files)
    store.close()


def test_a_row_that_cannot_be_read_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = JobStore(tmp_path)
    store.add(job("good"), [b"x"])
    store.add(job("bad"), [b"x"])
    store.commit()
    store.close()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as db:
        db.execute("UPDATE jobs SET job = ? WHERE id = 'bad'", (b"\xc1",))
    db.close()
    again = JobStore(tmp_path)
    assert [j.id for j in again.load()] == ["good"]
    assert "cannot be read" in caplog.text
    again.close()


@pytest.mark.parametrize("damage", ["noise", "pages"])
def test_a_damaged_database_is_set_aside(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    store = JobStore(tmp_path)
    for n in range(200):
        store.add(job(f"j{n}"), [b"x" * 500])
    store.commit()
    store.close()
    file = tmp_path / "jobs.sqlite"
    content = bytearray(file.read_bytes())
    if damage == "noise":
        content[:] = b"noise" * 100
    else:
        content[4096:] = b"\xab" * (len(content) - 4096)
    file.write_bytes(content)
    again = JobStore(tmp_path)
    assert again.load() == []
    assert "set aside" in caplog.text
    assert len(list(tmp_path.glob("jobs.damaged-*.sqlite"))) == 1
    again.add(job(), [b"x"])
    again.commit()
    assert again.load() == [job()]
    again.close()


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    JobStore(tmp_path).close()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(KineographError) as caught:
        JobStore(tmp_path)
    assert caught.value.details["got"] == 99
    assert (tmp_path / "jobs.sqlite").exists()


def test_a_full_disk_keeps_the_changes_for_later(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    store.commit()
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    store.add(job(), [b"x" * 100_000])
    with pytest.raises(KineographError) as caught:
        store.commit()
    assert caught.value.code is ErrorCode.RESOURCE_EXHAUSTED
    store._db.execute("PRAGMA max_page_count = 100000")
    store.commit()
    assert store.load() == [job()]
    store.close()
