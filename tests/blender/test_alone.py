# SPDX-License-Identifier: GPL-3.0-or-later
"""What has a turn of the pump for itself, and what a take leaves behind. How long turns are is for the benchmark."""

from __future__ import annotations

import gc
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import scenes

from kineograph_blender import applying, session
from kineograph_blender.bridge.looking import Looking
from kineograph_blender.bridge.request import Direction
from kineograph_blender.draw.state import drawn
from kineograph_blender.session import writer

pytestmark = pytest.mark.daemon


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Undo steps that were pushed."""
    out: list[str] = []
    monkeypatch.setattr(writer, "push_undo", out.append)
    return out


def put_on(armature: Any) -> tuple[float | None, list[Any]]:
    """Turns up to the one that puts a take on; when the next is to come, and who hears of its end."""
    row = trial.generated()
    current = session.current()
    heard: list[Any] = []
    drawn.verdicts = None
    current.apply(current.shelf.take(row.id), heard.append)
    for _ in range(5000):
        wait_s = session.tick()
        if applying.shown_origin(armature) is not None:
            return wait_s, heard
    raise AssertionError("it is never put on")


def test_the_undo_step_of_a_take_has_a_turn_of_its_own_that_comes_at_once(
    addon: Any, daemon: Any, pushed: list[str]
) -> None:
    armature = trial.hero()
    wait_s, heard = put_on(armature)
    assert (wait_s, pushed, heard, drawn.verdicts) == (0.0, [], [], None), "the take shows, and that is all"
    assert session.tick() == session.BUSY_INTERVAL_S
    assert (pushed, heard, drawn.verdicts) == (["Apply take"], [], None), "nothing else in that turn"
    while not heard:
        session.tick()
    assert heard == [None]
    assert drawn.verdicts is not None, "verdicts are there when it is over"
    assert pushed == ["Apply take"]


def test_who_leaves_the_daemon_in_between_has_the_undo_step_all_the_same(
    addon: Any, daemon: Any, pushed: list[str]
) -> None:
    put_on(trial.hero())
    session.current().disconnect()
    assert pushed == ["Apply take"]


def test_a_take_that_was_undone_in_between_has_none(addon: Any, daemon: Any, pushed: list[str]) -> None:
    armature = trial.hero()
    _, heard = put_on(armature)
    bpy.data.actions.remove(armature.animation_data.action)
    while not heard:
        session.tick()
    assert pushed == []


def test_a_take_leaves_no_circles_for_pythons_collector(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    current = session.current()
    heard: list[Any] = []
    trial.generated()  # imports, caches

    def all_of_it() -> None:
        found = Looking.ahead(armature, addon, Direction(model=trial.MODEL, start=1, end=60))
        while not found.step(0.001):
            pass
        current.apply(current.shelf.take(trial.generated().id), heard.append)
        while not heard:
            session.tick()

    gc.collect()
    gc.disable()
    try:
        all_of_it()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = {type(thing).__qualname__ for thing in gc.garbage if type(thing).__module__.startswith("kineograph")}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert heard == [None]
    assert ours == set()


def test_what_is_sent_of_poses_is_nothing_that_the_collector_looks_through(addon: Any, daemon: Any) -> None:
    scenes.fresh()
    armature = trial.hero()
    found = Looking.ahead(armature, bpy.context.scene, Direction(model=trial.MODEL, start=1, end=60))
    while not found.step(0.001):
        pass
    turns = [q for c in found.outgoing.request["constraints"] for q in c.get("joint_rotations", {}).values()]
    assert turns
    gc.collect()
    assert not any(map(gc.is_tracked, turns))
