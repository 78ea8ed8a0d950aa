# SPDX-License-Identifier: Apache-2.0
"""The official server's models as models of our daemon: its own process there, our queue and solve here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motionmcp.client import generate as ask_directly
from motionmcp.client import parse_gltf_samples
from tests.fakes.backbones import IDENTITY, request_map
from tests.integration.http.conftest import ROOT, House, wait_until

from kineograph.client import Client
from kineograph.errors import KineographError
from kineograph.motion import quat
from kineograph.wire.messages import JobState

pytest.importorskip("fastapi", reason="the official server needs FastAPI")


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The official server's address."""
    note = Path(tmp_path_factory.mktemp("official")) / "port"
    command = [sys.executable, "-m", "tests.integration.http.official", str(note)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_until(lambda: note.exists() and note.read_text() != "")
        yield f"http://127.0.0.1:{note.read_text()}"
    finally:
        process.kill()  # it would wait for a job that nobody waits for any more
        process.wait(10)


@pytest.fixture(scope="module")
def remote_house(official: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A daemon that hosts them, beside its own."""
    home = Path(tmp_path_factory.mktemp("r"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KINEOGRAPH_HOME", str(home))
        house = House(home, "--remotes", f"studio={official}")
        house.start()
        try:
            house.wait_for_workers(2)
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


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("joint", "unknown_joint"),
        ("internal", "internal_error"),
    ],
)
def test_its_errors_are_ours(client: Client, prompt: str, code: str) -> None:
    job = client.submit(request_map("studio/raising", prompt=prompt)).job
    ended = client.wait(job, timeout_s=60)
    assert (ended.state, ended.error and ended.error["error"]["code"]) == (JobState.FAILED, code)


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
