# SPDX-License-Identifier: Apache-2.0
"""A file that crashes the library which reads it is refused, and the watcher lives."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kineograph.errors import SceneError
from kineograph_daemon.watch import carry
from kineograph_daemon.watch.carry import probe
from kineograph_daemon.watch.state import Row, TaskState


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_crash_in_another_process_is_an_error_here(tmp_path: Path) -> None:
    path = tmp_path / "bad.usdc"
    path.write_bytes(b"x")
    with pytest.raises(SceneError, match="crashes") as caught:
        probe(path, "import os; os.abort()")
    assert caught.value.details["file"] == str(path)
    probe(path, "raise SystemExit(1)")  # an ordinary error is told by the reader itself
    probe(path, "pass")


@pytest.mark.parametrize("told", ["ours", "another", "[]", "{", ""])
def test_only_a_result_of_the_row_itself_is_discarded(tmp_path: Path, told: str) -> None:
    row = Row("key", "a.bvh", "d", "rig.glb", "deep/a.glb", TaskState.WORKING, tries=1)
    jobs = {"ours": carry._job_of("key", 0), "another": carry._job_of("other", 0)}
    result, report = tmp_path / "deep" / "a.glb", tmp_path / "deep" / "a.glb.report.json"
    result.parent.mkdir()
    result.write_bytes(b"glTF")
    report.write_text(json.dumps({"job": jobs[told]}) if told in jobs else told)
    carry.discard(tmp_path, row)
    stays = told != "ours"
    assert (result.exists(), report.exists()) == (stays, stays)
    carry.discard(tmp_path, row)  # nothing there any more
