# SPDX-License-Identifier: GPL-3.0-or-later
"""Two Blenders with the same file: both follow a job, one take comes of it, and either may cancel it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, package, scenes
from tests.blender.house import House
from tests.blender.test_resumed import polled, records
from tests.blender.troubled import house

from kineograph.client import Client
from kineograph.wire.messages import JobState
from kineograph_blender import link, session

pytestmark = pytest.mark.daemon

FIRST = """
import json, sys, time
import bpy
import kineograph_blender
kineograph_blender.register()
from tests.blender import scenes, states, troubled
from tests.blender import addon as trial
from kineograph_blender import session
path, gate = sys.argv[1:]
scenes.fresh()
armature = trial.hero()
settings = bpy.context.scene.kineograph
settings.model, settings.seed, settings.new_seed = "troubled", 7, False
troubled.ready()
states.send("Hero", f"slow {gate}", until=lambda job: states.told(job) is states.JobState.RUNNING)
bpy.ops.wm.save_as_mainfile(filepath=path)
job = session.current().jobs[-1]
print("SAID", json.dumps({"job": job.id, "uid": armature.kineograph.uid}), flush=True)
while not job.is_done:
    session.current().poll()
    time.sleep(0.005)
session.current().shelf.close()
rows = [r.id for r in session.current().shelf.every()]
error = "" if job.error is None else str(job.error.code)
print("SAID", json.dumps({"rows": rows, "error": error}), flush=True)
sys.stdin.readline()
import os
os._exit(0)
"""


class First:
    """The Blender that pressed Generate; alive until the end of the test."""

    def __init__(self, path: str, gate: Path) -> None:
        folders = os.pathsep.join(map(str, (*package.SOURCES, package.ROOT)))
        env = {**package.apart(), "PYTHONPATH": folders, package.SWITCH: "source"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", FIRST, path, str(gate)],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def says(self) -> dict[str, Any]:
        """What it says next."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("SAID "):
                return dict(json.loads(line.removeprefix("SAID ")))
        raise AssertionError("it ended without a word")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def gated(addon: Any) -> Iterator[House]:
    """A daemon whose running job waits for a gate."""
    with house() as made:
        made.start()
        yield made


@pytest.fixture
def first(gated: House, tmp_path: Path) -> Iterator[First]:
    made = First(str(tmp_path / "shot.blend"), gated.home / "gate")
    yield made
    made.end()


def second(tmp_path: Path) -> Any:
    """This Blender, with the same file, once it follows the job too."""
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    scenes.activate(bpy.data.objects["Hero"])
    link.ensure()
    job = polled(lambda: next(iter(session.current().jobs), None))
    polled(lambda: job.status is not None and job.status.state is JobState.RUNNING)
    return job


def test_one_take_comes_of_it(gated: House, first: First, tmp_path: Path) -> None:
    asked = first.says()
    job = second(tmp_path)
    assert job.id == asked["job"]
    (gated.home / "gate").touch()
    polled(lambda: job.is_done)
    told = first.says()
    session.current().shelf.close()
    assert told == {"rows": [asked["job"].replace("-", "")], "error": ""}
    assert [r.id for r in session.current().shelf.every()] == told["rows"]
    on_disk = sorted(p.suffix for p in (gated.home / "data" / "takes" / asked["uid"]).iterdir())
    assert on_disk == [".json", ".take"]
    assert not records(gated.home)
    run = gated._run_file()
    with Client(run) as client:
        assert [status.job for status in client.list()] == [asked["job"]], "nothing ran twice"
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}
    assert fake_layout.draw("problems") is None


def test_either_may_cancel_it(gated: House, first: First, tmp_path: Path) -> None:
    first.says()
    job = second(tmp_path)
    assert bpy.ops.kineograph.cancel(job=job.id) == {"FINISHED"}
    polled(lambda: job.is_done)
    assert first.says() == {"rows": [], "error": "request_cancelled"}
    session.current().shelf.close()
    assert not records(gated.home)
    assert trial.shown("generate").button("kineograph.generate").enabled
    assert fake_layout.draw("problems") is None


def test_when_the_first_one_dies_the_second_has_the_take(gated: House, first: First, tmp_path: Path) -> None:
    asked = first.says()
    job = second(tmp_path)
    first.end()
    (gated.home / "gate").touch()
    polled(lambda: job.is_done)
    session.current().shelf.close()
    assert [r.id for r in session.current().shelf.every()] == [asked["job"].replace("-", "")]
    assert not records(gated.home)
