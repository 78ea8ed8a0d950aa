# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM: real processes that talk to a daemon that answers when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.daemon import FakeDaemon

from kineograph import demo
from kineograph.cli.output import Exit
from kineograph.client import new_job_id
from kineograph.wire import messages as m
from kineograph.wire.messages import JobState, JobStatus, Method

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to whole consoles only")
PROGRAM = Path(sys.executable).with_name("kineograph")
both = pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "r.kineograph.json"
    path.write_text(json.dumps({"request": demo.request("fake")}), "utf-8")
    return path


def interrupted(
    fake: FakeDaemon, words: Sequence[str | Path], at: Method, by: signal.Signals = signal.SIGINT
) -> tuple[dict[str, Any], str]:
    """What a command says that gets the signal ``by`` once the daemon has heard ``at`` from it."""
    command = [str(PROGRAM), *map(str, words), "--connect", fake.endpoint, "--json"]
    env = {**os.environ, "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        fake.wait_for(at)
        process.send_signal(by)
        out, err = process.communicate(timeout=120)
    assert process.returncode == Exit.CANCELLED, err
    assert "Traceback" not in err
    told = json.loads(out)["error"]
    assert told["code"] == "request_cancelled"
    return told, err


@both
def test_generate_cancels_its_job_and_says_so(
    fake: FakeDaemon, request_file: Path, tmp_path: Path, by: signal.Signals
) -> None:
    out = tmp_path / "walk.glb"
    out.write_text("an earlier take")
    told, said = interrupted(fake, ["generate", "--request", request_file, "--out", out], Method.GENERATE, by)
    (sent,) = fake.bodies(Method.GENERATE)
    assert fake.wait_for(Method.JOB_CANCEL) == [{"jobs": [sent["job"]]}]
    assert told["details"] == {"job": sent["job"]}
    assert f"job {sent['job'][:8]} is cancelled" in said
    assert out.read_text() == "an earlier take"


def test_retry_cancels_the_new_job_and_not_the_old_one(fake: FakeDaemon) -> None:
    old = new_job_id()
    fake.jobs.status[old] = JobStatus(old, JobState.SUCCEEDED)
    fake.jobs.requests[old] = demo.request("fake")
    interrupted(fake, ["jobs", "retry", old], Method.GENERATE)
    (sent,) = fake.bodies(Method.GENERATE)
    assert sent["job"] != old
    assert fake.wait_for(Method.JOB_CANCEL) == [{"jobs": [sent["job"]]}]


@both
def test_wait_ends_the_waiting_and_not_the_job(fake: FakeDaemon, by: signal.Signals) -> None:
    job = new_job_id()
    fake.jobs.status[job] = JobStatus(job, JobState.RUNNING)
    told, said = interrupted(fake, ["jobs", "wait", job], Method.JOB_STATUS, by)
    assert told["details"] == {"job": job}
    assert "goes on" in said
    assert not fake.bodies(Method.JOB_CANCEL)


def test_wait_that_gives_up_says_that_the_job_goes_on(fake: FakeDaemon) -> None:
    job = new_job_id()
    fake.jobs.status[job] = JobStatus(job, JobState.RUNNING)
    command = [str(PROGRAM), "jobs", "wait", job, "--timeout", "0.01", "--connect", fake.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == Exit.TRY_LATER
    assert "has not ended in 0.01 s; it goes on" in " ".join(done.stderr.split())
    assert not fake.bodies(Method.JOB_CANCEL)


def test_cancel_of_an_unknown_job_is_no_success(fake: FakeDaemon) -> None:
    known, unknown = new_job_id(), new_job_id()
    fake.jobs.status[known] = JobStatus(known, JobState.RUNNING)
    command = [str(PROGRAM), "jobs", "cancel", known, unknown, "--connect", fake.endpoint, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == Exit.JOB
    first, second = json.loads(done.stdout)
    assert (first["state"], second) == ("cancelled", None)
    assert fake.bodies(Method.JOB_CANCEL) == [m.to_body(m.JobCancel([known, unknown]))]
