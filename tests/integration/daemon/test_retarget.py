# SPDX-License-Identifier: Apache-2.0
"""Retarget jobs in a real daemon: carried out without a model, refused with the path of what is wrong."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import test_rigs as rigs
from tests.integration.daemon.conftest import House

from kineograph.cli import results
from kineograph.client import Client
from kineograph.client.retargeting import carried, request
from kineograph.errors import ErrorCode, JobError, KineographError, SceneError
from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.wire.messages import JobState, Priority
from kineograph_daemon.retarget import Options, retarget

SOURCE, TARGET = rigs.RIGS["cmu"](), rigs.RIGS["mixamo"]()


def clip(frames: int = 40) -> Clip:
    turn = quat.identity(frames, len(SOURCE)) * 1.0
    turn[:] = SOURCE.rest_rotations_xyzw
    head = SOURCE.names.index("Head") if "Head" in SOURCE.names else 1
    turn[:, head] = quat.from_rotvec(np.linspace(0, 0.5, frames)[:, None] * np.array([0, 1.0, 0]))
    root = np.tile(SOURCE.rest_translations_m[SOURCE.root], (frames, 1))
    root[:, 2] += np.linspace(0, 1, frames)
    return Clip(SOURCE, 30.0, turn, root, "nod")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One daemon for this whole file."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("retarget") / "h"
        patch.setenv("KINEOGRAPH_HOME", str(home))
        house = House(home)
        house.start()
        try:
            yield house.client()
        finally:
            house.end()


def test_the_same_motion_as_the_function_gives(client: Client, tmp_path: Path) -> None:
    result = client.retarget(request(clip(), TARGET), timeout_s=60, label="nod", priority=Priority.BATCH)
    here = retarget(clip(), None, TARGET).clip
    there = carried(result, TARGET, "nod")
    assert there.name == "nod"
    np.testing.assert_allclose(there.rotations_xyzw, here.rotations_xyzw, atol=2e-6)
    np.testing.assert_allclose(there.root_m, here.root_m, atol=2e-6)
    assert result.report["mapped"] > 15
    assert result.clip().skeleton.names == TARGET.names
    assert results.save(result, {}, tmp_path / "again.glb") == [tmp_path / "again.glb"]
    assert result.provenance["model"] == "retarget"
    status = client.status(result.job.job)
    assert (status.kind, status.state, status.frames) == ("retarget", JobState.SUCCEEDED, 40)


def test_options_travel(client: Client) -> None:
    options = {"root": "object", "feet": False, "fps_hz": 60.0}
    result = client.retarget(request(clip(), TARGET, options=options), timeout_s=60)
    assert result.frames == 79
    assert np.asarray(result.body["travel"]["path_m"]).shape == (79, 3)
    expected = retarget(clip(), None, TARGET, options=Options(feet=False, fps_hz=60.0))
    assert result.frames == len(expected.clip)


def test_the_id_is_the_job(client: Client) -> None:
    job = str(uuid.uuid4())
    body = request(clip(), TARGET)
    first = client.submit_retarget(body, job)
    assert client.submit_retarget(body, job).created_s == first.created_s
    with pytest.raises(JobError) as caught:
        client.submit_retarget(request(clip(20), TARGET), job)
    assert caught.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
    assert client.wait(job, 60).state is JobState.SUCCEEDED
    with pytest.raises(KineographError) as asked:
        client.result(job, "glb")
    assert asked.value.code is ErrorCode.INVALID_PARAMETERS


def _change(path: list[Any], value: Any) -> dict[str, Any]:
    body = request(clip(8), TARGET)
    holder: Any = body
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return body


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["clip"], 3),
        (["clip", "fps_hz"], 0.0),
        (["clip", "fps_hz"], True),
        (["clip", "root_m"], np.zeros((0, 3))),
        (["clip", "root_m"], np.zeros((9, 3))),
        (["clip", "rotations_xyzw"], np.zeros((8, 3, 4))),
        (["clip", "rotations_xyzw"], [[1, 2], [3]]),
        (["target", "names"], []),
        (["target", "parents"], np.zeros(3)),
        (["target", "rest_translations_m"], np.full((len(TARGET), 3), np.inf)),
        (["target", "rest_rotations_xyzw"], np.zeros((len(TARGET), 4))),
        (["target", "names"], ["x"] * 5000),
        (["options", "root"], "moon"),
        (["options", "feet"], 1),
        (["options", "threads"], 64),
        (["options", "fps_hz"], "fast"),
        (["target_profile"], "name = "),
        (["extra"], 1),
    ],
)
def test_what_is_wrong_is_named(client: Client, path: list[Any], value: Any) -> None:
    with pytest.raises(KineographError) as caught:
        client.submit_retarget(_change(path, value))
    assert caught.value.code is ErrorCode.SCHEMA_VALIDATION
    assert caught.value.details["where"]["path"][: 1 + len(path[:1])] == ["request", *path[:1]]


def test_a_cycle_is_no_skeleton(client: Client) -> None:
    parents = np.array(TARGET.parents)
    parents[3] = 7
    with pytest.raises(KineographError) as caught:
        client.submit_retarget(_change(["target", "parents"], parents))
    assert caught.value.code is ErrorCode.INVALID_SKELETON


def test_a_rig_that_cannot_be_read_fails_its_job_politely(client: Client) -> None:
    names = [f"thing{i}" for i in range(len(TARGET))]
    flat = np.full((len(TARGET), 3), 0.0)
    body = _change(["target", "names"], names)
    body["target"]["rest_translations_m"] = flat
    with pytest.raises(SceneError) as caught:
        client.retarget(body, timeout_s=60)
    assert caught.value.code is ErrorCode.MAP_INCOMPLETE
    assert caught.value.details["missing"]


def test_a_number_that_is_none_fails_with_its_frame(client: Client) -> None:
    root = clip(8).root_m.astype(np.float32)
    root[5] = np.nan
    with pytest.raises(KineographError) as caught:
        client.retarget(_change(["clip", "root_m"], root), timeout_s=60)
    assert caught.value.code is ErrorCode.INVALID_PARAMETERS
    assert caught.value.details["frame"] == 5
