# SPDX-License-Identifier: Apache-2.0
"""What a rig cannot hold is kept beside the clip, comes home with it, and gets in nobody's way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import test_rigs, walks

from kineograph import formats
from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.resample import resample
from kineograph.rigs import Role
from kineograph_daemon.retarget import Options, retarget

PLAIN = Options(feet=False, floor_m=None)


@pytest.fixture(scope="module")
def nodding() -> Clip:
    """A walk on a rig of two neck joints that bend against each other."""
    walk = walks.walk(test_rigs.cmu31(), 91)
    rotations = walk.rotations_xyzw.astype(np.float64)
    for name, degrees in (("Neck", -30.0), ("Neck1", 40.0)):
        j = walk.skeleton.index[name]
        bend = quat.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(degrees) * np.sin(np.arange(91) / 9.0))
        rotations[:, j] = quat.mul(rotations[:, j], bend)
    return replace(walk, rotations_xyzw=rotations.astype(np.float32))


def home(there: Clip, source: Clip) -> Clip:
    options = replace(PLAIN, travel_scale=1.0)
    return retarget(there, None, source.skeleton, options=options).clip


def away_deg(a: Clip, b: Clip, name: str) -> float:
    j = a.skeleton.index[name]
    turn = quat.angle_between_rad(a.rotations_xyzw[:, j].astype(float), b.rotations_xyzw[:, j].astype(float))
    return float(np.degrees(turn.max()))


@pytest.mark.parametrize("name", ["mixamo", "unreal", "vrm"])
def test_a_neck_of_two_comes_home_from_a_neck_of_one(nodding: Clip, name: str) -> None:
    there = retarget(nodding, None, test_rigs.RIGS[name](), options=PLAIN).clip
    assert there.kept is not None
    back = home(there, nodding)
    for joint in ("Neck", "Neck1", "Head"):
        assert away_deg(back, nodding, joint) < 0.05
    assert away_deg(home(replace(there, kept=None), nodding), nodding, "Neck") > 10.0, "there is something to keep"


@pytest.mark.parametrize("name", ["mixamo", "unreal", "vrm"])
def test_the_head_is_where_it_was_above_a_neck_of_one(nodding: Clip, name: str) -> None:
    out = retarget(nodding, None, test_rigs.RIGS[name](), options=PLAIN)
    ways = []
    for clip, rig in ((nodding, out.plan.source_map), (out.clip, out.plan.target_map)):
        at, rest = clip.world()[0], clip.skeleton.rest_positions_m
        neck, head = rig[Role.NECK], rig[Role.HEAD]
        still = rest[head] - rest[neck]
        now = at[:, head] - at[:, neck]
        # How far each leans from its own rest: rest poses differ.
        lean = quat.rotate(quat.between(still, np.array([0.0, 1.0, 0.0])), now)
        ways.append(lean / np.linalg.norm(lean, axis=1, keepdims=True))
    assert np.degrees(np.arccos(np.clip(np.einsum("ti,ti->t", *ways), -1, 1))).max() < 3.0


def test_edits_on_the_other_rig_come_home_too(nodding: Clip) -> None:
    there = retarget(nodding, None, test_rigs.mixamo65(), options=PLAIN).clip
    edited = there.rotations_xyzw.astype(np.float64)
    j = there.skeleton.index["mixamorig:Neck"]
    edited[:, j] = quat.mul(edited[:, j], quat.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.radians(25.0)))
    changed = replace(there, rotations_xyzw=edited.astype(np.float32))
    with_kept, without = home(changed, nodding), home(replace(changed, kept=None), nodding)
    j = nodding.skeleton.index["Head"]
    assert max(away_deg(with_kept, nodding, name) for name in ("Neck", "Neck1")) > 5.0
    np.testing.assert_allclose(
        np.abs(np.einsum("ti,ti->t", with_kept.world()[1][:, j], without.world()[1][:, j])), 1.0, atol=1e-5
    )


def test_it_goes_through_a_file_a_cut_and_another_rate(nodding: Clip, tmp_path: Path) -> None:
    there = retarget(nodding, None, test_rigs.mixamo65(), options=PLAIN).clip
    path = tmp_path / "there.glb"
    formats.save(path, there.skeleton, [there])
    read = formats.load(path).clips[0]
    assert away_deg(home(read, nodding), nodding, "Neck") < 0.05
    cut = home(read.slice(10, 60), nodding)
    assert away_deg(cut, nodding.slice(10, 60), "Neck") < 0.05
    slower = formats.load(path, fps_hz=nodding.fps_hz / 2).clips[0]
    assert away_deg(home(slower, nodding), resample(nodding, nodding.fps_hz / 2), "Neck") < 0.05


def test_other_rigs_and_mirrored_clips_know_nothing_of_it(nodding: Clip) -> None:
    there = retarget(nodding, None, test_rigs.mixamo65(), options=PLAIN).clip
    other = test_rigs.soma77()
    a = retarget(there, None, other, options=PLAIN).clip
    b = retarget(replace(there, kept=None), None, other, options=PLAIN).clip
    assert np.array_equal(a.rotations_xyzw, b.rotations_xyzw)
    mirrored = replace(PLAIN, mirror=True)
    assert retarget(nodding, None, test_rigs.mixamo65(), options=mirrored).clip.kept is None
    assert retarget(clip_of_one_neck(), None, test_rigs.vrm55(), options=PLAIN).clip.kept is None


def clip_of_one_neck() -> Clip:
    return retarget(walks.walk(test_rigs.cmu31(), 30), None, test_rigs.mixamo65(), options=PLAIN).clip


@pytest.mark.parametrize("block", [
    {"rig": "x", "turns": {"Neck": 99999}}, {"rig": "x", "turns": {"Neck": "a"}}, {"turns": 3}, "no", [], None,
    {"rig": 7, "turns": {"Neck": 0}},
])  # fmt: skip
def test_nonsense_in_a_file_is_left_out(nodding: Clip, tmp_path: Path, block: Any) -> None:
    import json

    path = tmp_path / "there.gltf"
    there = retarget(nodding, None, test_rigs.mixamo65(), options=PLAIN).clip
    formats.save(path, there.skeleton, [there])
    document = json.loads(path.read_text())
    document["animations"][0]["extras"]["kineograph"]["kept"] = block
    path.write_text(json.dumps(document))
    clip = formats.load(path).clips[0]
    assert clip.kept is None
    assert len(clip) == len(there)
