# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits for the next key or the mouse lets go when another file comes: nothing is left that hears or draws."""

from __future__ import annotations

from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import scenes
from tests.blender.test_registration import handlers

from kineograph_blender import draw, ops, session
from kineograph_blender.draw.state import drawn
from kineograph_blender.ops import drawing, takes
from kineograph_blender.session import Row

MODALS = {drawing.KINEOGRAPH_OT_strip_drag, takes.KINEOGRAPH_OT_take_browse}


class Keys:
    """The samples' browser, driven key by key. The window is a stand-in."""

    def __init__(self, row: Row) -> None:
        cls = takes.KINEOGRAPH_OT_take_browse
        self.added: list[Any] = []
        manager = SimpleNamespace(modal_handler_add=self.added.append)
        self.context = SimpleNamespace(scene=bpy.context.scene, window_manager=manager)
        self.operator = SimpleNamespace(take=row.id, report=lambda kind, text: None)
        for name in ("row", "invoke", "modal", "cancel", "_ended"):
            setattr(self.operator, name, MethodType(getattr(cls, name), self.operator))

    def look(self) -> None:
        """What the operator's context shows now."""
        self.context.scene = bpy.context.scene
        self.context.active_object = bpy.context.view_layer.objects.active

    def begin(self) -> set[str]:
        """The button."""
        self.look()
        return set(self.operator.invoke(self.context, None))

    def press(self, key: str) -> set[str]:
        """A key."""
        self.look()
        return set(self.operator.modal(self.context, SimpleNamespace(type=key, value="PRESS")))


def test_every_modal_is_tried_here_or_with_the_mouse() -> None:
    found = {cls for cls in ops.CLASSES if hasattr(cls, "modal")}
    assert found == MODALS
    assert all("cancel" in cls.__dict__ for cls in found), "Blender calls it when it ends one by itself"


@pytest.mark.daemon
def test_arrow_keys_step_and_escape_goes_back(addon: Any, daemon: Any) -> None:
    trial.hero()
    row = trial.generated(samples=3)
    keys = Keys(row)
    assert keys.begin() == {"RUNNING_MODAL"}
    assert keys.press("RIGHT_ARROW") == keys.press("RIGHT_ARROW") == {"RUNNING_MODAL"}
    assert row.sample == 2
    assert keys.press("A") == {"PASS_THROUGH"}
    assert keys.press("ESC") == {"CANCELLED"}
    assert row.sample == 0
    assert drawn.browsed == ""
    keys.begin()
    keys.press("LEFT_ARROW")
    assert keys.press("RET") == {"FINISHED"}
    assert row.sample == 2


@pytest.mark.daemon
@pytest.mark.parametrize("same", [True, False], ids=["the same file again", "another file"])
def test_a_file_loaded_while_samples_are_browsed(addon: Any, daemon: Any, tmp_path: Path, same: bool) -> None:
    trial.hero()
    row = trial.generated(samples=2)
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    before = (handlers(), len(draw._handles))
    keys = Keys(row)
    keys.begin()
    if same:
        bpy.ops.wm.open_mainfile(filepath=path)
        scenes.activate(bpy.data.objects["Hero"])
    else:
        scenes.fresh()
        scenes.simple("Other")
    assert keys.press("RIGHT_ARROW") == {"CANCELLED"}, "it was of the file before"
    assert row.sample == 0
    assert (handlers(), len(draw._handles)) == before
    assert (drawn.browsed, drawn.drag, drawn.shown) == ("", None, [])


@pytest.mark.daemon
def test_another_character_ends_the_browser(addon: Any, daemon: Any) -> None:
    trial.hero()
    row = trial.generated(samples=2)
    keys = Keys(row)
    keys.begin()
    other = scenes.simple("Other")
    scenes.activate(other)
    assert keys.press("RIGHT_ARROW") == {"CANCELLED"}
    assert row.sample == 0
    assert session.owner_of(other) != row.owner
