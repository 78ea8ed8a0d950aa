# SPDX-License-Identifier: Apache-2.0
"""What a skeleton is made of."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes import rigs

from kineograph.demo import character
from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.solve.body import read_body, rest_floor


def names(skeleton: Skeleton, *joints: int) -> list[str]:
    return [skeleton.names[j] for j in joints]


def test_a_human_has_two_arms_two_legs_and_knees_that_bend_forward() -> None:
    s = rigs.human()
    body = read_body(s)
    limbs = {s.names[limb.end]: names(s, limb.top, limb.hinge) for limb in body.limbs.values()}
    assert limbs == {
        "LeftFoot": ["LeftUpLeg", "LeftLeg"],
        "RightFoot": ["RightUpLeg", "RightLeg"],
        "LeftHand": ["LeftArm", "LeftForeArm"],
        "RightHand": ["RightArm", "RightForeArm"],
    }
    assert names(s, *(f.contact for f in body.feet)) == ["LeftToeBase", "RightToeBase"]
    for limb in body.limbs.values():
        shin = s.rest_positions_m[limb.end] - s.rest_positions_m[limb.hinge]
        bent = quat.rotate(quat.from_axis_angle(limb.bend_axis, 1.0), shin)
        # Bending takes a foot to the back and a hand to the front.
        assert (bent - shin)[2] * (-1 if limb.is_leg else 1) > 0.05


def test_a_quadruped_without_known_names_stands_on_four_legs() -> None:
    s = rigs.quadruped()
    body = read_body(s)
    assert len(body.feet) == 4
    tops = {s.names[f.limb.top] for f in body.feet}
    assert tops == {"LeftFemur", "RightFemur", "LeftHumerus", "RightHumerus"}
    np.testing.assert_allclose(body.front, [0, 0, 1], atol=1e-9)


@pytest.mark.parametrize("skeleton", [rigs.chain(8), rigs.chain(1), rigs.single()])
def test_a_chain_has_no_legs(skeleton: Skeleton) -> None:
    body = read_body(skeleton)
    assert not body.limbs
    assert not body.feet
    assert body.size_m > 0.05


def test_a_turned_character_has_a_turned_front() -> None:
    """The front is where the feet point, whatever the axis."""
    s = character()
    turn = quat.about_y(np.radians(90))
    turned = Skeleton.build(s.names, s.parents, quat.rotate(turn, s.rest_translations_m))
    np.testing.assert_allclose(read_body(turned).front, [1, 0, 0], atol=1e-6)


def test_rest_rotations_do_not_change_what_bends() -> None:
    """The same rest pose told with rotated joint frames gives the same world bend axis."""
    s = rigs.human()
    q = quat.normalize(np.random.default_rng(0).normal(size=(len(s), 4)))
    parents = np.where(s.parents < 0, 0, s.parents)
    above = np.where((s.parents < 0)[:, None], quat.IDENTITY_XYZW, q[parents])
    other = Skeleton.build(
        s.names, s.parents, quat.rotate(quat.conj(above), s.rest_translations_m), quat.mul(quat.conj(above), q)
    )
    np.testing.assert_allclose(other.rest_positions_m, s.rest_positions_m, atol=1e-9)
    for end, limb in read_body(s).limbs.items():
        theirs = read_body(other).limbs[end]
        world = quat.rotate(other.rest_world_rotations_xyzw[theirs.top], theirs.bend_axis)
        np.testing.assert_allclose(world, limb.bend_axis, atol=1e-6)


def test_floor_is_the_origin_unless_the_rig_hangs_elsewhere() -> None:
    assert rest_floor(rigs.human()) == 0.0
    s = rigs.human()
    moved = s.rest_translations_m.copy()
    moved[0, 1] = 0.0
    assert rest_floor(Skeleton.build(s.names, s.parents, moved)) == pytest.approx(-0.95, abs=0.01)
