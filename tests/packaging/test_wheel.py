# SPDX-License-Identifier: Apache-2.0
"""The wheel: what a user gets, all of it and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "core/kineograph": "kineograph",
    "daemon/kineograph_daemon": "kineograph_daemon",
    "gui/kineograph_gui": "kineograph_gui",
    "addon_blender/kineograph_fbx": "kineograph_fbx",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_every_file_of_the_packages_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    missing = [
        str(path.relative_to(ROOT))
        for folder, package in PACKAGES.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        if f"{package}/{path.relative_to(ROOT / folder).as_posix()}" not in inside
    ]
    assert not missing


def test_the_built_in_model_comes_with_its_weights_and_its_card(wheel: zipfile.ZipFile) -> None:
    inside = {i.filename: i.file_size for i in wheel.infolist()}
    assert 1_000_000 < inside["kineograph_daemon/backbones/starter/weights.npz"] < 20_000_000
    card = wheel.read("kineograph_daemon/backbones/starter/card.md").decode()
    assert "mocap.cs.cmu.edu" in card
    assert "NSF EIA-0196217" in card
    assert not [name for name in inside if name.endswith((".bvh", ".amc", ".npz")) and "weights" not in name]


def test_nothing_else_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == set(PACKAGES.values())


def test_the_wheel_carries_script_backbones_and_licence(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    text = wheel.read(entry_points).decode()
    assert "kineograph = kineograph.cli.main:run" in text
    assert "kineograph-interpolate" in text
    assert any(n.endswith("licenses/LICENSE") for n in wheel.namelist())
