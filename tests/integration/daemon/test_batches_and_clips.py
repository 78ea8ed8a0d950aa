# SPDX-License-Identifier: Apache-2.0
"""Batches whose items bring clips as arrays, through the real wire and a real worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tests.fakes import rigs
from tests.integration.daemon.conftest import House, new_id

from kineograph.errors import ErrorCode, KineographError
from kineograph.wire.messages import JobStatus

HUMAN = rigs.human()


def clip(frames: int = 12, dtype: Any = np.float32) -> dict[str, Any]:
    rotations = np.zeros((frames, len(HUMAN), 4), dtype)
    rotations[..., 3] = 1.0
    rotations[:, HUMAN.index["Head"], 1] = np.linspace(0.0, 0.5, frames)
    root = np.tile(HUMAN.rest_positions_m[HUMAN.root], (frames, 1)).astype(dtype)
    told = {"joint_names": list(HUMAN.names), "rotations": rotations, "root_positions": root, "fps": 30.0}
    return {"type": "motion_reference", "duration_frames": 12, **told}


def request(segment: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"protocol_version": "1.4", "model": "kineograph-interpolate", "skeleton": HUMAN.to_mmcp()}
    return body | {"segments": [segment], "timing": {"fps": 30.0}, **more}


def told(outcome: JobStatus | KineographError) -> str:
    return str(outcome.code) if isinstance(outcome, KineographError) else outcome.job


def test_a_batch_of_clips_is_many_jobs_each_with_its_own_verdict_and_motion(
    make_house: Callable[..., House],
) -> None:
    house = make_house("--backbone", "kineograph_daemon.backbones.interpolate:InterpolateBackbone")
    house.wait_for_workers()
    client = house.client()
    broken = clip()
    broken["root_positions"][3, 1] = np.nan
    items: list[Any] = [
        request(clip()),
        request(broken),
        5,
        request(clip(dtype=np.float64)),
        request(clip() | {"rotations": clip()["rotations"].tolist()}),
        request(clip() | {"root_positions": clip()["root_positions"][:-1]}),
    ]
    jobs = [new_id() for _ in items]
    batch = {"protocol_version": "1.4", "requests": items}
    outcomes = client.submit_batch(batch, jobs)
    wrong = "schema_validation"
    assert [told(o) for o in outcomes] == [jobs[0], wrong, wrong, jobs[3], jobs[4], wrong]
    refused = [o for o in outcomes if isinstance(o, KineographError)]
    assert [o.details["where"]["path"][1:] for o in refused] == [
        [1, "segments", 0, "root_positions", 3, 1],
        [2],
        [5, "segments", 0],
    ]
    alone = client.generate(request(clip()), timeout_s=60.0)
    for i in (0, 3, 4):
        made = client.result(jobs[i], wait_s=60.0)
        assert made is not None
        most = 1e-6 if i == 3 else 0.0  # a clip in double precision is rounded less
        np.testing.assert_allclose(made["rotations_xyzw"], alone.rotations_xyzw, rtol=0, atol=most)
        np.testing.assert_allclose(made["root_m"], alone.root_m, rtol=0, atol=most)
        assert made["rotations_xyzw"].dtype == np.float32
    turned = alone.rotations_xyzw[0, :, HUMAN.index["Head"], 1].astype(float)
    assert np.all(np.diff(turned) > 0), "the clip is what is played"
    assert client.submit_batch(batch, jobs)[0].job == jobs[0]  # type: ignore[union-attr]
    items[0], items[1] = request(clip(frames=11)), request(clip())
    again = client.submit_batch(batch, jobs)
    assert [told(o) for o in again[:2]] == [ErrorCode.IDEMPOTENCY_CONFLICT, jobs[1]]
    assert client.wait(jobs[1], timeout_s=60.0).state == "succeeded"
