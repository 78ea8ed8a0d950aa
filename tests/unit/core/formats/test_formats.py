# SPDX-License-Identifier: Apache-2.0
"""``load`` and ``save`` by extension."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes import rigs
from tests.unit.core.formats.samples import miss
from tests.unit.core.motion.samples import smooth

from kineograph import formats
from kineograph.errors import SceneError
from kineograph.formats import mannequin


def test_the_public_names() -> None:
    assert formats.__all__ == ["EXTENSIONS", "Asset", "Mesh", "Source", "load", "save"]


@pytest.mark.parametrize("name", ["a.bvh", "a.glb", "a.gltf", "A.GLB", "b.Bvh"])
def test_what_is_saved_is_loaded(tmp_path: Path, name: str) -> None:
    skeleton = rigs.quadruped()
    clip = smooth(skeleton, 12, fps_hz=24.0)
    formats.save(tmp_path / name, skeleton, [clip], mesh=mannequin.build(skeleton))
    asset = formats.load(str(tmp_path / name))
    assert max(miss(clip, asset)) < 1e-5
    assert asset.clips[0].fps_hz == 24.0
    assert asset.source.path == tmp_path / name
    assert str(asset.source).endswith(name)
    assert asset.source.format == name.lower().split(".")[1]


def test_a_rig_without_clips(tmp_path: Path) -> None:
    skeleton = rigs.human()
    formats.save(tmp_path / "rig.glb", skeleton, [])
    asset = formats.load(tmp_path / "rig.glb")
    assert asset.clips == ()
    assert asset.skeleton.names == skeleton.names


@pytest.mark.parametrize("name", ["a.fbx", "a", "a.glb.part", ".bvh"])
def test_an_unknown_extension_names_the_known_ones(tmp_path: Path, name: str) -> None:
    for use in (lambda: formats.load(tmp_path / name), lambda: formats.save(tmp_path / name, rigs.chain(), [])):
        with pytest.raises(SceneError, match=r"\.bvh, \.glb, \.gltf") as caught:
            use()
        assert caught.value.code == "file_unreadable"
        assert caught.value.details["allowed"] == [".bvh", ".glb", ".gltf"]
    assert not (tmp_path / name).exists()


def test_a_bvh_holds_one_clip(tmp_path: Path) -> None:
    clip = smooth(rigs.chain(), 3)
    with pytest.raises(ValueError, match="one clip"):
        formats.save(tmp_path / "a.bvh", clip.skeleton, [clip, clip])
