# SPDX-License-Identifier: Apache-2.0
"""The rig doctor names what is wrong, and says what to do."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import rigs, test_rigs

from kineograph.motion import axes
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import roles_of
from kineograph.rigs.doctor import Finding, Level, examine_body, examine_structure, outline, stance, worst
from kineograph.rigs.doctor.outline import Outline, of_rows


def body(skeleton: Skeleton, unit: float = 1.0) -> dict[str, Finding]:
    rig = roles_of(skeleton.names, skeleton.parents.tolist(), skeleton.rest_positions_m)
    return {f.what: f for f in examine_body(skeleton, rig, unit)}


def structure(names: list[str], parents: list[tuple[int, ...]]) -> dict[str, Finding]:
    return {f.what: f for f in examine_structure(Outline(tuple(names), tuple(parents)))}


@pytest.mark.parametrize("name", test_rigs.RIGS)
def test_good_rigs_are_fine(name: str) -> None:
    skeleton = test_rigs.RIGS[name]()
    findings = [*examine_structure(of_rows(skeleton.names, skeleton.parents.tolist())), *body(skeleton).values()]
    assert worst(findings) is Level.FINE, [f for f in findings if f.level is not Level.FINE]
    assert not any(f.fix for f in findings)


def test_two_roots_are_named_and_the_larger_tree_is_offered() -> None:
    found = structure(["IK_foot", "root", "hips", "head"], [(), (), (1,), (2,)])["roots"]
    assert found.level is Level.PROBLEM
    assert "'IK_foot', 'root'" in found.found
    assert "'root'" in found.fix


def test_a_circle_and_no_root() -> None:
    found = structure(["a", "b", "c"], [(2,), (0,), (1,)])
    assert found["roots"].level is Level.PROBLEM
    assert set(found["circles"].joints) == {"a", "b", "c"}
    assert "Clear the parent" in found["circles"].fix


def test_doubles_and_two_parents() -> None:
    found = structure(["a", "b", "b"], [(), (0,), (0, 1)])
    assert found["names"].joints == ("b",)
    assert found["parents"].joints == ("b",)


def test_nothing_and_very_deep() -> None:
    assert structure([], [])["joints"].level is Level.PROBLEM
    many = [f"j{i}" for i in range(3000)]
    assert structure(many, [(), *((i,) for i in range(2999))])["depth"].level is Level.WARNING


@pytest.mark.parametrize(("factor", "said"), [(100.0, "centimetres"), (39.37, "inches"), (0.01, "metres as cm")])
def test_a_wrong_unit_is_guessed(factor: float, said: str) -> None:
    found = body(axes.scale_skeleton(test_rigs.mixamo65(), factor))["size"]
    assert found.level is Level.WARNING
    assert said in found.fix


def test_lying_along_z_and_facing_away() -> None:
    skeleton = test_rigs.vrm55()
    turned = replace(skeleton, rest_translations_m=axes.z_up_from_y_up(skeleton.rest_translations_m))
    assert "along z" in body(turned)["axes"].found
    away = replace(skeleton, rest_translations_m=skeleton.rest_translations_m * (-1, 1, -1))
    assert "facing -z" in body(away)["axes"].found


def test_a_rest_pose_in_which_nobody_stands() -> None:
    skeleton = test_rigs.vrm55()
    lengths = np.linalg.norm(skeleton.rest_translations_m, axis=1)
    folded = skeleton.rest_translations_m.copy()
    for j, name in enumerate(skeleton.names):
        if any(part in name for part in ("Arm", "Leg", "Hand", "Foot")) and not name.endswith(("UpperArm", "UpperLeg")):
            folded[j] = (0.0, lengths[j], 0.0)
    found = body(replace(skeleton, rest_translations_m=folded))["rest pose"]
    assert found.level is not Level.FINE
    assert "T or an A" in found.fix


def test_a_limb_that_is_no_chain_a_bone_without_length_and_uneven_legs() -> None:
    skeleton = test_rigs.mixamo65()
    calf, foot = (skeleton.index[f"mixamorig:Left{n}"] for n in ("Leg", "Foot"))
    parents = skeleton.parents.copy()
    parents[foot] = 0
    assert "left leg is not one chain" in body(replace(skeleton, parents=parents))["limbs"].found
    short = skeleton.rest_translations_m.copy()
    short[foot] = 0.0
    assert "no length" in body(replace(skeleton, rest_translations_m=short))["limbs"].found
    uneven = skeleton.rest_translations_m.copy()
    uneven[calf] *= 1.4
    assert "legs differ" in body(replace(skeleton, rest_translations_m=uneven))["limbs"].found


def test_missing_roles_are_named_with_what_may_be_meant() -> None:
    skeleton = test_rigs.mixamo65()
    names = tuple("mixamorig:Lump" if n == "mixamorig:LeftFoot" else n for n in skeleton.names)
    found = body(replace(skeleton, names=names))
    assert "left_foot" not in str(found["roles"].found) or found["roles"].level is Level.PROBLEM
    chain = body(rigs.chain())["roles"]
    assert chain.level is Level.WARNING
    assert "no person" in chain.fix


def test_stance_tells_a_from_t() -> None:
    for make, pose in ((test_rigs.mixamo65, "t"), (test_rigs.unreal68, "a")):
        skeleton = make()
        found = stance(roles_of(skeleton.names, skeleton.parents.tolist()), skeleton.rest_positions_m)
        assert found is not None
        assert (found.up, found.front, found.pose) == ("y", "z", pose)
        assert found.score > 0.9


def glb(path: Path, document: dict[str, Any]) -> Path:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 20 + len(text)) + struct.pack("<I4s", len(text), b"JSON") + text)
    return path


def test_outlines_of_files_that_no_reader_takes(tmp_path: Path) -> None:
    nodes = [{"name": "a", "children": [1]}, {"name": "b", "children": [2]}, {"name": "c", "children": [1]}]
    found = outline(glb(tmp_path / "circle.glb", {"asset": {"version": "2.0"}, "nodes": nodes}))
    assert found == Outline(("a", "b", "c"), ((), (0, 2), (1,)))
    two = tmp_path / "two.bvh"
    two.write_text("HIERARCHY\nROOT A\n{\nOFFSET 0 0 0\nJOINT B {\nEnd Site\n{\n}\n}\n}\nROOT C\n{\n}\nMOTION\n")
    assert outline(two) == Outline(("A", "B", "C"), ((), (0,), ()))


@pytest.mark.parametrize("data", [b"", b"\0\xff" * 50, b"glTF", b'{"nodes": 3}', b"[" * 5000])
@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".gltf", ".xyz"])
def test_an_outline_never_raises(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(data)
    found = outline(path)
    assert found is None or found.names == ()
    assert outline(tmp_path / f"none{suffix}") is None
