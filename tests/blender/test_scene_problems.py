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


def test_a_block_shortened_below_its_pin(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    direction.write(armature, [Block(1, 30, "waves")])
    addon.kineograph.span = "BLOCKS"
    api.mark_pin(scenes.empty((0.7, -0.2, 1.4)), armature, "LeftHand", frames=(40, 44))
    bpy.ops.kineograph.generate()
    job = trial.settled()
    assert job.error is None
    assert any("Grab" in str(r) for r in job.outgoing.remarks), "what lies outside is left out, and said"


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
