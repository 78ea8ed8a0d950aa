# SPDX-License-Identifier: Apache-2.0
"""The official client of motionmcp-sdk against our door: nobody here wrote it, and nothing in it knows of us."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from motionmcp.client import (
    MmcpError,
    clear_capabilities_cache,
    generate,
    get_capabilities,
    glb_to_gltf,
    model_supported_segments,
    parse_gltf_samples,
    pick_model,
    poll_job,
    probe_server,
)
from tests.fakes.backbones import request_map
from tests.integration.http.conftest import Site

RETARGETED = ("root_path", "effector_target", "pose_keyframe", "ground_height")


@pytest.fixture(autouse=True)
def _forget() -> None:
    clear_capabilities_cache()


def test_it_sees_the_models(door: Site) -> None:
    caps = get_capabilities(door.url)
    assert probe_server(door.url).status == "online"
    model = pick_model(caps, "FAKE")
    assert model["id"] == "fake"
    assert set(model["supported_constraints"]) >= set(RETARGETED)
    assert "text" in model_supported_segments(model)
    assert pick_model(caps, "plain")["supported_constraints"] == ["pin"]


def test_it_generates(door: Site) -> None:
    document = generate(door.url, request_map(frames=20, num_samples=3, seed=1))
    samples = parse_gltf_samples(document)
    assert [s["num_frames"] for s in samples] == [20] * 3
    assert samples[0]["joint_names"] == ["Hips", "Spine", "Head", "LeftFoot", "RightFoot"]
    assert samples[0]["trajectory"] is not None
    assert not np.allclose(samples[0]["local_rot_mats"], samples[1]["local_rot_mats"])
    again = parse_gltf_samples(generate(door.url, request_map(frames=20, num_samples=3, seed=1)))
    assert (again[2]["local_rot_mats"] == samples[2]["local_rot_mats"]).all()


def test_it_follows_a_202_and_tells_its_progress(door: Site) -> None:
    said: list[str] = []
    document = generate(door.url, request_map("later", 6), on_progress=said.append)
    assert parse_gltf_samples(document)[0]["num_frames"] == 6
    assert said
    preferred = generate(door.url, request_map(frames=7), headers={"Prefer": "respond-async"}, on_progress=said.append)
    assert parse_gltf_samples(preferred)[0]["num_frames"] == 7


def test_it_polls_a_job_on_its_own(door: Site) -> None:
    answer = door.ask("POST", "/generate", request_map(frames=8), {"Prefer": "respond-async"})
    location = answer.headers["location"]
    assert parse_gltf_samples(poll_job(door.url, location, retry_after=0.1))[0]["num_frames"] == 8
    assert parse_gltf_samples(poll_job(door.url, door.url + location, retry_after=0.1))[0]["num_frames"] == 8


def test_a_cancelled_job_ends_its_polling(door: Site) -> None:
    location = door.ask("POST", "/generate", request_map("slow"), {"Prefer": "respond-async"}).headers["location"]
    door.ask("DELETE", location)
    with pytest.raises(MmcpError) as caught:
        poll_job(door.url, location, retry_after=0.1)
    assert caught.value.code == "request_cancelled"
    assert caught.value.details["phase"] == "poll"


def test_it_takes_a_batch(door: Site) -> None:
    items = [request_map(frames=5), request_map("awaiting-batch", 6), request_map("awaiting-batch", 7, prompt="fail")]
    results = generate(door.url, {"protocol_version": "1.4", "requests": items})["results"]
    assert [parse_gltf_samples(r["gltf"])[0]["num_frames"] for r in results[:2]] == [5, 6]
    assert results[2]["error"]["code"] == "resource_exhausted"


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({}, "schema_validation", 422),
        (request_map("none"), "unknown_model", 400),
        (request_map("foreign", joints=4), "retargeting_unsupported", 400),
        ({**request_map("foreign"), "constraints": [{"type": "root_path", "frames": [0], "positions_xz": [[0, 0]]}]},
         "unsupported_constraint", 400),
        ({**request_map(), "segments": [{"type": "motion_reference"}]}, "unsupported_segment", 400),
        (request_map(num_samples=99), "invalid_options", 400),
        ({**request_map(), "protocol_version": "2.0"}, "version_unsupported", 400),
        (request_map("raising", prompt="joint"), "unknown_joint", 400),
        (request_map("raising", prompt="internal"), "internal_error", 500),
        (request_map("raising", prompt="cuda"), "resource_exhausted", 503),
        (request_map("raising", prompt="unavailable"), "model_unavailable", 503),
        (request_map("raising", prompt="rate"), "rate_limited", 429),
        (request_map("broken", prompt="nan"), "internal_error", 500),
    ],
)  # fmt: skip
def test_it_is_told_every_error(door: Site, body: Any, code: str, status: int) -> None:
    with pytest.raises(MmcpError) as caught:
        generate(door.url, body)
    assert (caught.value.code, caught.value.details["status"]) == (code, status), str(caught.value)
    assert caught.value.details["request_id"]
    assert ("retry_after" in caught.value.details) == (status in (429, 503))


def test_binary_answers_unpack_to_the_same_motion(door: Site) -> None:
    body = request_map(frames=9, seed=2)
    binary = door.ask("POST", "/generate", body, {"Accept": "model/gltf-binary"})
    one = parse_gltf_samples(glb_to_gltf(binary.body))[0]
    two = parse_gltf_samples(generate(door.url, body))[0]
    assert (one["local_rot_mats"] == two["local_rot_mats"]).all()
