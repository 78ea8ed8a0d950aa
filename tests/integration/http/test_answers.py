# SPDX-License-Identifier: Apache-2.0
"""What the door answers: 200 and 202, forms, headers, the envelope on every path and method."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from motionmcp.client import glb_to_gltf, parse_gltf_samples
from tests.fakes.backbones import request_map
from tests.integration.http.conftest import House, Site, wait_until

ASYNC = {"Prefer": "respond-async"}
NOBODYS = "00000000-0000-4000-8000-000000000007"


def finished(door: Site, location: str, headers: dict[str, str] | None = None) -> Any:
    """The job's answer once it is no 202 any more."""
    answers: list[Any] = []

    def over() -> bool:
        answers.append(door.ask("GET", location, headers=headers))
        return bool(answers[-1].status != 202)

    wait_until(over)
    return answers[-1]


def test_a_request_is_answered_with_its_motion(door: Site) -> None:
    answer = door.ask("POST", "/generate", request_map(frames=12, num_samples=2))
    assert answer.status == 200
    assert answer.headers["content-type"] == "model/gltf+json"
    samples = parse_gltf_samples(answer.json)
    assert [s["num_frames"] for s in samples] == [12, 12]
    assert answer.json["extensions"]["MMCP_motion"]["samples"][0]["trajectory"]


def test_the_same_motion_as_binary(door: Site) -> None:
    ask = request_map(frames=12, seed=5)
    binary = door.ask("POST", "/generate", ask, {"Accept": "model/gltf-binary"})
    assert binary.headers["content-type"] == "model/gltf-binary"
    text = door.ask("POST", "/generate", ask, {"Accept": "application/json, model/gltf-binary;q=0.5"})
    one, two = (parse_gltf_samples(d)[0] for d in (glb_to_gltf(binary.body), text.json))
    assert (one["local_rot_mats"] == two["local_rot_mats"]).all()
    assert (one["posed_joints"] == two["posed_joints"]).all()


def test_who_prefers_it_is_told_where_to_ask(door: Site) -> None:
    answer = door.ask("POST", "/generate", request_map("slow", 12), ASYNC)
    assert answer.status == 202
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["preference-applied"] == "respond-async"
    location = answer.headers["location"]
    assert location == f"/generate/jobs/{answer.json['job_id']}"
    wait_until(lambda: door.ask("GET", location).json.get("progress", 0) > 0)
    still = door.ask("GET", location)
    assert (still.status, still.json["status"], still.json["stage"]) == (202, "running", "denoise")
    assert int(still.headers["retry-after"]) >= 1
    assert door.ask("DELETE", location).status in (200, 202)
    over = finished(door, location)
    assert (over.status, over.code) == (410, "request_cancelled")
    again = door.ask("DELETE", location)
    assert (again.status, again.code) == (410, "request_cancelled")


def test_a_model_that_advertises_it_answers_later(door: Site) -> None:
    answer = door.ask("POST", "/generate", request_map("later", 12))
    assert answer.status == 202
    done = finished(door, answer.headers["location"])
    assert done.status == 200
    assert len(done.json["animations"]) == 1
    binary = finished(door, answer.headers["location"], {"Accept": "model/gltf-binary"})
    assert binary.body[:4] == b"glTF"
    ended = door.ask("DELETE", answer.headers["location"])
    assert (ended.status, ended.code) == (409, "invalid_request")


def test_a_job_can_be_waited_for(door: Site) -> None:
    answer = door.ask("POST", "/generate", request_map("later", 12), ASYNC)
    held = door.ask("GET", answer.headers["location"], headers={"Prefer": "wait=10"})
    assert held.status == 200


def test_a_batch_prefers_it_too(door: Site) -> None:
    wrong = request_map("no-such")
    body = {"protocol_version": "1.4", "requests": [request_map("later", 5), wrong, request_map("fake", 7)]}
    answer = door.ask("POST", "/generate", body, ASYNC)
    assert answer.status == 202
    done = finished(door, answer.headers["location"])
    first, second, third = done.json["results"]
    assert parse_gltf_samples(first["gltf"])[0]["num_frames"] == 5
    assert second["error"]["code"] == "unknown_model"
    assert parse_gltf_samples(third["gltf"])[0]["num_frames"] == 7


def test_a_batch_is_cancelled_whole(door: Site) -> None:
    body = {"protocol_version": "1.4", "requests": [request_map("slow", 5), request_map("slow", 6)]}
    location = door.ask("POST", "/generate", body, ASYNC).headers["location"]
    assert door.ask("DELETE", location).status in (200, 202)
    done = finished(door, location)
    assert [r["error"]["code"] for r in done.json["results"]] == ["request_cancelled"] * 2


@pytest.mark.parametrize("path", [f"/generate/jobs/{NOBODYS}", "/generate/jobs/x", "/generate/jobs/%00%0a"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job_is_not_found(door: Site, method: str, path: str) -> None:
    answer = door.ask(method, path)
    assert (answer.status, answer.code) == (404, "request_not_found")


def test_a_forgotten_result_is_not_found(door: Site, open_house: House) -> None:
    location = door.ask("POST", "/generate", request_map(frames=5), ASYNC).headers["location"]
    assert finished(door, location).status == 200
    open_house.wire().call("job.forget", {"job": location.rpartition("/")[2]})
    answer = door.ask("GET", location)
    assert answer.status == 404
    assert answer.code in ("request_not_found", "result_expired")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/generate/jobs/a/b", 404),
        ("GET", "/generate", 405),
        ("PUT", "/generate", 405),
        ("DELETE", "/capabilities", 405),
        ("BREW", "/healthz", 405),
        ("POST", "/generate/jobs/x", 405),
    ],
)
def test_unknown_paths_and_methods_answer_in_the_envelope(door: Site, method: str, path: str, status: int) -> None:
    answer = door.ask(method, path)
    assert (answer.status, answer.code) == (status, "invalid_request")
    if status == 405:
        assert "OPTIONS" in answer.headers["allow"]


def test_a_request_id_comes_back(door: Site) -> None:
    answer = door.ask("GET", "/capabilities", headers={"X-Request-ID": "shot-7.a"})
    assert answer.headers["x-request-id"] == "shot-7.a"
    refused = door.ask("POST", "/generate", request_map("none"), {"X-Request-ID": "shot-7.b"})
    assert refused.json["request_id"] == "shot-7.b"
    odd = door.ask("GET", "/capabilities", headers={"X-Request-ID": 'x"\t<script>'})
    assert odd.headers["x-request-id"] != 'x"\t<script>'


def test_gzip_both_ways(door: Site) -> None:
    body = gzip.compress(door_body := repr(0).encode())
    assert door.ask("POST", "/generate", body, {"Content-Encoding": "gzip"}).code == "schema_validation"
    assert door_body == b"0"
    import json

    packed = gzip.compress(json.dumps(request_map(frames=40)).encode())
    answer = door.ask("POST", "/generate", packed, {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"})
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")
    assert parse_gltf_samples(answer.json)[0]["num_frames"] == 40
    plain = door.ask("GET", "/capabilities")
    small = door.ask("GET", "/capabilities", headers={"Accept-Encoding": "gzip"})
    assert small.json == plain.json
    assert len(small.body) < len(plain.body)


def test_capabilities_that_have_not_changed_are_not_sent_again(door: Site) -> None:
    first = door.ask("GET", "/capabilities")
    tag = first.headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}"):
        again = door.ask("GET", "/capabilities", headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    other = door.ask("GET", "/capabilities", headers={"If-None-Match": '"other"'})
    assert (other.status, other.json) == (200, first.json)


def test_a_form_that_there_is_not(door: Site) -> None:
    answer = door.ask("POST", "/generate", request_map(), {"Accept": "video/mp4"})
    assert (answer.status, answer.code) == (406, "invalid_parameters")


def test_errors_that_pass_say_when_to_come_again(door: Site) -> None:
    unavailable = door.ask("POST", "/generate", request_map("raising", prompt="unavailable"))
    assert (unavailable.status, unavailable.code) == (503, "model_unavailable")
    limited = door.ask("POST", "/generate", request_map("raising", prompt="rate"))
    assert (limited.status, limited.code, limited.headers["retry-after"]) == (429, "rate_limited", "7")
    failed = door.ask("POST", "/generate", request_map("raising", prompt="value"))
    assert (failed.status, failed.code) == (500, "internal_error")
    assert "retry-after" not in failed.headers


def test_the_small_pages(door: Site) -> None:
    health = door.ask("GET", "/healthz")
    assert (health.status, health.json["status"]) == (200, "ok")
    metrics = door.ask("GET", "/metrics")
    assert b'kineograph_http_requests_total{method="POST",route="/generate",status="200"}' in metrics.body
    assert b"kineograph_up 1.0" in metrics.body
    described = door.ask("GET", "/openapi.json").json
    assert set(described["paths"]) >= {"/capabilities", "/generate", "/generate/jobs/{id}", "/healthz", "/metrics"}
    page = door.ask("GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert b"/generate/jobs/{id}" in page.body
    head = door.ask("HEAD", "/capabilities")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 100
    options = door.ask("OPTIONS", "/generate")
    assert (options.status, options.headers["allow"]) == (204, "POST, OPTIONS")


def test_every_reference_of_the_description_leads_somewhere(door: Site) -> None:
    described = door.ask("GET", "/openapi.json").json
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(references(v) for v in value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    assert references(described) <= known
    assert len(known) > 10
