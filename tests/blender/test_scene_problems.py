# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scene itself does not allow, before or after the daemon is asked: read in the panel, mended, tried again."""

from __future__ import annotations

from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, scenes
from tests.blender.troubled import goes_on

from kineograph_blender import api, session
from kineograph_blender.bridge import marks, stamps
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.direction import props as direction
from kineograph_blender.mend import advised

pytestmark = pytest.mark.daemon


def test_a_pin_without_a_direction(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    pin = scenes.empty((0.7, -0.2, 1.4))
    api.mark_pin(pin, armature, "LeftHand", frames=(28, 32), turn=True)
    pin.scale = (0.0, 0.0, 0.0)
    bpy.context.view_layer.update()
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    said = trial.problem()
    assert "malformed at pin 'Grab'" in said, said
    trial.mend("Select pin 'Grab'")
    assert bpy.context.view_layer.objects.active == pin
    scenes.activate(armature)
    trial.mend("Leave out pin 'Grab'")
    assert marks.role_of(pin) is None
    goes_on()


def test_a_path_without_a_length(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    curve = scenes.curve_path([(0, 0, 0), (0, 0, 0)])
    api.mark_path(curve, armature)
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    assert "WalkPath" in trial.problem()
    trial.mend("Leave out path 'WalkPath'")
    goes_on()


def test_a_range_that_ends_before_it_starts(addon: Any, daemon: Any) -> None:
    trial.hero()
    addon.kineograph.end = -20
    assert bpy.ops.kineograph.generate() == {"CANCELLED"}
    assert "The range ends at -20, before it starts at 1." in trial.problem()
    trial.mend("Generate -20 to 1")
    goes_on()


@pytest.mark.parametrize(
    ("button", "done", "span", "asked"),
    [
        ("Extend the last prompt to 44", "The block 'waves' ends at 44 now.", (40, 44), list(range(39, 44))),
        ("Move it to 30", "'Grab' is at frames 26 to 30 now.", (26, 30), list(range(25, 30))),
        ("Leave out what lies outside", "'Grab' asks nothing any more.", None, None),
    ],
)
def test_a_block_shortened_below_its_pin(
    addon: Any, daemon: Any, button: str, done: str, span: Any, asked: list[int] | None
) -> None:
    armature = trial.hero()
    direction.write(armature, [Block(1, 30, "waves")])
    addon.kineograph.span = "BLOCKS"
    pin = scenes.empty((0.7, -0.2, 1.4))
    api.mark_pin(pin, armature, "LeftHand", frames=(40, 44))
    bpy.ops.kineograph.generate()
    job = trial.settled()
    assert job.error is None
    assert any("Grab" in str(r) for r in job.outgoing.remarks), "what lies outside is left out, and said"
    bpy.ops.kineograph.generate()
    assert trial.settled().error is None, "it went out all the same"
    assert "Pin 'Grab' stands outside 1-30: at 40, 44." in trial.problem()
    assert len(session.current().troubles) == 1
    assert "1 note" in trial.shown("connection").text, "it is no problem"
    trial.mend(button)
    assert done in trial.problem()
    assert marks.frames_of(pin) == span
    goes_on()
    pins = [c for c in session.current().jobs[-1].outgoing.request["constraints"] if c["type"] == "effector_target"]
    assert [c["frames"] for c in pins] == ([asked] if asked else [])


def test_a_locked_block_is_not_extended(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    direction.write(armature, [Block(1, 30, "waves"), Block(31, 40, "stands", locked=True)])
    addon.kineograph.span = "BLOCKS"
    api.mark_waypoint(scenes.empty((0, -2, 0), "There"), armature, 50)
    bpy.ops.kineograph.generate()
    assert trial.settled().error is None
    assert "Waypoint 'There' stands outside" in trial.problem()
    assert trial.shown("problems").button("Extend the last prompt to 50").press() == {"CANCELLED"}
    assert "The last block is locked." in trial.problem()
    assert direction.read(armature)[1] == Block(31, 40, "stands", locked=True)


def test_a_range_of_ones_own_is_the_users_word(addon: Any, daemon: Any) -> None:
    """What lies past the frames that were typed in, or beside the block that is made anew, is no mistake."""
    armature = trial.hero()
    api.mark_pin(scenes.empty((0.7, -0.2, 1.4)), armature, "LeftHand", frames=(80, 84))
    trial.generated()
    assert fake_layout.draw("problems") is None
    direction.write(armature, [Block(1, 30, "waves"), Block(31, 90, "walks")])
    direction.touch(armature).active = 0
    trial.generated(span="ACTIVE")
    assert fake_layout.draw("problems") is None


def preview() -> str:
    """Press the eye; the panel as one line."""
    assert bpy.ops.kineograph.preview() == {"FINISHED"}
    return " ".join(trial.shown("preview").text.split())


@pytest.mark.parametrize(
    ("button", "sent"),
    [("Extend the last prompt to 60", [1, 30, 60]), ("Move it to 50", [1, 30, 50]), ("Leave out", [1, 30])],
)
def test_a_key_after_the_last_block(addon: Any, daemon: Any, button: str, sent: list[int]) -> None:
    armature = trial.hero()
    own = armature.animation_data.action
    before = len(scenes.dump(own))
    direction.write(armature, [Block(1, 50, "waves")])
    addon.kineograph.span = "BLOCKS"
    assert "Key at frame 60 stands outside 1-50: at 60." in preview()
    shown = next(b for b in trial.shown("preview").buttons if b.text.startswith(button))
    assert shown.press() == {"FINISHED"}
    assert "stands outside" not in " ".join(trial.shown("preview").text.split()), "it was looked at again"
    trial.generated(span="BLOCKS")
    asked = session.current().jobs[-1].outgoing
    keys = [asked.first + c["frame"] for c in asked.request["constraints"] if c["type"] == "pose_keyframe"]
    assert keys == sent
    assert len(scenes.dump(own)) == before, "no key is lost"


def test_a_key_is_not_moved_onto_another(addon: Any, daemon: Any) -> None:
    armature = trial.hero(frames=(1, 50, 60))
    direction.write(armature, [Block(1, 50, "waves")])
    addon.kineograph.span = "BLOCKS"
    source = scenes.dump(armature.animation_data.action)
    preview()
    assert trial.shown("preview").button("Move it to 50").press() == {"CANCELLED"}
    assert scenes.dump(armature.animation_data.action) == source


def test_a_fast_path_between_locked_blocks_changes_no_block(addon: Any, daemon: Any) -> None:
    armature = trial.hero(frames=(1,))
    direction.write(armature, [Block(1, 20, "walks"), Block(21, 40, "turns", locked=True), Block(41, 60, "walks")])
    addon.kineograph.span = "BLOCKS"
    api.mark_path(scenes.curve_path([(0, 0, 0), (0, -9, 0)]), armature)
    assert "needs" in preview()
    assert not [b for b in trial.shown("preview").buttons if b.text.startswith("Spread")]
    before = direction.read(armature)
    assert advised.last_frame(armature, addon, 30) == ""
    assert direction.read(armature) == before, "nothing is made shorter"


def test_advice_that_is_taken(addon: Any, daemon: Any) -> None:
    armature = trial.hero(frames=(1,))
    addon.kineograph.end = 24
    curve = scenes.curve_path([(0, 0, 0), (0, -6, 0)])
    api.mark_path(curve, armature)
    armature.kineograph.prompt = "walks"
    assert "needs 6" in preview()
    slower = next(b for b in trial.shown("preview").buttons if b.text.startswith("Spread it over"))
    frames = int(slower.text.split()[3])
    assert slower.press() == {"FINISHED"}
    assert (addon.kineograph.start, addon.kineograph.end) == (1, frames)
    assert "needs" not in " ".join(trial.shown("preview").text.split())
    api.mark_pin(scenes.empty((9, 9, 3)), armature, "LeftHand", frames=(5, 5))
    assert "out of reach" in preview()
    trial.shown("preview").button("Select pin 'Grab'").press()
    assert bpy.context.view_layer.objects.active.name == "Grab"
    assert "Would send" in " ".join(trial.shown("preview").text.split())


def test_a_take_whose_file_is_damaged(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated()
    shelf = session.current().shelf
    session.detach()
    path = shelf.folder / row.owner / f"{row.id}.take"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    shelf = session.current().shelf
    shelf.ask(row.owner)
    while shelf.settle():
        pass
    assert bpy.ops.kineograph.take_apply(take=row.id) == {"CANCELLED"}
    assert f"Could not read {row.id}.take" in trial.problem()
    path.write_bytes(whole)
    trial.mend("Try again")
    trial.shown("problems").button("Send again").press()
    assert fake_layout.draw("problems") is None, trial.problem()
    assert stamps.take_of(armature.animation_data.action)


def test_a_take_that_cannot_be_read_is_put_aside(addon: Any, daemon: Any) -> None:
    trial.hero()
    row = trial.generated()
    shelf = session.current().shelf
    session.detach()
    path = shelf.folder / row.owner / f"{row.id}.take"
    path.write_bytes(b"")
    shelf = session.current().shelf
    shelf.ask(row.owner)
    while shelf.settle():
        pass
    assert bpy.ops.kineograph.take_apply(take=row.id) == {"CANCELLED"}
    trial.mend("Skip it")
    found = shelf.get(row.id)
    assert found is not None
    assert found.rejected
    assert path.exists()
    assert fake_layout.draw("problems") is None
