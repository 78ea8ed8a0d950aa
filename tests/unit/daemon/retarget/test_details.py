# SPDX-License-Identifier: Apache-2.0
"""Hands that hold on, twist bones, raised floors, maps that a person made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, test_rigs
from tests.fakes.asks import key, request, run, target

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.rest import align
from kineograph.rigs import Role, profiles, roles_of
from kineograph_daemon.retarget import Options, retarget, retarget_with_report

X = np.array([1.0, 0.0, 0.0])


def still(skeleton: Any, frames: int) -> Clip:
    rotations = np.broadcast_to(skeleton.rest_rotations_xyzw, (frames, len(skeleton), 4)).copy()
    root = np.broadcast_to(skeleton.rest_positions_m[skeleton.root], (frames, 3)).copy()
    return Clip(skeleton, 30.0, rotations, root)


def swaying_at_a_rail() -> Clip:
    """A body that sways on its feet while the left hand stays on a rail."""
    rig = align(test_rigs.mixamo65())
    hand = "mixamorig:LeftHand"
    frames = list(range(0, 90, 3))
    constraints = [
        key(rig, f, {"mixamorig:Spine": asks.about_z(8 * np.sin(f / 9))}, [0.03 * np.sin(f / 9), 1.0, 0], full=False)
        for f in range(0, 90, 9)
    ]
    constraints.append(target(hand, frames, [[0.5, 1.1, 0.25]] * len(frames)))
    asked = request(rig, 90, constraints)
    out = run(asked)
    return Clip(rig, 30.0, out.rotations_xyzw[0], out.root_m[0])


def test_a_hand_that_holds_on_goes_on_holding() -> None:
    clip, rig = swaying_at_a_rail(), test_rigs.vrm55()
    hand = rig.index["leftHand"]
    slides = []
    for hands in (False, True):
        out = retarget(clip, None, rig, options=Options(hands=hands))
        at = out.clip.world()[0][30:57, hand]
        slides.append(float(np.linalg.norm(np.diff(at, axis=0), axis=1).mean() * 30 * 100))
        held = [c for c in out.contacts if c.leg.is_arm and c.leg.side == "left"]
        assert bool(held and held[0].on[30:57].all()) == hands
    assert slides[1] < 0.5 < slides[0]


def test_twist_bones_share_the_wrists_turn_without_flips() -> None:
    """A wrist that turns on and on past half a turn: the twist bone takes half of it, steadily."""
    source, target_rig = test_rigs.mixamo65(), test_rigs.unreal68()
    clip = still(source, 61)
    hand = source.index["mixamorig:LeftHand"]
    along = source.rest_translations_m[hand] / np.linalg.norm(source.rest_translations_m[hand])
    angle = np.radians(np.linspace(0, 240, 61))
    clip.rotations_xyzw[:, hand] = quat.mul(quat.from_axis_angle(along, angle), source.rest_rotations_xyzw[hand])
    out = retarget(clip, None, target_rig, options=Options(feet=False)).clip
    twist, rest = target_rig.index["lowerarm_twist_01_l"], target_rig.rest_rotations_xyzw
    turned = quat.mul(out.rotations_xyzw[:, twist].astype(float), quat.conj(rest[twist]))
    steps = np.degrees(quat.angle_between_rad(turned[1:], turned[:-1]))
    assert steps.max() < 6.0, "no flip where the wrist passes half a turn"
    total = np.degrees(quat.angle_between_rad(turned[0], turned[-1]))
    assert total == pytest.approx(120.0, abs=12.0)


@pytest.mark.parametrize("floor_m", [0.0, 1.25, -0.4])
def test_it_stands_on_the_floor_that_was_asked_for(floor_m: float) -> None:
    rig = test_rigs.vrm55()
    out = retarget(still(test_rigs.cmu31(), 20), None, rig, options=Options(floor_m=floor_m)).clip
    at, _ = out.world()
    toe = rig.index["leftToes"]
    assert at[:, toe, 1].mean() - rig.rest_positions_m[toe, 1] == pytest.approx(floor_m, abs=0.01)


def test_a_persons_map_wins_over_names() -> None:
    """A joint that lies about its name: the profile says which is the hand."""
    rig = test_rigs.mixamo65()
    swap = {"mixamorig:LeftHand": "mixamorig:LeftFoot", "mixamorig:LeftFoot": "mixamorig:LeftHand"}
    liar = replace(rig, names=tuple(swap.get(n, n) for n in rig.names))
    parents = rig.parents.tolist()
    honest = profiles.from_map("honest", roles_of(rig.names, parents, rig.rest_positions_m), parents)
    roles = {r: swap.get(n, n) for r, n in honest.roles.items()}
    said = profiles.to_map(replace(honest, roles=roles), liar.names, parents, liar.rest_positions_m)
    _, report = retarget_with_report(still(test_rigs.cmu31(), 5), None, liar, said)
    rows = {row["role"]: row for row in report.mapping}
    assert rows[str(Role.LEFT_HAND)]["target"] == "mixamorig:LeftFoot"
    assert rows[str(Role.LEFT_HAND)]["source"] == "LeftHand"
    assert "profile" in rows[str(Role.LEFT_HAND)]["reason"]
