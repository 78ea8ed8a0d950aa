# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready-made profile of Rigify's rigs against the rig that Rigify itself makes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.blender import scenes

from kineograph.rigs import REQUIRED, profiles


@pytest.fixture
def rig() -> Any:
    return scenes.generated_rigify()


def tree(rig: Any) -> tuple[list[str], list[int]]:
    names = [bone.name for bone in rig.data.bones]
    index = {name: i for i, name in enumerate(names)}
    return names, [-1 if b.parent is None else index[b.parent.name] for b in rig.data.bones]


def test_the_profile_is_found_by_the_rig_and_names_its_limbs(rig: Any) -> None:
    names, parents = tree(rig)
    profile = profiles.profile_of(names, parents)
    assert profile is not None
    assert profile.name.startswith("Rigify human")
    wanted = profiles.read_rig(names, parents)
    assert not wanted.missing()
    assert {profile.roles[r] for r in REQUIRED} == {wanted.matches[r].name for r in REQUIRED}
    # The basic human has no fingers; all else that the profile names is there.
    fingers = ("thumb", "f_index", "f_middle", "f_ring", "f_pinky")
    absent = [f for f in profiles.check(profile, names, names) if f.is_error and not any(n in f.text for n in fingers)]
    assert absent == []


def test_every_limbs_switch_is_a_property_of_its_master(rig: Any) -> None:
    names, parents = tree(rig)
    profile = profiles.profile_of(names, parents)
    assert profile is not None
    assert set(profile.limbs) == {"left_arm", "right_arm", "left_leg", "right_leg"}
    for limb in profile.limbs.values():
        assert limb.switch in rig.pose.bones[limb.master]
        assert all(name in rig.pose.bones for name in (*limb.fk, limb.ik, limb.pole))
