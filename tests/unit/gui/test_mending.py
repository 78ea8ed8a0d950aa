# SPDX-License-Identifier: Apache-2.0
"""How a rig is read and mended: both sides at once, kept as a profile that is found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kineograph import demo
from kineograph.errors import KineographError
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs.roles import Role
from kineograph_gui.model import mending
from kineograph_gui.model.mending import Mending


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Profiles of this test alone."""
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def rig() -> Skeleton:
    """The demo's character with hands that nobody would know by their names."""
    names = tuple({"LeftHand": "zorg_L", "RightHand": "zorg_R"}.get(n, n) for n in demo.character().names)
    return replace(demo.character(), names=names)


def test_both_sides_are_set_at_once(rig: Skeleton) -> None:
    mend = Mending(rig)
    said = mend.set(Role.LEFT_HAND, "zorg_L")
    assert said == ["left hand: zorg_L", "right hand: zorg_R"]
    assert mend.map.matches[Role.RIGHT_HAND].name == "zorg_R"
    assert not mend.missing
    mend.set(Role.LEFT_HAND, "", both_sides=False)
    assert mend.missing == ["left hand"]
    assert mend.lines[0].role is Role.LEFT_HAND, "what is missing stands first"


def test_a_joint_plays_one_role(rig: Skeleton) -> None:
    mend = Mending(rig)
    mend.set(Role.HEAD, "Neck", both_sides=False)
    assert [r for r, m in mend.map.matches.items() if m.name == "Neck"] == [Role.HEAD]


def test_a_profile_is_found_again_by_the_rig(rig: Skeleton) -> None:
    mend = Mending(rig)
    mend.set(Role.LEFT_HAND, "zorg_L")
    path = mend.save("My rig / 2")
    assert path.name == "My_rig_2.toml"
    again = Mending(rig)
    assert again.map.matches[Role.LEFT_HAND].name == "zorg_L"
    assert "My rig / 2" in again.map.matches[Role.LEFT_HAND].reason


def test_a_broken_profile_keeps_no_rig_from_opening(rig: Skeleton, home: Path) -> None:
    mending.profile_folder().mkdir(parents=True)
    (mending.profile_folder() / "x.toml").write_text("kineograph_profile = 'what'")
    assert Mending(rig).map.matches[Role.HIPS].name == "Hips"


def test_a_profile_that_cannot_be_written_is_told(rig: Skeleton, home: Path) -> None:
    mending.profile_folder().parent.mkdir(parents=True, exist_ok=True)
    mending.profile_folder().write_text("a file where the folder should be")
    with pytest.raises(KineographError, match="cannot be written"):
        Mending(rig).save("x")
