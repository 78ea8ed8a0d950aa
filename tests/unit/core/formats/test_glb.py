# SPDX-License-Identifier: Apache-2.0
"""glTF: round trips within 1e-5, and what other programs write: ancestors, scales, splines, sparse, integers."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
from hypothesis import HealthCheck, given, settings
from tests.fakes import rigs
from tests.unit.core.formats.samples import Gltf, arm, miss, shared
from tests.unit.core.motion.samples import smooth, wild
from tests.unit.core.motion.strategies import clips

from kineograph.formats import glb, mannequin
from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

ONE_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
QUARTER = float(np.sqrt(0.5))


@ONE_FOLDER
@given(clips(), clips())
def test_clips_come_back_whole(tmp_path: Path, clip: Clip, other: Clip) -> None:
    glb.write(tmp_path / "a.glb", clip.skeleton, [clip])
    asset = glb.read(tmp_path / "a.glb")
    assert asset.skeleton.names == clip.skeleton.names
    assert np.array_equal(asset.skeleton.parents, clip.skeleton.parents)
    assert np.abs(asset.skeleton.rest_positions_m - clip.skeleton.rest_positions_m).max() < 1e-6
    assert asset.clips[0].fps_hz == clip.fps_hz
    assert len(asset.clips[0]) == len(clip)
    assert max(miss(clip, asset)) < 1e-5
    assert quat.angle_between_rad(asset.clips[0].rotations_xyzw, clip.rotations_xyzw).max() < 1e-6


@pytest.mark.parametrize("name", ["a.glb", "a.gltf"])
def test_several_clips_contacts_and_translations(tmp_path: Path, name: str) -> None:
    skeleton = rigs.human()
    walk = smooth(skeleton, 40, fps_hz=24.0)
    moved = np.tile(skeleton.rest_translations_m, (40, 1, 1))
    moved[:, 9, 1] += np.linspace(0, 0.1, 40)
    held = np.arange(40) % 10 < 4
    walk = Clip(skeleton, 24.0, walk.rotations_xyzw, walk.root_m, "walk", moved, {skeleton.names[3]: held})
    jump = wild(skeleton, 7, np.random.default_rng(1), fps_hz=60.0)
    glb.write(tmp_path / name, skeleton, [walk, jump], extras={"made_by": "a test"})
    asset = glb.read(tmp_path / name)
    assert [(c.name, c.fps_hz, len(c)) for c in asset.clips] == [("walk", 24.0, 40), ("wild", 60.0, 7)]
    assert max(miss(walk, asset, 0) + miss(jump, asset, 1)) < 1e-5
    assert np.array_equal(asset.clips[0].contacts[skeleton.names[3]], held)
    assert asset.clips[0].translations_m is not None
    assert asset.clips[1].translations_m is None


def test_a_clip_on_the_aligned_skeleton_is_written_on_the_rigs_own(tmp_path: Path) -> None:
    from kineograph.motion import rest

    rng = np.random.default_rng(2)
    human = rigs.human()
    rig = Skeleton.build(
        human.names, human.parents, human.rest_translations_m, quat.normalize(rng.normal(size=(len(human), 4)))
    )
    clip = wild(rest.align(rig), 4, rng)
    glb.write(tmp_path / "a.glb", rig, [clip])
    asset = glb.read(tmp_path / "a.glb")
    assert quat.angle_between_rad(asset.skeleton.rest_rotations_xyzw, rig.rest_rotations_xyzw).max() < 1e-6
    assert miss(clip, asset)[0] < 1e-5
    with pytest.raises(ValueError, match="other joints"):
        glb.write(tmp_path / "a.glb", rigs.chain(), [clip])


def test_what_is_written_is_sound_for_another_reader(tmp_path: Path) -> None:
    skeleton = rigs.human()
    clip = smooth(skeleton, 30)
    glb.write(tmp_path / "a.glb", skeleton, [clip], mannequin.build(skeleton))
    other = pygltflib.GLTF2().load(str(tmp_path / "a.glb"))
    blob = other.binary_blob()
    assert [n.name for n in other.nodes[: len(skeleton)]] == list(skeleton.names)
    assert len(other.skins[0].joints) == len(skeleton)
    bind = other.accessors[other.skins[0].inverseBindMatrices]
    view = other.bufferViews[bind.bufferView]
    matrices = np.frombuffer(blob, "<f4", bind.count * 16, view.byteOffset).reshape(-1, 4, 4).transpose(0, 2, 1)
    at_rest = np.concatenate([skeleton.rest_positions_m, np.ones((len(skeleton), 1))], axis=1)
    assert np.allclose(np.einsum("jab,jb->ja", matrices, at_rest), [0, 0, 0, 1], atol=1e-6)
    sampler = other.animations[0].samplers[5]
    out = other.accessors[sampler.output]
    values = np.frombuffer(blob, "<f4", out.count * 4, other.bufferViews[out.bufferView].byteOffset).reshape(-1, 4)
    assert quat.angle_between_rad(values, clip.rotations_xyzw[:, 5]).max() < 1e-6
    ends = [v.byteOffset + v.byteLength for v in other.bufferViews]
    assert max(ends) <= other.buffers[0].byteLength
    assert all(v.byteOffset % 4 == 0 for v in other.bufferViews)
    position = other.accessors[other.meshes[0].primitives[0].attributes.POSITION]
    assert position.min[1] >= -0.1
    assert position.max[1] < 2.2


def test_what_stands_above_the_bones_is_folded_into_the_root(tmp_path: Path) -> None:
    made = arm()
    made.channel(2, "rotation", [0, 1 / 30], [[0, 0, 0, 1], [0, QUARTER, 0, QUARTER]])
    asset = glb.read(made.save(tmp_path))
    assert asset.skeleton.names == ("Upper", "Lower")
    # A quarter turn about X takes y to z and z to -y; a hundredth makes metres of centimetres.
    assert np.allclose(asset.skeleton.rest_positions_m, [[1, -1, 0], [1, -1, 1]], atol=1e-6)
    pos, _ = asset.clips[0].world()
    assert np.allclose(pos, [[[1, -1, 0], [1, -1, 1]]] * 2, atol=1e-6)


def test_ancestors_that_move_carry_the_root_along(tmp_path: Path) -> None:
    made = arm()
    made.channel(0, "translation", [0, 0.5], [[0, 0, 0], [15, 0, 0]])
    made.channel(0, "scale", [0, 0.5], [[0.01] * 3, [0.02] * 3])
    clip = glb.read(made.save(tmp_path)).clips[0]
    assert (clip.fps_hz, len(clip)) == (30.0, 16)
    pos, _ = clip.world()
    assert np.allclose(pos[0], [[0, -1, 0], [0, -1, 1]], atol=1e-5)
    assert np.allclose(pos[-1], [[15, -2, 0], [15, -2, 2]], atol=1e-5)


def test_scales_of_bones_become_lengths(tmp_path: Path) -> None:
    made = arm()
    made.map["nodes"][1]["scale"] = [2, 2, 2]
    asset = glb.read(made.save(tmp_path))
    assert np.allclose(asset.skeleton.rest_positions_m[1], [1, -1, 2], atol=1e-6)
    made.map["nodes"][1]["scale"] = [2, 2, 3]
    assert "Upper" in glb.read(made.save(tmp_path)).source.notes[0]


def test_a_matrix_is_taken_apart(tmp_path: Path) -> None:
    made = arm()
    matrix = np.eye(4)
    matrix[:3, :3] = 2.0 * quat.to_matrix(quat.about_y(0.7))
    matrix[:3, 3] = [1, 2, 3]
    made.map["nodes"][2] = {"name": "Lower", "matrix": matrix.T.ravel().tolist()}
    asset = glb.read(made.save(tmp_path))
    assert quat.angle_between_rad(asset.skeleton.rest_rotations_xyzw[1], quat.about_y(0.7)) < 1e-6
    assert np.allclose(asset.skeleton.rest_translations_m[1], [0.01, 0.02, 0.03])


def test_step_holds_and_linear_slerps(tmp_path: Path) -> None:
    made = arm()
    turn = [[0, 0, 0, 1], quat.about_y(1.0), quat.about_y(2.0)]
    made.channel(2, "rotation", [0, 0.1, 0.3], turn, "STEP")
    made.channel(1, "rotation", [0, 0.1, 0.3], turn)
    clip = glb.read(made.save(tmp_path), fps_hz=20.0).clips[0]
    angle = 2 * np.arctan2(clip.rotations_xyzw[:, 1, 1], clip.rotations_xyzw[:, 1, 3])
    assert np.allclose(angle, [0, 0, 1, 1, 1, 1, 2], atol=1e-6)
    root = quat.mul(quat.from_rotvec(np.array([-np.pi / 2, 0, 0])), clip.rotations_xyzw[:, 0])
    angle = 2 * np.arctan2(root[:, 1], root[:, 3])
    assert np.allclose(angle, [0, 0.5, 1, 1.25, 1.5, 1.75, 2], atol=1e-6)


def test_cubic_splines_are_sampled(tmp_path: Path) -> None:
    """A Hermite spline through 0 and 1 with tangents 0 and 3 per second, over two seconds."""
    made = arm()
    made.map["nodes"][0] = {"name": "Armature", "children": [1]}
    zero, way = [0.0, 0, 0], [1.0, 0, 0]
    made.channel(1, "translation", [0, 2], [[zero, zero, zero], [[3.0, 0, 0], way, zero]], "CUBICSPLINE")
    none = [0.0] * 4
    made.channel(2, "rotation", [0, 2], [[none, [0, 0, 0, 1], none], [none, quat.about_y(1), none]], "CUBICSPLINE")
    clip = glb.read(made.save(tmp_path), fps_hz=10.0).clips[0]
    u = np.linspace(0, 1, 21)
    assert np.allclose(clip.root_m[:, 0], 3 * u**2 - 2 * u**3 + 2 * 3 * (u**3 - u**2), atol=1e-6)
    assert np.allclose(np.linalg.norm(clip.rotations_xyzw, axis=-1), 1)
    half = quat.normalize(0.5 * (quat.IDENTITY_XYZW + quat.about_y(1)))
    assert quat.angle_between_rad(clip.rotations_xyzw[10, 1], half) < 1e-6


def test_normalised_integers_strides_and_sparse_values(tmp_path: Path) -> None:
    made = arm()
    made.channel(2, "rotation", [0, 1 / 30, 2 / 30], [[0, 0, 0, 1]] * 3)
    out = made.map["animations"][0]["samplers"][0]["output"]
    turns = np.array([[0, 0, 0, 32767], [0, 23170, 0, 23170], [0, 0, 0, 0]], "<i2")
    padded = np.concatenate([turns, np.full((3, 2), 99, "<i2")], axis=1)  # a stride of 12 bytes
    made.map["accessors"][out] = {
        "bufferView": made.view(padded.tobytes(), byteStride=12), "componentType": 5122, "normalized": True,
        "count": 3, "type": "VEC4",
        "sparse": {
            "count": 1,
            "indices": {"bufferView": made.view(np.array([2], "<u1").tobytes()), "componentType": 5121},
            "values": {"bufferView": made.view(np.array([[32767, 0, 0, 0]], "<i2").tobytes())},
        },
    }  # fmt: skip
    clip = glb.read(made.save(tmp_path)).clips[0]
    assert quat.angle_between_rad(clip.rotations_xyzw[1, 1], quat.about_y(np.pi / 2)) < 1e-4
    assert np.allclose(np.abs(clip.rotations_xyzw[2, 1]), [1, 0, 0, 0])


def test_an_accessor_without_data_is_zeros_with_sparse_values(tmp_path: Path) -> None:
    made = arm()
    made.channel(1, "translation", [0, 1 / 30], [[0, 0, 0]] * 2)
    made.map["accessors"][1] = {
        "componentType": 5126, "count": 2, "type": "VEC3",
        "sparse": {
            "count": 1,
            "indices": {"bufferView": made.view(np.array([1], "<u2").tobytes()), "componentType": 5123},
            "values": {"bufferView": made.view(np.array([[100, 0, 0]], "<f4").tobytes())},
        },
    }  # fmt: skip
    assert np.allclose(glb.read(made.save(tmp_path)).clips[0].root_m, [[1, 0, 0], [2, 0, 0]])


@pytest.mark.parametrize(
    ("rate", "found"), [(30, 30), (24, 24), (25, 25), (60, 60), (15, 30), (120, 120), (29.97, 29.97)]
)
def test_the_rate_is_the_grid_on_which_the_keys_lie(tmp_path: Path, rate: float, found: float) -> None:
    made = arm()
    times = np.arange(40) / rate + 1 / 24  # Blender begins at frame 1
    made.channel(2, "rotation", times, quat.about_y(np.arange(40) / 40))
    clip = glb.read(made.save(tmp_path)).clips[0]
    assert clip.fps_hz == pytest.approx(found, abs=1e-3)
    assert len(clip) == round(39 * found / rate) + 1
    angle = 2 * np.arctan2(clip.rotations_xyzw[:, 1, 1], clip.rotations_xyzw[:, 1, 3])
    assert np.allclose(angle[:: round(found / rate)], np.arange(40) / 40, atol=1e-6)


def test_channels_begin_and_end_at_different_times(tmp_path: Path) -> None:
    made = arm()
    made.channel(1, "rotation", [0.5], [quat.about_y(0.4)])
    made.channel(2, "rotation", [1.0, 1.5], [quat.about_y(0.0), quat.about_y(1.0)])
    clip = glb.read(made.save(tmp_path)).clips[0]
    assert len(clip) == 31
    assert quat.angle_between_rad(clip.rotations_xyzw[0], clip.rotations_xyzw[15]).max() < 1e-6


def test_animations_of_other_things_are_no_clips(tmp_path: Path) -> None:
    made = arm()
    lamp = made.node(name="Lamp")
    made.channel(lamp, "translation", [0, 1], [[0, 0, 0], [1, 1, 1]])
    made.map["animations"][0]["channels"].append({"sampler": 0, "target": {"path": "weights", "node": 0}})
    made.map["animations"][0]["channels"].append({"sampler": 0, "target": {"path": "pointer"}})
    assert glb.read(made.save(tmp_path)).clips == ()


def test_without_a_skin_the_animated_tree_is_the_skeleton(tmp_path: Path) -> None:
    made = arm()
    made.map["skins"] = []
    made.node(name="Box", mesh=0)
    made.map["nodes"][1]["children"].append(3)
    made.channel(1, "rotation", [0, 1], [quat.about_y(0.0), quat.about_y(1.0)])
    assert glb.read(made.save(tmp_path)).skeleton.names == ("Upper", "Lower")
    made.map["animations"] = []
    assert glb.read(made.save(tmp_path)).skeleton.names == ("Armature", "Upper", "Lower")


def test_skins_of_one_character_are_one_and_other_characters_are_named(tmp_path: Path) -> None:
    made = arm()
    made.map["skins"] = [{"joints": [1]}, {"joints": [2]}]
    assert glb.read(made.save(tmp_path)).skeleton.names == ("Upper", "Lower")
    made.map["nodes"] += [{"name": "Other"}]
    made.map["skins"] = [{"joints": [3]}, {"joints": [1, 2]}]
    asset = glb.read(made.save(tmp_path))
    assert asset.skeleton.names == ("Upper", "Lower")
    assert "2 characters" in asset.source.notes[0]


def test_nodes_between_joints_and_common_parents_become_joints(tmp_path: Path) -> None:
    made = Gltf()
    made.node(name="Rig", children=[1, 3])
    made.node(name="Left", translation=[1, 0, 0], children=[2])
    made.node(name="Tip")
    made.node(name="Right", translation=[-1, 0, 0])
    made.map["skins"].append({"joints": [1, 2, 3]})
    assert glb.read(made.save(tmp_path)).skeleton.names == ("Rig", "Left", "Tip", "Right")
    made.map["skins"] = [{"joints": [0, 2]}]
    assert glb.read(made.save(tmp_path)).skeleton.names == ("Rig", "Left", "Tip")


def test_names_are_made_unique_and_missing_ones_given(tmp_path: Path) -> None:
    made = arm()
    made.map["nodes"][1]["name"] = made.map["nodes"][2]["name"] = "Bone"
    asset = glb.read(made.save(tmp_path))
    assert asset.skeleton.names == ("Bone", "Bone.001")
    assert "unique" in asset.source.notes[0]
    del made.map["nodes"][2]["name"]
    assert glb.read(made.save(tmp_path)).skeleton.names == ("Bone", "node_2")


def test_text_gltf_with_a_file_beside_it(tmp_path: Path) -> None:
    made = arm()
    made.channel(2, "rotation", [0, 1], [quat.about_y(0.0), quat.about_y(1.0)])
    (tmp_path / "da ta.bin").write_bytes(made.data)
    made.map["buffers"] = [{"uri": "da%20ta.bin", "byteLength": len(made.data)}]
    (tmp_path / "a.gltf").write_text(json.dumps(made.map))
    assert len(glb.read(tmp_path / "a.gltf").clips[0]) == 31
    made.map["buffers"][0]["uri"] = "data:;base64," + base64.b64encode(made.data).decode()
    (tmp_path / "a.gltf").write_text(json.dumps(made.map))
    assert len(glb.read(tmp_path / "a.gltf").clips[0]) == 31


def test_an_mmcp_answer_says_its_own_rate(tmp_path: Path) -> None:
    made = arm()
    made.channel(2, "rotation", np.arange(10) / 17.5, quat.about_y(np.arange(10) / 10))
    extended: dict[str, Any] = {"MMCP_motion": {"fps": 17.5}}
    made.map["extensions"] = extended
    clip = glb.read(made.save(tmp_path)).clips[0]
    assert (clip.fps_hz, len(clip)) == (17.5, 10)


def test_long_files_are_read_and_written_fast(tmp_path: Path) -> None:
    skeleton = Skeleton.build([f"j{i}" for i in range(60)], [-1, *range(59)], np.full((60, 3), 0.05))
    part = smooth(skeleton, 500)
    clip = Clip(skeleton, 30.0, np.tile(part.rotations_xyzw, (10, 1, 1)), np.tile(part.root_m, (10, 1)))
    began = time.process_time()
    glb.write(tmp_path / "a.glb", skeleton, [clip])
    asset = glb.read(tmp_path / "a.glb")
    assert time.process_time() - began < 3.0  # 0.2 s on an idle core
    assert np.abs(asset.clips[0].root_m - clip.root_m).max() < 1e-5


@pytest.mark.shared
def test_a_real_character_loads(tmp_path: Path) -> None:
    asset = glb.read(shared("cc0_character.glb"))
    skeleton = asset.skeleton
    assert (len(skeleton), skeleton.names[skeleton.root], asset.clips) == (39, "Hips", ())
    assert skeleton.height_m == pytest.approx(3.698, abs=0.001)
    left, right = (skeleton.rest_positions_m[skeleton.index[f"{s}Hand"]] for s in ("Left", "Right"))
    assert np.allclose(left, right * [-1, 1, 1], atol=0.05)
    clip = smooth(skeleton, 30)
    glb.write(tmp_path / "a.glb", skeleton, [clip], mannequin.build(skeleton))
    assert max(miss(clip, glb.read(tmp_path / "a.glb"))) < 1e-5
