# SPDX-License-Identifier: Apache-2.0
"""Runs: what is too fast to walk is run, with flights, and the way is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure, stride
from kineograph_daemon.backbones.starter.backbone import MODEL_ID, StarterBackbone
from kineograph_daemon.pipeline import JobResultData

SKELETON = figure.SKELETON
MODEL = StarterBackbone()
FEET = list(figure.FEET)


def made(frames: int, constraints: Any = (), prompt: str = "", **more: Any) -> JobResultData:
    segments = [{"type": "text", "prompt": prompt, "duration_frames": frames}] if prompt else None
    return asks.run(asks.request(SKELETON, frames, constraints, segments=segments, model=MODEL_ID, **more), MODEL)


def line(frames: int, speed_mps: float) -> asks.Spec:
    at = list(range(0, frames, 10))
    return asks.path(at, [[0, f / 30 * speed_mps] for f in at])


def flying(data: JobResultData) -> Any:
    at = kinematics.forward(SKELETON, data.rotations_xyzw[0].astype(float), data.root_m[0].astype(float))[0]
    return (at[:, FEET, 1] - SKELETON.rest_positions_m[FEET, 1]).min(axis=1) > 0.03


@pytest.mark.parametrize(("speed_mps", "runs"), [(1.3, False), (2.8, True), (3.6, True)])
def test_a_fast_way_is_run_and_a_slow_one_walked(speed_mps: float, runs: bool) -> None:
    data = made(121, [line(121, speed_mps)])
    assert (flying(data).mean() > 0.12) == runs
    np.testing.assert_allclose(data.root_m[0, ::10, 2], np.arange(0, 121, 10) / 30 * speed_mps, atol=1e-4)
    turned = quat.angle_between_rad(data.rotations_xyzw[0, 1:], data.rotations_xyzw[0, :-1])
    assert np.degrees(turned.max()) < 30


@pytest.mark.parametrize("prompt", ["a person runs", "jogs slowly", "sprints away"])
def test_somebody_told_to_run_runs(prompt: str) -> None:
    data = made(90, prompt=prompt)
    assert flying(data)[20:].mean() > 0.05
    assert data.root_m[0, -1, 2] > 2.1 * 2.5


def test_a_run_goes_over_from_a_key_and_into_one() -> None:
    pose = dict(zip(SKELETON.names, figure.standing().tolist(), strict=True))
    keys = [asks.key(SKELETON, f, pose, [0.0, 0.97, f / 30 * 2.8]) for f in (0, 120)]
    data = made(121, [*keys, line(121, 2.8)])
    for frame in (0, 120):
        miss = quat.angle_between_rad(data.rotations_xyzw[0, frame].astype(float), figure.standing())
        assert np.degrees(miss.max()) < 0.1
    assert flying(data)[20:100].mean() > 0.1


def test_a_walk_that_becomes_a_run_is_a_walk_before() -> None:
    z = np.cumsum(np.r_[0.0, np.where(np.arange(149) < 75, 1.2, 2.9)]) / 30
    at = list(range(0, 150, 5))
    data = made(150, [asks.path(at, [[0, float(z[f])] for f in at])])
    elbows = data.rotations_xyzw[0, :, [figure.INDEX["l_elbow"], figure.INDEX["r_elbow"]], 3].astype(float)
    bent = np.degrees(2 * np.arccos(np.abs(elbows))).mean(axis=0)
    assert bent[10:55].mean() < 0.75 * bent[95:].mean()
    assert not flying(data)[10:55].any()
    assert flying(data)[95:].mean() > 0.1


def test_who_stops_stands() -> None:
    z = np.minimum(np.arange(150) / 30 * 2.7, 2.7 * 2.5)
    at = list(range(0, 150, 5))
    data = made(150, [asks.path(at, [[0, float(z[f])] for f in at])])
    at_m = kinematics.forward(SKELETON, data.rotations_xyzw[0].astype(float), data.root_m[0].astype(float))[0]
    apart = np.abs(at_m[-20:, figure.INDEX["l_ankle"], 2] - at_m[-20:, figure.INDEX["r_ankle"], 2])
    assert apart.max() < 0.2
    still = made(60, [asks.path([0, 59], [[0, 0], [0, 0]])])
    assert np.abs(np.diff(still.root_m[0], axis=0)).max() < 0.01


def test_a_fast_loop_comes_round() -> None:
    data = made(121, [line(121, 2.8)], loop=True)
    first, last = data.rotations_xyzw[0, 0].astype(float), data.rotations_xyzw[0, -1].astype(float)
    assert np.degrees(quat.angle_between_rad(first, last).max()) < 1.0


@pytest.mark.parametrize("name", ["walk", "run"])
def test_a_table_is_a_stride_that_comes_round(name: str) -> None:
    table = stride.of(MODEL.net.weights, MODEL.net.facts)[name]
    phase = np.linspace(0, 2 * np.pi, 33)
    poses, height = table.at(phase, np.ones(33))
    assert np.degrees(quat.angle_between_rad(poses[0], poses[-1]).max()) < 0.01
    assert height[0] == pytest.approx(height[-1])
    ankles = kinematics.forward(SKELETON, poses, np.zeros((33, 3)))[0][
        :, [figure.INDEX["l_ankle"], figure.INDEX["r_ankle"]]
    ]
    lead = ankles[:, 0, 2] - ankles[:, 1, 2]
    assert abs(phase[int(lead.argmax())] % (2 * np.pi)) < 0.5 or abs(phase[int(lead.argmax())] - 2 * np.pi) < 0.5
    wide, _ = table.at(phase, np.full(33, 1.4))
    far = kinematics.forward(SKELETON, wide, np.zeros((33, 3)))[0][:, figure.INDEX["l_ankle"], 2]
    assert np.ptp(far) > 1.15 * np.ptp(ankles[:, 0, 2])
    assert stride.of({}, {}) == {}
