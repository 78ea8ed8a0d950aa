# SPDX-License-Identifier: Apache-2.0
"""Jumps: asked for by a word or by a key in the air, they leave the ground and fall as bodies fall."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure, leap
from kineograph_daemon.backbones.starter.backbone import MODEL_ID, StarterBackbone
from kineograph_daemon.pipeline import JobResultData

SKELETON = figure.SKELETON
MODEL = StarterBackbone()
FEET = list(figure.FEET)
REST_M = SKELETON.rest_positions_m[FEET, 1]


def made(frames: int, constraints: Any = (), prompt: str = "", **more: Any) -> JobResultData:
    segments = [{"type": "text", "prompt": prompt, "duration_frames": frames}] if prompt else None
    return asks.run(asks.request(SKELETON, frames, constraints, segments=segments, model=MODEL_ID, **more), MODEL)


def world(data: JobResultData) -> Any:
    return kinematics.forward(SKELETON, data.rotations_xyzw[0].astype(float), data.root_m[0].astype(float))[0]


def clear_m(at_m: Any) -> Any:
    return (at_m[:, FEET, 1] - REST_M).min(axis=1)


def standing(frame: int, z_m: float = 0.0, y_m: float = 0.98, pointed_deg: float = 0.0) -> asks.Spec:
    pose = dict(zip(SKELETON.names, figure.standing().tolist(), strict=True))
    pose |= {name: asks.about_x(pointed_deg) for name in ("l_ankle", "r_ankle")}
    return asks.key(SKELETON, frame, pose, [0.0, y_m, z_m])


def test_somebody_told_to_jump_does_and_falls_as_a_body_falls() -> None:
    data = made(70, prompt="a person jumps")
    at = world(data)
    clear = clear_m(at)
    assert clear.max() > 0.15
    assert clear.min() > -0.02
    top = int(at[:, 0, 1].argmax())
    falls = np.diff(at[top - 4 : top + 5, 0, 1], 2) * figure.FPS_HZ**2
    np.testing.assert_allclose(falls, -leap.GRAVITY, atol=0.5)
    assert at[: top - 5, 0, 1].min() < 0.85
    assert np.abs(at[[0, -1], 0, 1] - 0.97).max() < 0.03
    assert data.report["segments"][0]["outcome"] == "applied"


def test_a_long_span_has_several_jumps() -> None:
    clear = clear_m(world(made(150, prompt="hops on the spot")))
    flights = np.count_nonzero(np.diff((clear > 0.08).astype(int)) == 1)
    assert 3 <= flights <= 5


def test_between_poses_a_jump_goes_from_one_to_the_other() -> None:
    data = made(61, [standing(0), standing(60, 1.2)], "leaps ahead")
    at = world(data)
    assert clear_m(at).max() > 0.15
    np.testing.assert_allclose(data.root_m[0, [0, 60]], [[0, 0.98, 0], [0, 0.98, 1.2]], atol=1e-5)
    in_air = clear_m(at) > 0.05
    moved = np.ptp(data.root_m[0, in_air, 2])
    assert moved > 0.6


@pytest.mark.parametrize(("pointed_deg", "prompt"), [(35.0, ""), (0.0, "jumps up")])
def test_a_key_in_the_air_is_reached_by_a_jump_of_its_height(pointed_deg: float, prompt: str) -> None:
    data = made(81, [standing(0), standing(40, 0.5, 1.35, pointed_deg), standing(80, 1.0)], prompt)
    height = data.root_m[0, :, 1].astype(float)
    assert height[40] == pytest.approx(1.35, abs=1e-5)
    assert height.argmax() == 40
    rise = 1.35 - leap.Table.of(MODEL.net.weights, MODEL.net.facts).pelvis_m[1]  # type: ignore[union-attr]
    half = int(np.sqrt(2 * rise / leap.GRAVITY) * figure.FPS_HZ)
    falls = np.diff(height[40 : 40 + half], 2) * figure.FPS_HZ**2
    assert falls.mean() == pytest.approx(-leap.GRAVITY, abs=1.5)
    assert clear_m(world(data))[[0, 15, 70, 80]].max() < 0.05


def test_who_stands_on_something_does_not_jump() -> None:
    data = made(81, [standing(0), standing(40, 0.5, 1.35), standing(80, 1.0)])
    assert data.root_m[0, :, 1].min() > 0.9  # who jumps crouches first


def test_who_hangs_high_up_or_walks_a_path_does_not_jump() -> None:
    data = made(81, [standing(0), standing(40, 0.0, 2.4), standing(80)])
    assert data.root_m[0, 20, 1] == pytest.approx(1.69, abs=0.1)
    way = asks.path([0, 30, 60], [[0, 0], [0, 1], [0, 2]])
    walked = made(61, [way], "jumps")
    assert clear_m(world(walked)).max() < 0.1
    assert walked.report["segments"][0]["outcome"] != "applied"


def test_without_room_or_table_nothing_is_changed() -> None:
    data = made(12, [standing(0), standing(11)], "jumps")
    assert clear_m(world(data)).max() < 0.05
    assert leap.Table.of({}, {}) is None


def test_a_flight_ends_where_it_is_to_touch_down() -> None:
    flight = leap.Flight(10, 24, 1.0, 0.9)
    height = flight.height_m()
    assert len(height) == 15
    assert (height[0], height[-1]) == pytest.approx((1.0, 0.9))
    np.testing.assert_allclose(np.diff(height, 2) * figure.FPS_HZ**2, -leap.GRAVITY, atol=1e-6)


def test_the_table_stands_on_its_lowest_foot() -> None:
    table = leap.Table.of(MODEL.net.weights, MODEL.net.facts)
    assert table is not None
    root = np.stack([np.zeros(5), table.pelvis_m, np.zeros(5)], axis=1)
    at = kinematics.forward(SKELETON, table.poses_xyzw, root)[0]
    np.testing.assert_allclose(clear_m(at), 0.0, atol=1e-6)
    assert np.abs(quat.heading_rad(table.poses_xyzw[:, 0])).max() < 0.05
