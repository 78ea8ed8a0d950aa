# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig that only Blender can read, read a few frames a turn: nothing is held up, nothing is left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, measure, scenes

from kineograph.errors import KineographError
from kineograph_blender import session
from kineograph_blender.bridge import gathering, guard, marks, request
from kineograph_blender.bridge.keys import KeyMode
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


def seen(found: Looking) -> Looking:
    """All frames were looked at, and nothing more was done."""
    done = False
    while not done and found.progress[0] < max(found.progress[1], 1):
        done = found.step(0.0)
    assert not done
    return found


def read(found: Looking) -> request.Outgoing:
    """To the end."""
    while not found.step(0.0):
        pass
    return found.outgoing


def constraints(out: request.Outgoing) -> Any:
    return out.request["constraints"]


def test_it_is_read_one_frame_a_turn_and_the_same_is_sent(addon: Any) -> None:
    armature = hero()
    armature.pose.bones["Head"].location = (0.0, 0.1, 0.0)  # posed and not keyed
    want = measure.gather(armature, model=trial.MODEL, start=1, end=60)
    found = Looking.ahead(armature, addon, direction())
    while not found.progress[1]:
        assert not found.step(0.0), "what keys alone say"
    for n in range(len(FRAMES)):
        before = guard.visits()
        assert found.progress == (n, len(FRAMES))
        assert not found.step(0.0)
        assert guard.visits() == before + 1
        assert addon.frame_current == 33
        assert tuple(armature.pose.bones["Head"].location) == pytest.approx((0.0, 0.1, 0.0))
    before = guard.visits()
    assert constraints(read(found)) == constraints(want)
    assert guard.visits() == before, "nothing is looked at twice"


def test_what_needs_no_visits_is_read_without_any(addon: Any) -> None:
    armature = trial.hero(frames=FRAMES)
    before = guard.visits()
    found = Looking.ahead(armature, addon, direction())
    got = read(found)
    assert found.progress == (0, 0)
    assert guard.visits() == before
    assert constraints(got) == constraints(measure.gather(armature, model=trial.MODEL, start=1, end=60))


def test_keys_that_are_changed_meanwhile_are_looked_at_again(addon: Any) -> None:
    armature = hero()
    found = seen(Looking.ahead(armature, addon, direction()))
    scenes.key(armature, "Head", "rotation_quaternion", FRAMES[3], (0.9, 0.4358899, 0.0, 0.0))
    scenes.key(armature, "Head", "rotation_quaternion", 58, (1.0, 0.0, 0.0, 0.0))
    assert constraints(read(found)) == constraints(measure.gather(armature, model=trial.MODEL, start=1, end=60))


def test_what_changes_all_the_time_is_read_in_one_turn(addon: Any) -> None:
    armature = hero()
    found = Looking.ahead(armature, addon, direction())
    turns = 0
    while not found.step(0.0):
        turns += 1
        turn = (1.0, 0.01 * turns, 0.0, 0.0)
        scenes.key(armature, "Head", "rotation_quaternion", FRAMES[3], turn)
    assert turns < 4 * len(FRAMES)
    assert constraints(found.outgoing) == constraints(measure.gather(armature, model=trial.MODEL, start=1, end=60))


def test_with_a_take_on_the_rig_its_own_keys_are_read(addon: Any) -> None:
    armature = hero()
    want = measure.gather(armature, model=trial.MODEL, start=1, end=60)
    measure.baked(want.rig, measure.wander(want.rig, 60))
    made = armature.animation_data.action
    got = constraints(read(Looking.ahead(armature, addon, direction())))
    assert armature.animation_data.action == made
    assert [c["frame"] for c in got] == [c["frame"] for c in constraints(want)]
    for a, b in zip(got, constraints(want), strict=True):
        for name, turn in a["joint_rotations"].items():
            assert np.abs(np.array(turn) - b["joint_rotations"][name]).max() < 1e-6


def test_begin_in_the_pose_that_was_shown_when_it_was_asked(addon: Any) -> None:
    armature = hero()
    asked = Direction(model=trial.MODEL, start=1, end=60, start_pose=True)
    want = gathering.gather(armature, addon, asked)
    found = Looking.ahead(armature, addon, asked)
    addon.frame_set(7)
    assert constraints(read(found)) == constraints(want)


def close(a: Any, b: Any) -> bool:
    """Two requests' constraints, within what float32 keeps."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(v, b[k]) for k, v in a.items())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(close, a, b))
    return bool(a == b if isinstance(a, str) else abs(a - b) < 1e-6)


@pytest.mark.parametrize("what", ["leads", "pins", "edits"])
def test_leads_moving_pins_and_edits_of_a_take_are_read_in_turns_too(addon: Any, what: str) -> None:
    armature = hero()
    asked = Direction(model=trial.MODEL, start=20, end=40, keys=KeyMode.NONE)
    if what == "leads":
        asked = replace(asked, lead_in=6, lead_out=6)
    elif what == "pins":
        pin = scenes.empty((0.3, -0.4, 1.0), "Grab")
        for frame in (22, 30):
            pin.location.z += 0.2
            pin.keyframe_insert("location", frame=frame)
        marks.mark_pin(pin, armature, "LeftHand", frames=(22, 30))
        marks.mark_path(scenes.curve_path([(0, 0, 0), (0, -2, 0)]), armature)
        marks.mark_waypoint(scenes.empty((0, -3, 0), "There"), armature, 35)
    else:
        made = measure.gather(armature, model=trial.MODEL, start=1, end=60)
        measure.baked(made.rig, measure.wander(made.rig, 60))
        for frame in (24, 31, 38):
            scenes.key(armature, "Head", "rotation_quaternion", frame, (0.9, 0.4358899, 0.0, 0.0))
        asked = replace(asked, keys=KeyMode.BONES)
    addon.frame_set(33)
    want = gathering.gather(armature, addon, asked)
    assert want.request["constraints"]
    found = Looking.ahead(armature, addon, asked)
    turns, most = 0, 0
    while not found.is_done:
        before = guard.visits()
        found.step(0.0)
        most, turns = max(most, guard.visits() - before), turns + 1
        assert addon.frame_current == 33
    assert most == 1
    assert turns > {"leads": 12, "pins": 10, "edits": 3}[what]
    assert close(constraints(found.outgoing), constraints(want))
    assert found.outgoing.remarks == want.remarks
    assert found.outgoing.edits == want.edits


def test_a_pin_that_comes_while_it_is_read_is_sent(addon: Any) -> None:
    armature = hero()
    found = seen(Looking.ahead(armature, addon, direction()))
    marks.mark_pin(scenes.empty((0.3, -0.4, 1.0), "Grab"), armature, "LeftHand", frames=(22, 30))
    bpy.context.view_layer.update()
    assert close(constraints(read(found)), constraints(gathering.gather(armature, addon, direction())))
    assert "effector_target" in {c["type"] for c in constraints(found.outgoing)}


@pytest.mark.daemon
def test_from_the_button_to_the_take(addon: Any, daemon: Any) -> None:
    armature = hero()
    current = session.current()
    current.generate_soon(armature, addon, direction())
    assert current.is_busy
    assert "Reading Hero" in " ".join(trial.shown("generate").text.split())
    seen: list[tuple[int, int]] = []
    while not current.jobs:
        before = guard.visits()
        current.poll(0.0)
        assert guard.visits() - before <= 1, "without time to spare it is one frame a turn"
        assert addon.frame_current == 33
        if current.reading:
            seen.append(current.reading[0].progress)
            said = " ".join(trial.shown("generate").text.split())
            assert seen[-1][1] == 0 or f"Reading Hero, {seen[-1][0]} of {len(FRAMES)} frames" in said
    assert list(dict.fromkeys(p for p in seen if p[1])) == [(n, len(FRAMES)) for n in range(len(FRAMES) + 1)]
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


@pytest.mark.daemon
def test_a_reading_that_stumbles_leaves_the_line(addon: Any, daemon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    current = session.current()
    current.generate_soon(hero(), addon, direction())
    monkeypatch.setattr(Looking, "step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        current.poll(0.0)
    assert not current.reading
    assert not current.is_busy
    assert current.jobs == []


def test_what_is_wrong_is_said_at_once_while_a_take_shows_too(addon: Any) -> None:
    armature = hero()
    made = measure.gather(armature, model=trial.MODEL, start=1, end=60)
    measure.baked(made.rig, measure.wander(made.rig, 60))
    marks.mark_pin(scenes.empty((0, 0, 1), "Grab"), armature, "LefHand", frames=(5, 9))
    with pytest.raises(KineographError, match="LefHand"):
        Looking.ahead(armature, addon, direction())
