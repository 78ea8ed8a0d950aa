# SPDX-License-Identifier: Apache-2.0
"""The official server's models as models of our daemon: its own process there, our queue and solve here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motionmcp.client import generate as ask_directly
from motionmcp.client import parse_gltf_samples
from motionmcp.errors import STATUS_FOR
from tests.fakes.backbones import IDENTITY, request_map
from tests.integration.http.conftest import ROOT, House, make_house, wait_for_models, wait_until

from kineograph.client import Client
from kineograph.errors import KineographError, from_envelope
from kineograph.fixes import resolve
from kineograph.motion import quat
from kineograph.wire.messages import JobState
from kineograph_daemon.backbones.remote import exchange
from kineograph_daemon.backbones.remote.address import parse

pytest.importorskip("fastapi", reason="the official server needs FastAPI")
PASSING = ("rate_limited", "resource_exhausted", "model_unavailable", "timeout")
__all__ = ["make_house"]


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The official server's address."""
    with serving(tmp_path_factory.mktemp("official")) as url:
        yield url


@contextlib.contextmanager
def serving(folder: Path, *gate: str) -> Iterator[str]:
    """The official server in a process of its own."""
    note = folder / "port"
    command = [sys.executable, "-m", "tests.integration.http.official", str(note), *gate]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_until(lambda: note.exists() and note.read_text() != "")
        yield f"http://127.0.0.1:{note.read_text()}"
    finally:
        process.kill()  # it would wait for a job that nobody waits for any more
        process.wait(60)


@pytest.fixture(scope="module")
def remote_house(official: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A daemon that hosts them, beside its own."""
    home = Path(tmp_path_factory.mktemp("r"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KINEOGRAPH_HOME", str(home))
        house = House(home, "--remotes", f"studio={official}")
        house.start()
        try:
            wait_for_models(house, "studio/plain", "studio/broad", "studio/awaiting-batch")
            yield house
        finally:
            house.end()


@pytest.fixture
def client(remote_house: House) -> Client:
    """The project's client."""
    return remote_house.client()


def test_its_models_stand_beside_our_own(client: Client) -> None:
    caps = client.capabilities()
    names = {m["id"] for m in caps.mmcp["models"]}
    assert names >= {"fake", "studio/plain", "studio/broad", "studio/awaiting-batch"}
    told = caps.models["studio/broad"]
    assert told["label"] == "broad at 127.0.0.1"
    assert "no names of files" in told["about"]
    assert told["device"] == "remote"


def test_the_motion_is_the_one_it_made(client: Client, official: str) -> None:
    here = client.generate(request_map("studio/plain", 20, num_samples=2, seed=4, post_processing=False), timeout_s=60)
    there = ask_directly(official, request_map("plain", 20, num_samples=2, seed=4))
    for b, sample in enumerate(parse_gltf_samples(there)):
        np.testing.assert_allclose(quat.to_matrix(here.rotations_xyzw[b]), sample["local_rot_mats"], atol=2e-6)
        np.testing.assert_allclose(here.root_m[b], sample["posed_joints"][:, 0], atol=1e-6)


def test_another_frame_rate_is_resampled_here(client: Client) -> None:
    made = client.generate({**request_map("studio/plain", 60), "timing": {"fps": 60.0}}, timeout_s=60)
    assert (made.fps_hz, made.rotations_xyzw.shape[1]) == (60.0, 60)


def test_constraints_it_takes_go_there_and_all_are_met_here(client: Client) -> None:
    constraints: list[dict[str, Any]] = [
        {"type": "root_path", "frames": [0, 20], "positions_xz": [[0.0, 0.0], [0.5, 0.5]]},
        {"type": "pose_keyframe", "frame": 10, "joint_rotations": {"Spine": [0.1, 0.0, 0.0, 0.995]}},
        {"type": "effector_target", "joint": "Head", "frames": [5], "positions": [[0.0, 1.7, 0.1]]},
    ]
    made = client.generate({**request_map("studio/broad", 21), "constraints": constraints}, timeout_s=60)
    asked = next(n["message"] for n in made.notes if n["code"] == "asked")
    assert asked == "text,root_path,pose_keyframe"
    outcomes = {entry["type"]: entry["outcome"] for entry in made.report["constraints"]}
    assert set(outcomes) == {"root_path", "pose_keyframe", "effector_target"}
    assert outcomes["pose_keyframe"] == "applied"


def test_a_clip_goes_there_as_a_prompt(client: Client) -> None:
    names = ["Hips", "Spine", "Head", "LeftFoot", "RightFoot"]
    clip = {
        "type": "motion_reference",
        "duration_frames": 12,
        "joint_names": names,
        "rotations": np.tile(np.float32(IDENTITY), (4, 5, 1)),
        "root_positions": np.tile(np.float32([0.0, 0.95, 0.0]), (4, 1)),
        "fps": 30.0,
    }
    made = client.generate({**request_map("studio/broad"), "segments": [clip]}, timeout_s=60)
    assert next(n["message"] for n in made.notes if n["code"] == "asked") == "motion_reference"


def test_a_batch_goes_there_as_one(client: Client) -> None:
    items = [request_map("studio/awaiting-batch", 5 + i, prompt="fail" if i == 1 else "walk") for i in range(3)]
    jobs = client.submit_batch({"protocol_version": "1.4", "requests": items})
    ends = [client.wait(job.job, timeout_s=60) for job in jobs if not isinstance(job, KineographError)]
    assert [e.state for e in ends] == [JobState.SUCCEEDED] * 3
    notes = [client.result(e.job)["notes"] for e in ends]
    sizes = [[n["message"] for n in told if n["code"] == "pass_size"] for told in notes]
    assert sizes == [["3"], [], ["3"]]  # what failed for want of memory went again, alone


@pytest.mark.parametrize("code", [c for c in STATUS_FOR if c not in PASSING])
def test_every_code_of_its_models_is_ours(client: Client, code: str) -> None:
    ended = client.wait(client.submit(request_map("studio/saying", prompt=code)).job, timeout_s=60)
    assert (ended.state, ended.error and ended.error["error"]["code"]) == (JobState.FAILED, code)
    told = from_envelope(ended.error or {})
    if code != "internal_error":
        assert told.details["got"] == "Tail"
    assert told.details["remote"] == "studio"
    assert resolve(told, {"models": ["fake"]}).text


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_at_its_models_is_tried_again(client: Client, code: str) -> None:
    made = client.generate(request_map("studio/saying", 8, prompt=code), timeout_s=90)
    assert made.rotations_xyzw.shape[1] == 8


def _body(**changes: Any) -> dict[str, Any]:
    return {**request_map("broad", 10), **changes}


def _joints(change: Any) -> dict[str, Any]:
    joints = request_map()["skeleton"]["joints"]
    change(joints)
    return {**request_map()["skeleton"], "joints": joints}


CLIP = {
    "type": "motion_reference",
    "duration_frames": 12,
    "joint_names": ["Spine"],
    "rotations": [[list(IDENTITY)]] * 2,
    "root_positions": [[0.0, 0.95, 0.0]] * 2,
    "fps": 30.0,
}
KEY = {"type": "pose_keyframe", "frame": 0, "joint_rotations": {"Tail": list(IDENTITY)}}
REFUSED: list[tuple[str, Any]] = [
    ("schema_validation", {}),
    ("schema_validation", b"{"),
    ("unknown_model", _body(model="none")),
    ("retargeting_unsupported", _body(skeleton=request_map(joints=4)["skeleton"])),
    ("unsupported_constraint", _body(constraints=[{"type": "ground_height", "points": [[0.0, 0.0, 0.0]]}])),
    ("unsupported_segment", _body(segments=[{"type": "video_reference"}])),
    ("unknown_joint", _body(constraints=[KEY])),
    ("invalid_skeleton", _body(skeleton=_joints(lambda joints: joints[2].update(parent="Head")))),
    ("frame_out_of_range", _body(constraints=[{"type": "root_path", "frames": [99], "positions_xz": [[0, 0]]}])),
    ("invalid_options", _body(options={"keyframe_budget": 0.5})),
    ("invalid_options", _body(segments=[{"type": "text", "prompt": "x" * 9999, "duration_frames": 9}])),
    ("invalid_request", _body(segments=[CLIP])),
    ("version_unsupported", _body(protocol_version="2.0")),
    ("payload_too_large", b" " * (2**20 + 1)),
]


@pytest.mark.parametrize(("code", "body"), REFUSED, ids=[f"{i}-{c}" for i, (c, _) in enumerate(REFUSED)])
def test_what_the_server_itself_refuses_is_told_in_our_words(official: str, code: str, body: Any) -> None:
    """Our own checks let none of these leave; a server with other limits answers so."""
    remote = parse(f"studio={official}")

    async def ask() -> exchange.Reply:
        async with exchange.new_client() as link:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            return await exchange.ask(link, remote, "POST", "/generate", data)

    reply = asyncio.run(ask())
    told = exchange.failure_of(reply)
    assert (told.code, reply.status) == (code, STATUS_FOR[code]), reply.body[:300]
    said = json.loads(reply.body)["error"]["details"]
    assert {name: told.details.get(name) for name in said} == said
    assert resolve(told, {"models": ["fake"]}).text


def test_a_job_is_followed_behind_a_gateway_while_its_token_is_refreshed(
    make_house: Callable[..., House], tmp_path: Path
) -> None:
    pytest.importorskip("keyring", reason="tokens need a keyring")
    accepted, seen, ring = tmp_path / "accepted", tmp_path / "seen", tmp_path / "ring"
    accepted.write_text("old-token")
    ring.write_text("old-token")
    with serving(tmp_path, str(tmp_path)) as url:
        house = make_house(
            *("--remotes", f"studio={url}"),
            PYTHON_KEYRING_BACKEND="tests.fakes.file_keyring.FileKeyring",
            KINEOGRAPH_TEST_KEYRING=str(ring),
        )
        wait_for_models(house, "studio/plain", "studio/held")
        client = house.client()
        quick = client.generate(request_map("studio/plain", 8), timeout_s=60)  # 202, polled
        assert quick.rotations_xyzw.shape[1] == 8
        job = client.submit(request_map("studio/held", 9)).job
        wait_until(lambda: seen.read_text().count("POST old-token") == 2)
        accepted.write_text("old-token new-token")
        ring.write_text("new-token")
        wait_until(lambda: "GET new-token" in seen.read_text())
        accepted.write_text("new-token")
        (tmp_path / "go").touch()
        assert client.wait(job, timeout_s=60).state is JobState.SUCCEEDED
        ring.write_text("")
        ended = client.wait(client.submit(request_map("studio/plain", 8)).job, timeout_s=60)
        assert ended.error is not None
        assert ended.error["error"]["code"] == "unauthorized"
        logs = [file.read_text() for file in (house.home / "log").iterdir()]
        assert not [text for text in logs if "old-token" in text or "new-token" in text]


def test_what_passes_is_waited_for(client: Client) -> None:
    made = client.generate(request_map("studio/warming", 8), timeout_s=60)
    assert made.rotations_xyzw.shape[1] == 8


def test_what_our_own_checks_refuse_never_leaves(client: Client) -> None:
    with pytest.raises(KineographError) as caught:
        client.submit(request_map("studio/plain", 100_000))
    assert caught.value.code == "invalid_options"


def test_a_cancel_ends_the_wait_and_holds_up_no_local_job(client: Client) -> None:
    job = client.submit(request_map("studio/awaiting", prompt="wait")).job
    wait_until(lambda: client.status(job).state is JobState.RUNNING)
    assert client.generate(request_map(frames=4), timeout_s=60).rotations_xyzw.shape[1] == 4
    client.cancel(job)
    assert client.wait(job, timeout_s=60).state is JobState.CANCELLED
