# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters whose jobs stand in every state at once, in a saved file: for what comes after, a reload or a crash.

Run as a script it makes them in a Blender of its own and kills that: arguments are the file to save and the gate that
holds the running job.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
from tests.blender import addon as trial
from tests.blender import scenes, troubled

from kineograph.wire.messages import JobState
from kineograph_blender import applying, session
from kineograph_blender.session import Models

NAMES = ("Done", "Shown", "Failed", "Halfway", "Retrying", "Running", "Queued", "Stopping", "Unsent", "Clicked")


def make(path: str, gate: str) -> None:
    """One character a state, each with the action of its user's; saved to ``path`` while all of it goes on."""
    scenes.fresh()
    for name in NAMES:
        armature = trial.hero(name)
        armature.kineograph.prompt = "walks"
        armature.animation_data.action.name = f"{name} by hand"
    settings = bpy.context.scene.kineograph
    settings.model, settings.seed, settings.new_seed = "troubled", 7, False
    troubled.ready()
    for name in ("Done", "Shown", "Halfway"):
        send(name, until=lambda job: job.is_done)
    bpy.ops.kineograph.take_apply(take=look_at("Shown").kineograph.uid and newest("Shown"))
    send("Failed", "breaks", until=lambda job: job.is_done)
    send("Retrying", "service", until=lambda job: job.retry is not None)
    send("Running", f"slow {gate}", until=lambda job: told(job) is JobState.RUNNING)
    send("Queued", until=lambda job: told(job) is JobState.QUEUED)
    send("Stopping", until=lambda job: told(job) is JobState.QUEUED)
    begin_to_write("Halfway")
    send("Unsent", until=lambda job: True)
    click("Clicked")
    session.current().cancel(next(j for j in session.current().jobs if j.armature == "Stopping"))
    bpy.ops.wm.save_as_mainfile(filepath=path)


def look_at(name: str) -> Any:
    """Make a character the active one."""
    armature = bpy.data.objects[name]
    scenes.activate(armature)
    return armature


def send(name: str, prompt: str = "walks", *, until: Callable[[Any], bool]) -> None:
    """Press Generate for a character, and turn the session until its job is there."""
    look_at(name).kineograph.prompt = prompt
    assert bpy.ops.kineograph.generate() == {"FINISHED"}
    job = session.current().jobs[-1]
    end_s = time.monotonic() + 60.0
    while not until(job):
        assert time.monotonic() < end_s, (name, job.status, job.error)
        session.current().poll()
        time.sleep(0.002)


def click(name: str) -> None:
    """Press Generate, and stop before the request has left: which model it goes to is asked for first."""
    settings, current = bpy.context.scene.kineograph, session.current()
    before, known = settings.model, current.models
    settings.model, current.models = "", Models()
    send(name, until=lambda job: True)
    assert current.jobs[-1].errand is None
    settings.model, current.models = before, known


def told(job: Any) -> JobState | None:
    """What the daemon said last."""
    return None if job.status is None else job.status.state


def newest(name: str) -> str:
    """The id of a character's newest take."""
    return session.current().shelf.rows(session.owner_of(bpy.data.objects[name]))[0].id


def begin_to_write(name: str) -> None:
    """Start to write a take, and stop in the middle, as between two ticks of the pump."""
    armature = look_at(name)
    current = session.current()
    row = current.shelf.rows(session.owner_of(armature))[0]
    take = current.shelf.take(row.id)
    current.apply(take, **applying.how_of(armature, bpy.context.scene, take, row))
    order = current._writer._orders[0]
    order.bake.step(0.0)
    assert order.bake.is_begun
    assert len(current._writer) == 1, "it is not done"


if __name__ == "__main__":
    import kineograph_blender

    kineograph_blender.register()
    make(sys.argv[1], sys.argv[2])
    session.current().shelf.close()
    Path(sys.argv[1] + ".made").touch()
    os.kill(os.getpid(), signal.SIGKILL)
