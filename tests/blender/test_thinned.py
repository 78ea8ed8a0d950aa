# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes with fewer keys: what Blender shows between keys stays within the tolerance, in every rotation mode."""

from __future__ import annotations

import threading
from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import addon as trial
from tests.blender import measure, scenes

from kineograph.motion.body import BodyPoints
from kineograph_blender import compat, plan, session
from kineograph_blender.bridge import datapath, stamps

pytestmark = pytest.mark.daemon

FRAMES = (1, 14, 33, 60)


def off_cm(armature: Any, row: Any) -> np.ndarray:
    """How far the body that Blender shows is from the full motion, at each frame, centimetres."""
    take = session.current().shelf.take(row.id)
    clip, body = take.clip(row.sample), BodyPoints(take.rig.skeleton)
    seen = measure.shown(armature, take.rig, range(1, 1 + len(clip)))
    shown = body.place(np.stack([p.local_xyzw for p in seen]), np.stack([p.root_m for p in seen]))
    return 100.0 * np.linalg.norm(shown - body.place(clip.rotations_xyzw, clip.root_m), axis=-1).max(axis=-1)


def keys_of(armature: Any) -> dict[tuple[str, str], list[int]]:
    """Frames with a key, by bone and property."""
    data = armature.animation_data
    out: dict[tuple[str, str], set[int]] = {}
    for curve in compat.curves(data.action, compat.slot_of(data)):
        channel = datapath.parse(curve.data_path)
        if channel is not None:
            out.setdefault(tuple(channel), set()).update(round(p.co[0]) for p in curve.keyframe_points)
    return {c: sorted(f) for c, f in out.items()}


@pytest.mark.parametrize("mode", ["QUATERNION", "YXZ", "AXIS_ANGLE"])
@pytest.mark.parametrize("tolerance_cm", [0.2, 2.0])
def test_fewer_keys_within_the_tolerance(addon: Any, daemon: Any, mode: str, tolerance_cm: float) -> None:
    armature = scenes.simple("Hero")
    for bone in armature.pose.bones:
        bone.rotation_mode = mode
    names = [b.name for b in armature.data.bones]
    scenes.key_poses(armature, names, "Hips", frames=FRAMES, travel=1.0)
    settings = addon.kineograph
    settings.model, settings.span, settings.start, settings.end = trial.MODEL, "OWN", 1, 60
    row = trial.generated(thin=True, thin_cm=tolerance_cm)
    assert row.thin_cm == pytest.approx(tolerance_cm)
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}
    assert f"within {tolerance_cm:g} cm" in trial.shown("takes").text
    report = session.current().shelf.take(row.id).applied[-1]
    assert report.keys < (0.9 if tolerance_cm < 1.0 else 0.6) * report.dense_keys
    off = off_cm(armature, row)
    assert off.max() <= tolerance_cm * 1.01
    assert off[[f - 1 for f in FRAMES]].max() < 2e-3, "the user's keys are exact"
    keys = keys_of(armature)
    assert all(set(FRAMES) <= set(keys[name, f"rotation_{measured(mode)}"]) for name in names)
    assert not len(session.current().troubles)


def measured(mode: str) -> str:
    return {"QUATERNION": "quaternion", "AXIS_ANGLE": "axis_angle"}.get(mode, "euler")


def test_every_frame_on_demand_and_thinned_keys_are_no_edits(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated(thin=True, thin_cm=0.5)
    bpy.ops.kineograph.take_apply()
    few = session.current().shelf.take(row.id).applied[-1]
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}, "what was written is no edit of the user's"
    assert len([a for a in bpy.data.actions if stamps.take_of(a)]) == 1, "the first was unedited, and is gone"
    addon.kineograph.apply.every_frame = True
    bpy.ops.kineograph.take_apply()
    many = session.current().shelf.take(row.id).applied[-1]
    assert few.keys < many.keys == many.dense_keys == few.dense_keys
    assert off_cm(armature, row).max() < 2e-3
    assert "A key on every frame" in trial.shown("writing").text


def test_an_edit_on_a_thinned_take_is_known_and_kept(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    trial.generated(thin=True)
    bpy.ops.kineograph.take_apply()
    value = (0.8, 0.6, 0.0, 0.0)
    scenes.key(armature, "Head", "rotation_quaternion", 23, value)
    trial.generated(thin=True)
    bpy.ops.kineograph.take_apply()
    addon.frame_set(23)
    assert np.allclose(armature.pose.bones["Head"].rotation_quaternion, value, atol=1e-6)
    assert 23 in keys_of(armature)["Head", "rotation_quaternion"]


def test_blended_in_place_and_over_a_range(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    trial.generated(thin=True, thin_cm=0.5)
    bpy.ops.kineograph.take_apply()
    whole = session.current().jobs[-1].outgoing.rig
    before = measure.shown(armature, whole, range(1, 61))
    assert bpy.ops.kineograph.regenerate(first=20, last=40, lead=4) == {"FINISHED"}
    assert trial.settled().error is None
    after = measure.shown(armature, whole, range(1, 61))
    outside = [*range(19), *range(40, 60)]
    assert max(measure.miss(whole, [after[t] for t in outside], [before[t] for t in outside])) < 5e-5
    wishes = addon.kineograph.apply
    wishes.blend_in = wishes.blend_out = 6
    wishes.travel = "PLACE"
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}


def test_a_model_that_cannot_is_not_asked(addon: Any, daemon: Any) -> None:
    trial.hero()
    trial.generated()
    assert "keyframe_budget" not in plan.options_of(addon)
    addon.kineograph.thin = True
    assert plan.options_of(addon)["keyframe_budget"] == pytest.approx(0.005)
    assert "Fewer keys" in trial.shown("options").text
    model = session.current().models.get(trial.MODEL)
    assert model is not None
    model.facts["supports_keyframe_reduction"] = False  # type: ignore[index]
    assert "keyframe_budget" not in plan.options_of(addon)
    assert "This model cannot" in trial.shown("options").text


def test_a_bake_that_is_given_up_while_it_thins_leaves_no_thread(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    own = armature.animation_data.action
    row = trial.generated(thin=True)
    bake = session.current().shelf.take(row.id).bake()
    while not bake._waits:
        bake.step(1e-6)
    bake.abandon()
    assert not [t for t in threading.enumerate() if t.name.startswith("kineograph-thin")]
    assert armature.animation_data.action == own
    assert not [a for a in bpy.data.actions if stamps.take_of(a)]
