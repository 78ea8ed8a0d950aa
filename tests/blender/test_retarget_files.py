# SPDX-License-Identifier: GPL-3.0-or-later
"""Real files through the command line: motion onto Rigify's human as Blender exports it, in FBX, GLB and BVH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import package, scenes
from tests.blender.package import ROOT
from tests.fakes import test_rigs as rigs
from tests.fakes import walks

from kineograph import formats
from kineograph.motion.clip import Clip
from kineograph.rigs import Role, roles_of

PYTHON = os.environ.get("KINEOGRAPH_DAEMON_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
SHARED = Path(os.environ.get("KINEOGRAPH_SHARED", ROOT / "../shared")) / "clips" / "cmu_01_01.bvh"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rigify's human in three formats, each with a skinned mesh where the format has one."""
    folder = tmp_path_factory.mktemp("rigify")
    script = Path(__file__).with_name("export_rigify.py")
    command = [sys.executable, str(script), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=package.apart())
    assert (folder / "human.bvh").exists(), done.stderr[-2000:]
    return folder


def command(home: Path, *args: object) -> Any:
    """``kineograph ARGS --json`` in the product's own Python, FBX through this one."""
    if not Path(PYTHON).exists():
        pytest.skip(f"{PYTHON} does not exist; name the product's Python in KINEOGRAPH_DAEMON_PYTHON")
    env = {**os.environ, "KINEOGRAPH_HOME": str(home), "KINEOGRAPH_BPY": sys.executable}
    env.pop("PYTHONPATH", None)
    run = [str(Path(PYTHON).with_name("kineograph")), *map(str, args), "--json"]
    done = subprocess.run(run, capture_output=True, text=True, env=env, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def facing_deg(clip: Clip) -> Any:
    """Where the hips look, in degrees about the vertical, over time."""
    skeleton = clip.skeleton
    rig = roles_of(skeleton.names, skeleton.parents, skeleton.rest_positions_m)
    position, _ = clip.world()
    across = position[:, rig[Role.LEFT_THIGH]] - position[:, rig[Role.RIGHT_THIGH]]
    return np.degrees(np.arctan2(-across[:, 2], across[:, 0]))


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a real person where the reference data lies, else a walk of our own."""
    if SHARED.exists():
        return SHARED
    path = tmp_path_factory.mktemp("walk") / "walk.bvh"
    clip = walks.walk(rigs.cmu31())
    formats.save(path, clip.skeleton, [clip])
    return path


@pytest.mark.parametrize("kind", ["fbx", "glb", "bvh"])
def test_motion_on_a_rigify_export(tmp_path: Path, exports: Path, motion: Path, kind: str) -> None:
    out = tmp_path / f"out.{kind}"
    to = exports / f"human.{kind}"
    rate = 12.0 if kind == "fbx" else 30.0  # Blender's exporter takes its time, frame by frame
    told = command(
        tmp_path / "home", "retarget", motion, "--to", to, "--out", out, "--fps", rate, "--report", "--sheet"
    )  # fmt: skip
    assert (told["done"], told["failed"]) == (1, 0)
    report = json.loads((tmp_path / f"out.{kind}.report.json").read_text())
    assert report["slide_cm_per_s"] < 3.0
    assert report["penetration_cm"] < 0.5
    assert report["limb_error_deg"]["mean"] < 5.0
    assert report["jerk_ratio"] < 1.1
    assert report["knee_pop_deg"] < max(25.0, report["knee_pop_source_deg"] + 0.5), "no pop but the person's own"
    if rate == 30.0:
        assert report["knee_pop_deg"] < 25.0
    assert (tmp_path / f"out.{kind}.png").stat().st_size > 20_000
    source = formats.choose(formats.load(motion, fps_hz=rate))
    result = formats.choose(formats.load(out))
    assert abs(len(result) - len(source)) <= 1
    turned = (facing_deg(result) - facing_deg(source)[: len(result)] + 180.0) % 360.0 - 180.0
    assert np.abs(turned).max() < 10.0
    if kind == "fbx":
        scenes.fresh()
        bpy.ops.preferences.addon_enable(module="io_scene_fbx")
        bpy.ops.import_scene.fbx(filepath=str(out))
    elif kind == "glb":
        scenes.fresh()
        bpy.ops.import_scene.gltf(filepath=str(out), disable_bone_shape=True)
    if kind != "bvh":
        names = [o.name.split(".")[0] for o in bpy.data.objects if o.type == "MESH"]
        assert names == ["blocks"]
        assert len(bpy.data.actions) == 1
