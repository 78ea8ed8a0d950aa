# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the daemon itself: gone, silent, of another age, closed to this key, full, forgetful."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout
from tests.blender.house import House, python, wait_until
from tests.blender.troubled import asking, fails, goes_on, house, ready
from tests.fakes.daemon import FakeDaemon, Raw

from kineograph.client import Client, RunFile, find_daemon
from kineograph.client.discovery import pid_exists
from kineograph.client.keys import client_keys
from kineograph.errors import ErrorCode
from kineograph.wire.messages import JobState, Method
from kineograph_blender import api, session

pytestmark = pytest.mark.daemon
OLD_WIRE = "import kineograph.wire.version as v; v.WIRE_VERSION = 99; v.SUPPORTED_WIRE_VERSIONS = (99,); "
OLD_MMCP = "import kineograph_daemon.mmcp.validate as v; v.PROTOCOL_MAJOR = 3; "
RUN = "from kineograph_daemon.__main__ import main; raise SystemExit(main())"


@pytest.fixture
def empty_house(addon: Any) -> Iterator[House]:
    """A home without a daemon, which "Start it" knows how to start; the one that it started ends with the test."""
    with house() as made:
        (made.home / "config").mkdir(mode=0o700, exist_ok=True)
        (made.home / "config" / "install.json").write_text(json.dumps({"python": python()}))
        yield made
        session.detach()
        made.stop()
        run = find_daemon()
        if run is not None:  # not this process's child
            with Client(run) as client:
                client.stop_daemon()
            wait_until(lambda: not pid_exists(run.pid))


def test_a_daemon_that_does_not_run_is_started(empty_house: House) -> None:
    armature = asking("kineograph-interpolate")
    assert "No Kineograph daemon answers on this computer." in fails(armature)
    trial.mend("Start it")
    assert "Kineograph is being started." in trial.problem()
    goes_on()
    assert find_daemon() is not None


def test_a_preference_starts_it_without_a_word(empty_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from kineograph_blender import preferences

    session.detach()
    monkeypatch.setattr(preferences, "wishes", lambda: preferences.Wishes(start_by_itself=True))
    asking("kineograph-interpolate")
    bpy.ops.kineograph.generate()
    assert trial.settled().error is None


def test_a_daemon_that_stays_silent(empty_house: House) -> None:
    empty_house.start()
    empty_house.hold(True)
    armature = asking("kineograph-interpolate")
    said = fails(armature)
    assert "does not answer" in said, said
    empty_house.hold(False)
    trial.mend("Use the one that is running")
    ready()
    goes_on()


@pytest.mark.parametrize(
    ("code", "said", "why"),
    [
        (OLD_WIRE, "wire version", ErrorCode.PROTOCOL_MISMATCH),
        (
            OLD_MMCP,
            "The add-on speaks 1.4, the daemon 3.x. The add-on is the older one.",
            ErrorCode.VERSION_UNSUPPORTED,
        ),
    ],
)
def test_a_daemon_of_another_age(empty_house: House, code: str, said: str, why: ErrorCode) -> None:
    old = empty_house.start(("-c", code + RUN))
    armature = asking("kineograph-interpolate")
    assert said in fails(armature)
    assert session.current().jobs[-1].error.code is why
    trial.mend("Restart the daemon")
    wait_until(lambda: session.current().poll() or (find_daemon() or old).pid != old.pid)
    ready()
    goes_on()


def test_an_answer_that_makes_no_sense(empty_house: House) -> None:
    with FakeDaemon(empty_house.home) as other:
        other.announce()
        other.on(Method.GENERATE, lambda body: Raw([b"\xc1", b"\xff"]))
        armature = asking("kineograph-interpolate")
        assert "The answer could not be understood." in fails(armature)
        trial.mend("Copy report")
    empty_house.start()
    ready()
    bpy.ops.kineograph.generate()
    assert trial.settled().error is None
    assert fake_layout.draw("problems") is None


@pytest.mark.parametrize(
    ("role", "said"), [("", "This daemon wants a key."), ("observe", "This key may watch, not submit.")]
)
def test_a_daemon_that_does_not_know_this_key(addon: Any, tmp_path: Path, role: str, said: str) -> None:
    with house("--tcp") as theirs:
        theirs.start()
        wait_until(lambda: "tcp://" in (theirs.home / "said.log").read_text())
        words = (theirs.home / "said.log").read_text().split()
        address = next(w for w in words if w.startswith("tcp://"))
        server_key = words[words.index(address) + 1]
        listed = theirs.home / "config" / "clients.json"
        with house() as mine:
            key = {"name": "me", "public_key": client_keys().public}
            if role:
                listed.write_text(json.dumps({"clients": [{**key, "role": role}]}))
            (mine.home / "run").mkdir(mode=0o700, exist_ok=True)
            RunFile(address, address, 1, "e", "0", 1, 0.0, server_key).write()
            api.configure(address)
            armature = asking("kineograph-interpolate")
            assert said in fails(armature)
            listed.write_text(json.dumps({"clients": [{**key, "role": "submit"}]}))
            trial.mend("Copy the request for the admin" if role else "Read this user's key")
            if role:
                bpy.ops.kineograph.generate()
                assert trial.settled().error is None
            else:
                ready()
                goes_on()


def test_a_computer_beyond_this_one(empty_house: House) -> None:
    empty_house.start()
    api.configure("tcp://render.example.org:5555")
    asking("kineograph-interpolate")
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    assert "Blender is set to stay offline, and tcp://render.example.org:5555 is another computer." in trial.problem()
    session.current().address = None
    trial.mend("Connect again")
    ready()
    goes_on()


def told(job: session.Job) -> JobState | None:
    """What the daemon said last of a job."""
    return None if job.status is None else job.status.state


def test_a_queue_that_is_full(addon: Any) -> None:
    with house("--queue-limit", "1") as made:
        made.start()
        ready()
        gate = made.home / "gate"
        armature = asking()
        for ahead in range(2):
            armature.kineograph.prompt = f"slow {gate}"
            bpy.ops.kineograph.generate()
            job = session.current().jobs[-1]
            state = (JobState.RUNNING, JobState.QUEUED)[ahead]
            wait_until(lambda: session.current().poll() and told(job) is state)  # noqa: B023
        assert "The queue is full (1)" in fails(armature, "walks")
        gate.touch()
        for job in session.current().jobs:
            assert session.current().wait(job, 60.0)
        goes_on()


def test_a_result_that_is_no_longer_kept(addon: Any) -> None:
    with house() as made:
        made.start()
        job = unheard(made)
        made.stop()
        made.flags = (*made.flags, "--keep-days", "0")
        made.start()
        assert session.current().wait(job, 60.0)
        assert "is no longer kept" in trial.problem()
        trial.mend("Run again with the same settings")
        goes_on()


def test_a_job_that_somebody_forgot_is_made_again(addon: Any) -> None:
    with house() as made:
        made.start()
        job = unheard(made, forget=True)
        assert session.current().wait(job, 60.0)
        assert job.error is None
        assert fake_layout.draw("problems") is None


def unheard(made: House, *, forget: bool = False) -> session.Job:
    """A job that went through its life while this Blender did not listen: it was sent, and no answer was read."""
    asking()
    ready()
    made.hold(True)
    bpy.ops.kineograph.generate()
    job = session.current().jobs[-1]
    wait_until(lambda: session.current().poll() and job.errand is not None)  # it leaves when it is on disk
    while session.current().client.poll():
        pass
    made.hold(False)
    with Client() as other:
        wait_until(lambda: any(j.job == job.id and j.state is JobState.SUCCEEDED for j in other.list()))
        if forget:
            other.forget(job.id)
    return job


def test_a_daemon_that_crashed_and_came_back(addon: Any) -> None:
    with house() as made:
        made.start()
        ready()
        gate = made.home / "gate"
        asking().kineograph.prompt = f"slow {gate}"
        bpy.ops.kineograph.generate()
        job = session.current().jobs[-1]
        wait_until(lambda: session.current().poll() and told(job) is JobState.RUNNING)
        made.kill()
        made.start()
        gate.touch()
        assert session.current().wait(job, 60.0)
        assert job.error is None, job.error
        assert fake_layout.draw("problems") is None
