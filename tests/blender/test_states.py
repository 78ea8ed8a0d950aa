# SPDX-License-Identifier: GPL-3.0-or-later
"""A file saved, reloaded or left by a crash in every state of a job opens again, and nothing in it is stuck."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, package, states
from tests.blender.house import House, wait_until
from tests.blender.test_registration import handlers
from tests.blender.troubled import house

from kineograph_blender import draw, link, session
from kineograph_blender.bridge import stamps
from kineograph_blender.draw.state import drawn

pytestmark = pytest.mark.daemon
PANELS = ("connection", "character", "model", "direction", "generate", "takes", "problems")


@pytest.fixture
def gated(addon: Any) -> Iterator[House]:
    """A daemon whose running job waits for a gate."""
    with house() as made:
        made.start()
        yield made


@pytest.mark.parametrize("how", ["reloaded", "crashed"])
def test_every_state_is_left_behind(gated: House, tmp_path: Path, how: str) -> None:
    path, gate = str(tmp_path / "shot.blend"), gated.home / "gate"
    before = (handlers(), len(draw._handles))
    if how == "reloaded":
        states.make(path, str(gate))
    else:
        crash(path, gate)
        link.ensure()
    bpy.ops.wm.open_mainfile(filepath=path)
    for name in states.NAMES:
        states.look_at(name)
        for panel in PANELS:
            fake_layout.draw(panel)
    gate.touch()
    waiting = [job for job in session.current().jobs if job.retry is not None]
    assert len(waiting) == (how == "reloaded"), "after a crash nobody tries again what had failed"
    for job in waiting:
        bpy.ops.kineograph.cancel(job=job.id)
    wait_until(lambda: not session.current().poll() and all_done() and not records(gated.home))
    for name in states.NAMES:
        armature = states.look_at(name)
        action = armature.animation_data.action
        if name == "Shown" or (name, how) == ("Halfway", "reloaded"):
            assert stamps.take_of(action), "written, or what was begun is written to the end"
        else:
            assert action.name == f"{name} by hand", name
        rows = session.current().shelf.rows(session.owner_of(armature))
        made = ("Done", "Shown", "Halfway", "Running", "Queued", "Unsent", "Clicked")
        assert len(rows) == (name in made), name
        assert trial.shown("generate").button("kineograph.generate").enabled
    assert (handlers(), len(draw._handles)) == before
    assert (drawn.drag, drawn.browsed) == (None, "")
    armature = states.look_at("Halfway")
    assert bpy.ops.kineograph.take_apply(take=states.newest("Halfway")) == {"FINISHED"}
    assert stamps.own_action(armature)[0].name == "Halfway by hand"


def crash(path: str, gate: Path) -> None:
    """The same in a Blender that is killed."""
    folders = os.pathsep.join(map(str, (*package.SOURCES, package.ROOT)))
    env = {**package.apart(), "PYTHONPATH": folders, package.SWITCH: "source"}
    script = str(Path(states.__file__))
    done = subprocess.run(
        [sys.executable, script, path, str(gate)], env=env, capture_output=True, text=True, check=False
    )
    assert Path(path + ".made").exists(), done.stderr[-4000:]
    assert done.returncode == -signal.SIGKILL


def all_done() -> bool:
    """Whether nothing is under way that this Blender knows of."""
    return all(job.is_done for job in session.current().jobs)


def records(home: Path) -> list[Path]:
    """What was sent and has not ended here."""
    return [p for p in (home / "data" / "takes").glob("*/*") if p.suffix in (".sent", ".asked", ".reading")]
