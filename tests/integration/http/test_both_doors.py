# SPDX-License-Identifier: Apache-2.0
"""One queue behind two doors: jobs, keys and cancels cross over."""

from __future__ import annotations

import concurrent.futures
import json
import socket
import uuid

from tests.fakes.backbones import request_map
from tests.integration.http.conftest import House, Site, wait_until

from kineograph.wire.messages import JobState

ASYNC = {"Prefer": "respond-async"}


def key() -> str:
    return str(uuid.uuid4())


def test_a_job_sent_over_http_is_cancelled_from_zeromq(door: Site, open_house: House) -> None:
    location = door.ask("POST", "/generate", request_map("slow"), ASYNC).headers["location"]
    job = location.rpartition("/")[2]
    client = open_house.client()
    assert job in [status.job for status in client.list()]
    wait_until(lambda: client.status(job).progress.steps == 2000)  # before that, none of its steps has begun
    client.cancel(job)
    wait_until(lambda: door.ask("GET", location).status == 410)
    assert door.ask("GET", location).json["error"]["details"]["steps"] == 2000


def test_a_job_sent_over_zeromq_is_cancelled_over_http(door: Site, open_house: House) -> None:
    client = open_house.client()
    job = client.submit(request_map("slow")).job
    assert door.ask("GET", f"/generate/jobs/{job}").status == 202
    assert door.ask("DELETE", f"/generate/jobs/{job}").status in (200, 202)
    assert client.wait(job, timeout_s=60).state is JobState.CANCELLED


def test_who_waits_over_http_hears_of_a_cancel_at_once(door: Site, open_house: House) -> None:
    client, job = open_house.client(), key()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(door.ask, "POST", "/generate", request_map("slow"), {"Idempotency-Key": job})
        wait_until(lambda: any(status.job == job for status in client.list()))
        client.cancel(job)
        answer = waiting.result(60)
    assert (answer.status, answer.code) == (410, "request_cancelled")


def test_the_same_key_over_both_doors_is_one_job(door: Site, open_house: House) -> None:
    client, job, body = open_house.client(), key(), request_map(frames=9, seed=3)
    first = door.ask("POST", "/generate", body, {"Idempotency-Key": job})
    assert (first.status, first.headers["idempotency-status"], first.headers["x-job-id"]) == (200, "new", job)
    assert client.submit(body, job=job).state is JobState.SUCCEEDED
    second = door.ask("POST", "/generate", body, {"Idempotency-Key": job.upper()})
    assert second.headers["idempotency-status"] == "replayed"
    assert second.body == first.body
    assert [status.job for status in client.list()].count(job) == 1


def test_a_key_that_zeromq_used_first(door: Site, open_house: House) -> None:
    client, job, body = open_house.client(), key(), request_map(frames=9)
    client.submit(body, job=job)
    answer = door.ask("POST", "/generate", body, {"Idempotency-Key": job})
    assert (answer.status, answer.headers["idempotency-status"]) == (200, "replayed")
    other = door.ask("POST", "/generate", request_map(frames=10), {"Idempotency-Key": job})
    assert (other.status, other.code) == (409, "idempotency_conflict")


def test_any_text_is_a_key(door: Site) -> None:
    asks = [door.ask("POST", "/generate", request_map(frames=4), {"Idempotency-Key": "shot 7"}) for _ in range(1)]
    assert asks[0].code == "invalid_parameters"
    one, two = (door.ask("POST", "/generate", request_map(frames=4), {"Idempotency-Key": "shot/7#a"}) for _ in range(2))
    assert one.headers["x-job-id"] == two.headers["x-job-id"]
    assert [a.headers["idempotency-status"] for a in (one, two)] == ["new", "replayed"]
    assert one.body == two.body


def test_the_same_key_at_the_same_moment_is_one_job(door: Site, open_house: House) -> None:
    job, body = key(), request_map("later", 5)
    headers = {"Idempotency-Key": job, **ASYNC}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: door.ask("POST", "/generate", body, headers), range(8)))
    assert {a.status for a in answers} <= {200, 202}
    assert [a.headers["idempotency-status"] for a in answers].count("new") == 1
    assert open_house.client().wait(job, timeout_s=60).state is JobState.SUCCEEDED


def test_a_batch_with_a_key_is_the_same_jobs(door: Site) -> None:
    body = {"protocol_version": "1.4", "requests": [request_map(frames=4), request_map(frames=5)]}
    one, two = (door.ask("POST", "/generate", body, {"Idempotency-Key": "a-batch"}) for _ in range(2))
    assert (one.headers["idempotency-status"], two.headers["idempotency-status"]) == ("new", "replayed")
    assert one.body == two.body


def test_hanging_up_cancels_a_job_that_nobody_can_ask_for(door: Site, open_house: House) -> None:
    client = open_house.client()
    before = {status.job for status in client.list()}
    body = json.dumps(request_map("slow")).encode()
    with socket.create_connection(door.address, 60) as link:
        link.sendall(b"POST /generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        wait_until(lambda: {status.job for status in client.list()} - before)
    (job,) = {status.job for status in client.list()} - before
    assert client.wait(job, timeout_s=60).state is JobState.CANCELLED


def test_the_queue_shows_who_asked(door: Site, open_house: House) -> None:
    job = door.ask("POST", "/generate", request_map(frames=4)).headers["x-job-id"]
    assert open_house.client().status(job).client == "http:local"
