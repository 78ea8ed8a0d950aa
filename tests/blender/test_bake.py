# SPDX-License-Identifier: GPL-3.0-or-later
"""How a take is written: a new action with its slot bound, clean channels, nothing of the user's touched."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Euler
from tests.blender import measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph.motion.resample import resample
from kineograph_blender import compat
from kineograph_blender.bridge import bake as bakes
from kineograph_blender.bridge import datapath, guard, stamps, unkeyed
from kineograph_blender.bridge import rig as rigs
from kineograph_blender.bridge.bake import Bake
from kineograph_blender.bridge.bake_options import BakeOptions
from kineograph_blender.bridge.pace import Pace
from kineograph_blender.bridge.swift import in_one_go


def begun(armature: Any, frames: int = 60, take: str = "take", **how: Any) -> Bake:
    """A bake that has not started."""
    rig = rigs.read(armature, bpy.context.scene)
    return Bake(rig, measure.wander(rig, frames), 1, take, BakeOptions(**how))


def curves(armature: Any) -> dict[tuple[str, int], Any]:
    """The curves that the armature plays."""
    data = armature.animation_data
    return {(c.data_path, c.array_index): c for c in compat.curves(data.action, compat.slot_of(data))}


def test_the_slot_is_bound_and_named_after_the_object(scene: Any) -> None:
    armature = scenes.simple()
    begun(armature).finish()
    data = armature.animation_data
    if compat.HAS_SLOTS:
        assert data.action_slot is not None
        assert data.action_slot.identifier == "OBHero"
        assert len(data.action.slots) == 1
    guard.go_to(scene, 20)
    moved = armature.pose.bones["Head"].matrix_basis.to_quaternion()
    assert moved.angle > 0.1, "the action moves the armature"


def test_other_threads_hold_a_slice_up_for_a_moment_only(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's lock comes back within 0.2 ms while a slice is worked, and as others want it before and after."""
    seen = []
    real = Bake._check
    monkeypatch.setattr(Bake, "_check", lambda *a: (seen.append(sys.getswitchinterval()), real(*a))[1])
    before_s = sys.getswitchinterval()
    bake = begun(scenes.simple())
    while not seen:
        bake.step()
    assert seen == [pytest.approx(0.0002)]
    assert sys.getswitchinterval() == before_s
    monkeypatch.setattr(Bake, "_find", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        begun(scenes.simple("Other"), take="other").step()
    assert sys.getswitchinterval() == before_s


@pytest.mark.parametrize("collects", [True, False])
def test_what_is_done_in_one_go_is_not_looked_through_for_circles(collects: bool) -> None:
    """And afterwards they are looked for if they were before, whatever happened."""
    (gc.enable if collects else gc.disable)()
    try:
        seen = []
        with pytest.raises(ZeroDivisionError), in_one_go():
            seen.append(gc.isenabled()) or 1 / 0
        assert seen == [False]
        assert gc.isenabled() is collects
    finally:
        gc.enable()


def test_only_rotations_and_the_roots_place_are_written(scene: Any) -> None:
    armature = scenes.simple()
    armature.pose.bones["Head"].rotation_mode = "XYZ"
    report = begun(armature, 30).finish()
    found = curves(armature)
    moved = {datapath.parse(path).bone for path, _ in found if path.endswith("location")}  # type: ignore[union-attr]
    assert moved == {"Hips"}
    assert not [p for p, _ in found if p.endswith("scale")]
    assert len([1 for p, _ in found if "Head" in p]) == 3
    assert {len(c.keyframe_points) for c in found.values()} == {30}
    assert report.keys == sum(len(c.keyframe_points) for c in found.values())
    points = next(iter(found.values())).keyframe_points
    assert not any(p.select_control_point or p.select_left_handle for p in points)
    assert {p.interpolation for p in points} == {"LINEAR"}
    assert {c.group.name for c in found.values()} == {b.name for b in armature.data.bones}


def test_leftover_location_and_scale_are_reset(scene: Any) -> None:
    armature = scenes.simple()
    for name in ("LeftArm", "Neck"):
        armature.pose.bones[name].location = (0.3, 0.1, 0.2)
        armature.pose.bones[name].scale = (2, 2, 2)
    scenes.key(armature, "RightArm", "scale", 1, (1, 1, 1))
    scenes.key(armature, "RightArm", "scale", 30, (3, 3, 3))
    guard.go_to(scene, 30)
    rig = rigs.read(armature, scene)
    clip = measure.wander(rig, 30)
    measure.baked(rig, clip)
    assert max(measure.miss(rig, measure.shown(armature, rig, range(1, 31)), measure.of_clip(clip))) < 1e-5
    held = [c for (p, _), c in curves(armature).items() if p.endswith("scale")]
    assert {len(c.keyframe_points) for c in held} == {1}


def test_connected_bones_get_no_location_and_a_miss_is_told(scene: Any) -> None:
    armature = scenes.simple()
    rig = rigs.read(armature, scene)
    clip = measure.wander(rig, 10)
    moved = np.broadcast_to(rig.skeleton.rest_translations_m, (10, len(rig.names), 3)).copy()
    moved[:, rig.skeleton.index["LeftForeArm"]] += (0.0, 0.05, 0.0)
    moved[:, rig.skeleton.index["LeftArm"]] += (0.0, 0.02, 0.0)
    clip = type(clip)(rig.skeleton, 24.0, clip.rotations_xyzw, clip.root_m, translations_m=moved)
    report = measure.baked(rig, clip)
    assert armature.data.bones["LeftForeArm"].use_connect
    assert report.missed_m["LeftForeArm"] == pytest.approx(0.05, rel=0.01)
    assert (datapath.path("LeftArm", "location"), 0) in curves(armature), "a free bone is moved"
    assert (datapath.path("LeftForeArm", "location"), 0) not in curves(armature)


def test_a_connected_root_of_a_part_of_a_rig_is_told(scene: Any) -> None:
    armature = scenes.simple()
    rig = rigs.read(armature, scene, root="LeftForeArm")
    report = measure.baked(rig, measure.wander(rig, 10))
    assert set(report.missed_m) == {"LeftForeArm", "LeftHand"}


def test_everything_else_that_the_action_says_is_carried_on(scene: Any) -> None:
    armature = scenes.armature("Hero", [*scenes.BODY, ("jaw", "Head", (0, -0.1, 1.7), (0, -0.2, 1.7))])
    armature.data.bones["jaw"].use_deform = False
    armature["mood"] = 0.0
    scenes.key_poses(armature, ["Hips", "Head"], "Hips")
    for frame in (1, 15, 30):
        scenes.key(armature, "jaw", "rotation_quaternion", frame, Euler((frame / 30, 0, 0)).to_quaternion())
    action, slot = scenes.own(armature)
    mood = compat.new_curve(compat.ensure_curve_list(action, slot), action, slot, '["mood"]', 0, "Mood")
    mood.keyframe_points.insert(1, 0.0)
    mood.keyframe_points.insert(30, 1.0)
    mood.modifiers.new("CYCLES")
    before = scenes.dump(action)
    begun(armature, 30).finish()
    assert scenes.dump(action) == before
    found = curves(armature)
    assert [len(found[datapath.path("jaw", "rotation_quaternion"), i].keyframe_points) for i in range(4)] == [3] * 4
    assert found['["mood"]', 0].modifiers[0].type == "CYCLES"
    guard.go_to(scene, 30)
    assert armature["mood"] == pytest.approx(1.0)


def test_an_action_shared_by_two_objects_is_not_mixed_up(scene: Any) -> None:
    if not compat.HAS_SLOTS:
        pytest.skip("slots came with 4.4")
    one, two = scenes.simple("One"), scenes.simple("Two")
    scenes.key_poses(one, ["Hips", "Head"], "Hips")
    action, _ = scenes.own(one)
    data = two.animation_data_create()
    compat.bind(data, action, compat.new_slot(action, two))
    scenes.key(two, "Neck", "rotation_quaternion", 5, (1, 0, 0, 0))
    assert list(measure.gather(two).request["constraints"][0]["joint_rotations"]) == ["Neck"]
    before = scenes.dump(action)
    begun(one, 10).finish()
    assert scenes.dump(action) == before
    assert data.action == action, "the other object plays on"
    assert len(one.animation_data.action.slots) == 1


@pytest.mark.parametrize("wanted", ["Double", "Hero"])
def test_the_slot_that_the_user_chose_plays_again_and_no_other(scene: Any, wanted: str) -> None:
    """Blender itself binds the slot that is called like the object: that of somebody else, after a rename."""
    if not compat.HAS_SLOTS:
        pytest.skip("slots came with 4.4")
    armature = scenes.simple("Hero")
    scenes.key(armature, "Neck", "rotation_quaternion", 5, (1, 0, 0, 0))
    action, _ = scenes.own(armature)
    double = scenes.simple("Double")
    compat.bind(double.animation_data_create(), action, compat.new_slot(action, double))
    scenes.key(double, "Head", "rotation_quaternion", 9, (1, 0, 0, 0))
    data, chosen = armature.animation_data, next(s for s in action.slots if s.identifier == f"OB{wanted}")
    compat.bind(data, action, chosen)
    bone = "Head" if wanted == "Double" else "Neck"
    rig = rigs.read(armature, scene)
    measure.baked(rig, measure.wander(rig, 10))
    assert list(measure.gather(armature).request["constraints"][0]["joint_rotations"]) == [bone]
    own, slot = stamps.own_action(armature)
    unkeyed.step_to(armature, own, slot)
    assert (data.action, data.action_slot.identifier) == (action, f"OB{wanted}")


def test_our_actions_are_known_by_a_stamp_and_not_by_a_name(scene: Any) -> None:
    armature = scenes.simple()
    theirs = bpy.data.actions.new("Kineograph take")
    report = begun(armature, 5, take="abc").finish()
    made = armature.animation_data.action
    made.name = "My walk"
    assert stamps.take_of(made) == "abc" == report.take
    assert stamps.take_of(theirs) is None
    assert stamps.remove_unused("abc") == 0, "it is in use"
    armature.animation_data.action = None
    assert stamps.remove_unused("abc") == 1
    assert bpy.data.actions.get("Kineograph take") == theirs


def test_the_users_action_survives_saving(scene: Any, tmp_path: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "Head"], "Hips")
    source = armature.animation_data.action
    name, before = source.name, scenes.dump(source)
    for n in range(3):
        begun(armature, 5, take=str(n)).finish()
    path = str(tmp_path / "shot.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert scenes.dump(bpy.data.actions[name]) == before
    armature = bpy.data.objects["Hero"]
    assert stamps.own_action(armature)[0] == bpy.data.actions[name]
    # Even with every take deleted, the user's own stays in the file.
    for action in [a for a in bpy.data.actions if stamps.take_of(a)]:
        bpy.data.actions.remove(action)
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert scenes.dump(bpy.data.actions[name]) == before


def test_nothing_is_shown_before_the_last_slice(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "Head"], "Hips")
    guard.go_to(scene, 12)
    source, posed = armature.animation_data.action, guard.read_pose(armature)
    work = begun(armature, 150)
    slices = 0
    while not work.step(0.0005):
        slices += 1
        assert armature.animation_data.action == source
        assert all((posed[k] == guard.read_pose(armature)[k]).all() for k in posed)
        assert scene.frame_current == 12
    assert slices > 5
    assert armature.animation_data.action != source
    assert scene.frame_current == 12


def test_below_a_moving_parent_it_looks_at_some_frames_a_slice(scene: Any) -> None:
    armature = scenes.simple()
    cart = scenes.empty((0, 0, 0), "Cart")
    for frame, x in ((1, 0.0), (120, 4.0)):
        cart.location.x = x
        cart.keyframe_insert("location", frame=frame)
    armature.parent = cart
    guard.go_to(scene, 12)
    work, looked = begun(armature, 120), []
    done = False
    while not done:
        before = guard.visits()
        done = work.step(0.0)
        looked.append(guard.visits() - before)
        assert scene.frame_current == 12
        assert done or armature.animation_data is None
    assert sum(looked) == 120
    assert sum(n > 0 for n in looked) > 3


def halfway(armature: Any) -> Bake:
    """A bake in the middle of writing."""
    work = begun(armature, 150)
    while work.report.keys < 1000:
        assert not work.step(0.0005)
    return work


def test_an_armature_deleted_in_the_middle(scene: Any) -> None:
    armature = scenes.simple()
    work = halfway(armature)
    bpy.data.objects.remove(armature)
    with pytest.raises(KineographError) as e:
        work.finish()
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert not len(bpy.data.actions), "what was half written is removed"


def test_an_armature_renamed_in_the_middle(scene: Any) -> None:
    armature = scenes.simple()
    work = halfway(armature)
    armature.name = "Somebody"
    work.finish()
    assert stamps.take_of(armature.animation_data.action) == "take"


def test_a_file_loaded_in_the_middle(scene: Any) -> None:
    work = halfway(scenes.simple())
    scenes.fresh()
    with pytest.raises(KineographError) as e:
        work.finish()
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert not len(bpy.data.actions)


def test_an_undo_in_the_middle(scene: Any) -> None:
    armature = scenes.simple()
    bpy.ops.ed.undo_push(message="before")
    scenes.key(armature, "Head", "location", 1, (0, 0, 0))
    bpy.ops.ed.undo_push(message="a key")
    work = halfway(armature)
    bpy.ops.ed.undo()
    with pytest.raises(KineographError) as e:
        work.finish()
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert not [a for a in bpy.data.actions if stamps.take_of(a)]


def test_the_source_deleted_or_changed_in_the_middle(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "Head"], "Hips")
    work = halfway(armature)
    bpy.data.actions.remove(armature.animation_data.action)
    work.finish()
    assert stamps.take_of(armature.animation_data.action) == "take"


def test_a_rig_edited_since_keeps_everything_as_it_was(scene: Any) -> None:
    armature = scenes.simple()
    work = begun(armature)
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones.remove(armature.data.edit_bones["Head"])
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(KineographError, match="Head") as e:
        work.finish()
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert armature.animation_data is None
    assert not len(bpy.data.actions)


def test_an_autosave_in_the_middle_leaves_nothing_behind(scene: Any, tmp_path: Any) -> None:
    armature = scenes.simple()
    work = halfway(armature)
    path = str(tmp_path / "auto.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    work.finish()
    bpy.ops.wm.open_mainfile(filepath=path)
    assert not len(bpy.data.actions), "an unfinished action has no user and is not saved"
    assert bpy.data.objects["Hero"].animation_data is None or bpy.data.objects["Hero"].animation_data.action is None


@pytest.mark.parametrize("is_looked_at", [False, True])
def test_selection_mode_active_object_and_frame_stay(scene: Any, is_looked_at: bool) -> None:
    armature = scenes.simple()
    other = scenes.empty((0, 0, 0), "Other")
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="POSE")
    guard.go_to(scene, 7.5)
    chosen = [compat.is_bone_selected(b) for b in armature.pose.bones]
    visits = guard.visits()
    begun(armature, 10, **({"blend_in": 4} if is_looked_at else {})).finish()
    assert (guard.visits() > visits) is is_looked_at
    assert (scene.frame_current, scene.frame_subframe) == (7, 0.5)
    assert armature.mode == "POSE"
    assert bpy.context.view_layer.objects.active == armature
    assert [compat.is_bone_selected(b) for b in armature.pose.bones] == chosen
    assert not other.select_get()
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize(("fps", "base"), [(24, 1.001), (25, 1.0), (60, 1.0)])
def test_a_take_of_another_rate_keeps_its_seconds(scene: Any, fps: int, base: float) -> None:
    armature = scenes.simple()
    rig = rigs.read(armature, scene)
    clip = measure.wander(rig, 61, fps_hz=30.0)
    scene.render.fps, scene.render.fps_base = fps, base
    measure.baked(rig, clip)
    rate = fps / base
    want = measure.of_clip(resample(clip, rate))
    assert abs((len(want) - 1) / rate - clip.duration_s) < 0.5 / rate
    assert max(measure.miss(rig, measure.shown(armature, rig, range(1, len(want) + 1)), want)) < 1e-5


def test_a_take_elsewhere_in_time(scene: Any) -> None:
    armature = scenes.simple()
    rig = rigs.read(armature, scene)
    clip = measure.wander(rig, 10)
    measure.baked(rig, clip, start=-20)
    assert tuple(armature.animation_data.action.frame_range) == (-20.0, -11.0)
    assert max(measure.miss(rig, measure.shown(armature, rig, range(-20, -10)), measure.of_clip(clip))) < 1e-5


def test_twenty_takes_in_a_row_do_not_drift(scene: Any) -> None:
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "Head"], "Hips")
    first = rigs.read(armature, scene)
    for n in range(20):
        out = measure.gather(armature)
        assert np.array_equal(out.rig.rest_local, first.rest_local)
        assert np.array_equal(out.rig.skeleton.rest_translations_m, first.skeleton.rest_translations_m)
        measure.baked(out.rig, measure.wander(out.rig, 8, seed=n), take=str(n))
        assert tuple(armature.animation_data.action.frame_range) == (1.0, 8.0)


class Clock:
    """Time that goes on when it is told to, seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now_s)

    def passes(self, *pieces_ms: float) -> Iterator[None]:
        """Work in pieces that take so long."""
        for piece_ms in pieces_ms:
            self.now_s += piece_ms / 1e3
            yield


@pytest.mark.parametrize(
    ("pieces_ms", "ended_ms"),
    [
        ([0.9] * 9, [3.6, 7.2, 8.1]),
        ([1.5] * 6, [3, 6, 9]),  # a third would end at 4.5
        ([0.5, 0.5, 2.5, 0.5, 0.5], [3.5, 4.5]),
        ([9.0, 1.0, 1.0], [9, 11]),  # what cannot be divided is done
    ],
)
def test_a_slice_ends_before_the_piece_that_would_not_fit_in(
    scene: Any, monkeypatch: pytest.MonkeyPatch, pieces_ms: list[float], ended_ms: list[float]
) -> None:
    bake, clock = begun(scenes.simple()), Clock(monkeypatch)
    bake._steps = clock.passes(*pieces_ms)  # type: ignore[assignment]
    ended: list[float] = []
    while not bake.step(0.004):
        ended.append((clock.now_s - 100.0) * 1e3)
    assert [*ended, (clock.now_s - 100.0) * 1e3][: len(ended_ms)] == pytest.approx(ended_ms)


def test_pieces_grow_and_shrink_to_about_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace, sizes = Clock(monkeypatch), Pace(8, least=2, most=50), []
    for item_ms in [0.01] * 5 + [0.11] * 3 + [3.0] * 2 + [0.21] * 4:
        with pace.piece() as count:
            sizes.append(count)
            clock.now_s += count * item_ms / 1e3
    # At most twice as many as before, as many as fit, and never less or more than it was told.
    assert sizes == [8, 16, 32, 50, 50, 50, 9, 9, 9, 2, 2, 4, 4, 4]


def test_no_piece_of_a_bake_is_a_large_part_of_it(scene: Any) -> None:
    """By the main thread's own work, in the best of three: how long that is is for the benchmark to say."""
    armature, largest = scenes.metarig("human"), []
    for n in range(3):
        work, pieces_s, done = begun(armature, 300, take=str(n)), [], False
        while not done:
            began_s = time.thread_time()
            done = work.step(0.0)
            pieces_s.append(time.thread_time() - began_s)
        assert len(pieces_s) > 150
        largest.append(max(pieces_s) / sum(pieces_s))
    assert min(largest) < 0.15


def test_the_default_slice_is_within_a_frame() -> None:
    assert bakes.DEFAULT_SLICE_S <= 0.008
