# SPDX-License-Identifier: Apache-2.0
"""The face that files and folders use: whole, picklable, and light."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from tests.fakes import test_rigs, walks

from kineograph.rigs import roles_of
from kineograph_daemon.retarget import Options, retarget_with_report


def test_a_pool_of_processes_takes_it() -> None:
    """Arguments and answers travel to a fresh process and back, and it finds what this one finds."""
    clip, target = walks.walk(test_rigs.cmu31(), 60), test_rigs.mixamo65()
    source_map = roles_of(clip.skeleton.names, clip.skeleton.parents.tolist(), clip.skeleton.rest_positions_m)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        there, report = pool.submit(retarget_with_report, clip, source_map, target, None, Options()).result(60)
    here, _ = retarget_with_report(clip, source_map, target)
    np.testing.assert_array_equal(there.rotations_xyzw, here.rotations_xyzw)
    assert report.frames_per_s > 0


def test_the_report_is_plain_and_says_why_each_joint_is_mapped() -> None:
    clip = walks.walk(test_rigs.cmu31(), 60)
    _, report = retarget_with_report(clip, None, test_rigs.unreal68())
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    rows = {row["target"]: row for row in document["mapping"]}
    assert rows["thigh_l"]["source"] == "LeftUpLeg"
    assert rows["thigh_l"]["confidence"] > 0.9
    assert all(row["reason"] and 0 < row["confidence"] <= 1 for row in rows.values())
    assert {"slide_cm_per_s", "penetration_cm", "round_trip", "jerk_ratio", "unmapped"} <= set(document)


def test_it_needs_no_torch_no_socket_and_no_front() -> None:
    code = (
        "import sys, kineograph_daemon.retarget;"
        "print(sorted({'torch', 'zmq', 'motionmcp', 'kineograph_daemon.server'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
