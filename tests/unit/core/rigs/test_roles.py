# SPDX-License-Identifier: Apache-2.0
"""Roles from names, tree and positions."""

from __future__ import annotations

import numpy as np
import pytest

from kineograph.rigs import REQUIRED, Group, Role, Side, recognise, roles_of
from kineograph.rigs.book import load

MIDDLE = ["Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"]
LIMBS = ["Shoulder", "Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase"]
MIXAMO = [*MIDDLE, *(f"{side}{part}" for side in ("Left", "Right") for part in LIMBS)]


def chosen(names: list[str], *roles: Role) -> list[str | None]:
    rig = roles_of(names)
    return [None if (joint := rig.get(role)) is None else names[joint] for role in roles]


def test_every_role_has_a_mirror_of_its_own_part() -> None:
    for role in Role:
        assert role.mirror.mirror is role
        assert role.mirror.part == role.part
        assert (role.mirror is role) == (role.side is Side.MIDDLE)


def test_every_group_is_used() -> None:
    assert {role.group for role in Role} == set(Group)


def test_a_namespace_does_not_hide_a_convention() -> None:
    rig = roles_of([f"hero:{n}" for n in MIXAMO])
    assert not rig.missing()
    assert rig.confidence == 1.0
    assert rig.matches[Role.LEFT_CALF].name == "hero:LeftLeg"


def test_leg_is_the_calf_below_an_upper_leg_and_the_thigh_above_a_shin() -> None:
    assert chosen(["LeftUpLeg", "LeftLeg"], Role.LEFT_THIGH, Role.LEFT_CALF) == ["LeftUpLeg", "LeftLeg"]
    assert chosen(["LeftLeg", "LeftShin"], Role.LEFT_THIGH, Role.LEFT_CALF) == ["LeftLeg", "LeftShin"]


def test_shoulder_is_a_collar_bone_beside_an_arm_and_an_upper_arm_beside_an_elbow() -> None:
    assert chosen(["Shoulder_L", "Arm_L"], Role.LEFT_CLAVICLE, Role.LEFT_UPPER_ARM) == ["Shoulder_L", "Arm_L"]
    names = ["Clavicle_L", "Shoulder_L", "Elbow_L"]
    assert chosen(names, Role.LEFT_CLAVICLE, Role.LEFT_UPPER_ARM, Role.LEFT_FOREARM) == names


def test_a_numbered_spine_without_hips_and_head_has_both_in_it() -> None:
    spine = ["spine", *(f"spine.00{i}" for i in range(1, 7))]
    rig = roles_of([*spine, "thigh.L", "thigh.R", "upper_arm.L", "upper_arm.R"])
    assert (rig[Role.HIPS], rig[Role.HEAD]) == (0, 6)
    assert [spine[i] for i in rig.chains[Role.SPINE]] == spine[1:4]
    assert [spine[i] for i in rig.chains[Role.NECK]] == spine[4:6]


def test_control_twist_and_end_bones_play_no_main_part() -> None:
    names = ["ik_hand_l", "hand_l", "thigh_twist_01_l", "thigh_l", "LeftToe_End", "LeftToe"]
    assert chosen(names, Role.LEFT_HAND, Role.LEFT_THIGH) == ["hand_l", "thigh_l"]
    rig = roles_of(names)
    assert names[rig[Role.LEFT_THIGH_TWIST]] == "thigh_twist_01_l"
    assert names[rig[Role.LEFT_TOE_END]] == "LeftToe_End"


def test_numbered_segments_of_a_limb_are_its_twist() -> None:
    names = ["DEF-upper_arm.L", "DEF-upper_arm.L.001", "DEF-upper_arm.L.002"]
    rig = roles_of(names)
    assert rig[Role.LEFT_UPPER_ARM] == 0
    assert rig.chains[Role.LEFT_UPPER_ARM_TWIST] == (1, 2)


def test_fingers_are_counted_from_the_palm() -> None:
    tips = [f"LeftHandIndex{i}" for i in (1, 2, 3, 4)]
    assert chosen(tips, Role.LEFT_INDEX_1, Role.LEFT_INDEX_3) == ["LeftHandIndex1", "LeftHandIndex3"]
    with_palm = [*tips, "LeftHandIndexEnd"]
    assert chosen(with_palm, Role.LEFT_INDEX_1, Role.LEFT_INDEX_3) == ["LeftHandIndex2", "LeftHandIndex4"]
    max_style = ["Bip001 L Finger0", "Bip001 L Finger01", "Bip001 L Finger02", "Bip001 L Finger1", "Bip001 L Finger11"]
    assert chosen(max_style, Role.LEFT_THUMB_1, Role.LEFT_INDEX_2) == ["Bip001 L Finger0", "Bip001 L Finger11"]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("CC_Base_L_Upperarm", Role.LEFT_UPPER_ARM),
        ("CC_Base_R_Calf", Role.RIGHT_CALF),
        ("Bip01 R Thigh", Role.RIGHT_THIGH),
        ("lfemur", Role.LEFT_THIGH),
        ("rShin", Role.RIGHT_CALF),
        ("左ひじ", Role.LEFT_FOREARM),
        ("LowerArm_R", Role.RIGHT_FOREARM),
    ],
)
def test_one_name_alone(name: str, role: Role) -> None:
    assert chosen([name], role) == [name]


@pytest.mark.parametrize("number", ["\u00b2", "\u0663", "9" * 5000, "\u2460"])
def test_a_name_with_another_scripts_digits_is_a_name(number: str) -> None:
    names = [f"{name}{number}" if name == "Spine1" else name for name in MIXAMO]
    rig = roles_of([*names, f"LeftFinger{number}", f"LeftFinger_{number}"])
    assert rig.get(Role.LEFT_HAND) == names.index("LeftHand")


def test_a_quadrupeds_front_legs_stand_for_arms_and_say_so() -> None:
    names = ["spine", "thigh.L", "shin.L", "foot.L", "front_thigh.L", "front_shin.L", "front_foot.L"]
    rig = roles_of(names)
    assert names[rig[Role.LEFT_THIGH]] == "thigh.L"
    front = rig.matches[Role.LEFT_UPPER_ARM]
    assert front.name == "front_thigh.L"
    assert front.confidence < 0.7
    assert "front leg" in front.reason


def test_the_tree_gives_hips_and_spine() -> None:
    names = ["a", "b", "c", "LeftUpLeg", "RightUpLeg", "LeftArm", "RightArm", "Neck", "Head"]
    parents = [-1, 0, 1, 0, 0, 2, 2, 2, 7]
    rig = roles_of(names, parents)
    assert rig[Role.HIPS] == 0
    assert rig.matches[Role.HIPS].confidence < 0.95
    assert rig.chains[Role.SPINE] == (1, 2)
    assert rig.chains[Role.NECK] == (7,)


def test_a_joint_between_two_known_ones_is_found_by_the_tree() -> None:
    rig = roles_of(["LeftThigh", "mystery", "LeftFoot"], [-1, 0, 1])
    assert rig[Role.LEFT_CALF] == 1
    assert rig.matches[Role.LEFT_CALF].reason == "it stands between its neighbours"


def test_positions_are_the_last_resort_and_not_sure() -> None:
    """A stick figure with names that say nothing."""
    joints = {
        "j0": (-1, 0, 1.0, 0), "j1": (0, 0, 1.3, 0), "j2": (1, 0, 1.5, 0), "j3": (2, 0, 1.7, 0),
        "a0": (2, 0.2, 1.5, 0), "a1": (4, 0.45, 1.5, 0), "a2": (5, 0.7, 1.5, 0),
        "b0": (2, -0.2, 1.5, 0), "b1": (7, -0.45, 1.5, 0), "b2": (8, -0.7, 1.5, 0),
        "c0": (0, 0.1, 0.9, 0), "c1": (10, 0.1, 0.5, 0), "c2": (11, 0.1, 0.05, 0),
        "d0": (0, -0.1, 0.9, 0), "d1": (13, -0.1, 0.5, 0), "d2": (14, -0.1, 0.05, 0),
    }  # fmt: skip
    table = list(joints.values())
    rig = roles_of(list(joints), [row[0] for row in table], np.array([row[1:] for row in table], float))
    assert rig.matches[Role.LEFT_CALF].name == "c1"
    assert rig.matches[Role.RIGHT_HAND].name == "b2"
    assert rig.matches[Role.RIGHT_HAND].confidence < 0.5


def test_an_unknown_rig_is_missing_everything_and_raises_nothing() -> None:
    rig = roles_of(["x1", "", "::", "😀", "x1"])
    assert rig.missing() == list(REQUIRED)
    assert rig.confidence == 0.0
    assert roles_of([]).matches == {}


def test_recognise_names_the_closest_convention() -> None:
    convention, share = recognise(MIXAMO[:-2])
    assert convention is not None
    assert convention.label in ("Mixamo", "LAFAN1", "Ready Player Me")
    assert 0.8 < share < 1.0


def test_a_book_without_a_convention_has_forgotten_it() -> None:
    book = load().without("mixamo", ["upleg"])
    assert "mixamo" not in {c.id for c in book.conventions}
    assert "upleg" not in book.symbol_of
    assert "mixamo" in {c.id for c in load().conventions}
