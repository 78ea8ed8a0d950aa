# SPDX-License-Identifier: Apache-2.0
"""A daemon that goes away under a command that waits: it is told of at once, and the job goes on when it is back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fakes.daemon import FakeDaemon, arrays_result

from kineograph import demo
from kineograph.cli.outage import Outage
from kineograph.cli.output import Exit, console
from kineograph.client import LinkChanged, LinkState, new_job_id
from kineograph.errors import ErrorCode, LinkError, error
from kineograph.wire.messages import JobState, JobStatus, Method

PROGRAM = Path(sys.executable).with_name("kineograph")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / "home"))
    with FakeDaemon(tmp_path) as daemon:
        daemon.announce()
        yield daemon


@contextmanager
def running(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [str(PROGRAM), *map(str, words), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "300"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], what: str) -> str:
    """The line that holds ``what``, once the command says it."""
    assert process.stderr is not None
    heard = []
    for line in process.stderr:
        heard.append(line)
        if what in line:
            return line
    raise AssertionError(f"{what!r} was never said: {heard}")


def test_wait_tells_of_a_daemon_that_is_gone_and_goes_on_when_it_is_back(fake: FakeDaemon) -> None:
    job = new_job_id()
    fake.jobs.status[job] = JobStatus(job, JobState.RUNNING)
    with running("jobs", "wait", job) as process:
        fake.wait_for(Method.JOB_STATUS)
        fake.stop()
        assert "up to 60 s" in said(process, "The daemon is gone")
        said(process, "kineograph daemon start")
        fake.start()
        fake.announce()
        said(process, "is back")
        fake.finish(job)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == Exit.OK
    assert json.loads(out)["state"] == "succeeded"


def test_generate_that_may_not_start_one_does_the_same(fake: FakeDaemon, tmp_path: Path) -> None:
    request = demo.request("fake")
    path = tmp_path / "r.kineograph.json"
    path.write_text(json.dumps({"request": request}), "utf-8")
    with running("generate", "--request", path, "--no-start") as process:
        (sent,) = fake.wait_for(Method.GENERATE)
        fake.wait_for(Method.JOB_RESULT)
        fake.stop()
        said(process, "The daemon is gone")
        fake.start()
        fake.announce()
        said(process, "is back")
        fake.finish(sent["job"], arrays_result(joints=len(request["skeleton"]["joints"])))
        out, err = process.communicate(timeout=120)
    assert process.returncode == Exit.OK, err
    assert json.loads(out)["job"] == sent["job"]
    assert len(fake.bodies(Method.GENERATE)) == 1


GONE = LinkError(ErrorCode.CONNECTION_FAILED, "closed")
NOBODY = LinkError(ErrorCode.DAEMON_UNREACHABLE, "nobody runs")


def told(address: str | None, *changes: LinkChanged) -> list[str]:
    """What is said after each change, one second apart; empty for nothing."""
    seconds = iter(range(100))
    outage = Outage(address, lambda: next(seconds))
    out = []
    for change in changes:
        with console.capture() as heard:
            outage(change)
        out.append(" ".join(heard.get().split()))
    return out


def test_a_connection_that_is_back_at_once_is_not_worth_a_word() -> None:
    changes = [LinkChanged(LinkState.READY), LinkChanged(LinkState.LOST, GONE), LinkChanged(LinkState.LOOKING)]
    restarted = error("daemon_restarted", "another one")
    assert told(None, *changes, LinkChanged(LinkState.READY, restarted, True)) == ["", "", "", ""]


def test_a_daemon_that_is_started_again_is_told_of_once() -> None:
    lost, starting = LinkChanged(LinkState.LOST, GONE), LinkChanged(LinkState.STARTING)
    first, second, again, back = told(None, lost, starting, starting, LinkChanged(LinkState.READY))
    assert (first, again) == ("", "")
    assert "starting it again" in second
    assert "back after 1 s" in back


def test_one_that_does_not_start_is_told_with_its_reason() -> None:
    failed = LinkError(ErrorCode.DAEMON_UNREACHABLE, "the daemon was started but ended with exit code 3")
    *_, said_last = told(None, LinkChanged(LinkState.STARTING), LinkChanged(LinkState.LOST, failed))
    assert "exit code 3" in said_last
    assert "kineograph daemon start" in said_last


def test_one_at_an_address_is_named_and_nobody_is_told_to_start_it_here() -> None:
    (line,) = told("tcp://10.0.0.7:5555", LinkChanged(LinkState.LOST, GONE))
    assert "tcp://10.0.0.7:5555" in line
    assert "daemon start" not in line


def test_a_second_outage_is_told_again() -> None:
    gone, back = LinkChanged(LinkState.LOST, NOBODY), LinkChanged(LinkState.READY)
    first, still, _, second = told(None, gone, gone, back, gone)
    assert first
    assert not still
    assert second == first
