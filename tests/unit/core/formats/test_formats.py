# SPDX-License-Identifier: Apache-2.0
"""``load`` and ``save`` by extension."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes import rigs, test_rigs, walks
from tests.unit.core.formats.samples import miss
from tests.unit.core.motion.samples import smooth

from kineograph import formats
from kineograph.errors import SceneError
from kineograph.formats import mannequin


def test_the_public_names() -> None:
    assert formats.__all__ == ["EXTENSIONS", "WRITTEN", "Asset", "Mesh", "Source", "choose", "has_mesh", "load", "save"]


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


@pytest.mark.parametrize("name", ["a.obj", "a", "a.glb.part", ".bvh"])
def test_an_unknown_extension_names_the_known_ones(tmp_path: Path, name: str) -> None:
    for use in (lambda: formats.load(tmp_path / name), lambda: formats.save(tmp_path / name, rigs.chain(), [])):
        with pytest.raises(SceneError, match=r"\.bvh, \.glb, \.gltf") as caught:
            use()
        assert caught.value.code == "file_unreadable"
        assert set(formats.WRITTEN) <= set(caught.value.details["allowed"]) <= set(formats.EXTENSIONS)
    assert not (tmp_path / name).exists()


def test_a_bvh_holds_one_clip(tmp_path: Path) -> None:
    clip = smooth(rigs.chain(), 3)
    with pytest.raises(ValueError, match="one clip"):
        formats.save(tmp_path / "a.bvh", clip.skeleton, [clip, clip])


def test_the_longest_take_is_meant_unless_one_is_named(tmp_path: Path) -> None:
    skeleton = rigs.human()
    takes = [replace(smooth(skeleton, n), name=name) for name, n in (("Take 001", 1), ("walk", 30), ("Wave", 12))]
    formats.save(tmp_path / "a.glb", skeleton, takes)
    asset = formats.load(tmp_path / "a.glb")
    assert formats.choose(asset).name == "walk"
    assert formats.choose(asset, "wave").name == "Wave"
    with pytest.raises(SceneError, match="did you mean 'walk'") as caught:
        formats.choose(asset, "wlak")
    assert caught.value.details["allowed"] == ["Take 001", "walk", "Wave"]
    formats.save(tmp_path / "b.glb", skeleton, [])
    with pytest.raises(SceneError, match="only a rig"):
        formats.choose(formats.load(tmp_path / "b.glb"))


def test_a_rate_that_is_asked_for(tmp_path: Path) -> None:
    formats.save(tmp_path / "a.bvh", rigs.human(), [smooth(rigs.human(), 31, fps_hz=30.0)])
    assert [(len(c), c.fps_hz) for c in formats.load(tmp_path / "a.bvh", fps_hz=60.0).clips] == [(61, 60.0)]


def test_a_z_up_file_is_stood_up_and_says_so(tmp_path: Path) -> None:
    clip = walks.walk(test_rigs.cmu31()).slice(0, 10)
    formats.save(tmp_path / "z.bvh", clip.skeleton, [clip], up="z", units_per_metre=100.0)
    asset = formats.load(tmp_path / "z.bvh")
    assert max(miss(clip, asset)) < 2e-5
    assert asset.source.up == "z"
    assert [("z up" in n) or ("centimetres" in n) for n in asset.source.notes] == [True, True]
    assert max(miss(clip, formats.load(tmp_path / "z.bvh", up="z", metres_per_unit=0.01))) < 2e-5


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bvh"
    formats.save(path, rigs.human(), [])
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SceneError, match="No space left") as caught:
        formats.save(path, rigs.human(), [smooth(rigs.human(), 5)])
    assert caught.value.details["unwritable"] == str(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.bvh"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SceneError) as caught:
        formats.save(tmp_path / "file" / "a.glb", rigs.human(), [])
    assert caught.value.code == "file_unreadable"
    assert "unwritable" in caught.value.details
