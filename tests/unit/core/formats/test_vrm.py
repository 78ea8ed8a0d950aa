# SPDX-License-Identifier: Apache-2.0
"""VRM 0.x, VRM 1.0 and VRM animations: what the file says of its bones is believed, and written."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import canonical, walks
from tests.fakes import test_rigs as rigs
from tests.unit.core.formats.samples import miss

from kineograph import formats
from kineograph.errors import ErrorCode, SceneError
from kineograph.formats import mannequin
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import REQUIRED, Role, roles_of
from kineograph_daemon.retarget import retarget

VRM = rigs.RIGS["vrm"]()
WALK = retarget(walks.walk(rigs.cmu31()).slice(0, 30), None, VRM).clip


def document(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    out: dict[str, Any] = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
    return out


def rewrite(path: Path, change: Any) -> Path:
    """The file with another JSON, its binary as it was."""
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    told = document(path)
    change(told)
    text = json.dumps(told).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    path.write_bytes(
        struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest
    )
    return path


@pytest.mark.parametrize("kind", ["vrm", "vrma"])
def test_what_is_written_is_read_and_says_its_bones(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    formats.save(path, VRM, [WALK], mesh=mannequin.build(VRM))
    asset = formats.load(path)
    assert max(miss(WALK, asset)) < 1e-5
    assert asset.source.format == {"vrm": "vrm 1", "vrma": "vrma"}[kind]
    assert asset.profile is not None
    assert set(REQUIRED) <= set(asset.profile.roles)
    assert asset.profile.roles[Role.LEFT_THIGH] == "leftUpperLeg"
    assert asset.profile.roles[Role.CHEST] == asset.profile.chains[Role.SPINE][-1]
    told = document(path)
    assert told["extensionsUsed"] == list(told["extensions"])
    assert ("meshes" in told) == (kind == "vrm")
    if kind == "vrm":
        assert {"name", "authors", "licenseUrl"} <= told["extensions"]["VRMC_vrm"]["meta"].keys()


@pytest.mark.parametrize("name", ["cmu", "mixamo", "soma", "unreal", "metarig"])
def test_an_animation_rests_in_a_t_pose_and_moves_as_it_did(tmp_path: Path, name: str) -> None:
    rig = canonical.metarig() if name == "metarig" else rigs.RIGS[name]()
    clip = retarget(walks.walk(rigs.cmu31()).slice(0, 20), None, rig).clip
    path = tmp_path / "a.vrma"
    formats.save(path, rig, [clip])
    asset = formats.load(path)
    assert max(miss(clip, asset)) < 1e-5
    at, seen = asset.skeleton.rest_positions_m, roles_of(rig.names, rig.parents, rig.rest_positions_m)
    for side, way in (("left", 1.0), ("right", -1.0)):
        for above, below, wanted in (
            ("upper_arm", "forearm", (way, 0, 0)), ("forearm", "hand", (way, 0, 0)),
            ("thigh", "calf", (0, -1, 0)), ("calf", "foot", (0, -1, 0)), ("index_1", "index_2", (way, 0, 0)),
        ):  # fmt: skip
            a, b = seen.get(Role(f"{side}_{above}")), seen.get(Role(f"{side}_{below}"))
            if a is not None and b is not None:
                bone = at[b] - at[a]
                assert bone @ np.array(wanted) / np.linalg.norm(bone) > 0.9999, (side, above)
        index, pinky = seen.get(Role(f"{side}_index_1")), seen.get(Role(f"{side}_pinky_1"))
        if index is not None and pinky is not None:
            assert at[index, 2] > at[pinky, 2] + 0.01, "palms look down"
            assert abs(at[index, 1] - at[pinky, 1]) < 0.02
    lengths = [np.linalg.norm(s.rest_translations_m[1:], axis=1) for s in (asset.skeleton, rig)]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-5)
    assert abs(at[:, 1].min() - rig.rest_positions_m[:, 1].min()) < 1e-4, "it stands as high as it did"


def make_old(path: Path) -> Path:
    """A VRM 0.x file: the same character, turned to -Z by a node above it, bones in a list."""
    formats.save(path, VRM, [WALK])

    def change(told: dict[str, Any]) -> None:
        bones = told["extensions"].pop("VRMC_vrm")["humanoid"]["humanBones"]
        listed = [{"bone": bone, "node": where["node"]} for bone, where in bones.items() if "Metacarpal" not in bone]
        told["extensions"]["VRM"] = {"humanoid": {"humanBones": listed}, "specVersion": "0.0"}
        told["nodes"].append({"name": "turned", "rotation": [0, 1, 0, 0], "children": [0]})
        told["scenes"][0]["nodes"] = [len(told["nodes"]) - 1]

    return rewrite(path, change)


def test_an_old_file_is_turned_to_face_forward(tmp_path: Path) -> None:
    asset = formats.load(make_old(tmp_path / "old.vrm"))
    assert asset.source.format == "vrm 0"
    assert max(miss(WALK, asset)) < 1e-5
    left, right = (asset.skeleton.index[f"{side}Foot"] for side in ("left", "right"))
    assert asset.skeleton.rest_positions_m[left, 0] > asset.skeleton.rest_positions_m[right, 0]


def test_motion_goes_into_an_old_file_the_way_it_stands(tmp_path: Path) -> None:
    old = make_old(tmp_path / "old.vrm")
    rig = formats.load(old).skeleton
    still = WALK.slice(0, 12)
    formats.save(tmp_path / "new.vrm", rig, [still], character=old)
    assert max(miss(still, formats.load(tmp_path / "new.vrm"))) < 1e-5
    assert document(tmp_path / "new.vrm")["extensions"] == document(old)["extensions"]


def test_a_rig_without_arms_is_no_vrm(tmp_path: Path) -> None:
    legs = Skeleton.build(["hips", "spine"], [-1, 0], [[0, 1, 0], [0, 0.2, 0]])
    with pytest.raises(SceneError) as caught:
        formats.save(tmp_path / "a.vrm", legs, [])
    assert caught.value.code is ErrorCode.MAP_INCOMPLETE
    assert "leftHand" in caught.value.details["missing"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bones", [None, 5, [], {"hips": 3}, {"hips": {"node": 999}}, {"hips": {"node": 1}, "head": {"node": 1}}]
)
def test_broken_humanoids_are_refused_by_their_path(tmp_path: Path, bones: Any) -> None:
    path = tmp_path / "a.vrm"
    formats.save(path, VRM, [])
    rewrite(path, lambda told: told["extensions"]["VRMC_vrm"].update(humanoid={"humanBones": bones}))
    with pytest.raises(SceneError) as caught:
        formats.load(path)
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
    assert caught.value.details["json_path"].startswith("extensions.VRMC_vrm.humanoid.humanBones")


def test_scales_and_ancestors_are_undone_where_a_mesh_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "big.glb"
    formats.save(path, VRM, [], mesh=mannequin.build(VRM))

    def change(told: dict[str, Any]) -> None:
        told["nodes"].append({"name": "up", "translation": [1, 2, 3], "rotation": [0, 0.6, 0, 0.8], "scale": [2, 2, 2],
                              "children": [0]})  # fmt: skip
        told["nodes"][5]["scale"] = [0.5, 0.5, 0.5]
        told["scenes"][0]["nodes"] = [len(told["nodes"]) - 1, *told["scenes"][0]["nodes"][1:]]

    rig = formats.load(rewrite(path, change)).skeleton
    clip = retarget(walks.walk(rigs.cmu31()).slice(0, 12), None, rig).clip
    moved = np.tile(rig.rest_translations_m, (12, 1, 1))
    moved[:, 7, 1] += 0.01 * np.arange(12)
    clip = type(clip)(rig, clip.fps_hz, clip.rotations_xyzw, clip.root_m, "walk", moved)
    formats.save(tmp_path / "out.glb", rig, [clip], character=path)
    again = formats.load(tmp_path / "out.glb")
    assert max(miss(clip, again)) < 1e-5
    before, after = document(path), document(tmp_path / "out.glb")
    assert {k: v for k, v in after.items() if k not in ("accessors", "bufferViews", "buffers", "animations")} == {
        k: v for k, v in before.items() if k not in ("accessors", "bufferViews", "buffers")
    }
    assert after["accessors"][: len(before["accessors"])] == before["accessors"]
