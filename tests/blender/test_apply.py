# SPDX-License-Identifier: GPL-3.0-or-later
"""How a take is written: on some bones, in place, blended, over a range, as strips."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from tests.blender import measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph.motion import quat
from kineograph_blender import compat
from kineograph_blender.bridge import fit, guard, stamps
from kineograph_blender.bridge.strips import Part

ARM = frozenset({"LeftArm", "LeftForeArm", "LeftHand"})


def keyed(frames: tuple[int, ...] = (1, 20, 40, 60)) -> Any:
    """A figure that moves by its user's own keys."""
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "Spine", "LeftArm", "RightLeg"], "Hips", frames=frames, travel=0.5)
    return armature


def far(rig: Any, got: list[Any], want: list[Any]) -> tuple[float, float]:
    """The largest distance and turn between two motions."""
    return measure.miss(rig, got, want)


def test_only_some_bones_are_written(scene: Any) -> None:
    armature = keyed()
    rig = measure.gather(armature, end=60).rig
    before = measure.shown(armature, rig, range(1, 61))
    source = scenes.dump(armature.animation_data.action)
    clip = measure.wander(rig, 60)
    measure.baked(rig, clip, bones=ARM)
    after = measure.shown(armature, rig, range(1, 61))
    for t in range(60):
        turned = quat.angle_between_rad(after[t].local_xyzw, before[t].local_xyzw)
        for j, name in enumerate(rig.names):
            if name not in ARM:
                assert turned[j] < 1e-5, (t, name)
        want = clip.rotations_xyzw[t, rig.skeleton.index["LeftForeArm"]]
        assert quat.angle_between_rad(after[t].local_xyzw[rig.skeleton.index["LeftForeArm"]], want) < 1e-5
    assert scenes.dump(stamps.own_action(armature)[0]) == source


def test_a_take_on_some_bones_goes_over_another_take(scene: Any) -> None:
    armature = keyed()
    rig = measure.gather(armature, end=60).rig
    measure.baked(rig, measure.wander(rig, 60, seed=1), take="one")
    before = measure.shown(armature, rig, range(1, 61))
    own = stamps.own_action(armature)[0]
    measure.baked(rig, measure.wander(rig, 60, seed=2), take="two", bones=ARM)
    after = measure.shown(armature, rig, range(1, 61))
    spine = rig.skeleton.index["Spine"]
    assert (
        max(
            float(quat.angle_between_rad(a.local_xyzw[spine], b.local_xyzw[spine]))
            for a, b in zip(after, before, strict=True)
        )
        < 1e-5
    )
    assert stamps.own_action(armature)[0] == own
    assert stamps.take_of(armature.animation_data.action) == "two"


def test_no_chosen_bone_in_the_take_is_told(scene: Any) -> None:
    armature = keyed()
    rig = measure.gather(armature, end=60).rig
    with pytest.raises(KineographError) as e:
        measure.baked(rig, measure.wander(rig, 10), bones=frozenset({"Tail"}))
    assert e.value.code is ErrorCode.APPLY_BLOCKED
    assert not [a for a in bpy.data.actions if stamps.take_of(a)]


def test_in_place_stays_where_it_starts(scene: Any) -> None:
    armature = scenes.simple()
    rig = measure.gather(armature, end=60).rig
    clip = measure.wander(rig, 60)
    measure.baked(rig, clip, in_place=True)
    shown = measure.shown(armature, rig, range(1, 61))
    roots = np.stack([p.root_m for p in shown])
    assert np.ptp(clip.root_m[:, [0, 2]], axis=0).max() > 0.5
    assert np.ptp(roots[:, [0, 2]], axis=0).max() < 0.35
    assert np.abs(roots[:, 1] - clip.root_m[:, 1]).max() < 1e-5
    turned = [quat.angle_between_rad(p.local_xyzw, r).max() for p, r in zip(shown, clip.rotations_xyzw, strict=True)]
    assert max(turned) < 1e-5


@pytest.mark.parametrize(("blend_in", "blend_out"), [(10, 0), (0, 12), (8, 8), (50, 50), (500, 3)])
def test_blending_comes_out_of_what_was_there(scene: Any, blend_in: int, blend_out: int) -> None:
    armature = keyed()
    rig = measure.gather(armature, end=60).rig
    before = measure.shown(armature, rig, range(1, 61))
    clip = measure.wander(rig, 40)
    measure.baked(rig, clip, start=11.0, blend_in=blend_in, blend_out=blend_out)
    after = measure.shown(armature, rig, range(11, 51))
    heads = min(blend_in, 40)
    tails = min(blend_out, 40 - heads)
    weights = np.ones(40)
    weights[:heads] = fit.weights(heads)
    weights[40 - tails :] = fit.weights(tails)[::-1]
    for t in range(40):
        want = quat.slerp(before[10 + t].local_xyzw, clip.rotations_xyzw[t], float(weights[t]))
        assert quat.angle_between_rad(after[t].local_xyzw, want).max() < 2e-5, t
        root = before[10 + t].root_m + (clip.root_m[t] - before[10 + t].root_m) * weights[t]
        assert np.abs(after[t].root_m - root).max() < 1e-5, t


@pytest.mark.parametrize("first", ["own", "take"])
def test_over_a_range_the_rest_stays_as_it_is_shown(scene: Any, first: str) -> None:
    armature = keyed()
    armature.pose.bones["Spine"].rotation_mode = "ZXY"
    scenes.key(armature, "Spine", "rotation_euler", 1, (0.1, 0.2, -0.3))
    scenes.key(armature, "Spine", "rotation_euler", 60, (2.9, -0.4, 3.1))
    rig = measure.gather(armature, end=60).rig
    if first == "take":
        measure.baked(rig, measure.wander(rig, 60, seed=1), take="one")
    source = scenes.dump(armature.animation_data.action)
    playing = armature.animation_data.action
    before = measure.shown(armature, rig, range(1, 61))
    clip = measure.wander(rig, 15, seed=2)
    measure.baked(rig, clip, start=30.0, take="two", over=True)
    after = measure.shown(armature, rig, range(1, 61))
    outside = [*range(29), *range(44, 60)]
    assert max(far(rig, [after[t] for t in outside], [before[t] for t in outside])) < 2e-5
    assert max(far(rig, after[29:44], measure.of_clip(clip))) < 2e-5
    assert scenes.dump(playing) == source


def test_as_one_strip_above_the_users_own_action(scene: Any) -> None:
    armature = keyed()
    own = armature.animation_data.action
    source = scenes.dump(own)
    rig = measure.gather(armature, end=60).rig
    before = measure.shown(armature, rig, range(1, 10))
    clip = measure.wander(rig, 30)
    report = measure.baked(rig, clip, start=11.0, strips=())
    assert len(report.strips) == 1
    assert armature.animation_data.action is None
    assert stamps.own_action(armature)[0] == own
    assert scenes.dump(own) == source
    assert max(far(rig, measure.shown(armature, rig, range(11, 41)), measure.of_clip(clip))) < 2e-5
    assert max(far(rig, measure.shown(armature, rig, range(1, 10)), before)) < 2e-5
    assert [c["frame"] for c in measure.constraints(measure.gather(armature, end=60), "pose_keyframe")] == [
        0,
        19,
        39,
        59,
    ]


def test_a_strip_for_each_prompt(scene: Any) -> None:
    armature = scenes.simple()
    rig = measure.gather(armature, end=60).rig
    clip = measure.wander(rig, 40)
    report = measure.baked(rig, clip, strips=(Part("walks", 1, 20), Part("waves", 21, 40)))
    track = armature.animation_data.nla_tracks[-1]
    assert [(s.name, s.frame_start, s.frame_end) for s in track.strips] == [("walks", 1, 20), ("waves", 21, 40)]
    assert report.strips == ["walks", "waves"]
    assert max(far(rig, measure.shown(armature, rig, range(1, 41)), measure.of_clip(clip))) < 2e-5
    if compat.HAS_SLOTS:
        assert all(s.action_slot is not None for s in track.strips)


def test_a_bake_that_fails_at_its_end_leaves_the_nla_as_it_was(scene: Any) -> None:
    armature = keyed()
    own = armature.animation_data.action
    rig = measure.gather(armature, end=60).rig
    armature.pose.bones["LeftArm"].lock_rotation[0] = True
    with pytest.raises(KineographError):
        measure.baked(rig, measure.wander(rig, 20), strips=())
    assert armature.animation_data.action == own
    assert len(armature.animation_data.nla_tracks) == 0
    assert not [a for a in bpy.data.actions if stamps.take_of(a)]
    guard.go_to(scene, 1)
