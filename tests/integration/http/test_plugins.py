# SPDX-License-Identifier: Apache-2.0
"""Models written for MMCP's own server, unmodified: named or installed, awaited or not, alone or in one pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from motionmcp.client import parse_gltf_samples
from tests.fakes.backbones import request_map
from tests.integration.http.conftest import House, Site, make_house, site_of, wait_until

from kineograph.wire.messages import JobState

__all__ = ["make_house"]


@pytest.mark.parametrize("model", ["plain", "awaiting", "awaiting-batch", "foreign"])
def test_each_kind_of_class_answers(door: Site, model: str) -> None:
    answer = door.ask("POST", "/generate", request_map(model, 8, num_samples=2, seed=1))
    assert [s["num_frames"] for s in parse_gltf_samples(answer.json)] == [8, 8]


def test_a_pass_is_one_pass(door: Site) -> None:
    items = [request_map("awaiting-batch", 5 + i, prompt="fail" if i == 1 else "walk") for i in range(4)]
    results = door.ask("POST", "/generate", {"protocol_version": "1.4", "requests": items}).json["results"]
    assert results[1]["error"]["code"] == "resource_exhausted"
    notes = [r["gltf"]["extensions"]["MMCP_motion"]["notes"] for i, r in enumerate(results) if i != 1]
    assert {n["message"] for told in notes for n in told if n["code"] == "pass_size"} == {"4"}


def test_an_awaiting_model_is_cancelled_in_its_await(door: Site, open_house: House) -> None:
    client = open_house.client()
    job = client.submit(request_map("awaiting", prompt="wait")).job
    wait_until(lambda: client.status(job).state is JobState.RUNNING)
    before = [worker.pid for worker in open_house.workers()]
    client.cancel(job)
    assert client.wait(job, timeout_s=60).state is JobState.CANCELLED
    assert [worker.pid for worker in open_house.workers()] == before  # it was not ended for being deaf


def test_setup_comes_first_and_teardown_last(make_house: Callable[..., House], tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    house = make_house("--backbone", "tests.integration.http.models:Plain", KINEOGRAPH_TEST_NOTES=str(notes))
    house.wait_for_workers()
    client = house.client()
    assert not notes.exists()  # nothing is loaded before it is used
    assert client.wait(client.submit(request_map("plain", 4)).job, timeout_s=60).state is JobState.SUCCEEDED
    client.unload("plain")
    wait_until(lambda: notes.read_text().split() == ["setup", "teardown"])
    assert client.wait(client.submit(request_map("plain", 5)).job, timeout_s=60).state is JobState.SUCCEEDED
    house.stop()
    assert notes.read_text().split() == ["setup", "teardown"] * 2


def test_an_installed_package_is_found_by_its_entry_point(make_house: Callable[..., House], tmp_path: Path) -> None:
    site = tmp_path / "site"
    info = site / "studio_models-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: studio-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kineograph.backbones]\nstudio-walk = studio_models:Walk\n")
    (site / "studio_models.py").write_text(
        "from tests.integration.http.models import Plain\n\n\nclass Walk(Plain):\n    model_id = 'studio-walk'\n"
    )
    house = make_house("--backbone", "studio-walk", start=False)
    house.environment["PYTHONPATH"] = os.pathsep.join([str(site), house.env["PYTHONPATH"]])
    house.start()
    house.wait_for_workers()
    client = house.client()
    made = client.generate(request_map("studio-walk", 6), timeout_s=60)
    assert made.rotations_xyzw.shape[1] == 6


def test_a_model_that_crashes_or_blocks_cannot_hurt_the_front(make_house: Callable[..., House]) -> None:
    house = make_house("--http", "127.0.0.1:0", "--cancel-grace-s", "0.3", KINEOGRAPH_FAKE_DEAF_S="30")
    house.wait_for_workers()
    door = site_of(house)
    crashed = door.ask("POST", "/generate", request_map("crashing"))
    assert (crashed.status, crashed.code) == (500, "internal_error")
    house.wait_for_workers()
    location = door.ask("POST", "/generate", request_map("deaf"), {"Prefer": "respond-async"}).headers["location"]
    client = house.client()
    wait_until(lambda: client.status(location.rpartition("/")[2]).state is JobState.RUNNING)
    for _ in range(50):
        assert door.ask("GET", "/capabilities").status == 200
    assert client.status(location.rpartition("/")[2]).state is JobState.RUNNING  # it was answered meanwhile
    assert door.ask("DELETE", location).status in (200, 202)
    wait_until(lambda: door.ask("GET", location).status == 410)
    assert door.ask("POST", "/generate", request_map(frames=4)).status == 200
