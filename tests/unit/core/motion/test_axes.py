# SPDX-License-Identifier: Apache-2.0
"""Axes and units: z-up to y-up, turning against rebasing, lengths."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from tests.fakes import rigs
from tests.unit.core.motion.samples import smooth
from tests.unit.core.motion.strategies import clips, rotations, vectors

from kineograph.motion import axes, quat
from kineograph.motion.clip import Clip


@given(vectors())
def test_vectors_go_there_and_back(v: np.ndarray) -> None:
    assert np.array_equal(axes.z_up_from_y_up(axes.y_up_from_z_up(v)), v)
    assert np.allclose(quat.rotate(axes.Y_UP_FROM_Z_UP_XYZW, v), axes.y_up_from_z_up(v))


def test_up_becomes_up_and_forward_becomes_forward() -> None:
    assert axes.y_up_from_z_up(np.array([0, 0, 1.0])).tolist() == [0, 1, 0]
    assert axes.y_up_from_z_up(np.array([0, -1.0, 0])).tolist() == [0, 0, 1]  # a Blender character faces -Y


@given(rotations(), vectors())
def test_rebasing_a_rotation_turns_rebased_vectors(q: np.ndarray, v: np.ndarray) -> None:
    there = axes.y_up_from_z_up(quat.rotate(q, v))
    assert np.allclose(quat.rotate(axes.rebase_y_up_from_z_up(q), axes.y_up_from_z_up(v)), there, atol=1e-9)
    assert np.array_equal(axes.rebase_z_up_from_y_up(axes.rebase_y_up_from_z_up(q)), q)


@given(rotations(), vectors())
def test_turning_keeps_the_joints_own_frame(q: np.ndarray, v: np.ndarray) -> None:
    assert np.allclose(quat.rotate(axes.turn_y_up_from_z_up(q), v), axes.y_up_from_z_up(quat.rotate(q, v)), atol=1e-9)
    assert float(quat.angle_between_rad(axes.turn_z_up_from_y_up(axes.turn_y_up_from_z_up(q)), q)) < 1e-9


def test_the_identity_is_rebased_to_itself_and_turned_by_a_quarter() -> None:
    assert np.array_equal(axes.rebase_y_up_from_z_up(quat.IDENTITY_XYZW), quat.IDENTITY_XYZW)
    turned = axes.turn_y_up_from_z_up(quat.IDENTITY_XYZW)
    assert np.isclose(quat.angle_between_rad(quat.IDENTITY_XYZW, turned), np.pi / 2)


@given(clips())
def test_a_rebased_clip_is_the_same_motion_seen_in_other_axes(clip: Clip) -> None:
    pos, _ = clip.world()
    turned, _ = axes.clip_y_up_from_z_up(clip).world()
    assert np.allclose(turned, axes.y_up_from_z_up(pos), atol=1e-9)


@given(clips())
def test_scaled_clips_scale_every_position(clip: Clip) -> None:
    pos, _ = clip.world()
    larger = axes.scale_clip(clip, 100.0)
    assert np.allclose(larger.world()[0], 100.0 * pos, atol=1e-7)
    assert np.allclose(larger.skeleton.rest_positions_m, 100.0 * clip.skeleton.rest_positions_m)


@given(clips(), rotations(), vectors())
def test_a_turned_clip_moves_as_one(clip: Clip, turn: np.ndarray, move: np.ndarray) -> None:
    pos, _ = clip.world()
    assert np.allclose(axes.turn_clip(clip, turn, move).world()[0], quat.rotate(turn, pos) + move, atol=1e-7)


def test_translations_are_carried_along() -> None:
    clip = smooth(rigs.human(), 4)
    moved = np.tile(clip.skeleton.rest_translations_m * 1.5, (4, 1, 1))
    clip = Clip(clip.skeleton, 30.0, clip.rotations_xyzw, clip.root_m, translations_m=moved)
    pos, _ = clip.world()
    assert np.allclose(axes.scale_clip(clip, 2.0).world()[0], 2.0 * pos)
    assert np.allclose(axes.clip_y_up_from_z_up(clip).world()[0], axes.y_up_from_z_up(pos))
