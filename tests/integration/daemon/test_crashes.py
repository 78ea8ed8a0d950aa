# SPDX-License-Identifier: Apache-2.0
"""kill -9, here and there: nothing is lost, nothing ends twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable

import psutil
import zmq
from tests.integration.daemon.conftest import House, Wire, generate, shown, wait_until

from kineograph.client.discovery import RunFile, find_daemon
from kineograph.errors import ErrorCode
from kineograph.wire import codec

ENDINGS = ("job.succeeded", "job.failed", "job.cancelled")


class Ear:
    """Hears every event of a daemon and notes how often each job ended."""

    def __init__(self, run: RunFile) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.set(zmq.RCVHWM, 0)
        self.socket.set(zmq.SUBSCRIBE, b"")
        self.socket.connect(run.events)
        self.names: list[str] = []
        self.numbers: list[int] = []
        self.endings: Counter[str] = Counter()
        wait_until(lambda: self.listen() or self.names)  # a heartbeat proves that the subscription stands

    def listen(self) -> None:
        """Take what was said."""
        while self.socket.poll(20):
            topic, *frames = self.socket.recv_multipart()
            message = codec.decode(frames)
            assert topic.decode() == message.header.method
            self.names.append(message.header.method)
            self.numbers.append(message.header.seq)
            if message.header.method in ENDINGS:
                self.endings[message.body["job"]] += 1

    def close(self) -> None:
        """Hear no more."""
        self.context.destroy(linger=0)


def busy(wire: Wire, job: str) -> None:
    wait_until(lambda: wire.call("job.status", {"job": job})["progress"]["step"] > 0)


def kill_worker(house: House) -> None:
    (worker,) = house.workers()
    os.kill(worker.pid, signal.SIGKILL)


def test_a_worker_killed_in_a_job_is_replaced_and_the_job_ends_well(make_house: Callable[..., House]) -> None:
    house = make_house(KINEOGRAPH_FAKE_STEPS="20", KINEOGRAPH_FAKE_STEP_S="0.05")
    house.wait_for_workers()
    wire, ear = house.wire(), Ear(house.run_file)
    hit, waiting = generate("slow"), generate("fake")
    wire.call("generate", hit)
    wire.call("generate", waiting)
    busy(wire, hit["job"])
    kill_worker(house)
    final = wire.call("job.result", {"job": hit["job"], "wait_s": 60.0})
    assert (final["job"]["state"], final["job"]["attempt"]) == ("succeeded", 2)
    assert final["result"]["num_frames"] == 30
    assert wire.call("job.result", {"job": waiting["job"], "wait_s": 60.0})["job"]["attempt"] == 1
    ear.listen()
    assert ear.endings == {hit["job"]: 1, waiting["job"]: 1}
    assert "job.requeued" in ear.names
    assert ear.numbers == list(range(ear.numbers[0], ear.numbers[0] + len(ear.numbers))), "numbers without a gap"
    ear.close()


def test_a_job_that_kills_every_worker_fails_with_what_is_known(make_house: Callable[..., House]) -> None:
    house = make_house("--worker-backoff-s", "0.05")
    house.wait_for_workers()
    wire = house.wire()
    deadly, after = generate("crashing"), generate("fake")
    wire.call("generate", deadly)
    wire.call("generate", after)
    final = wire.call("job.result", {"job": deadly["job"], "wait_s": 60.0})["job"]
    assert (final["state"], final["attempt"]) == ("failed", 2)
    error = final["error"]["error"]
    assert error["code"] == ErrorCode.INTERNAL_ERROR
    assert error["details"]["exit_code"] == 3
    assert error["details"]["log"].endswith("worker-w1.err")
    assert wire.call("job.result", {"job": after["job"], "wait_s": 60.0})["job"]["state"] == "succeeded"
    (worker,) = wire.call("daemon.stats")["workers"]
    assert worker["worker"] == "w1-3"
    assert worker["deaths"] == 2


def test_a_silent_worker_is_ended(make_house: Callable[..., House]) -> None:
    house = make_house("--worker-heartbeat-s", "2.5", KINEOGRAPH_FAKE_STEPS="40", KINEOGRAPH_FAKE_STEP_S="0.05")
    house.wait_for_workers()
    wire = house.wire()
    body = generate("slow")
    wire.call("generate", body)
    busy(wire, body["job"])
    (worker,) = house.workers()
    worker.suspend()
    final = wire.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]
    assert (final["state"], final["attempt"]) == ("succeeded", 2)
    assert not worker.is_running()


def test_a_daemon_killed_with_fifty_jobs_ends_each_exactly_once(make_house: Callable[..., House]) -> None:
    house = make_house(KINEOGRAPH_FAKE_STEPS="10", KINEOGRAPH_FAKE_STEP_S="0.05")
    house.wait_for_workers()
    wire = house.wire()
    bodies = [generate("slow" if n == 3 else "fake", seed=n, label=f"shot {n}") for n in range(53)]
    for body in bodies:
        wire.call("generate", body)
    wait_until(lambda: wire.call("job.status", {"job": bodies[3]["job"]})["state"] == "running")
    before = wire.call("job.list")
    orphans = house.workers()
    house.kill()
    assert find_daemon() is None, "a killed daemon's run file is stale"
    done_before = [row[0] for row in before["rows"] if row[1] == "succeeded"]
    assert len(bodies) - len(done_before) >= 50

    run = house.start()
    ear, wire = Ear(run), house.wire()
    again = wire.call("generate", bodies[10])
    assert again["label"] == "shot 10", "the same submit again is still the same job"
    conflict = wire.error("generate", {**generate("fake", seed=99), "job": bodies[10]["job"]})
    assert conflict.code is ErrorCode.IDEMPOTENCY_CONFLICT
    for body in bodies:
        reply = wire.call("job.result", {"job": body["job"], "wait_s": 60.0})
        assert reply["job"]["state"] == "succeeded"
        assert reply["result"]["provenance"]["seed"] == body["request"]["options"]["seed"]
    ear.listen()
    assert wire.call("job.list")["total"] == len(bodies)
    assert all(ear.endings[job] == 0 for job in done_before)
    assert all(ear.endings[body["job"]] <= 1 for body in bodies)
    attempts = {row[0]: row[before["columns"].index("attempt")] for row in wire.call("job.list")["rows"]}
    assert attempts[bodies[3]["job"]] == 2, "the one that ran was run again"
    assert sum(attempts.values()) == len(bodies) + 1, "no other ran twice"
    ear.close()
    wait_until(lambda: not any(o.is_running() and o.status() != psutil.STATUS_ZOMBIE for o in orphans))


def test_ended_jobs_and_results_outlive_a_restart(house: House) -> None:
    wire = house.wire()
    done, gone = generate(frames=12), generate()
    for body in (done, gone):
        wire.call("generate", body)
        wire.call("job.result", {"job": body["job"], "wait_s": 60.0})
    wire.call("job.forget", {"job": gone["job"]})
    epoch = house.run_file.epoch
    assert house.stop() == 0
    assert house.start().epoch != epoch
    wire = house.wire()
    assert wire.call("job.result", {"job": done["job"]})["result"]["num_frames"] == 12
    assert wire.error("job.status", {"job": gone["job"]}).code is ErrorCode.REQUEST_NOT_FOUND
    assert wire.call("capabilities")["default_model"], "models are known at once from the last time"


def test_stopping_leaves_a_running_job_for_the_next_start(make_house: Callable[..., House]) -> None:
    house = make_house(KINEOGRAPH_FAKE_STEPS="20", KINEOGRAPH_FAKE_STEP_S="0.05")
    house.wait_for_workers()
    wire = house.wire()
    body = generate("slow")
    wire.call("generate", body)
    busy(wire, body["job"])
    wire.call("daemon.stop")
    assert house.process is not None
    assert house.process.wait(60) == 0
    assert not (house.home / "run" / "daemon.json").exists()
    house.start()
    final = house.wire().call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]
    assert (final["state"], final["attempt"]) == ("succeeded", 2)


def test_a_damaged_database_is_set_aside_and_said_so(house: House) -> None:
    wire = house.wire()
    body = generate()
    wire.call("generate", body)
    wire.call("job.result", {"job": body["job"], "wait_s": 60.0})
    assert house.stop() == 0
    file = house.home / "data" / "jobs.sqlite"
    file.write_bytes(b"this is no database" * 1000)
    house.start()
    wire = house.wire()
    assert wire.call("job.list")["total"] == 0
    assert list(file.parent.glob("jobs.damaged-*.sqlite"))
    assert any("set aside" in line["msg"] and line["level"] == "error" for line in house.log())
    wire.call("generate", body)
    assert wire.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]["state"] == "succeeded"
    with sqlite3.connect(file) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_a_second_start_adopts_the_first(house: House) -> None:
    second = subprocess.run(house.command, env=house.env, capture_output=True, timeout=60, check=False)
    assert second.returncode == 0
    assert house.run_file.endpoint in second.stdout.decode()
    assert house.wire().call("hello")["pid"] == house.run_file.pid


def test_a_stale_run_file_is_no_daemon(house: House) -> None:
    stale = house.run_file
    assert house.stop() == 0
    stale.write()
    assert find_daemon() is None
    assert house.start().epoch != stale.epoch


def test_a_daemon_whose_run_file_is_lost_or_spoilt_is_found_again(house: House) -> None:
    run = house.run_file
    RunFile.default_path().unlink()
    wait_until(lambda: find_daemon() == run)
    RunFile.default_path().write_text("{", encoding="utf-8")
    wait_until(lambda: find_daemon() == run)
    assert house.stop() == 0
    assert not RunFile.default_path().exists()


def test_results_expire_by_age_and_by_size_and_are_never_unknown(make_house: Callable[..., House]) -> None:
    house = make_house("--keep-gb", "0.00004")
    house.wait_for_workers()
    wire = house.wire()
    jobs = []
    for n in range(4):
        body = generate("big", frames=10, seed=n)
        body["request"]["skeleton"] = wire.call("capabilities")["mmcp"]["models"][1]["canonical_skeleton"]
        wire.call("generate", body)
        assert wire.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]["state"] == "succeeded"
        jobs.append(body["job"])
        time.sleep(0.01)
    assert house.stop() == 0
    house.start()
    wire = house.wire()
    wait_until(lambda: wire.call("job.status", {"job": jobs[0]})["state"] == "expired")
    expired = wire.error("job.result", {"job": jobs[0]})
    assert expired.code is ErrorCode.RESULT_EXPIRED
    assert jobs[0][:4] in shown(expired).text
    assert wire.call("job.result", {"job": jobs[-1]})["result"] is not None, "the newest that fit are kept"
    assert wire.call("job.request", {"job": jobs[0]})["request"]["model"] == "big", "it can be run again"
    assert house.stop() == 0
    house.flags = ("--keep-days", "0")
    house.start()
    wire = house.wire()
    wait_until(lambda: wire.call("job.status", {"job": jobs[-1]})["state"] == "expired")
    assert wire.call("job.list")["total"] == 4
    assert not list((house.home / "data" / "results").glob("*/*"))
