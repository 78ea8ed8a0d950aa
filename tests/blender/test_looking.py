# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig that only Blender can read, read a few frames a turn: nothing is held up, nothing is left behind."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, measure, scenes

from kineograph_blender import session
from kineograph_blender.bridge import guard, request
from kineograph_blender.bridge.looking import Looking
from kineograph_blender.bridge.request import Direction

FRAMES = tuple(range(1, 60, 6))


def hero() -> Any:
    """Keyed at ten frames, with a constraint."""
    armature = trial.hero(frames=FRAMES)
    limit = armature.pose.bones["Spine"].constraints.new("LIMIT_ROTATION")
    limit.use_limit_x, limit.max_x = True, 0.05
    bpy.context.scene.frame_set(33)
    return armature


def direction() -> Direction:
    return Direction(model=trial.MODEL, start=1, end=60)


def looked(armature: Any, turns: int = 100) -> Looking:
    found = Looking.ahead(armature, bpy.context.scene, direction())
    assert found is not None
    for _ in range(turns):
        if found.step(0.0):
            break
    return found


def constraints(out: request.Outgoing) -> Any:
    return out.request["constraints"]


def test_it_is_read_one_frame_a_turn_and_the_same_is_sent(addon: Any) -> None:
    armature = hero()
    armature.pose.bones["Head"].location = (0.0, 0.1, 0.0)  # posed and not keyed
    want = measure.gather(armature, model=trial.MODEL, start=1, end=60)
    found = Looking.ahead(armature, addon, direction())
    assert found is not None
    turns = 0
    while True:
        before = guard.visits()
        done = found.step(0.0)
        turns += 1
        assert guard.visits() == before + 1
        assert addon.frame_current == 33
        assert tuple(armature.pose.bones["Head"].location) == pytest.approx((0.0, 0.1, 0.0))
        if done:
            break
    assert (turns, found.progress) == (len(FRAMES), (len(FRAMES), len(FRAMES)))
    before = guard.visits()
    assert constraints(found.gather()) == constraints(want)
    assert guard.visits() == before, "nothing is looked at twice"


def test_what_needs_no_visits_is_read_at_once(addon: Any) -> None:
    armature = trial.hero(frames=FRAMES)
    assert Looking.ahead(armature, addon, direction()) is None


def test_keys_that_are_changed_meanwhile_are_looked_at_again(addon: Any) -> None:
    armature = hero()
    found = looked(armature)
    scenes.key(armature, "Head", "rotation_quaternion", FRAMES[3], (0.9, 0.4358899, 0.0, 0.0))
    scenes.key(armature, "Head", "rotation_quaternion", 58, (1.0, 0.0, 0.0, 0.0))
    assert constraints(found.gather()) == constraints(measure.gather(armature, model=trial.MODEL, start=1, end=60))


def test_with_a_take_on_the_rig_its_own_keys_are_read(addon: Any) -> None:
    armature = hero()
    want = measure.gather(armature, model=trial.MODEL, start=1, end=60)
    measure.baked(want.rig, measure.wander(want.rig, 60))
    made = armature.animation_data.action
    found = looked(armature)
    assert armature.animation_data.action == made
    got = constraints(found.gather())
    assert [c["frame"] for c in got] == [c["frame"] for c in constraints(want)]
    for a, b in zip(got, constraints(want), strict=True):
        for name, turn in a["joint_rotations"].items():
            assert np.abs(np.array(turn) - b["joint_rotations"][name]).max() < 1e-6


def test_begin_in_the_pose_that_was_shown_when_it_was_asked(addon: Any) -> None:
    armature = hero()
    asked = Direction(model=trial.MODEL, start=1, end=60, start_pose=True)
    want = request.gather(armature, addon, asked)
    found = Looking.ahead(armature, addon, asked)
    assert found is not None
    addon.frame_set(7)
    while not found.step(0.0):
        pass
    assert constraints(found.gather()) == constraints(want)


@pytest.mark.daemon
def test_from_the_button_to_the_take(addon: Any, daemon: Any) -> None:
    armature = hero()
    current = session.current()
    assert current.generate_soon(armature, addon, direction()) is None
    assert current.is_busy
    assert f"Reading Hero, 0 of {len(FRAMES)} keyed frames" in " ".join(trial.shown("generate").text.split())
    turns = 0
    while not current.jobs:
        current.poll(0.0)
        turns += 1
        assert addon.frame_current == 33
    assert turns == len(FRAMES), "without time to spare it is one frame a turn"
    assert current.reading == []
    job = trial.settled()
    assert job.error is None
    assert job.take is not None


@pytest.mark.daemon
def test_cancel_and_a_rig_that_goes_away(addon: Any, daemon: Any) -> None:
    armature = hero()
    current = session.current()
    current.generate_soon(armature, addon, direction())
    drawn = fake_layout.draw("generate")
    assert drawn is not None
    assert drawn.button("Cancel").press() == {"FINISHED"}
    assert not current.reading
    scenes.simple("Other")
    current.generate_soon(armature, addon, direction())
    bpy.data.objects.remove(armature)
    while current.reading:
        current.poll(0.01)
    assert current.jobs == []
    (trouble,) = list(current.troubles)
    assert "'Hero' was changed while it was being read" in trouble.error.message


@pytest.mark.daemon
def test_another_file_meanwhile(addon: Any, daemon: Any) -> None:
    current = session.current()
    current.generate_soon(hero(), addon, direction())
    current.poll(0.0)
    assert current.reading
    scenes.fresh()
    scenes.simple("Hero")  # another one, by the same name
    while current.reading:
        current.poll(0.01)
    assert current.jobs == []
    assert len(current.troubles) == 1
