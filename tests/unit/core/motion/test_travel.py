# SPDX-License-Identifier: Apache-2.0
"""Travel and body: exact to join, smooth to look at, sane where a heading does not exist."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from tests.fakes import rigs
from tests.unit.core.motion.samples import smooth
from tests.unit.core.motion.strategies import clips

from kineograph.motion import quat, travel
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton


@given(clips())
def test_joining_gives_the_clip_again(clip: Clip) -> None:
    way, body = travel.split(clip)
    again = travel.join(way, body)
    assert np.abs(again.world()[0] - clip.world()[0]).max() < 1e-6
    assert quat.angle_between_rad(again.rotations_xyzw, clip.rotations_xyzw).max() < 1e-6


def walk(turns: float = 0.0, frames: int = 120) -> Clip:
    """A straight or turning walk with a sway of 3 cm and 0.15 rad twice a second."""
    skeleton, t = rigs.human(), np.arange(frames) / 30.0
    yaw = turns * t
    sway = np.sin(2 * np.pi * 2.0 * t)
    rotations = np.tile(quat.IDENTITY_XYZW, (frames, len(skeleton), 1))
    rotations[:, 0] = quat.about_y(yaw + 0.15 * sway)
    ahead = np.stack([np.sin(yaw), np.cos(yaw)], -1)
    path = np.cumsum(ahead, axis=0) / 30.0
    root = np.stack([path[:, 0] + 0.03 * sway, 0.95 + 0 * t, path[:, 1]], axis=-1)
    return Clip(skeleton, 30.0, rotations, root)


def test_a_straight_walk_travels_straight() -> None:
    way, body = travel.split(walk())
    assert np.abs(way.path_m[:, 0]).max() < 0.015
    assert np.abs(np.diff(way.path_m[:, 1]) - 1 / 30).max() < 1e-9
    assert np.abs(way.yaw_rad).max() < 0.075
    assert np.abs(body.root_m[:, 2]).max() < 0.02
    assert np.allclose(body.root_m[:, 1], 0.95)


def test_full_turns_do_not_wrap() -> None:
    way, body = travel.split(walk(turns=3.0))
    assert way.yaw_rad[-1] - way.yaw_rad[0] == pytest.approx(3.0 * 119 / 30, abs=0.2)
    assert np.abs(np.diff(way.yaw_rad)).max() < 0.3
    assert np.abs(quat.heading_rad(body.rotations_xyzw[:, 0])).max() < 0.5


def test_a_turn_on_the_way_turns_the_body_with_it() -> None:
    clip = walk()
    way, body = travel.split(clip)
    corner = travel.Travel(way.path_m[:, ::-1] * [1, -1], way.yaw_rad + np.pi / 2)  # +Z to +X, +X to -Z
    turned = travel.join(corner, body)
    expected = quat.rotate(quat.about_y(np.pi / 2), clip.world()[0])
    assert np.abs(turned.world()[0] - expected).max() < 1e-9


def test_a_somersault_has_a_steady_heading() -> None:
    """Half way over, the root's turn is a pure half-turn swing: no heading at all there."""
    clip = walk()
    spin = quat.from_rotvec(np.linspace(0, 2 * np.pi, 121)[:120, None] * np.array([1.0, 0, 0]))
    rotations = clip.rotations_xyzw.copy()
    rotations[:, 0] = spin
    way, _ = travel.split(Clip(clip.skeleton, 30.0, rotations, clip.root_m))
    assert np.isfinite(way.yaw_rad).all()
    assert np.abs(np.diff(way.yaw_rad)).max() < 0.2


def test_no_heading_at_all_is_zero() -> None:
    clip = walk(frames=10)
    rotations = clip.rotations_xyzw.copy()
    rotations[:, 0] = [1.0, 0, 0, 0]
    way, _ = travel.split(Clip(clip.skeleton, 30.0, rotations, clip.root_m))
    assert np.array_equal(way.yaw_rad, np.zeros(10))


def test_without_smoothing_the_body_stands_on_the_origin() -> None:
    clip = smooth(rigs.human(), 40)
    way, body = travel.split(clip, smooth_s=0.0)
    assert np.allclose(way.path_m, clip.root_m[:, [0, 2]])
    assert np.allclose(body.root_m[:, [0, 2]], 0.0, atol=1e-12)
    assert np.allclose(quat.heading_rad(body.rotations_xyzw[:, 0]), 0.0, atol=1e-9)


def test_a_travel_of_another_length_is_refused() -> None:
    way, body = travel.split(walk())
    with pytest.raises(ValueError, match="does not fit"):
        travel.join(way, body.slice(0, 50))


def laid(rig: Skeleton) -> Skeleton:
    """The same rig with a root that is turned at rest, as of tools whose up is Z."""
    rest = rig.rest_rotations_xyzw.copy()
    rest[0] = quat.from_axis_angle(np.array([1.0, 0.0, 0.0]), -np.pi / 2)
    return Skeleton.build(rig.names, rig.parents, rig.rest_translations_m, rest)


@pytest.mark.parametrize("rig", [rigs.quadruped(), rigs.single(), rigs.chain(4), laid(rigs.human())])
@pytest.mark.parametrize("frames", [0, 1, 2, 90])
def test_any_body_that_turns_on_the_spot_keeps_its_place_and_loses_its_turn(rig: Skeleton, frames: int) -> None:
    rotations = np.tile(rig.rest_rotations_xyzw, (frames, 1, 1))
    yaw = 0.15 * np.arange(frames)
    rotations[:, rig.root] = quat.mul(quat.about_y(yaw), rotations[:, rig.root])
    place = np.tile([2.0, 0.7, -3.0], (frames, 1))
    clip = Clip(rig, 30.0, rotations, place)
    way, body = travel.split(clip)
    np.testing.assert_allclose(way.path_m, place[:, [0, 2]], atol=1e-9)
    np.testing.assert_allclose(way.yaw_rad, yaw, atol=1e-6)
    np.testing.assert_allclose(body.rotations_xyzw, np.tile(rig.rest_rotations_xyzw, (frames, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(body.root_m, place * [0, 1, 0], atol=1e-9)
    again = travel.join(way, body)
    np.testing.assert_allclose(again.root_m, clip.root_m, atol=1e-12)
    np.testing.assert_allclose(again.rotations_xyzw, clip.rotations_xyzw, atol=1e-12)


def test_a_path_or_a_yaw_of_another_length_is_refused_each() -> None:
    way, body = travel.split(walk())
    for wrong in (travel.Travel(way.path_m[:50], way.yaw_rad), travel.Travel(way.path_m, way.yaw_rad[:50])):
        with pytest.raises(ValueError, match="does not fit"):
            travel.join(wrong, body)
