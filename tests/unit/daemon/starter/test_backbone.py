# SPDX-License-Identifier: Apache-2.0
"""The starter model through the whole pipeline. What holds for every backbone is in the contract tests."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, rigs

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure, planted
from kineograph_daemon.backbones.starter.backbone import MODEL_ID, StarterBackbone
from kineograph_daemon.pipeline import JobResultData

SKELETON = figure.SKELETON
MODEL = StarterBackbone()


def made(frames: int, constraints: Any = (), **more: Any) -> JobResultData:
    return asks.run(asks.request(SKELETON, frames, constraints, model=MODEL_ID, **more), MODEL)


def world(data: JobResultData, sample: int = 0) -> Any:
    rotations, root = data.rotations_xyzw[sample].astype(float), data.root_m[sample].astype(float)
    return kinematics.forward(SKELETON, rotations, root)[0]


def line(frames: int = 121, speed_mps: float = 1.3) -> Any:
    at = list(range(0, frames, 10))
    return asks.path(at, [[0, f / 30 * speed_mps] for f in at])


def test_a_drawn_line_is_walked_in_steps() -> None:
    data = made(121, [line()])
    at = world(data)
    lead = at[:, figure.INDEX["l_ankle"], 2] - at[:, figure.INDEX["r_ankle"], 2]
    swings = np.diff(np.sign(lead[np.abs(lead) > 0.1]))
    assert 4 <= np.count_nonzero(swings) <= 9
    toes = at[:, [figure.INDEX["l_toe"], figure.INDEX["r_toe"]]]
    slower = np.linalg.norm(np.gradient(toes[..., [0, 2]], axis=0), axis=-1).min(axis=1) * 30
    assert slower.mean() < 0.3 * 1.3
    assert np.abs(data.root_m[0, :, 0]).max() < 0.015


@pytest.mark.parametrize("keyed", [False, True])
def test_a_path_over_a_part_of_the_take_is_come_to_and_left_without_a_jump(keyed: bool) -> None:
    """Drawn far from the world's middle: who was not told where to be before and after it was there for a frame."""
    points = asks.path([25, 40, 55], [[3.0, -2.0], [3.0, -1.5], [3.1, -1.0]])
    pose = dict(zip(SKELETON.names, figure.standing(), strict=True))
    keys = [asks.key(SKELETON, 0, pose, [3.0, 0.93, -2.2])] if keyed else []
    root = made(90, [*keys, points]).root_m[0].astype(float)
    assert np.linalg.norm(np.diff(root, axis=0), axis=1).max() * 30 < 2.0
    assert np.linalg.norm(root[:, [0, 2]] - [3.0, -1.5], axis=1).max() < 1.2
    np.testing.assert_allclose(root[[25, 40, 55]][:, [0, 2]], [[3.0, -2.0], [3.0, -1.5], [3.1, -1.0]], atol=1e-3)


@pytest.mark.parametrize("frames", [[0, 59], [20, 50]])
def test_a_path_moved_and_turned_moves_and_turns_the_motion(frames: list[int]) -> None:
    turn, shift = quat.about_y(1.2), np.array([3.0, 0.0, -2.0])
    points = np.array([[0.0, 0.0, 0.0], [0.4, 0.0, 1.2]])
    there = quat.rotate(turn, points) + shift
    a, b = (made(60, [asks.path(frames, p[:, [0, 2]])], seed=3) for p in (points, there))
    off = np.linalg.norm(quat.rotate(turn, world(a)) + shift - world(b), axis=-1)
    assert np.linalg.norm(quat.rotate(turn, a.root_m[0].astype(float)) + shift - b.root_m[0], axis=-1).max() < 0.01
    assert off.max() < 0.002


def test_keys_moved_and_turned_move_and_turn_the_motion() -> None:
    turn, shift, human = quat.about_y(np.radians(70)), np.array([3.0, 0.0, -2.0]), rigs.human()
    hang = {"LeftArm": asks.about_z(-75), "RightArm": asks.about_z(75)}
    later = {**hang, "Hips": asks.about_y(30), "Spine": asks.about_x(20)}
    asked = [asks.key(human, 0, hang, [0.0, 0.96, 0.0]), asks.key(human, 40, later, [0.2, 0.95, 0.8])]
    turned = copy.deepcopy(asked)
    for key in turned:
        key["joint_rotations"]["Hips"] = quat.mul(turn, np.array(key["joint_rotations"]["Hips"])).tolist()
        key["root_position"] = (quat.rotate(turn, np.array(key["root_position"])) + shift).tolist()
    at = []
    for keys in (asked, turned):
        data = asks.run(asks.request(human, 60, keys, model=MODEL_ID, seed=3), MODEL)
        at.append(kinematics.forward(human, data.rotations_xyzw[0].astype(float), data.root_m[0].astype(float))[0])
    assert np.linalg.norm(quat.rotate(turn, at[0]) + shift - at[1], axis=-1).max() < 0.002


def test_it_faces_where_it_goes() -> None:
    turn = np.linspace(0, 2 * np.pi, 16)
    points = [[1.5 - 1.5 * np.cos(a), 1.5 * np.sin(a)] for a in turn]
    data = made(211, [asks.path(list(range(0, 211, 14)), points)])
    yaw = np.unwrap(quat.heading_rad(data.rotations_xyzw[0, :, 0].astype(float)))
    wanted = np.linspace(0, 2 * np.pi, 211)
    off = np.degrees(np.abs(np.angle(np.exp(1j * (yaw - wanted)))))
    assert off[10:-10].mean() < 10


def test_long_motion_is_stitched_without_a_jump() -> None:
    data = made(600, [line(600)])
    assert data.chunk_boundaries
    (borders,) = data.chunk_boundaries
    assert borders
    step = np.linalg.norm(np.diff(world(data), axis=0), axis=-1).max(axis=1)
    for border in borders:
        assert step[border - 1] < 2.0 * np.percentile(step, 99)


def test_samples_differ_and_a_seed_repeats_them() -> None:
    a, b = (made(61, [line(61)], num_samples=3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(a.rotations_xyzw, b.rotations_xyzw)
    assert np.abs(a.rotations_xyzw[0] - a.rotations_xyzw[1]).max() > 0.02
    assert np.abs(a.rotations_xyzw[1] - a.rotations_xyzw[2]).max() > 0.02


def test_an_unknown_prompt_is_said_and_not_pretended() -> None:
    segment = {"type": "text", "prompt": "juggles flaming torches", "duration_frames": 40}
    data = made(40, (), segments=[segment])
    assert data.report["segments"][0]["outcome"] == "ignored"
    assert "no such motion" in data.report["segments"][0]["reason"]


def test_poses_unlike_anything_known_are_interpolated_and_said() -> None:
    rng = np.random.default_rng(3)
    poses = [quat.from_rotvec(rng.normal(scale=1.4, size=(figure.JOINTS, 3))) for _ in range(2)]
    keys = [
        asks.key(SKELETON, f, dict(zip(SKELETON.names, pose, strict=True)), [0, 1, 0])
        for f, pose in zip((0, 40), poses, strict=True)
    ]
    data = made(41, keys)
    assert "motion_interpolated" in [n["code"] for n in data.notes]


def test_a_rig_it_cannot_move_gets_the_stand_ins_motion_with_a_note() -> None:
    snake = rigs.chain(12)
    data = asks.run(asks.request(snake, 40, [asks.path([0, 39], [[0, 0], [0, 1]])], model=MODEL_ID), MODEL)
    assert data.rotations_xyzw.shape == (1, 40, len(snake), 4)
    assert data.notes[0]["code"] == "motion_interpolated"
    assert data.report["model"] == "kineograph-interpolate"


def test_a_loop_closes() -> None:
    data = made(91, [line(91)], loop=True)
    first, last = data.rotations_xyzw[0, 0].astype(float), data.rotations_xyzw[0, -1].astype(float)
    assert np.degrees(quat.angle_between_rad(first, last).max()) < 1.0


@pytest.mark.parametrize("prompt", ["a person walks", "a person runs", "walks and turns left"])
def test_a_cycle_that_words_ask_for_goes_on_as_fast_as_it_came(prompt: str) -> None:
    asked = [{"type": "text", "prompt": prompt, "duration_frames": 61}]
    data = made(61, segments=asked, loop=True, seed=1, num_samples=2)
    speeds_m_s = np.diff(data.root_m.astype(float), axis=1) * 30
    jumps = np.linalg.norm(speeds_m_s[:, 0] - speeds_m_s[:, -1], axis=-1)
    assert jumps.max() < 0.4, "it began from a stand, and was stopped again at every turn of the cycle"
    told = data.report["segments"][0]
    assert (told["outcome"], "straight ahead" in told["reason"]) == (
        ("changed", True) if "left" in prompt else ("applied", False)
    )


@pytest.mark.parametrize("way", ["line", "circle"])
def test_a_cycle_comes_round_before_it_is_closed(way: str) -> None:
    at = list(range(0, 121, 10))
    around = [[1.5 - 1.5 * np.cos(f * np.pi / 60), 1.5 * np.sin(f * np.pi / 60)] for f in at]
    points = around if way == "circle" else [[0, f * 1.3 / 30] for f in at]
    request = asks.request(SKELETON, 121, [asks.path(at, points)], model=MODEL_ID, loop=True)
    result = MODEL.generate(request)
    first, last = result.rotations[0, 0].astype(float), result.rotations[0, -1].astype(float)
    assert np.degrees(quat.angle_between_rad(first, last).max()) < 5.0
    assert len(result.rotations[0]) == 121
    assert np.abs(result.root_translations[0, ::10][:, [0, 2]] - points).max() < 0.02


def test_uneven_ground_is_followed() -> None:
    points = [[x, 0.15 * z, z] for x in (-1.0, 0.0, 1.0) for z in np.linspace(-1, 6, 29)]
    data = made(121, [line(), asks.ground(points)])
    assert data.root_m[0, -1, 1] - data.root_m[0, 0, 1] == pytest.approx(0.15 * 5.2, abs=0.12)


def test_a_contact_that_would_pull_a_foot_far_is_cut() -> None:
    frames = 60
    rotations = np.broadcast_to(figure.standing(), (frames, figure.JOINTS, 4)).copy()
    glide = np.stack([np.zeros(frames), np.full(frames, 0.99), np.arange(frames) * 0.04], axis=-1)
    everywhere = np.ones((frames, 4), bool)
    held = planted.contacts(rotations, glide, everywhere, np.ones(frames, bool))["l_toe"]
    assert 0 < held.sum() <= 2 * planted.PULL_M / 0.04 + 1
    still = planted.contacts(rotations, glide * [1, 1, 0], everywhere, np.ones(frames, bool))["l_toe"]
    assert still.all()


def test_a_foot_in_the_air_is_not_dragged_down_to_the_floor() -> None:
    frames = 20
    rotations = np.broadcast_to(figure.standing(), (frames, figure.JOINTS, 4)).copy()
    standing, lifted = (np.tile([0.0, y, 0.0], (frames, 1)) for y in (0.99, 1.07))
    everywhere = np.ones((frames, 4), bool)
    believed = np.ones(frames, bool)
    assert planted.contacts(rotations, standing, everywhere, believed)["l_toe"].all()
    assert not planted.contacts(rotations, lifted, everywhere, believed)["l_toe"].any()
