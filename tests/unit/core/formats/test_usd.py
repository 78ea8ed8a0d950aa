# SPDX-License-Identifier: Apache-2.0
"""USD through Pixar's library: round trips, axes, units, names, several clips, and files that are broken."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import rigs as plain_rigs
from tests.fakes import test_rigs as rigs
from tests.fakes import walks
from tests.unit.core.formats.samples import miss
from tests.unit.core.motion.samples import smooth

from kineograph import formats
from kineograph.errors import ErrorCode, SceneError
from kineograph.formats import mannequin, usd

pytest.importorskip("pxr")


@pytest.mark.parametrize("suffix", [".usd", ".usda", ".usdc"])
def test_clips_come_back_with_axes_and_units(tmp_path: Path, suffix: str) -> None:
    walk = walks.walk(rigs.cmu31()).slice(0, 20)
    slow = smooth(walk.skeleton, 9, fps_hz=24.0)
    for up, units in (("y", 1.0), ("z", 100.0)):
        path = tmp_path / f"{up}{suffix}"
        usd.write(path, walk.skeleton, [walk, slow], mannequin.build(walk.skeleton), up=up, units_per_metre=units)  # type: ignore[arg-type]
        asset = formats.load(path)
        assert len(asset.clips[0]) == 20
        assert asset.clips[0].fps_hz == walk.fps_hz
        assert max(miss(walk, asset)) < 1e-5
        assert asset.clips[1].duration_s == pytest.approx(slow.duration_s, abs=0.5 / walk.fps_hz)
        assert (asset.source.up, asset.source.metres_per_unit) == (up, pytest.approx(1 / units))
        assert np.abs(asset.skeleton.rest_positions_m - walk.skeleton.rest_positions_m).max() < 1e-6


def test_names_that_are_no_identifiers_come_back(tmp_path: Path) -> None:
    skeleton = plain_rigs.chain()
    names = [f"ctrl.{i} L" for i in range(len(skeleton))]
    odd = type(skeleton).build(names, skeleton.parents, skeleton.rest_translations_m, skeleton.rest_rotations_xyzw)
    usd.write(tmp_path / "a.usda", odd, [])
    assert list(formats.load(tmp_path / "a.usda").skeleton.names) == names


HEAD = '#usda 1.0\n(\n    upAxis = "Y"\n    metersPerUnit = 1\n)\n'


def skeleton_text(joints: str, count: int = 1, body: str = "") -> str:
    rest = ", ".join(["( (1,0,0,0), (0,1,0,0), (0,0,1,0), (0,0,0,1) )"] * count)
    return (
        f'{HEAD}def Skeleton "S" {{\n uniform token[] joints = {joints}\n'
        f" uniform matrix4d[] restTransforms = [{rest}]\n}}\n{body}"
    )


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "file_incomplete", "empty"),
        ("hello", "file_unreadable", "no USD file"),
        (HEAD, "file_unreadable", "no skeleton"),
        (HEAD + 'def Skeleton "S" {', "file_incomplete", "cannot be opened"),
        (skeleton_text("[]", 0), "file_unreadable", "0 joints"),
        (skeleton_text('["a", "a/b", "a/b"]', 3), "file_unreadable", "no tree"),
        (skeleton_text('["a/b", "a"]', 2), "file_unreadable", "no tree"),
        (skeleton_text('["a", "a/b"]', 1), "file_unreadable", "neither a rest pose"),
        (
            skeleton_text('["a"]', 1, 'def SkelAnimation "A" {\n uniform token[] joints = ["a"]\n'
                          ' quatf[] rotations.timeSamples = { 0: [(1,0,0,0),(1,0,0,0)] }\n}\n'),
            "file_unreadable", "2 values for 1 joints",
        ),
        (
            skeleton_text('["a"]', 1, 'def SkelAnimation "A" {\n uniform token[] joints = ["a"]\n'
                          ' float3[] translations.timeSamples = { 0: [(nan,0,0)] }\n}\n'),
            "file_unreadable", "not finite",
        ),
        (
            skeleton_text('["a"]', 1, 'def SkelAnimation "A" {\n uniform token[] joints = ["a"]\n'
                          ' float3[] translations.timeSamples = { 0: [(0,0,0)], 1e12: [(0,0,0)] }\n}\n'),
            "file_unreadable", "too long",
        ),
        (skeleton_text("[" + ", ".join(f'"j{i}"' for i in range(10_000)) + "]", 1), "file_unreadable", "10000 joints"),
    ],
)  # fmt: skip
def test_broken_files_say_what_is_wrong(tmp_path: Path, text: str, code: str, said: str) -> None:
    path = tmp_path / "broken.usda"
    path.write_text(text)
    with pytest.raises(SceneError, match=said) as caught:
        formats.load(path)
    assert caught.value.code == code
    assert caught.value.details["file"] == str(path)


def test_a_crate_that_was_cut_is_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "a.usdc"
    usd.write(path, plain_rigs.chain(), [])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SceneError) as caught:
        formats.load(path)
    assert caught.value.code is ErrorCode.FILE_INCOMPLETE


def test_the_line_that_installs_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usd.write(tmp_path / "a.usda", plain_rigs.chain(), [])
    gone: dict[str, Any] = {f"pxr.{name}": None for name in ("Gf", "Usd")}
    for name, nothing in gone.items():
        monkeypatch.setitem(sys.modules, name, nothing)
    with pytest.raises(SceneError, match=r"kineograph\[usd\]") as caught:
        formats.load(tmp_path / "a.usda")
    assert caught.value.details["needs"] == "kineograph[usd]"
