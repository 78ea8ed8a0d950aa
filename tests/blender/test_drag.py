# SPDX-License-Identifier: GPL-3.0-or-later
"""Dragging a block in the timeline, event by event, and the click on a number. The window is a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from types import MethodType, SimpleNamespace
from typing import Any

import bpy
import pytest
from mathutils import Euler
from tests.blender import scenes

import kineograph_blender
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.direction import props as saved
from kineograph_blender.draw.state import drawn
from kineograph_blender.ops import drawing

TURN = list(Euler((0.3, 0.2, -0.4)).to_quaternion())


class Hand:
    """A mouse over a timeline of 1000 x 200 pixels, ten to a frame, and the operator that it drives."""

    def __init__(self, armature: Any) -> None:
        self.headers: list[Any] = []
        self.reports: list[str] = []
        view2d = SimpleNamespace(view_to_region=lambda x, y, clip: (x * 10.0, y))
        region = SimpleNamespace(type="WINDOW", width=1000, height=200, view2d=view2d)
        area = SimpleNamespace(header_text_set=self.headers.append, tag_redraw=lambda: None)
        manager = SimpleNamespace(modal_handler_add=lambda operator: None)
        self.context = SimpleNamespace(
            scene=bpy.context.scene, active_object=armature, region=region, area=area, window_manager=manager
        )

        self.cls = drawing.KINEOGRAPH_OT_strip_drag
        self.operator = SimpleNamespace(report=lambda kind, text: self.reports.append(text))
        for name in ("_ended", "_follow", "_take_hold"):
            setattr(self.operator, name, MethodType(getattr(self.cls, name), self.operator))

    def do(self, verb: str, x: float, y: float = 40.0, kind: str = "MOUSEMOVE", value: str = "NOTHING") -> set[str]:
        event = SimpleNamespace(type=kind, value=value, mouse_region_x=x, mouse_region_y=y, ctrl=True)
        return set(getattr(self.cls, verb)(self.operator, self.context, event))


@pytest.fixture
def hero(scene: Any) -> Iterator[Any]:
    """The add-on switched on, and a character with two blocks."""
    kineograph_blender.register()
    armature = scenes.simple()
    saved.write(armature, [Block(1, 30, "waves"), Block(31, 60, "walks")])
    yield armature
    kineograph_blender.unregister()


def test_a_block_follows_the_mouse_and_stays_where_it_is_let_go(hero: Any) -> None:
    hand = Hand(hero)
    assert hand.do("invoke", 450) == {"RUNNING_MODAL"}
    assert hero.kineograph_direction.active == 1
    assert hand.do("modal", 520) == {"RUNNING_MODAL"}
    assert saved.read(hero)[1] == Block(31, 60, "walks"), "nothing is written while it is dragged"
    assert drawn.dragged[1] == Block(38, 67, "walks")
    assert hand.headers[-1].startswith("38-67 (30 frames)")
    assert hand.do("modal", 520, kind="LEFTMOUSE", value="RELEASE") == {"FINISHED"}
    assert saved.read(hero) == (Block(1, 30, "waves"), Block(38, 67, "walks"))
    assert (drawn.drag, hand.headers[-1]) == (None, None)


def test_where_it_is_let_go_counts(hero: Any) -> None:
    """A quick hand, a busy Blender: the last moves never came."""
    hand = Hand(hero)
    hand.do("invoke", 450)
    hand.do("modal", 460)
    assert hand.do("modal", 520, kind="LEFTMOUSE", value="RELEASE") == {"FINISHED"}
    assert saved.read(hero) == (Block(1, 30, "waves"), Block(38, 67, "walks"))


@pytest.mark.parametrize("kind", ["ESC", "RIGHTMOUSE"])
def test_leaving_a_drag_leaves_everything_as_it_was(hero: Any, kind: str) -> None:
    hand = Hand(hero)
    hand.do("invoke", 450)
    hand.do("modal", 700)
    assert hand.do("modal", 700, kind=kind, value="PRESS") == {"CANCELLED"}
    assert saved.read(hero) == (Block(1, 30, "waves"), Block(31, 60, "walks"))
    assert drawn.drag is None


def test_an_end_is_dragged_by_its_end(hero: Any) -> None:
    hand = Hand(hero)
    hand.do("invoke", 607)
    hand.do("modal", 807)
    assert hand.do("modal", 807, kind="LEFTMOUSE", value="RELEASE") == {"FINISHED"}
    assert saved.read(hero)[1] == Block(31, 80, "walks")


def test_a_click_beside_the_strips_is_none_of_ours(hero: Any) -> None:
    hand = Hand(hero)
    assert hand.do("invoke", 450, y=150) == {"PASS_THROUGH"}
    assert hand.do("invoke", 900) == {"PASS_THROUGH"}
    assert drawn.drag is None


def test_a_click_without_a_move_only_chooses(hero: Any) -> None:
    hand = Hand(hero)
    hand.do("invoke", 450)
    assert hand.do("modal", 450, kind="LEFTMOUSE", value="RELEASE") == {"CANCELLED"}
    assert hero.kineograph_direction.active == 1


def test_keys_go_along_when_that_is_asked_for_and_are_shown(hero: Any) -> None:
    scenes.key(hero, "Head", "rotation_quaternion", 40, TURN)
    hero.kineograph_direction.take_along = True
    hand = Hand(hero)
    hand.do("invoke", 450)
    hand.do("modal", 550)
    assert "1 keys go along" in hand.headers[-1]
    hand.do("modal", 550, kind="LEFTMOUSE", value="RELEASE")
    action, slot = scenes.own(hero)
    assert {p.co[0] for c in scenes.compat.curves(action, slot) for p in c.keyframe_points} == {50.0}
    assert hand.reports == ["Took along keys at 1 frames and 0 marks"]


def test_a_file_loaded_or_a_character_deleted_in_the_middle_ends_the_drag(hero: Any, tmp_path: Any) -> None:
    hand = Hand(hero)
    path = str(tmp_path / "drag.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    hand.do("invoke", 450)
    bpy.ops.wm.open_mainfile(filepath=path)
    hand.context.scene, hand.context.active_object = bpy.context.scene, bpy.data.objects["Hero"]
    assert hand.do("modal", 700) == {"CANCELLED"}
    hand.do("invoke", 450)
    bpy.data.objects.remove(bpy.data.objects["Hero"])
    hand.context.active_object = None
    assert hand.do("modal", 700) == {"CANCELLED"}
    assert drawn.drag is None
