# SPDX-License-Identifier: Apache-2.0
"""Between motion and the model's numbers: nothing is lost on the way, and nothing depends on where a motion is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import base, features, figure, gait
from kineograph_daemon.backbones.starter.base import Ask


def some_motion(frames: int = 40, batch: int = 2, seed: int = 0) -> tuple[Any, Any]:
    """Smooth random motion (B, T, 22, 4), (B, T, 3) that travels and turns."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, frames)[None, :, None, None]
    ends = rng.normal(scale=0.6, size=(2, batch, 1, figure.JOINTS, 3))
    rotations = quat.from_rotvec(ends[0] * (1 - t) + ends[1] * t)
    way = rng.normal(size=(batch, 1, 3)) * t[..., 0] + [0.0, 0.95, 0.0]
    return rotations, way


def keyed(frames: int = 40, at: tuple[int, ...] = (0, 1, 39)) -> tuple[Ask, Any, Any]:
    rotations, root = some_motion(frames)
    key = np.zeros((2, frames), bool)
    key[:, list(at)] = True
    return Ask.keys_only(rotations, root, key), rotations, root


def test_a_residual_brings_the_motion_back() -> None:
    ask, rotations, root = keyed()
    made = base.make(ask)
    back_q, back_p = features.apply(features.residual(rotations, root, made), made)
    assert np.degrees(quat.angle_between_rad(back_q, rotations).max()) < 0.01
    assert np.abs(back_p - root).max() < 1e-4


def test_the_base_is_exact_on_keys_and_straight_between() -> None:
    ask, rotations, root = keyed()
    made = base.make(ask)
    assert np.degrees(quat.angle_between_rad(made.rotations_xyzw[:, [0, 1, 39]], rotations[:, [0, 1, 39]]).max()) < 0.05
    np.testing.assert_allclose(made.root_m[:, 20], root[:, 1] + (root[:, 39] - root[:, 1]) * 19 / 38, atol=1e-5)
    assert made.since[0, 20] == 19
    assert made.until[0, 20] == 19


def test_the_base_goes_on_as_its_keys_move_and_comes_to_the_next_key() -> None:
    t = np.arange(40) / 30.0
    root = np.stack([np.zeros(40), np.full(40, 0.95), 1.2 * t], axis=-1)[None]
    root[:, 39] = root[:, 9]  # what goes forward comes back to where it was
    turned = np.broadcast_to(quat.identity(figure.JOINTS), (1, 40, figure.JOINTS, 4)).copy()
    turned[:, :, 16] = quat.from_axis_angle(np.array([0.0, 0.0, 1.0]), 2.0 * t)
    key = np.zeros((1, 40), bool)
    key[:, [8, 9, 39]] = True
    made = base.make(Ask.keys_only(turned, root, key))
    np.testing.assert_allclose(made.root_m[0, key[0]], root[0, key[0]], atol=1e-6)
    step = np.diff(made.root_m[0, :, 2])
    assert step[9] == pytest.approx(0.04, abs=0.005)
    assert abs(step[-1]) < 0.005
    assert np.abs(np.diff(step[9:])).max() < 0.006
    spun = np.degrees(quat.angle_between_rad(made.rotations_xyzw[0, 9, 16], made.rotations_xyzw[0, 10, 16]))
    assert spun == pytest.approx(np.degrees(2.0 / 30), abs=0.6)


def test_the_base_between_lone_keys_is_plain_interpolation() -> None:
    ask, rotations, root = keyed(at=(0, 20, 39))
    made = base.make(ask)
    np.testing.assert_allclose(made.root_m[:, 10], (root[:, 0] + root[:, 20]) / 2, atol=1e-5)
    middle = quat.slerp(rotations[:, 0], rotations[:, 20], 0.5)
    assert np.degrees(quat.angle_between_rad(made.rotations_xyzw[:, 10], middle).max()) < 0.05


def test_keys_that_jump_are_not_thrown_on() -> None:
    ask, rotations, root = keyed(at=(0, 1, 39))
    root[:, 1] += [30.0, 0.0, 0.0]
    rotations[:, 1] = quat.mul(quat.from_rotvec(np.full(3, 1.7)), rotations[:, 1])
    made = base.make(ask)
    most = base.FASTEST_M * base.CARRY / 4
    assert made.root_m[0, 2:39, 0].max() < root[0, 1, 0] + most
    assert np.isfinite(made.rotations_xyzw).all()


def test_the_base_of_the_mirror_image_is_the_mirror_image() -> None:
    ask, _, _ = keyed()
    there = base.make(ask.mirrored())
    here = base.make(ask)
    rotations, root = figure.mirror(here.rotations_xyzw, here.root_m)
    assert np.degrees(quat.angle_between_rad(there.rotations_xyzw, rotations).max()) < 0.05
    np.testing.assert_allclose(there.root_m, root, atol=1e-5)


def test_inputs_do_not_know_where_a_motion_is_nor_which_way_it_goes() -> None:
    ask, rotations, root = keyed()
    turn = quat.about_y(np.full((2, 40), 1.1))
    moved_q = rotations.copy()
    moved_q[:, :, 0] = quat.mul(turn, rotations[:, :, 0])
    moved = Ask.keys_only(moved_q, quat.rotate(turn, root) + np.array([3.0, 0.0, -2.0]), ask.key)
    here, there = (features.inputs(a, base.make(a)) for a in (ask, moved))
    assert here.shape == (2, 40, features.INPUT)
    np.testing.assert_allclose(here, there, atol=2e-3)


def test_height_is_no_secret_to_the_model() -> None:
    ask, rotations, root = keyed()
    higher = Ask.keys_only(rotations, root + np.array([0.0, 0.3, 0.0]), ask.key)
    here, there = (features.inputs(a, base.make(a)) for a in (ask, higher))
    assert np.abs(here - there).max() > 0.2


def test_the_base_turns_to_the_asked_heading_but_not_on_keys() -> None:
    ask, rotations, _ = keyed(at=(0,))
    faces = np.ones((2, 40), bool)
    asked = Ask(**{**vars(ask), "heading_rad": np.full((2, 40), 2.0, np.float32), "faces": faces})
    made = base.make(asked)
    np.testing.assert_allclose(made.yaw_rad[:, 1:], 2.0, atol=1e-3)
    np.testing.assert_allclose(made.yaw_rad[:, 0], quat.heading_rad(rotations[:, 0, 0]), atol=1e-3)


def test_a_path_carries_the_base() -> None:
    ask, _, root = keyed(at=(0,))
    path = root[..., [0, 2]] + 1.0
    on = np.ones((2, 40), bool)
    made = base.make(Ask(**{**vars(ask), "path_m": path, "on_path": on}))
    np.testing.assert_allclose(made.root_m[:, 1:][..., [0, 2]], path[:, 1:], atol=1e-5)
    np.testing.assert_allclose(made.root_m[:, 0], root[:, 0], atol=1e-5)


def test_a_window_without_a_key_stands_upright() -> None:
    rotations, root = some_motion()
    made = base.make(Ask.keys_only(rotations, root, np.zeros((2, 40), bool)))
    at, _ = kinematics.forward(figure.SKELETON, made.rotations_xyzw[0, 0], made.root_m[0, 0])
    assert at[figure.INDEX["l_wrist"], 1] < at[figure.INDEX["l_shoulder"], 1] - 0.3
    assert at[figure.INDEX["head"], 1] > 1.2


def test_mirrored_twice_is_the_same_and_swaps_sides() -> None:
    rotations, root = some_motion()
    once = figure.mirror(rotations, root)
    again_q, again_p = figure.mirror(*once)
    np.testing.assert_allclose(again_q, rotations)
    np.testing.assert_allclose(again_p, root)
    here, _ = kinematics.forward(figure.SKELETON, rotations, root)
    there, _ = kinematics.forward(figure.SKELETON, *once)
    wrists = [figure.INDEX["l_wrist"], figure.INDEX["r_wrist"]]
    np.testing.assert_allclose(there[..., wrists[0], :], here[..., wrists[1], :] * [-1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("values", [np.zeros(6), np.array([1.0, 0, 0, 1.0, 0, 0])])
def test_six_numbers_without_a_meaning_give_no_nan(values: Any) -> None:
    assert np.isfinite(features.from_six(values)).all()


def test_the_phase_of_a_made_up_walk() -> None:
    t = np.arange(90)
    world = np.zeros((90, figure.JOINTS, 3))
    swing = 0.3 * np.cos(2 * np.pi * t / 30)
    world[:, figure.INDEX["l_ankle"], 2], world[:, figure.INDEX["r_ankle"], 2] = swing, -swing
    phase, walks = gait.phase_of(world, np.zeros(90))
    assert walks.mean() > 0.85
    off = np.angle(np.exp(1j * (phase - 2 * np.pi * t / 30)))
    assert np.abs(off[walks]).max() < 0.35


@pytest.mark.parametrize("frames", [0, 1, 5, 40])
def test_a_body_that_stands_has_no_phase(frames: int) -> None:
    _, walks = gait.phase_of(np.zeros((frames, figure.JOINTS, 3)), np.zeros(frames))
    assert not walks.any()
