# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that were set on a take go along with their block: bit for bit, but for their time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Euler
from tests.blender import measure, scenes

import kineograph_blender
from kineograph_blender import compat
from kineograph_blender.bridge import datapath, guard, stamps, written
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.bridge.datapath import Channel
from kineograph_blender.direction import along
from kineograph_blender.direction import props as saved

ops = bpy.ops.kineograph
TURN = Euler((0.3, 0.2, -0.4)).to_quaternion()
ROTATION = "rotation_quaternion"


@pytest.fixture
def hero(scene: Any) -> Iterator[Any]:
    """A take over 150 frames, and a block that takes its keys along."""
    kineograph_blender.register()
    armature = scenes.simple()
    take_on(armature)
    saved.write(armature, [Block(5, 40, "waves")])
    armature.kineograph_direction.take_along = True
    yield armature
    kineograph_blender.unregister()


def take_on(armature: Any, seed: int = 5, **options: Any) -> None:
    out = measure.gather(armature)
    clip = measure.wander(out.rig, 150, seed=seed)
    measure.baked(out.rig, clip, take=f"take {seed}", edits=out.edits, **options)


def press_i(armature: Any, bone: str, frame: float, prop: str = ROTATION, value: Any = TURN) -> None:
    guard.go_to(bpy.context.scene, frame)
    setattr(armature.pose.bones[bone], prop, value)
    armature.pose.bones[bone].keyframe_insert(prop, frame=frame)


def edits(armature: Any) -> dict[tuple[str, str, float], bytes]:
    """The user's keys on the take, and their values' bits."""
    action, slot = scenes.own(armature)
    out = {}
    for channel, frames in written.edits(action, slot, armature).keys.items():
        for frame in frames:
            values = written.values_at(
                action, slot, channel, frame, getattr(armature.pose.bones[channel.bone], channel.prop)
            )
            out[*channel, frame] = np.array(values, np.float32).tobytes()
    return out


def said(armature: Any, channel: Channel) -> dict[float, list[float]]:
    """All keys of a channel."""
    action, slot = scenes.own(armature)
    out: dict[float, list[float]] = {}
    for curve in compat.curves(action, slot):
        if datapath.parse(curve.data_path) == channel:
            for point in curve.keyframe_points:
                out.setdefault(round(point.co[0], 4), []).append(point.co[1])
    return out


def test_they_go_along_and_the_take_is_there_again(hero: Any) -> None:
    channel = Channel("Head", ROTATION)
    wrote = said(hero, channel)
    press_i(hero, "Head", 10)
    press_i(hero, "LeftArm", 12.5)  # between two frames: the take has no key there
    press_i(hero, "Hips", 20, "location", (0.1, 0.2, 0.3))
    press_i(hero, "Spine", 90)
    before = edits(hero)
    assert {(b, f) for b, _, f in before} == {("Head", 10), ("LeftArm", 12.5), ("Hips", 20), ("Spine", 90)}
    assert along.frames_inside(hero, bpy.context.scene, saved.read(hero)[0]) == [10.0, 12.5, 20.0], "shown in a drag"
    assert ops.block_move(index=0, by=100) == {"FINISHED"}
    assert edits(hero) == {(b, p, f + 100 * (f < 50)): bits for (b, p, f), bits in before.items()}
    now = said(hero, channel)
    assert now.pop(110.0) == pytest.approx(list(TURN), abs=1e-7)
    del wrote[110.0]
    assert now == wrote, "what the take wrote, to the last bit"
    assert 12.5 not in said(hero, Channel("LeftArm", ROTATION))
    asked = {
        c["frame"] + 1: sorted(c["joint_rotations"]) for c in measure.constraints(measure.gather(hero), "pose_keyframe")
    }
    assert asked == {90: ["Spine"], 110: ["Head"], 113: ["LeftArm"]}


def test_there_and_back_again_changes_nothing(hero: Any) -> None:
    press_i(hero, "Head", 10)
    press_i(hero, "Head", 13)
    before, was = edits(hero), said(hero, Channel("Head", ROTATION))
    for by in (3, 50, -60, 7):  # the first onto its neighbour's place, one beyond the take's first frame
        ops.block_move(index=0, by=by)
        assert len(edits(hero)) == 2
    assert edits(hero) == before
    assert said(hero, Channel("Head", ROTATION)) == was


def test_a_resized_block_spreads_them(hero: Any) -> None:
    for frame in (5, 22, 40):
        press_i(hero, "Head", frame)
    bits = set(edits(hero).values())
    ops.block_resize(index=0, side="end", to=75)
    assert sorted(f for *_, f in edits(hero)) == [5.0, 39.0, 75.0]
    assert set(edits(hero).values()) == bits


def test_what_an_earlier_take_met_goes_along_too_and_is_met_again(hero: Any) -> None:
    press_i(hero, "Head", 10)
    (bits,) = edits(hero).values()
    take_on(hero, seed=6)
    action, slot = scenes.own(hero)
    assert not written.edits(action, slot, hero).is_edited
    ops.block_move(index=0, by=30)
    assert edits(hero) == {("Head", ROTATION, 40.0): bits}
    assert written.edits(action, slot, hero).is_edited, "it is not as it was written any more"
    take_on(hero, seed=7)
    assert edits(hero) == {("Head", ROTATION, 40.0): bits}
    assert stamps.take_of(hero.animation_data.action) == "take 7"


def test_the_shape_of_a_key_goes_along(hero: Any) -> None:
    press_i(hero, "Head", 10)
    shape = {
        "interpolation": "BEZIER",
        "easing": "EASE_OUT",
        "type": "EXTREME",
        "handle_left_type": "FREE",
        "handle_right_type": "FREE",
    }
    (curve, *_) = (c for c in compat.curves(*scenes.own(hero)) if datapath.parse(c.data_path) == ("Head", ROTATION))
    point = next(p for p in curve.keyframe_points if p.co[0] == 10)
    for name, value in shape.items():
        setattr(point, name, value)
    point.handle_right = (10.75, 0.5)
    curve.update()
    ops.block_move(index=0, by=100)
    there = next(p for p in curve.keyframe_points if p.co[0] == 110)
    assert {name: getattr(there, name) for name in shape} == shape
    assert tuple(there.handle_right) == (110.75, 0.5)
    left = next(p for p in curve.keyframe_points if p.co[0] == 10)
    assert (left.interpolation, left.type) == ("LINEAR", "KEYFRAME")


def test_when_it_is_not_asked_for_they_stay(hero: Any) -> None:
    press_i(hero, "Head", 10)
    before = scenes.dump(hero.animation_data.action)
    hero.kineograph_direction.take_along = False
    ops.block_move(index=0, by=100)
    assert scenes.dump(hero.animation_data.action) == before


def test_a_take_without_a_readable_record_is_left_alone(hero: Any) -> None:
    press_i(hero, "Head", 10)
    action = hero.animation_data.action
    action["kineograph_written"] = 7
    before = scenes.dump(action)
    ops.block_move(index=0, by=100)
    assert scenes.dump(action) == before


def test_one_undo_takes_it_back(hero: Any) -> None:
    press_i(hero, "Head", 10)
    before = edits(hero)
    bpy.ops.ed.undo_push(message="keyed")
    ops.block_move(index=0, by=100)
    bpy.ops.ed.undo_push(message="moved")
    assert edits(hero) != before
    bpy.ops.ed.undo()
    hero = bpy.data.objects["Hero"]
    assert edits(hero) == before
    assert saved.read(hero)[0] == Block(5, 40, "waves")
