# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes way for takes, locks and constraints, is as it was once they are gone."""

from __future__ import annotations

from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, measure, scenes
from tests.blender.test_takes import clip_shows

from kineograph_blender import session

pytestmark = pytest.mark.daemon


def standing_of(armature: Any) -> Any:
    """Every lock of every bone, and which constraints rest."""
    locks = ("lock_location", "lock_rotation", "lock_scale")
    return [
        (b.name, *(tuple(getattr(b, a)) for a in locks), b.lock_rotation_w, [c.mute for c in b.constraints])
        for b in armature.pose.bones
    ]


def test_a_generated_animal_shows_its_first_take_at_one_click(addon: Any, daemon: Any) -> None:
    armature = scenes.rigify("animal", "Dog")
    scenes.key(armature, "torso", "location", 1, (0.0, 0.0, 0.0))
    scenes.key(armature, "torso", "location", 30, (0.0, 0.3, 0.1))
    addon.kineograph.model, addon.kineograph.span = trial.MODEL, "OWN"
    addon.kineograph.start, addon.kineograph.end = 1, 30
    armature.kineograph.keys = "frames"
    before, own = standing_of(armature), armature.animation_data.action
    row = trial.generated()
    asked = session.current().jobs[-1].outgoing.request["constraints"]
    rig = session.current().shelf.take(row.id).rig
    shown = measure.shown(armature, rig, [1, 30])
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}
    assert fake_layout.draw("problems") is None
    assert clip_shows(armature, row)
    assert "constraints rest while the take shows" in " ".join(trial.shown("verdicts").text.split())
    assert [s[:5] for s in standing_of(armature)] == [s[:5] for s in before], "no lock was touched"
    again = trial.generated()
    anew = session.current().jobs[-1].outgoing.request["constraints"]
    for old, new in zip(asked, anew, strict=True):
        assert new["root_position"] == pytest.approx(old["root_position"], abs=1e-5), "the keys say what they said"
    bpy.ops.kineograph.take_apply(take=again.id)
    bpy.ops.kineograph.take_reject(take=again.id)
    assert armature.animation_data.action == own
    assert standing_of(armature) == before
    assert max(measure.miss(rig, measure.shown(armature, rig, [1, 30]), shown)) < 1e-5
    bpy.ops.kineograph.take_apply(take=row.id, way="STRIP")
    assert clip_shows(armature, row)
    bpy.ops.kineograph.take_reject(take=row.id)
    assert (armature.animation_data.action, standing_of(armature)) == (own, before)
    bpy.ops.ed.undo_push(message="rejected")  # as the button does
    bpy.ops.kineograph.take_apply(take=row.id)
    assert standing_of(armature) != before
    bpy.ops.ed.undo()
    assert standing_of(bpy.data.objects["Dog"]) == before


def test_locks_that_the_user_set_are_back_once_the_take_is_gone(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    row = trial.generated()
    arm = armature.pose.bones["LeftArm"]
    arm.lock_rotation = (True, False, True)
    before = standing_of(armature)
    assert bpy.ops.kineograph.take_apply() == {"CANCELLED"}
    trial.mend("Unlock them")
    trial.shown("problems").button("Send again").press()
    assert clip_shows(armature, row)
    assert standing_of(armature) != before
    bpy.ops.kineograph.take_reject()
    assert standing_of(armature) == before
    trial.shown("takes").button("Bring 1 back").press()
    bpy.ops.kineograph.take_apply()
    trial.mend("Unlock them")
    trial.shown("problems").button("Send again").press()
    assert tuple(arm.lock_rotation) == (False, False, False)
    arm.lock_rotation[1] = True  # the user's newer word
    bpy.ops.kineograph.take_reject()
    assert tuple(arm.lock_rotation) == (False, True, False)


def test_a_constraint_that_rests_for_a_take_still_has_its_say_in_the_users_keys(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    goal = scenes.empty((0.5, -0.5, 1.0), "Goal")
    goal.rotation_euler = (0.4, 0.3, 0.2)
    copy = armature.pose.bones["LeftArm"].constraints.new("COPY_ROTATION")
    copy.target = goal
    trial.generated()
    asked = session.current().jobs[-1].outgoing.request["constraints"]
    bpy.ops.kineograph.take_apply()
    bpy.ops.kineograph.mute_constraints()
    assert copy.mute
    trial.generated()
    anew = session.current().jobs[-1].outgoing.request["constraints"]
    assert copy.mute, "it rests again"
    for old, new in zip(asked, anew, strict=True):
        assert new["joint_rotations"]["LeftArm"] == pytest.approx(old["joint_rotations"]["LeftArm"], abs=1e-5)
