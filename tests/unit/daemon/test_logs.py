# SPDX-License-Identifier: Apache-2.0
"""One line of JSON a record, with its job."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kineograph_daemon import logs


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = logging.getLogger()
    before, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    costly = ("logThreads", "logProcesses", "logMultiprocessing")
    told = [getattr(logging, name) for name in costly]
    for handler in before:
        root.removeHandler(handler)
    monkeypatch.setenv(logs.LEVEL_ENV, "debug")
    yield logs.set_up("worker-x", tmp_path)
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)
    logging.raiseExceptions = raising
    for name, value in zip(costly, told, strict=True):
        setattr(logging, name, value)


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_every_line_carries_its_job(lines: Path) -> None:
    log = logging.getLogger("a.b")
    log.debug("outside")
    with logs.job("j1"):
        log.info("inside %d", 5, extra={"data": {"x": 1}})
        log.info("another", extra={"job": "j2"})
    log.info("after")
    got = read(lines)
    assert [line["job"] for line in got] == ["", "j1", "j2", ""]
    assert got[1]["msg"] == "inside 5"
    assert got[1]["data"] == {"x": 1}
    assert got[1]["level"] == "info"


def test_threads_of_a_backbone_are_covered_when_the_process_runs_one_job(lines: Path) -> None:
    log = logging.getLogger("thread")
    for whole in (False, True):
        with logs.job("j", whole_process=whole):
            thread = threading.Thread(target=log.info, args=("from a thread",))
            thread.start()
            thread.join()
    assert [line["job"] for line in read(lines)] == ["", "j"]


def test_odd_text_and_tracebacks_stay_on_one_line(lines: Path) -> None:
    try:
        raise ValueError("two\nlines \ud800")
    except ValueError:
        logging.getLogger("odd").exception("prompt %s", "a\nb \udfff ü")
    (line,) = read(lines)
    assert line["msg"] == "prompt a\nb \udfff ü"
    assert "Traceback" in str(line["exc"])


def test_an_unknown_level_means_info(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.LEVEL_ENV, "chatty")
    assert logs.level_from_env() == logging.INFO
    monkeypatch.setenv(logs.LEVEL_ENV, "warning")
    assert logs.level_from_env() == logging.WARNING


def test_a_full_file_makes_room_and_the_oldest_goes(tmp_path: Path) -> None:
    handler = logs.LineFile(tmp_path / "x.log", max_bytes=100, kept=2)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for n in range(8):
        handler.emit(logging.makeLogRecord({"msg": f"{n}" * 49}))
    handler.close()
    left = {file.name: file.read_text().split() for file in tmp_path.iterdir()}
    expected = {"x.log": "67", "x.log.1": "45", "x.log.2": "23"}
    assert left == {name: [c * 49 for c in digits] for name, digits in expected.items()}


def test_a_file_that_is_there_is_carried_on(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("before\n")
    handler = logs.LineFile(tmp_path / "x.log", max_bytes=20)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.emit(logging.makeLogRecord({"msg": "then"}))
    handler.emit(logging.makeLogRecord({"msg": "another line"}))
    handler.close()
    assert (tmp_path / "x.log.1").read_text() == "before\nthen\n"
    assert (tmp_path / "x.log").read_text() == "another line\n"


def test_a_folder_that_is_gone_takes_nobody_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = logs.LineFile(tmp_path / "away" / "x.log")
    handler.emit(logging.makeLogRecord({"msg": "lost"}))
    handler.close()
    assert not (tmp_path / "away").exists()


def test_a_jobs_line_is_the_same_whichever_way_it_goes(lines: Path) -> None:
    log = logging.getLogger("desk")
    logs.tell(log, "job succeeded", "j1", {"x": 1})
    log.info("job succeeded", extra={"job": "j1", "data": {"x": 1}})
    short, long = read(lines)
    assert {**short, "t": 0} == {**long, "t": 0}
    assert list(short) == list(long)
    log.setLevel(logging.ERROR)
    try:
        logs.tell(log, "job succeeded", "j2", {})
    finally:
        log.setLevel(logging.NOTSET)
    assert len(read(lines)) == 2


def test_a_jobs_line_reaches_other_handlers_too(lines: Path) -> None:
    heard: list[logging.LogRecord] = []
    other = logging.Handler()
    other.emit = heard.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(other)
    logs.tell(logging.getLogger("desk"), "job failed", "j1", {"x": 1})
    assert [r.getMessage() for r in heard] == ["job failed"]
    assert [line["job"] for line in read(lines)] == ["j1"]


def test_a_jobs_line_that_cannot_be_written_is_lost_in_silence(lines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "no space")

    logs.tell(logging.getLogger("desk"), "one", "j1", {})
    monkeypatch.setattr("kineograph_daemon.logs.os.write", full)
    logs.tell(logging.getLogger("desk"), "two", "j1", {})
    monkeypatch.undo()
    logs.tell(logging.getLogger("desk"), "three", "j1", {})
    assert [line["msg"] for line in read(lines)] == ["one", "three"]
