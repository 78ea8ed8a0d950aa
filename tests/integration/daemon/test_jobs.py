# SPDX-License-Identifier: Apache-2.0
"""Jobs through a real daemon: submit, wait, cancel, repeat, conflict, forms, batches, drain."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from tests.fakes.backbones import request_map
from tests.integration.daemon.conftest import House, Wire, generate, new_id, shown, wait_until

from kineograph.errors import ErrorCode
from kineograph.wire import codec


def finish(wire: Wire, job: str) -> dict[str, Any]:
    """The job's final status."""
    status: dict[str, Any] = wire.call("job.result", {"job": job, "wait_s": 60.0})["job"]
    return status


def started(wire: Wire, job: str) -> None:
    wait_until(lambda: wire.call("job.status", {"job": job})["progress"]["step"] > 0)


def test_a_job_from_submit_to_arrays(house: House) -> None:
    wire = house.wire()
    wire.call("hello", {"name": "shot_020"})
    body = generate(label="take 1", prompt="walk slowly", frames=40)
    queued = wire.call("generate", body)
    assert (queued["state"], queued["position"], queued["client"]) == ("queued", 1, "shot_020")
    assert (queued["frames"], queued["fps_hz"], queued["prompt"], queued["label"]) == (
        40,
        30.0,
        "walk slowly",
        "take 1",
    )
    reply = wire.call("job.result", {"job": body["job"], "wait_s": 60.0})
    assert reply["job"]["state"] == "succeeded"
    assert reply["result"]["rotations_xyzw"].shape == (1, 40, 5, 4)
    assert reply["result"]["root_m"].dtype == np.float32
    assert wire.call("job.request", {"job": body["job"]})["request"] == body["request"]


def test_the_projects_own_client_is_understood(house: House) -> None:
    client = house.client("the-client")
    result = client.generate(request_map("fake", 20, seed=7), timeout_s=60)
    assert result.rotations_xyzw.shape == (1, 20, 5, 4)
    assert [job.job for job in client.list(client="the-client")] == [result.job.job]
    assert client.stats().jobs == {"succeeded": 1}
    assert client.cancel(result.job.job, new_id())[1] is None


def test_the_same_submit_twice_is_one_job(house: House) -> None:
    wire = house.wire()
    body = generate(seed=1)
    first = wire.call("generate", body)
    again = wire.call("generate", body)
    assert again["job"] == first["job"]
    reordered = {**body, "request": dict(reversed(body["request"].items())), "label": "retry", "deadline_s": 60.0}
    assert wire.call("generate", reordered)["job"] == first["job"], "the same request in another order of keys"
    assert wire.call("job.list")["total"] == 1
    finish(wire, body["job"])
    assert wire.call("generate", body)["state"] == "succeeded"


def test_the_same_id_with_another_request_is_a_conflict(house: House) -> None:
    wire = house.wire()
    body = generate(seed=1)
    wire.call("generate", body)
    error = wire.error("generate", {**generate(seed=2), "job": body["job"]})
    assert error.code is ErrorCode.IDEMPOTENCY_CONFLICT
    assert error.details["job"] == body["job"]


def test_asking_for_trajectories_too_is_another_request(house: House) -> None:
    wire = house.wire()
    body = generate(seed=1)
    assert wire.call("generate", {**body, "trajectories": False})["job"] == body["job"]
    error = wire.error("generate", {**body, "trajectories": True})
    assert error.code is ErrorCode.IDEMPOTENCY_CONFLICT


def test_the_provenance_has_the_hash_of_the_request_however_it_came(house: House) -> None:
    wire = house.wire()
    first, last, arrays = generate(seed=1), generate(seed=2), generate(seed=3)
    last["request"] = last.pop("request")  # the body's last value
    arrays["request"]["skeleton"]["joints"][0]["rest_translation"] = np.zeros(3, np.float32)
    for body in (first, {**generate(), "request": first["request"]}, last, arrays):
        result = wire.call("generate.wait", {**body, "wait_s": 60.0})["result"]
        expected = hashlib.sha256(b"".join(codec.pack_body({"request": body["request"]}))).hexdigest()
        assert result["provenance"]["request_sha256"] == expected
        assert wire.call("generate", body)["state"] == "succeeded", "the same again is known"


def test_cancel_stops_a_running_job_within_a_step_and_no_other(house: House) -> None:
    wire = house.wire()
    running, waiting, other = generate("slow"), generate("slow"), generate("fake")
    for body in (running, waiting, other):
        wire.call("generate", body)
    started(wire, running["job"])
    (status,) = wire.call("job.cancel", {"jobs": [running["job"]]})["jobs"]
    assert status["state"] == "cancelling"
    final = finish(wire, running["job"])
    assert final["state"] == "cancelled"
    assert final["error"]["error"]["code"] == "request_cancelled"
    assert 0 < final["error"]["error"]["details"]["step"] < 100
    started(wire, waiting["job"])
    assert wire.call("job.status", {"job": other["job"]})["state"] in ("queued", "succeeded")
    wire.call("job.cancel", {"jobs": [waiting["job"]]})
    assert finish(wire, other["job"])["state"] == "succeeded"


def test_a_deaf_model_is_cancelled_by_ending_its_worker(make_house: Callable[..., House]) -> None:
    house = make_house("--cancel-grace-s", "0.3")
    house.wait_for_workers()
    wire = house.wire()
    deaf, after = generate("deaf"), generate("fake")
    wire.call("generate", deaf)
    wire.call("generate", after)
    wait_until(lambda: wire.call("job.status", {"job": deaf["job"]})["state"] == "running")
    wire.call("job.cancel", {"jobs": [deaf["job"]]})
    assert finish(wire, deaf["job"])["state"] == "cancelled"
    done = finish(wire, after["job"])
    assert (done["state"], done["attempt"]) == ("succeeded", 1)


def test_a_deadline_ends_a_job_with_the_step_it_reached(house: House) -> None:
    wire = house.wire()
    assert wire.call("generate.wait", {**generate("fake"), "wait_s": 60.0})["result"]  # the worker is warm
    body = generate("slow", deadline_s=2.0)
    wire.call("generate", body)
    final = finish(wire, body["job"])
    error = final["error"]["error"]
    assert (final["state"], error["code"]) == ("failed", "timeout")
    assert 0 < error["details"]["step"] < 100
    assert final["error"]["retry_after_s"] > 0


def test_interactive_goes_before_batch_and_clients_take_turns(house: House) -> None:
    wire, other = house.wire(), house.wire()
    wire.call("hello", {"name": "many"})
    other.call("hello", {"name": "one"})
    wire.call("daemon.drain", {"on": True})
    slow = [wire.call("generate", generate(priority="batch"))["job"] for _ in range(2)]
    many = [wire.call("generate", generate())["job"] for _ in range(3)]
    one = other.call("generate", generate())["job"]
    reply = wire.call("job.list")
    place = {row[0]: row[reply["columns"].index("position")] for row in reply["rows"]}
    assert sorted(place, key=lambda j: place[j] or 0) == [many[0], one, many[1], many[2], *slow]
    assert wire.call("job.move", {"job": many[2], "to": "front"})["position"] == 1
    wire.call("daemon.drain", {"on": False})
    assert all(finish(wire, job)["state"] == "succeeded" for job in [*slow, *many, one])


def test_draining_keeps_what_waits(house: House) -> None:
    wire = house.wire()
    wire.call("daemon.drain", {"on": True})
    body = generate()
    wire.call("generate", body)
    time.sleep(0.3)
    assert wire.call("job.status", {"job": body["job"]})["state"] == "queued"
    assert wire.call("daemon.stats")["draining"] is True
    wire.call("daemon.drain", {"on": False})
    assert finish(wire, body["job"])["state"] == "succeeded"


def test_a_batch_is_one_pass_of_the_model_and_many_jobs(house: House) -> None:
    wire = house.wire()
    items = [request_map("batching", prompt=p) for p in ("walk", "fail", "run")]
    items.append(request_map("no-such-model"))
    jobs = [new_id() for _ in items]
    body = {"jobs": jobs, "batch": {"protocol_version": "1.4", "requests": items}}
    results = wire.call("generate.batch", body)["results"]
    assert [r["job"]["job"] for r in results[:3]] == jobs[:3]
    assert results[3]["error"]["code"] == "unknown_model"
    assert [finish(wire, job)["state"] for job in jobs[:3]] == ["succeeded", "failed", "succeeded"]
    again = wire.call("generate.batch", body)["results"]
    assert [r["job"]["state"] for r in again[:3]] == ["succeeded", "failed", "succeeded"]
    assert wire.call("job.request", {"job": jobs[0]})["request"]["segments"][0]["prompt"] == "walk"
    assert wire.error("job.status", {"job": jobs[3]}).code is ErrorCode.REQUEST_NOT_FOUND


def test_another_form_is_written_when_it_is_asked_for(house: House) -> None:
    wire = house.wire()
    body = generate(frames=10)
    wire.call("generate", body)
    for form in ("glb", "gltf", "glb"):
        reply = wire.call("job.result", {"job": body["job"], "format": form, "wait_s": 60.0})
        assert reply["job"]["state"] == "succeeded"
        assert reply["result"], form
    asked = generate(frames=10, formats=["glb"])
    wire.call("generate", asked)
    assert wire.call("job.result", {"job": asked["job"], "format": "glb", "wait_s": 60.0})["result"]
    assert wire.call("job.result", {"job": asked["job"]})["result"]["num_frames"] == 10


def test_a_result_is_waited_for_without_blocking_anybody(house: House) -> None:
    wire, other = house.wire(), house.wire()
    body = generate("slow")
    wire.call("generate", body)
    asked_s = time.monotonic()
    wire.send("job.result", {"job": body["job"], "wait_s": 0.5})
    for _ in range(20):
        other.call("hello")
    partial = wire.receive().body
    assert time.monotonic() - asked_s > 0.4
    assert partial["result"] is None
    assert partial["job"]["state"] in ("queued", "running")
    wire.call("job.cancel", {"jobs": [body["job"]]})
    assert finish(wire, body["job"])["state"] == "cancelled"


def test_a_model_that_fails_says_so_and_lives(house: House) -> None:
    wire = house.wire()
    body = generate("raising", prompt="cuda")
    wire.call("generate", body)
    reply = wire.call("job.result", {"job": body["job"], "wait_s": 60.0})
    assert reply["result"] is None
    assert reply["job"]["error"]["error"]["code"] == "resource_exhausted"
    wire.call("job.forget", {"job": body["job"]})
    assert wire.error("job.status", {"job": body["job"]}).code is ErrorCode.REQUEST_NOT_FOUND
    after = generate()
    wire.call("generate", after)
    assert finish(wire, after["job"])["state"] == "succeeded"


def test_models_are_loaded_and_unloaded(house: House) -> None:
    wire = house.wire()
    assert wire.call("models.load", {"model": "fake"})["state"] in ("loading", "ready")
    wait_until(lambda: wire.call("capabilities")["models"]["fake"]["state"] == "ready")
    wire.call("models.unload", {"model": "fake"})
    wait_until(lambda: wire.call("capabilities")["models"]["fake"]["state"] == "unloaded")
    wire.call("models.load", {"model": "bad-setup"})
    wait_until(lambda: wire.call("capabilities")["models"]["bad-setup"]["state"] == "failed")
    error = wire.error("models.load", {"model": "nobody"})
    assert error.code is ErrorCode.UNKNOWN_MODEL
    assert "fake" in error.details["allowed"]


def test_the_list_filters_and_pages(house: House) -> None:
    wire = house.wire()
    wire.call("daemon.drain", {"on": True})
    jobs = [wire.call("generate", generate(label=f"shot {n}", character="Hero"))["job"] for n in range(5)]
    wire.call("job.cancel", {"jobs": [jobs[0]]})

    def listed(**filters: Any) -> list[str]:
        return [row[0] for row in wire.call("job.list", filters)["rows"]]

    assert listed() == jobs
    assert listed(states=["cancelled"]) == jobs[:1]
    assert listed(text="SHOT 3") == jobs[3:4]
    assert listed(client="nobody") == []
    assert listed(jobs=[jobs[4], jobs[1], new_id()]) == [jobs[4], jobs[1]]
    assert listed(limit=2, offset=1) == jobs[1:3]
    assert wire.call("job.list", {"limit": 2})["total"] == 5
    for name in ("limit", "offset"):
        refused = wire.error("job.list", {name: -1})
        assert refused.code is ErrorCode.SCHEMA_VALIDATION
        assert f"'{name}' is -1, it takes at least 0" in shown(refused).text


def test_a_client_that_asked_to_be_refused_is_refused(make_house: Callable[..., House]) -> None:
    house = make_house("--client-limit", "1", "--queue-limit", "2")
    house.wait_for_workers()
    wire = house.wire()
    wire.call("daemon.drain", {"on": True})
    wire.call("generate", generate())
    error = wire.error("generate", generate(on_busy="refuse"))
    assert error.code is ErrorCode.RATE_LIMITED
    assert (error.details["active_requests"], error.details["concurrency_limit"]) == (1, 1)
    assert error.retry_after_s
    assert re.search(r"\b1\b", shown(error).text)
    wire.call("generate", generate())
    full = wire.error("generate", generate())
    assert re.search(r"\b2\b", shown(full).text)
    assert full.code is ErrorCode.QUEUE_FULL
    assert full.details["allowed"] == 2
