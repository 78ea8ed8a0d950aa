# SPDX-License-Identifier: GPL-3.0-or-later
"""The sixth test rig, Rigify's human of 159 bones as Blender makes it, among the other five: every pair, both ways."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.blender.conftest import ROOT
from tests.fakes import test_rigs, walks

from kineograph import formats
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

sys.path.append(str(ROOT / "daemon"))  # retargeting is arrays to arrays and needs nothing that is not here
from kineograph_daemon.retarget import Options, quality, retarget

CLIP = Path(os.environ.get("KINEOGRAPH_SHARED", ROOT / "../shared")) / "clips" / "cmu_01_01.bvh"


@pytest.fixture(scope="module")
def human() -> Skeleton:
    """Made in a process of its own: Rigify leaves handlers behind in the one that enables it."""
    script = ROOT / "benchmarks" / "kineograph_bench" / "rigify_human.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rest: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return Skeleton.build(rest["names"], rest["parents"], rest["translations_m"], rest["rotations_xyzw"])


@cache
def walk() -> Clip:
    return walks.walk(test_rigs.cmu31(), 120)


def on(target: Skeleton) -> Clip:
    return retarget(walk(), None, target, options=Options(feet=False)).clip


def test_it_has_159_bones_and_every_role_of_a_body(human: Skeleton) -> None:
    assert len(human) == 159
    assert retarget(walk(), None, human).plan.target_map.missing() == []


@pytest.mark.parametrize("name", test_rigs.RIGS)
def test_there_and_back_is_where_it_was(human: Skeleton, name: str) -> None:
    other = test_rigs.RIGS[name]()
    for clip, target in ((on(human), other), (on(other), human)):
        trip = quality.round_trip(retarget(clip, None, target))
        assert trip["degrees"] < 0.05
        assert trip["cm"] < 0.2
        assert trip["cm_beyond_lost"] < 0.2


@pytest.mark.parametrize("fps_hz", [None, 30.0])
def test_a_clip_stands_on_it(human: Skeleton, fps_hz: float | None) -> None:
    clip = formats.load(CLIP).clips[0] if CLIP.is_file() else walk()
    report = quality.measure(retarget(clip, None, human, options=Options(fps_hz=fps_hz)))
    assert report["slide_cm_per_s"] < 3.0
    assert report["slide_seen_cm_per_s"] < 3.0
    assert report["penetration_cm"] < 0.5
    assert report["jerk_ratio"] < 1.1
    assert report["knee_pop_deg"] < 25.0
    assert report["limb_error_deg"]["mean"] < 5.0
