# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels say, read as text, and what their buttons do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest
from tests.blender import fake_layout, scenes

from kineograph.rigs import Role
from kineograph_blender import plan, reading, session
from kineograph_blender.bridge import marks
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


def test_a_pinned_character_that_is_deleted_is_gone(addon: Any, tmp_path: Path) -> None:
    """Blender keeps what something points at: the pin and a mark let go of it."""
    hero, other = scenes.simple("Hero"), scenes.simple("Other")
    marks.mark_pin(scenes.empty((0, 0, 1), "Grab"), hero, "LeftHand")
    scenes.activate(hero)
    bpy.ops.kineograph.pin_character()
    bpy.ops.object.delete()
    scenes.activate(other)
    assert plan.character_of(bpy.context) == other
    assert "Hero" not in text_of("character")
    path = str(tmp_path / "gone.blend")
    for _ in range(2):  # the second time nothing points at it any more
        bpy.ops.wm.save_as_mainfile(filepath=path)
        bpy.ops.wm.open_mainfile(filepath=path)
    assert "Hero" not in bpy.data.objects
    assert "Grab" in bpy.data.objects
    assert not bpy.context.scene.kineograph.is_pinned


def test_a_curve_or_an_empty_that_is_selected_leaves_the_character(addon: Any) -> None:
    one, two = scenes.simple("One"), scenes.simple("Two")
    scenes.activate(one)
    assert plan.character_of(bpy.context) == one
    curve = scenes.curve_path([(0, 0, 0), (0, -2, 0)])
    scenes.activate(curve)
    assert plan.character_of(bpy.context) == one, "the one that was active last"
    assert bpy.ops.kineograph.path_add() == {"FINISHED"}
    scenes.activate(two)
    scenes.activate(curve)
    assert plan.character_of(bpy.context) == one, "a path speaks for its character"
    light = scenes.add(bpy.data.lights.new("Sun", "SUN"))
    scenes.activate(two)
    assert plan.character_of(bpy.context) == two
    scenes.activate(light)
    assert plan.character_of(bpy.context) == two
    bpy.data.objects.remove(two)
    assert plan.character_of(bpy.context) == one, "the only one"


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


def test_how_the_bones_are_understood_and_mapped(addon: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    reading.forget()
    armature = scenes.simple("Hero")
    assert "[Read the Bones]" in text_of("character")
    bpy.ops.kineograph.read_rig()
    assert "14 of 14 understood" in " ".join(text_of("character").split())
    for side in ("Left", "Right"):
        armature.data.bones[f"{side}UpLeg"].name = f"{side}Xyz"
    bpy.ops.kineograph.read_rig()
    known = reading.read(armature)
    before = {r.value: m.name for r, m in known.map.matches.items()}
    drawn = fake_layout.draw("bones")
    assert drawn is not None
    button = next(b for b in drawn.buttons if b.values.given.get("role") == "left_thigh")
    button.values.bone = "LeftXyz"
    assert button.press() == {"FINISHED"}
    after = reading.read(armature)
    assert after.profile == "Hero"
    assert after.map.matches[Role.LEFT_THIGH].name == "LeftXyz"
    assert after.map.matches[Role.RIGHT_THIGH].name == "RightXyz", "both sides at once"
    assert {k: v for k, v in before.items() if "thigh" not in k}.items() <= {
        r.value: m.name for r, m in after.map.matches.items()
    }.items()
    bpy.ops.kineograph.map_bone(role="left_calf", bone="LeftLeg")
    assert reading.read(armature).map.matches[Role.RIGHT_CALF].name == "RightLeg"
    assert not reading.read(armature).missing
    assert bpy.ops.kineograph.map_bone(role="left_thigh", bone="Nobody") == {"CANCELLED"}
