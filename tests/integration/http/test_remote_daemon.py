# SPDX-License-Identifier: Apache-2.0
"""Remotes of a real daemon: what leaves it to the last byte, and another Kineograph daemon as the remote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from motionmcp.gltf import build_gltf
from motionmcp.schemas import GenerateRequest
from tests.fakes.backbones import FPS_HZ, Fake, motion, request_map
from tests.fakes.canonical import Walker
from tests.fakes.http_service import Script, Seen, Service
from tests.fakes.rigs import human
from tests.integration.http.conftest import House, make_house, site_of, wait_for_models, wait_until

from kineograph.wire.messages import JobState

__all__ = ["make_house"]

SECRETS = ("hero_v12", "/projects/anna/shot_010.blend", "Armature.001", "anna", "Camera", "kineograph-test-home")


def answer(seen: Seen) -> Script:
    """A plain MMCP server with one model."""
    if seen.method == "GET":
        return Script(body={"protocol_version": "1.4", "models": [Fake().capabilities().model_dump(mode="json")]})
    request = GenerateRequest.model_validate(seen.json)
    made = motion(request)
    return Script(
        body=build_gltf(
            skeleton=request.skeleton.model_dump(mode="json"),
            joint_names=[j.name for j in request.skeleton.joints],
            rotations_quat=made.rotations,
            root_translations=made.root_translations,
            fps=FPS_HZ,
            model_id="fake",
        )
    )


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service(answer)
    yield made
    made.close()


def test_no_path_scene_or_object_name_leaves(make_house: Callable[..., House], service: Service) -> None:
    house = make_house("--remotes", f"studio={service.url}", USER="anna", HOSTNAME="anna")
    wait_for_models(house, "studio/fake")
    client = house.client(name="anna")
    body: dict[str, Any] = request_map("studio/fake", 6)
    body["constraints"] = [{"type": "root_path", "frames": [0, 5], "positions_xz": [[0, 0], [0, 1]]}]
    refs = {"constraints/0": "Camera", "skeleton": "Armature.001"}
    made = client.generate(body, timeout_s=60, label="/projects/anna/shot_010.blend", character="hero_v12", refs=refs)
    assert made.rotations_xyzw.shape[1] == 6
    (sent,) = service.asked("POST")
    assert [c["type"] for c in sent.json["constraints"]] == ["root_path"]
    everything = b"\n".join(part for s in service.seen for part in (s.path.encode(), s.body, repr(s.headers).encode()))
    assert not [word for word in (*SECRETS, made.job.job) if word.encode() in everything]


def walking(seen: Seen) -> Script:
    """A server whose model moves a skeleton of its own and no other."""
    if seen.method == "GET":
        return Script(body={"protocol_version": "1.4", "models": [Walker().capabilities().model_dump(mode="json")]})
    request = GenerateRequest.model_validate(seen.json)
    assert request.skeleton == Walker().capabilities().canonical_skeleton
    made = Walker().generate(request)
    names = [j.name for j in request.skeleton.joints]
    skeleton = request.skeleton.model_dump(mode="json")
    return Script(
        body=build_gltf(
            skeleton=skeleton,
            joint_names=names,
            rotations_quat=made.rotations,
            root_translations=made.root_translations,
            fps=FPS_HZ,
            model_id="walker",
        )
    )


def test_a_rig_is_carried_onto_its_skeleton_and_its_names_stay_here(
    make_house: Callable[..., House], service: Service
) -> None:
    service.always = walking
    house = make_house("--remotes", f"studio={service.url}")
    wait_for_models(house, "studio/walker")
    client = house.client()
    (spec,) = [m for m in client.capabilities().mmcp["models"] if m["id"] == "studio/walker"]
    assert spec["supports_retargeting"]
    rig = json.loads(json.dumps(human().to_mmcp()).replace('"name": "', '"name": "hero_v12:'))
    for joint in rig["joints"]:
        joint["parent"] = f"hero_v12:{joint['parent']}" if joint["parent"] else None
    hand = {"type": "effector_target", "joint": "hero_v12:LeftHand", "frames": [20], "positions": [[0.4, 1.1, 0.6]]}
    body = {**request_map("studio/walker", 40), "skeleton": rig, "constraints": [hand]}
    made = client.generate(body, timeout_s=60)
    assert [*made.joint_names] == [j["name"] for j in rig["joints"]]
    assert made.root_m[0, -1, 2] - made.root_m[0, 0, 2] > 0.5  # it walks
    assert made.report["constraints"][0]["outcome"] in ("applied", "changed")
    (sent,) = service.asked("POST")
    assert b"hero_v12" not in sent.body


def test_a_remote_that_is_away_is_said_to_be(make_house: Callable[..., House]) -> None:
    house = make_house("--remotes", "studio=http://127.0.0.1:9")
    house.wait_for_workers(2)
    client = house.client()
    told = client.capabilities().models["studio"]
    assert told["state"] == "failed"
    assert told["error"]["error"]["code"] == "model_unavailable"
    assert client.generate(request_map(frames=4), timeout_s=60).rotations_xyzw.shape[1] == 4


def test_another_daemon_is_a_remote(make_house: Callable[..., House]) -> None:
    """Its progress is ours, a worker that dies takes up the job it had sent, and a cancel goes there."""
    far_house = make_house("--http", "127.0.0.1:0", KINEOGRAPH_FAKE_STEPS="900", KINEOGRAPH_FAKE_STEP_S="0.1")
    far_house.wait_for_workers()
    url, far = site_of(far_house).url, far_house.client()
    near_house = make_house("--remotes", f"far={url}")
    wait_for_models(near_house, "far/fake", "far/slow")
    near = near_house.client()
    assert near.generate(request_map("far/fake", 9, seed=2), timeout_s=60).rotations_xyzw.shape[1] == 9

    job = near.submit(request_map("far/slow")).job
    wait_until(lambda: near.status(job).progress.stage == "denoise")
    (there,) = [status for status in far.list() if status.model == "slow"]
    (worker,) = [w for w in near_house.workers() if "remote" in w.cmdline()]
    worker.kill()

    def is_taken_up() -> bool:
        others = [w for w in near_house.workers() if "remote" in w.cmdline() and w.pid != worker.pid]
        return bool(others) and near.status(job).progress.stage == "denoise"

    near_house.wait_for_workers(2)
    wait_until(is_taken_up)
    assert [status.job for status in far.list() if status.model == "slow"] == [there.job]

    near.cancel(job)
    assert near.wait(job, timeout_s=60).state is JobState.CANCELLED
    assert far.wait(there.job, timeout_s=60).state is JobState.CANCELLED


def test_settings_with_a_secret_stop_the_worker_and_not_the_daemon(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    house = make_house("--remotes", "studio=https://me:s3cret@models.example")
    house.wait_for_workers(2)
    assert house.client().generate(request_map(frames=3), timeout_s=60).rotations_xyzw.shape[1] == 3
    logs = [file.read_text() for file in (house.home / "log").iterdir()]
    assert any("no address" in text or "keyring" in text for text in logs)
    assert not [text for text in logs if "s3cret" in text]
