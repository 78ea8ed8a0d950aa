# SPDX-License-Identifier: Apache-2.0
"""The recorded answers of the official server, replayed against a real daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("KINEOGRAPH_SHARED", ROOT / "../shared")).resolve() / "conformance"
# What msgpack has no form for, and what is about HTTP or the size of JSON.
NO_COUNTERPART = "http_only,byte_size_json,bigint,lone_surrogate"
HTTP = ("--target", "tests.conformance.adapter_http:answer", "--level", "code")


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"the recorded answers are not at {REFERENCE}")
def test_the_daemon_answers_as_the_official_server_but_for_the_rulings(tmp_path: Path) -> None:
    recorded = json.loads((REFERENCE / "vectors_dev.json").read_text("utf-8"))
    recorded["vectors"].sort(key=lambda v: v["config"])  # one daemon for each set of models, one after the other
    vectors = tmp_path / "vectors.json"
    vectors.write_text(json.dumps(recorded), "utf-8")
    script = REFERENCE / "replay.py"
    command = [sys.executable, str(script), str(vectors), "--target", "tests.conformance.adapter:answer"]
    ran = subprocess.run(
        [*command, "--level", "code", "--skip-tags", NO_COUNTERPART],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "agree" in ran.stdout


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"the recorded answers are not at {REFERENCE}")
def test_the_http_door_answers_as_the_official_server_where_only_http_can(tmp_path: Path) -> None:
    """What ZeroMQ has no form for, and whatever else was recorded of the same models: one daemon for each set."""
    recorded = json.loads((REFERENCE / "vectors_dev.json").read_text("utf-8"))
    only_here = set(NO_COUNTERPART.split(","))
    configs = {v["config"] for v in recorded["vectors"] if only_here & set(v["tags"])}
    recorded["vectors"] = [v for v in recorded["vectors"] if v["config"] in configs]
    vectors = tmp_path / "vectors.json"
    vectors.write_text(json.dumps(recorded), "utf-8")
    ran = subprocess.run(
        [sys.executable, str(REFERENCE / "replay.py"), str(vectors), *HTTP],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert f"{len(recorded['vectors'])}/{len(recorded['vectors'])} agree" in ran.stdout
