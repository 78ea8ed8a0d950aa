# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, end to end, through a real daemon: keys, a path and a pin go out, a new action comes back."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Vector
from tests.blender import measure, scenes

from kineograph.motion import quat
from kineograph_blender import api
from kineograph_blender.bridge import guard, poses, stamps

pytestmark = pytest.mark.daemon

MODEL = "kineograph-interpolate"
KEY_RAD, KEY_M, PIN_M = np.radians(0.1), 1e-3, 5e-3

# per rig: bones that are keyed, the root, the pinned bone
CAST = {
    "human": (["spine", "spine.002", "upper_arm.L", "forearm.R", "thigh.L", "shin.L", "thigh.R"], "spine", "hand.R"),
    "quadruped": (["spine.004", "spine.006", "thigh.L", "shin.L", "upper_arm.R"], "spine.004", "foot.R"),
    "mixamo": (
        [f"mixamorig:{n}" for n in ("Hips", "Spine", "LeftArm", "RightForeArm", "LeftUpLeg", "RightLeg")],
        "mixamorig:Hips",
        "mixamorig:RightHand",
    ),
}


def head(armature: Any, bone: str) -> Vector:
    """Where a bone's head is, in the world."""
    shown = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return (shown.matrix_world @ shown.pose.bones[bone].matrix).translation


@pytest.mark.parametrize("kind", CAST)
def test_five_keys_a_path_and_a_pin(scene: Any, daemon: Any, kind: str) -> None:
    armature = scenes.RIGS[kind]()
    bones, root, pinned = CAST[kind]
    bones = [b for b in bones if b in armature.data.bones]
    scenes.key_poses(armature, bones, root, travel=0.3)
    source = armature.animation_data.action
    before = scenes.dump(source)
    start_place = head(armature, root)
    scenes.api_path(armature, start_place, length=1.2)
    guard.go_to(scene, 90)
    at_90 = head(armature, pinned)
    pin = scenes.empty(at_90 + Vector((0.02, -0.03, 0.03)))
    api.mark_pin(pin, armature, pinned, frames=(88, 92))
    guard.go_to(scene, 1)
    wanted = {f: measure.shown(armature, measure.gather(armature).rig, [f])[0] for f in scenes.KEY_FRAMES}

    take = api.generate(armature, model=MODEL).wait(timeout_s=120)
    report = take.apply()

    rig = take.rig
    assert take.result.frames == 150
    assert take.result.fps_hz == 24.0
    assert scenes.dump(source) == before, "the user's own action is untouched"
    made = armature.animation_data.action
    assert made != source
    assert stamps.take_of(made) == report.take
    index = rig.skeleton.index
    for frame, want in wanted.items():
        guard.go_to(scene, frame)
        got = poses.read(armature, rig)
        for bone in bones:
            off = float(quat.angle_between_rad(got.local_xyzw[index[bone]], want.local_xyzw[index[bone]]))
            assert off < KEY_RAD, (frame, bone, np.degrees(off))
        assert np.linalg.norm(got.root_m - want.root_m) < KEY_M, frame
    misses = []
    for frame in range(88, 93):
        guard.go_to(scene, frame)
        misses.append((head(armature, pinned) - pin.matrix_world.translation).length)
    assert max(misses) < PIN_M or _told(take.report), (misses, take.report)


def _told(report: Any) -> bool:
    """Whether the report names the pin's miss."""
    return "effector_target" in str(report)
