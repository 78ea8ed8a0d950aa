# SPDX-License-Identifier: GPL-3.0-or-later
"""What buttons do where nothing may wait, as in a window: they return at once, and turns of the pump do the rest.

Blender as a module has no timers that fire: here the test turns, as the timer does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, measure, scenes
from tests.blender.house import wait_until

from kineograph_blender import applying, session
from kineograph_blender.bridge import marks, stamps
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.direction import props as direction
from kineograph_blender.draw.state import drawn

pytestmark = pytest.mark.daemon


@pytest.fixture
def windowed(addon: Any, daemon: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The add-on as in a window, connected, its model known."""
    session.current().connect()
    turned(lambda: session.current().standing.is_ready and session.current().models.every)
    monkeypatch.setattr(session, "turns", lambda: True)
    return addon


def turned(is_true: Any) -> None:
    """Turn the pump until it is so."""
    wait_until(lambda: (session.tick(), is_true())[1])


def idle() -> None:
    """Turn the pump until nothing is left to do."""
    turned(lambda: not session.current().is_busy)


def looked_at() -> Any:
    """A character whose keyed frames have to be looked at."""
    armature = trial.hero(frames=(1, 12, 24, 36, 48, 60))
    limit = armature.pose.bones["Spine"].constraints.new("LIMIT_ROTATION")
    limit.use_limit_x, limit.max_x = True, 0.05
    return armature


def taken(**settings: Any) -> session.Row:
    """Press Generate and turn until the take has come."""
    for name, value in settings.items():
        setattr(bpy.context.scene.kineograph, name, value)
    assert bpy.ops.kineograph.generate() == {"FINISHED"}
    idle()
    job = session.current().jobs[-1]
    assert job.error is None, job.error
    assert job.row is not None
    return job.row


def test_generate_returns_before_the_scene_is_read_and_the_same_is_sent(windowed: Any) -> None:
    armature = looked_at()
    want = measure.gather(armature, model=trial.MODEL, start=1, end=60).request["constraints"]
    windowed.frame_set(33)
    assert bpy.ops.kineograph.generate() == {"FINISHED"}
    assert session.current().jobs == []
    assert "Reading Hero" in trial.shown("generate").text
    idle()
    (job,) = session.current().jobs
    assert job.error is None
    assert job.outgoing.request["constraints"] == want
    assert windowed.frame_current == 33


def test_cancel_while_it_is_read_sends_nothing(windowed: Any) -> None:
    looked_at()
    bpy.ops.kineograph.generate()
    trial.shown("generate").button("Cancel").press()
    idle()
    assert session.current().jobs == []
    assert "Reading" not in trial.shown("generate").text


def test_the_preview_comes_when_all_is_read(windowed: Any) -> None:
    armature = looked_at()
    direction.write(armature, [Block(1, 20, "a"), Block(21, 40, "b", locked=True), Block(41, 50, "c")])
    windowed.kineograph.span = "BLOCKS"
    assert bpy.ops.kineograph.preview() == {"FINISHED"}
    assert drawn.preview is None
    idle()
    assert drawn.preview is not None
    assert "30 frames, 2 prompts" in drawn.preview.title
    note = next(n for n in drawn.preview.notes if "outside 1-50" in n.text)
    assert "60" in note.text
    before = drawn.preview
    trial.shown("preview").button("Extend the last prompt to 60").press()
    assert drawn.preview is before, "it is looked at anew, in turns"
    idle()
    assert "40 frames, 2 prompts" in drawn.preview.title
    assert not any("outside" in n.text for n in drawn.preview.notes)


def test_a_take_is_written_in_turns_and_a_range_of_it_made_anew(windowed: Any) -> None:
    armature = looked_at()
    own = armature.animation_data.action
    row = taken()
    assert bpy.ops.kineograph.take_apply(take=row.id) == {"FINISHED"}
    assert armature.animation_data.action == own, "nothing shows before the last slice"
    idle()
    assert applying.shown_origin(armature) == (row.id, 0)
    rig = session.current().shelf.take(row.id).rig
    beside = [1, 10, 50, 60]
    before = measure.shown(armature, rig, beside)
    assert bpy.ops.kineograph.regenerate(first=20, last=40) == {"FINISHED"}
    idle()
    anew = session.current().jobs[-1]
    assert anew.error is None
    assert (anew.row.start, anew.row.frames) == (20, 21)
    assert applying.shown_origin(armature) == (anew.row.id, 0), "written over the range when it came"
    assert max(measure.miss(rig, measure.shown(armature, rig, beside), before)) < 1e-5


def test_what_keeps_a_take_from_being_written_is_a_card_and_send_again_writes_it(windowed: Any) -> None:
    armature = looked_at()
    row = taken()
    armature.data.pose_position = "REST"
    assert bpy.ops.kineograph.take_apply(take=row.id) == {"FINISHED"}
    idle()
    assert "shows its rest position" in trial.problem()
    assert stamps.take_of(armature.animation_data.action) is None
    trial.mend("Show the pose")
    trial.shown("problems").button("Send again").press()
    idle()
    assert applying.shown_origin(armature) == (row.id, 0)
    assert fake_layout.draw("problems") is None


def test_what_is_wrong_with_the_scene_is_a_card_and_send_again_reads_it_anew(windowed: Any) -> None:
    armature = looked_at()
    pin = scenes.empty((0.7, -0.2, 1.4), "Grab")
    marks.mark_pin(pin, armature, "LefHand", frames=(30, 30))
    scenes.activate(armature)
    bpy.ops.kineograph.generate()
    idle()
    assert session.current().jobs == []
    assert "Did you mean 'LeftHand'?" in trial.problem()
    trial.mend("Use 'LeftHand' here")
    trial.shown("problems").button("Send again").press()
    idle()
    (job,) = session.current().jobs
    assert job.error is None
    asked = [c for c in job.outgoing.request["constraints"] if c["type"] == "effector_target"]
    assert [c["joint"] for c in asked] == ["LeftHand"]
    assert fake_layout.draw("problems") is None


def test_a_request_that_failed_is_read_anew_after_the_scene_was_mended(windowed: Any) -> None:
    """The daemon refused it; the mended scene is read in turns, not the request sent as it was."""
    armature = looked_at()
    windowed.kineograph.model = "nobody"
    bpy.ops.kineograph.generate()
    idle()
    assert "Model 'nobody' is not here." in trial.problem()
    scenes.key(armature, "Head", "rotation_quaternion", 24, (0.9, 0.4358899, 0.0, 0.0))
    trouble = next(iter(session.current().troubles))
    trouble.reread, windowed.kineograph.model = True, trial.MODEL
    trouble.job.direction = replace(trouble.job.direction, model=trial.MODEL)
    trouble.can_go_on = True
    count = len(session.current().jobs)
    trial.shown("problems").button("Send again").press()
    assert len(session.current().jobs) == count, "it is being read"
    idle()
    job = session.current().jobs[-1]
    assert job.error is None
    key = next(c for c in job.outgoing.request["constraints"] if c["type"] == "pose_keyframe" and c["frame"] == 23)
    assert "Head" in key["joint_rotations"]
