# SPDX-License-Identifier: Apache-2.0
"""Profiles: read and written whole, checked key by key, found by the rig itself, and used."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes import canonical, test_rigs

from kineograph.errors import ErrorCode, KineographError, SceneError
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import Role, profiles, roles_of
from kineograph.rigs.profiles.use import FOLDERS_VARIABLE


def own(skeleton: Skeleton, name: str = "Hero") -> profiles.Profile:
    rig = roles_of(skeleton.names, skeleton.parents.tolist(), skeleton.rest_positions_m)
    return profiles.from_map(name, rig, skeleton.parents.tolist())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(FOLDERS_VARIABLE, raising=False)
    folder = tmp_path / "home" / "data" / "profiles"
    folder.mkdir(parents=True, mode=0o700)
    return folder


@pytest.mark.parametrize("profile", profiles.built_in(), ids=lambda p: p.name)
def test_built_in_profiles_are_sound_and_come_back_from_toml(profile: profiles.Profile) -> None:
    assert not [f for f in profiles.check(profile) if f.is_error]
    assert profiles.loads(profiles.dumps(profile)) == profile
    assert profile.tested or "nobody has tried" in profile.notes, "each says whether it was tested"
    for limb in profile.limbs.values():
        assert len(limb.fk) in (0, 3)


def test_there_is_one_for_each_of_the_four_control_rigs() -> None:
    names = " ".join(p.name for p in profiles.built_in())
    assert all(word in names for word in ("Rigify", "Mixamo", "Auto-Rig Pro", "CloudRig"))


@pytest.mark.parametrize(
    ("names", "pole"),
    [
        (("IK-MSTR-Wrist.L", "IK-MSTR-Foot.L"), "IK-POLE-UpperArm.L"),
        (("IK-Wrist.L", "IK-Foot.L"), "POLE-UpperArm.L"),
    ],
)
def test_cloudrig_is_known_by_its_older_and_its_newer_names(names: tuple[str, ...], pole: str) -> None:
    found = profiles.profile_of(["root", "FK-UpperArm.L", "FK-Thigh.L", *names], [-1, 0, 0, 0, 0])
    assert found is not None
    arm = found.limbs["left_arm"]
    assert (arm.ik, arm.pole) == (names[0], pole)
    assert (arm.master, arm.switch, arm.fk_value) == ("Properties", "ik_left_upperarm", 0.0)


def test_the_fk_controls_of_a_rigify_rig_are_understood_as_a_skeleton() -> None:
    """What the Blender extension sends of a generated rig is read by a profile of its own."""
    rigify = next(p for p in profiles.built_in() if p.name.startswith("Rigify human (gen"))
    names = list(rigify.tree)
    parents = [names.index(up) if up else -1 for up in rigify.tree.values()]
    found = profiles.profile_of(names, parents)
    assert found is not None
    assert found.name == "Rigify human (FK controls)"
    assert {*found.roles.values(), *(n for chain in found.chains.values() for n in chain)} == set(names)
    assert not profiles.read_rig(names, parents).missing()


def test_written_whole_and_read_back(tmp_path: Path) -> None:
    made = replace(own(test_rigs.unreal68()), limits_deg={"calf_l": ((0.0, 150.0), (-5.0, 5.0), (0.0, 0.0))})
    made = replace(made, tree={"a b": "", "c": "a b"}, places={"c": "d"}, hold={"a b": {"IK FK": 1.0}})
    made = replace(made, limbs={"left_leg": profiles.Limb(("a", "b", "c"), "ik", "pole", "master", "IK_FK", 0.0)})
    path = tmp_path / "hero.toml"
    profiles.write(made, path)
    assert profiles.read(path) == made
    assert list(tmp_path.iterdir()) == [path], "nothing half-written is left"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "kineograph_profile"),
        ("not = [toml", "is no TOML"),
        ('kineograph_profile = 1\nname = ""', "needs a name"),
        ('kineograph_profile = 1\nname = "x"\n[roles]\nleft_hnd = "a"', "is 'left_hand' meant?"),
        ('kineograph_profile = 1\nname = "x"\n[root]\npolicy = "fly"', "root.policy"),
        ('kineograph_profile = 1\nname = "x"\n[limbs.left_leg]\nfk_value = nan', "must be a number"),
        ('kineograph_profile = 1\nname = "x"\n[limits_deg]\na = [[3, 1], [0, 0], [0, 0]]', "lesser angle"),
        ('kineograph_profile = 1\nname = "x"\nroles = 4', "must be a table"),
        ('kineograph_profile = 1\nname = "x"\n[tree]\na = ""\nb = ""', "must have one root"),
        ('kineograph_profile = 1\nname = "x"\n[tree]\na = ""\nb = "c"\nc = "b"', "leads to no root"),
        ('kineograph_profile = 1\nname = "x"\n[tree]\na = ""\nb = "d"', "leads to no root"),
        ('kineograph_profile = 1\nname = "x"\n[hold]\na = 1', "must be a table"),
        ('kineograph_profile = 1\nname = "x"\n[hold.a]\nIK_FK = "on"', "must be a number"),
        ('kineograph_profile = 2\nname = "x"', "must be 1"),
    ],
)
def test_a_slip_of_the_pen_is_named(text: str, said: str) -> None:
    with pytest.raises(SceneError) as caught:
        profiles.loads(text, "rigs/hero.toml")
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
    assert said in caught.value.message
    assert "hero.toml" in caught.value.message


def test_files_that_are_not_there_too_large_or_binary(tmp_path: Path) -> None:
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("none.toml", "large.toml", "binary.toml"):
        with pytest.raises(SceneError, match=name):
            profiles.read(tmp_path / name)


def test_check_names_joints_that_the_rig_has_not() -> None:
    skeleton = test_rigs.mixamo65()
    bad = replace(own(skeleton), roles={**own(skeleton).roles, Role.LEFT_HAND: "mixamorig:LefHand"})
    found = profiles.check(bad, skeleton.names)
    assert [f.where for f in found if f.is_error] == ["roles.left_hand"]
    assert found[0].names[0] == "mixamorig:LeftHand"
    assert not profiles.check(own(skeleton), skeleton.names)


def test_diff_says_what_changed() -> None:
    a = own(test_rigs.mixamo65())
    b = replace(a, root_policy="object", roles={**a.roles, Role.HEAD: "Skull"})
    assert profiles.diff(a, a) == []
    assert profiles.diff(a, b) == ["roles.head: mixamorig:Head -> Skull", "root_policy: hips -> object"]


def test_a_profile_is_found_by_the_rig_whatever_its_namespace_or_order(home: Path) -> None:
    skeleton = test_rigs.mixamo65()
    profiles.write(own(skeleton), home / "hero.toml")
    renamed = [n.replace("mixamorig:", "hero:") for n in skeleton.names]
    found = profiles.profile_of(renamed, skeleton.parents.tolist())
    assert found is not None
    assert found.name == "Hero"
    assert profiles.profile_of(renamed[:-1], skeleton.parents.tolist()[:-1]) is None


def test_what_a_profile_says_wins_everywhere_and_at_once(home: Path) -> None:
    """The map, the daemon's retargeting and the solve's limbs all follow an edited profile without a restart."""
    from kineograph_daemon.retarget import known
    from kineograph_daemon.solve.body import read_body

    skeleton = test_rigs.mixamo65()
    names = tuple(f"b{i:02d}" for i in range(len(skeleton)))
    nameless = replace(skeleton, names=names)
    parents = skeleton.parents.tolist()
    assert Role.LEFT_FOOT not in known.rig_map(nameless).matches or known.rig_map(nameless).confidence < 0.5
    roles = {r: names[skeleton.index[n]] for r, n in own(skeleton).roles.items()}
    said = replace(profiles.from_map("Hero", roles_of(names, parents), parents), roles=roles, chains={})
    profiles.write(said, home / "hero.toml")
    rig = known.rig_map(nameless)
    assert rig.confidence == 1.0
    assert "profile" in rig.matches[Role.LEFT_FOOT].reason
    assert {names[skeleton.index["mixamorig:LeftFoot"]]} <= {names[j] for j in read_body(nameless).limbs}
    os.remove(home / "hero.toml")
    assert known.rig_map(nameless).confidence < 0.5


def test_one_bad_file_does_not_stop_the_others(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "broken.toml").write_text("kineograph_profile = 1\n[")
    (home / "studio.toml").write_text('in = "mocap"  # rules of a watcher, kept beside the rig')
    project = tmp_path / "project"
    project.mkdir()
    skeleton = test_rigs.vrm55()
    profiles.write(own(skeleton, "Shared"), project / "x.toml")
    profiles.write(own(skeleton, "Mine"), home / "y.toml")
    assert profiles.profile_of(skeleton.names, skeleton.parents.tolist()).name == "Mine"  # type: ignore[union-attr]
    assert [("broken.toml" in said, "studio.toml" in said) for said in caplog.messages] == [(True, False)]
    monkeypatch.setenv(FOLDERS_VARIABLE, str(project))
    assert profiles.profile_of(skeleton.names, skeleton.parents.tolist()).name == "Shared"  # type: ignore[union-attr]


def test_a_rig_without_all_of_a_profiles_joints_is_still_read(home: Path) -> None:
    """A built-in profile names fingers; a rig of the family that has none is no error."""
    skeleton = canonical.metarig()
    full = own(skeleton)
    profiles.write(replace(full, match=profiles.Match(has=("spine", "thigh.L")), name="Loose"), home / "a.toml")
    pick = [i for i, n in enumerate(skeleton.names) if not n.startswith(("f_", "thumb"))]
    names = [skeleton.names[i] for i in pick]
    parents = [-1 if skeleton.parents[i] < 0 else pick.index(int(skeleton.parents[i])) for i in pick]
    rig = profiles.read_rig(names, parents)
    assert rig.get(Role.LEFT_INDEX_1) is None
    assert not rig.missing()
    with pytest.raises(SceneError) as caught:
        profiles.to_map(full, names, parents)
    assert caught.value.code is ErrorCode.MAP_INCOMPLETE


def test_another_name_is_kept_in_the_rigs_own_profile(home: Path) -> None:
    rig = test_rigs.unreal68()
    names, parents = rig.names, rig.parents.tolist()
    assert profiles.aliases_of(names, parents) == {}
    path = profiles.remember_alias(names, parents, "LefHand", "hand_l", "Hero")
    assert path.parent == home
    assert profiles.aliases_of(names, parents) == {"LefHand": "hand_l"}
    assert profiles.remember_alias(names, parents, "RigthHand", "hand_r") == path
    assert profiles.aliases_of(names, parents) == {"LefHand": "hand_l", "RigthHand": "hand_r"}
    assert profiles.read(path).name == "Hero"
    assert len(list(home.iterdir())) == 1
    # Names that the rig has mean themselves, and joints that it has not mean nothing.
    assert profiles.aliases_of([*names, "LefHand"], [*parents, 0]) == {}
    with pytest.raises(KineographError) as caught:
        profiles.remember_alias(names, parents, "x", "hand_x")
    assert caught.value.code is ErrorCode.UNKNOWN_JOINT
    found = profiles.check(replace(profiles.read(path), aliases={"a": "hand_x"}), names)
    assert any("hand_x" in f.text for f in found)


def test_what_another_profile_says_is_kept_when_a_name_is_added(home: Path) -> None:
    rig = test_rigs.unreal68()
    names, parents = rig.names, rig.parents.tolist()
    made = replace(own(rig), limits_deg={"calf_l": ((0.0, 150.0), (-5.0, 5.0), (0.0, 0.0))})
    profiles.write(made, home / "hero.toml")
    assert profiles.remember_alias(names, parents, "LefHand", "hand_l") == home / "hero.toml"
    assert profiles.read(home / "hero.toml") == replace(made, aliases={"LefHand": "hand_l"})


def test_a_place_that_cannot_be_written_is_told(home: Path) -> None:
    rig = test_rigs.unreal68()
    (home / f"{profiles.signature(rig.names, rig.parents.tolist())}.toml").mkdir()
    with pytest.raises(KineographError) as caught:
        profiles.remember_alias(rig.names, rig.parents.tolist(), "LefHand", "hand_l")
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
