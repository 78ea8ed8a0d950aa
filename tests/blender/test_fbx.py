# SPDX-License-Identifier: GPL-3.0-or-later
"""FBX through a child process that has Blender's module: round trips, takes, kept meshes, broken files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from tests.blender import scenes
from tests.fakes import test_rigs as rigs
from tests.unit.core.formats.samples import miss
from tests.unit.core.motion.samples import smooth, wild

from kineograph import formats
from kineograph.errors import SceneError
from kineograph.formats import mannequin
from kineograph.formats.fbx import bridge


@pytest.fixture(scope="module", autouse=True)
def one_child() -> Iterator[None]:
    """One child for this file, gone at its end."""
    yield
    if bridge._bridge is not None:
        bridge._bridge.close()


@pytest.mark.parametrize("name", ["mixamo", "unreal"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    skeleton = rigs.RIGS[name]()
    clip = wild(skeleton, 12, np.random.default_rng(3), fps_hz=24.0)
    path = tmp_path / "a.fbx"
    formats.save(path, skeleton, [replace(clip, name="spin"), replace(smooth(skeleton, 20, fps_hz=24.0), name="sway")])
    asset = formats.load(path)
    by_name = {c.name: i for i, c in enumerate(asset.clips)}
    assert set(by_name) == {"spin", "sway"}
    at = by_name["spin"]
    assert (len(asset.clips[at]), asset.clips[at].fps_hz) == (12, 24.0)
    metres, radians = miss(clip, asset, at)
    assert metres < 1e-4
    assert radians < 2e-3
    assert (asset.source.up, asset.source.metres_per_unit) == ("y", pytest.approx(0.01))
    assert formats.choose(asset).name == "sway"
    order = [asset.skeleton.index[joint] for joint in skeleton.names]
    assert np.abs(asset.skeleton.rest_positions_m[order] - skeleton.rest_positions_m).max() < 1e-4


def test_a_character_keeps_its_mesh(tmp_path: Path) -> None:
    skeleton = rigs.RIGS["vrm"]()
    character = tmp_path / "hero.glb"
    formats.save(character, skeleton, [], mesh=mannequin.build(skeleton))
    first = tmp_path / "hero.fbx"
    clip = smooth(skeleton, 10, fps_hz=30.0)
    formats.save(first, skeleton, [clip], character=character)
    assert miss(clip, formats.load(first))[0] < 1e-4
    rig = formats.load(first).skeleton
    again = smooth(rig, 14, fps_hz=30.0)
    formats.save(tmp_path / "again.fbx", rig, [again], character=first)
    asset = formats.load(tmp_path / "again.fbx")
    assert miss(again, asset)[0] < 1e-4
    assert [len(c) for c in asset.clips] == [14]
    scenes.fresh()
    bpy.ops.preferences.addon_enable(module="io_scene_fbx")
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "again.fbx"))
    meshes = [o for o in bpy.data.objects if o.type == "MESH"]
    assert len(meshes) == 1
    mesh = meshes[0]
    assert len(mesh.data.vertices) > 500
    assert any(m.type == "ARMATURE" for m in mesh.modifiers)


def test_broken_files_say_what_is_wrong(tmp_path: Path) -> None:
    whole = tmp_path / "whole.fbx"
    formats.save(whole, rigs.RIGS["cmu"](), [])
    data = whole.read_bytes()
    scrambled = data[:2000] + bytes(255 - b for b in data[2000:4000]) + data[4000:]
    cases = {
        b"": "file_incomplete", data[:20]: "file_unreadable", data[:30]: "file_incomplete",
        data[: len(data) // 2]: "file_incomplete", b"; FBX 7.4.0 project file\n": "file_unreadable",
        b"PNG": "file_unreadable", scrambled: "file_unreadable",
    }  # fmt: skip
    for content, code in cases.items():
        path = tmp_path / "broken.fbx"
        path.write_bytes(content)
        with pytest.raises(SceneError) as caught:
            formats.load(path)
        assert caught.value.code == code, content[:40]
        assert caught.value.details["file"] == str(path)
    assert len(formats.load(whole).skeleton) == 31  # the child is well, or another one took its place


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SceneError) as caught:
        formats.save(tmp_path / "file" / "a.fbx", rigs.RIGS["cmu"](), [])
    assert "unwritable" in caught.value.details


def test_without_the_module_the_line_that_installs_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_bridge", None)
    monkeypatch.setenv(bridge.VARIABLE, str(tmp_path / "nowhere"))
    path = tmp_path / "a.fbx"
    path.write_bytes(b"Kaydara FBX Binary  \x00" + b"\0" * 40 + b"\xf8\x5a\x8c\x6a")
    with pytest.raises(SceneError, match=r"kineograph\[fbx\]") as caught:
        formats.load(path)
    assert caught.value.details["needs"] == "kineograph[fbx]"
    monkeypatch.setenv(bridge.VARIABLE, sys.executable)
    assert bridge.command(path)[0] == sys.executable
