# SPDX-License-Identifier: Apache-2.0
"""A door that others may reach: tokens with roles, hosts and pages that are allowed, and nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from motionmcp.client import MmcpError, get_capabilities, parse_gltf_samples, pick_model, poll_job
from tests.fakes.backbones import request_map
from tests.integration.http.conftest import Answer, House, Site, site_of, wait_until

TOKENS = [sys.executable, "-m", "kineograph_daemon.http.tokens"]


@pytest.fixture(scope="module")
def door_flags() -> tuple[str, ...]:
    """Every address of this computer, a name and a page of its own."""
    return ("--http", "0.0.0.0:0", "--http-hosts", "studio.example", "--http-origins", "https://app.example")


@pytest.fixture(scope="module")
def door(open_house: House) -> Site:
    """The door by its loopback address: a token is wanted there too."""
    return Site(f"http://127.0.0.1:{site_of(open_house).address[1]}")


def make(*words: str) -> str:
    """The token tool, as its user runs it."""
    done = subprocess.run([*TOKENS, *words], capture_output=True, text=True, check=True, env={**os.environ})
    return done.stdout.strip()


def ask(door: Site, token: str, method: str = "GET", path: str = "/capabilities", body: object = None) -> Answer:
    return door.ask(method, path, body, {"Authorization": f"Bearer {token}"})


def test_without_a_token_only_health_is_told(door: Site) -> None:
    for method, path in (("GET", "/capabilities"), ("POST", "/generate"), ("GET", "/metrics"), ("GET", "/docs")):
        answer = door.ask(method, path, request_map() if method == "POST" else None)
        assert (answer.status, answer.code) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert door.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer kg_x", "Basic a2c6eA==", "kg_x", "Bearer \xff"])
def test_a_wrong_token_is_refused(door: Site, value: str) -> None:
    answer = door.ask("GET", "/capabilities", headers={"Authorization": value})
    assert (answer.status, answer.code) == (401, "unauthorized")
    assert b"kg_x" not in answer.body


def test_a_role_allows_what_it_says(door: Site, open_house: House) -> None:
    watcher, artist = make("add", "watcher", "--role", "observe"), make("add", "artist")
    assert ask(door, watcher).status == 200
    refused = ask(door, watcher, "POST", "/generate", request_map())
    assert (refused.status, refused.code) == (403, "forbidden")
    made = ask(door, artist, "POST", "/generate", request_map(frames=4))
    assert made.status == 200
    assert open_house.client().status(made.headers["x-job-id"]).client == "http:artist"
    location = f"/generate/jobs/{made.headers['x-job-id']}"
    assert ask(door, watcher, "DELETE", location).code == "forbidden"
    assert ask(door, artist, "GET", location).status == 200


def test_a_new_token_voids_the_old_at_once(door: Site) -> None:
    old = make("add", "render")
    assert ask(door, old).status == 200
    new = make("add", "render")
    wait_until(lambda: ask(door, old).status == 401)
    assert ask(door, new).status == 200
    make("remove", "render")
    wait_until(lambda: ask(door, new).status == 401)


def test_tokens_are_kept_as_hashes_for_the_owner_alone(door: Site, open_house: House) -> None:
    token = make("add", "secret")
    assert ask(door, token, "POST", "/generate", request_map("none")).code == "unknown_model"
    files = [f for f in open_house.home.rglob("*") if f.is_file() and f.stat().st_size < 2**22]
    assert not [str(f) for f in files if token.encode() in f.read_bytes()]
    (file,) = [f for f in files if f.name == "http_tokens.json"]
    assert json.loads(file.read_text())["tokens"]
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0


def test_a_broken_file_lets_nobody_in(door: Site, open_house: House) -> None:
    token = make("add", "artist")
    (file,) = [*open_house.home.rglob("http_tokens.json")]
    kept = file.read_bytes()
    try:
        Path(file).write_text("{")
        wait_until(lambda: ask(door, token).status == 401)
    finally:
        time.sleep(0.01)  # another moment than the broken file's
        file.write_bytes(kept)
    wait_until(lambda: ask(door, token).status == 200)


def test_the_same_key_of_two_people_is_two_jobs(door: Site) -> None:
    tokens = [make("add", name) for name in ("anna", "ben")]
    jobs = [
        door.ask("POST", "/generate", request_map(frames=3), {"Authorization": f"Bearer {t}", "Idempotency-Key": "k"})
        for t in tokens
    ]
    assert [j.status for j in jobs] == [200, 200]
    assert jobs[0].headers["x-job-id"] != jobs[1].headers["x-job-id"]


def test_named_hosts_and_pages_are_let_in(door: Site) -> None:
    token = make("add", "page")
    headers = {"Host": "studio.example:8000", "Origin": "https://app.example", "Authorization": f"Bearer {token}"}
    answer = door.ask("GET", "/capabilities", headers=headers)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://app.example")
    before = door.ask("OPTIONS", "/generate", headers={"Origin": "https://app.example"})
    assert before.status == 204
    assert "Authorization" in before.headers["access-control-allow-headers"]
    refused = door.ask("GET", "/capabilities", headers={**headers, "Origin": "https://other.example"})
    assert refused.code == "forbidden"


def test_the_official_client_refreshes_its_token_in_the_middle_of_a_job(door: Site) -> None:
    old = make("add", "client")
    answer = door.ask(
        "POST", "/generate", request_map("later", 6), {"Authorization": f"Bearer {old}", "Prefer": "respond-async"}
    )
    location = answer.headers["location"]
    new = make("add", "client")
    wait_until(lambda: ask(door, old).status == 401)
    with pytest.raises(MmcpError) as caught:
        poll_job(door.url, location, access_token=old, retry_after=0.1)
    assert (caught.value.code, caught.value.details["location"]) == ("auth_required", location)
    document = poll_job(door.url, location, access_token=new, retry_after=0.1)
    assert parse_gltf_samples(document)[0]["num_frames"] == 6
    assert pick_model(get_capabilities(door.url, use_cache=False, access_token=new), "fake")["id"] == "fake"
