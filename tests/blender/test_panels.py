# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels say, read as text, and what their buttons do."""

from __future__ import annotations

from typing import Any

import bpy
import pytest
from tests.blender import fake_layout, scenes

from kineograph_blender import plan, session
from kineograph_blender.ui import base

MODEL = "kineograph-interpolate"


def text_of(name: str) -> str:
    """A panel as text."""
    drawn = fake_layout.draw(name)
    assert drawn is not None, f"{name} is not shown"
    return drawn.text


def test_panels_stand_in_the_order_of_work(addon: Any) -> None:
    panels = [p for p in bpy.types.Panel.__subclasses__() if p.__name__.startswith("KINEOGRAPH_PT_")]
    panels = [p for p in panels if p.is_registered]
    assert {p.bl_category for p in panels} == {"Kineograph"}
    top = sorted((p for p in panels if not getattr(p, "bl_parent_id", "")), key=lambda p: p.bl_order)
    assert [p.__name__.removeprefix("KINEOGRAPH_PT_") for p in top] == [
        n for n in base.ORDER if hasattr(bpy.types, f"KINEOGRAPH_PT_{n}")
    ]


def test_without_anything_the_panels_say_what_to_do(addon: Any) -> None:
    assert "Not connected" in text_of("connection")
    assert "Select an armature" in text_of("character")
    assert fake_layout.draw("generate") is None


def test_the_character_follows_the_selection_unless_it_is_pinned(addon: Any) -> None:
    one, two = scenes.simple("One"), scenes.simple("Two")
    assert plan.character_of(bpy.context) == two
    scenes.activate(one)
    assert "One" in text_of("character")
    bpy.ops.kineograph.pin_character()
    scenes.activate(two)
    assert plan.character_of(bpy.context) == one
    bpy.ops.kineograph.pin_character()
    assert plan.character_of(bpy.context) == two


@pytest.mark.daemon
def test_generate_by_its_button(addon: Any, daemon: Any) -> None:
    armature = scenes.simple("Hero")
    scenes.key_poses(armature, ["Hips", "LeftArm"], "Hips", frames=(1, 30, 60), travel=0.3)
    settings = addon.kineograph
    settings.span, settings.start, settings.end = "OWN", 1, 60
    drawn = fake_layout.draw("generate")
    assert drawn is not None
    drawn.button("Generate 1-60").press()
    (job,) = session.current().jobs
    assert session.current().wait(job, 60)
    assert job.take is not None
    assert job.take.clip().rotations_xyzw.shape[0] == 60
    assert settings.version == 1
    assert armature.kineograph.uid
