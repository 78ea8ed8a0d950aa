# SPDX-License-Identifier: Apache-2.0
"""``generate.wait``: one question for a job and its result, as durable and as repeatable as two."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.fakes.backbones import request_map
from tests.integration.daemon.conftest import House, generate, new_id, wait_until

from kineograph.errors import ErrorCode, KineographError
from kineograph.wire import codec, stored


def test_the_result_comes_with_the_one_answer(house: House) -> None:
    reply = house.wire().call("generate.wait", {**generate("fake", frames=12), "wait_s": 60.0})
    assert reply["job"]["state"] == "succeeded"
    assert reply["result"]["rotations_xyzw"].shape[1] == 12


def test_a_long_job_is_told_by_its_status_and_asked_for_again(house: House) -> None:
    wire, asked = house.wire(), {**generate("slow"), "wait_s": 0.3}
    first = wire.call("generate.wait", asked)
    assert (first["job"]["state"] in ("queued", "running"), first["result"]) == (True, None)
    again = wire.call("generate.wait", asked)
    assert again["job"]["job"] == first["job"]["job"]
    assert again["job"]["created_s"] == first["job"]["created_s"]
    other = {**asked, "request": request_map("slow", 31)}
    assert wire.error("generate.wait", other).code is ErrorCode.IDEMPOTENCY_CONFLICT
    wire.call("job.cancel", {"jobs": [asked["job"]]})
    ended = wire.call("generate.wait", {**asked, "wait_s": 60.0})
    assert (ended["job"]["state"], ended["result"]) == ("cancelled", None)


def test_a_refusal_tells_the_request_as_it_was_sent(house: House) -> None:
    wire = house.wire()
    good = generate("fake")
    wire.call("generate.wait", {**good, "wait_s": 60.0})  # from here on its skeleton is known
    bad = {**good, "job": new_id(), "request": {**good["request"], "segments": [{"type": "text", "prompt": "x"}]}}
    once, twice = wire.error("generate.wait", bad), wire.error("generate", bad)
    assert once.code is twice.code is ErrorCode.SCHEMA_VALIDATION
    assert once.details == twice.details
    assert once.details["where"]["path"] == ["segments", 0, "duration_frames"]


def test_a_daemon_killed_under_a_waiting_client_costs_it_nothing(make_house: Callable[..., House]) -> None:
    house = make_house(KINEOGRAPH_FAKE_STEPS="20", KINEOGRAPH_FAKE_STEP_S="0.05")
    house.wait_for_workers()
    client, out = house.client(), []

    def ask() -> None:
        try:
            out.append(client.generate(request_map("slow")))
        except KineographError as e:
            out.append(e)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: list(client.list(states=["running"])))
    house.kill()
    house.start()
    thread.join(120)
    (result,) = out
    assert not isinstance(result, KineographError), result
    assert result.frames == 30
    assert [job.job for job in client.list()] == [result.job.job]


def test_a_result_is_never_written_over_while_it_is_read(house: House) -> None:
    wire = house.wire()
    seen: list[tuple[Any, Any]] = []
    for seed in range(6):
        asked = generate("fake", seed=seed, frames=400)
        first = wire.call("generate.wait", {**asked, "wait_s": 60.0})["result"]["rotations_xyzw"]
        seen.append((first, first.copy()))
        wire.call("job.forget", {"job": asked["job"]})
    for kept, copy in seen:
        np.testing.assert_array_equal(kept, copy)
    assert len({copy.tobytes() for _, copy in seen}) == 6


@pytest.mark.parametrize("method", ["generate.wait", "job.result"])
def test_who_can_read_files_gets_the_results_name(house: House, method: str) -> None:
    wire, asked = house.wire(), {**generate("fake", frames=12), "wait_s": 10.0}
    sent = wire.call("generate.wait", asked)
    body = asked if method == "generate.wait" else {"job": asked["job"], "wait_s": 10.0}
    reply = wire.call(method, {**body, "by_file": True})
    assert reply.get("result") is None
    frames = stored.read(reply["file"])
    assert frames is not None
    read = codec.decode_body(frames[0], frames[1:])
    np.testing.assert_array_equal(read["rotations_xyzw"], sent["result"]["rotations_xyzw"])
    os.unlink(reply["file"])
    assert wire.error(method, body).code is ErrorCode.RESULT_EXPIRED


def test_a_client_that_cannot_read_the_file_gets_the_bytes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client, tried = house.client(), []
    monkeypatch.setattr(stored, "read", tried.append)  # which returns nothing
    result = client.generate(request_map("fake", frames=12))
    assert (len(tried), result.frames) == (1, 12)
    again = client.result(result.job.job, "glb", wait_s=10.0)
    assert again is not None
    assert len(tried) == 2
    assert bytes(again["glb"][:4]) == b"glTF"


def test_a_result_in_a_clients_hands_is_never_written_over(house: House) -> None:
    client, seen = house.client(), []
    for seed in range(6):
        result = client.generate(request_map("fake", seed=seed, frames=400))
        seen.append((result.rotations_xyzw, result.rotations_xyzw.copy()))
        client.forget(result.job.job)
    for kept, copy in seen:
        np.testing.assert_array_equal(kept, copy)
    assert len({copy.tobytes() for _, copy in seen}) == 6
