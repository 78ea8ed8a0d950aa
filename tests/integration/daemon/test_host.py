# SPDX-License-Identifier: Apache-2.0
"""A daemon that was started to end with a program does so, however that one ends, and nobody else loses work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from tests.integration.daemon.conftest import House, generate, wait_until

from kineograph_daemon.jobs.record import Job, JobFacts
from kineograph_daemon.server.host import Host, HostWatch


@pytest.fixture
def program() -> Iterator[subprocess.Popen[bytes]]:
    """Some program that starts a daemon: it lives until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def crash(program: subprocess.Popen[bytes]) -> None:
    program.kill()
    program.wait()


def ended(house: House) -> bool:
    return house.process is not None and house.process.poll() is not None


def flags(program: subprocess.Popen[bytes], *more: str) -> list[str]:
    return ["--end-with", str(program.pid), "--heartbeat-s", "0.05", *more]


def test_it_ends_when_its_host_crashes(make_house: Callable[..., House], program: subprocess.Popen[bytes]) -> None:
    house = make_house(*flags(program))
    house.wait_for_workers()
    assert not ended(house)
    crash(program)
    wait_until(lambda: ended(house))
    assert house.process is not None
    assert house.process.returncode == 0
    assert any("has ended" in str(line) for line in house.log())


def test_others_jobs_are_finished_first_and_the_hosts_own_are_kept(
    make_house: Callable[..., House], program: subprocess.Popen[bytes]
) -> None:
    slow = {"KINEOGRAPH_FAKE_STEPS": "10000", "KINEOGRAPH_FAKE_STEP_S": "0.05"}
    house = make_house(*flags(program, "--end-with-client", "shot_020"), **slow)
    house.wait_for_workers()
    own, other = house.client("shot_020"), house.client("somebody else")
    theirs, mine = (client.submit(generate("slow")["request"]) for client in (other, own))
    wait_until(lambda: other.status(theirs.job).state == "running")
    crash(program)
    looks = other.stats().uptime_s + 1.0  # twenty heartbeats, each of which looks
    wait_until(lambda: other.stats().uptime_s > looks)
    assert not ended(house)
    other.cancel(theirs.job)
    wait_until(lambda: ended(house))
    house.flags = ()
    house.start()
    states = {s.job: str(s.state) for s in house.client("later").list()}
    assert states[theirs.job] == "cancelled"
    assert states[mine.job] in ("queued", "running"), "it goes on after the next start"


def test_a_process_id_that_is_used_again_is_another_program() -> None:
    said: list[str] = []
    alive = iter([True, False, True])
    job = Job(JobFacts("1", "fake", "other"), 0.0)
    watch = HostWatch(Host(7, "me"), said.append, lambda: [job], lambda pid: next(alive))
    for _ in range(3):
        watch.look()
    assert not said
    job.facts = JobFacts("1", "fake", "me")
    watch.look()
    assert len(said) == 1
