# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the HTTP door, opened by Blender's own importer: nobody here wrote it, and it finds the same poses."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import bpy
import numpy as np
import pytest
from tests.fakes import rigs

from kineograph.client import Client, start_daemon
from kineograph.motion import axes
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

ROOT = Path(__file__).resolve().parents[2]
FRAMES, FPS_HZ = 24, 30
pytestmark = pytest.mark.daemon


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where a daemon's HTTP door listens."""
    python = os.environ.get("KINEOGRAPH_DAEMON_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
    needs = [python, "-c", "import uvicorn, prometheus_client"]
    if not Path(python).exists() or subprocess.run(needs, capture_output=True, check=False).returncode:
        pytest.skip("no daemon with the extra [http]; name its Python in KINEOGRAPH_DAEMON_PYTHON")
    with TemporaryDirectory(prefix="kg-", ignore_cleanup_errors=True) as home:
        monkeypatch.setenv("KINEOGRAPH_HOME", home)
        run = start_daemon(python, ["--http", "127.0.0.1:0"], wait_s=60.0)
        try:
            note, until_s = Path(home) / "run" / "http.json", time.monotonic() + 60.0
            while not note.exists():
                assert time.monotonic() < until_s, "the door did not open"
                time.sleep(0.02)
            parts = urlsplit(json.loads(note.read_text("utf-8"))["url"])
            yield str(parts.hostname), int(parts.port or 0)
        finally:
            with Client(run) as client:
                client.stop_daemon()


def asked(skeleton: Skeleton) -> dict[str, Any]:
    """Two samples of a walk along a path, with a key."""
    turn = [0.0, 0.0, 0.258819, 0.9659258]
    return {
        "protocol_version": "1.4",
        "model": "kineograph-interpolate",
        "skeleton": skeleton.to_mmcp(),
        "timing": {"fps": float(FPS_HZ)},
        "segments": [{"type": "text", "prompt": "walks", "duration_frames": FRAMES}],
        "constraints": [
            {"type": "root_path", "frames": [0, FRAMES - 1], "positions_xz": [[0.0, 0.0], [0.3, 0.8]]},
            {"type": "pose_keyframe", "frame": 12, "joint_rotations": {"LeftArm": turn}},
        ],
        "options": {"seed": 1, "num_samples": 2},
    }


@pytest.mark.parametrize(("accept", "ending"), [("model/gltf-binary", "glb"), ("model/gltf+json", "gltf")])
def test_blender_finds_the_poses_of_the_job(
    scene: Any, door: tuple[str, int], tmp_path: Path, accept: str, ending: str
) -> None:
    rig = rigs.human()
    link = http.client.HTTPConnection(*door, timeout=120)
    link.request("POST", "/generate", json.dumps(asked(rig)), {"Accept": accept})
    reply = link.getresponse()
    data = reply.read()
    link.close()
    assert (reply.status, reply.headers["content-type"]) == (200, accept), data[:500]
    with Client() as client:
        made = client.result(reply.headers["x-job-id"])
    file = tmp_path / f"answer.{ending}"
    file.write_bytes(data)
    scene.render.fps, scene.render.fps_base = FPS_HZ, 1.0
    bpy.ops.import_scene.gltf(filepath=str(file))
    clip = Clip(rig, float(FPS_HZ), np.asarray(made["rotations_xyzw"])[0], np.asarray(made["root_m"])[0], "made")
    expected, _ = clip.world()
    assert np.ptp(expected[:, rig.root, 2]) > 0.5  # it went somewhere
    for frame in (0, 1, 12, FRAMES - 1):
        scene.frame_set(frame)
        bpy.context.view_layer.update()
        heads = [placed(name) for name in rig.names]
        assert np.abs(axes.y_up_from_z_up(np.array(heads)) - expected[frame]).max() < 1e-4, frame


def placed(name: str) -> Any:
    """Where a joint is in the world, whether the importer made a bone or an object of it."""
    for ob in bpy.data.objects:
        own = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
        if ob.type == "ARMATURE" and name in own.pose.bones:
            return (own.matrix_world @ own.pose.bones[name].matrix).translation[:]
        if ob.name == name:
            return own.matrix_world.translation[:]
    raise AssertionError(f"no {name} in {[ob.name for ob in bpy.data.objects]}")
