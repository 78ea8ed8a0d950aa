# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that is read in turns is the one that is read in one go, and of one moment: whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import msgpack
import numpy as np
import pytest
from tests.blender import addon as trial
from tests.blender import measure, scenes

from kineograph.errors import ErrorCode, KineographError
from kineograph_blender import compat
from kineograph_blender.bridge import gathering, guard, keymarks, marks
from kineograph_blender.bridge.keys import KeyMode, Pick
from kineograph_blender.bridge.looking import Looking
from kineograph_blender.bridge.pace import Pace
from kineograph_blender.bridge.request import Direction, Outgoing

SPAN = {"start": 1, "end": 150}


@pytest.fixture(autouse=True)
def in_even_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many turns each time, however busy the machine is."""

    @contextmanager
    def piece(self: Pace) -> Iterator[int]:
        yield min(self._size, 30)

    monkeypatch.setattr(Pace, "piece", piece)


def direction(**more: Any) -> Direction:
    return Direction(**{"model": trial.MODEL, **SPAN, **more})


def packed(out: Outgoing) -> bytes:
    """To the last bit."""
    found: bytes = msgpack.packb([out.request, out.refs, [(r.what, r.why) for r in out.remarks]])
    return found


def read(found: Looking) -> Outgoing:
    for _ in range(3000):
        if found.step(0.0):
            return found.outgoing
    raise AssertionError("it never ends")


def keyed(kind: str) -> Any:
    armature = scenes.RIGS[kind]()
    names = [b.name for b in armature.data.bones][:40]
    scenes.key_poses(armature, names, names[0])
    return armature


def _plain(armature: Any) -> None:
    pass


def _constrained(armature: Any) -> None:
    limit = armature.pose.bones[2].constraints.new("LIMIT_ROTATION")
    limit.use_limit_x, limit.max_x = True, 0.05


def _below_a_moving_parent(armature: Any) -> None:
    parent = scenes.empty((1.0, 2.0, 0.5), "Stage")
    for frame, x in ((1, 0.0), (150, 3.0)):
        parent.location.x = x
        parent.keyframe_insert("location", frame=frame)
    armature.parent = parent


def _animated(armature: Any) -> None:
    for frame, turn in ((1, 0.0), (150, 1.5)):
        armature.rotation_euler.z = turn
        armature.keyframe_insert("rotation_euler", frame=frame)


def _between_keys(armature: Any) -> None:
    """Curves of one bone that have no key where others have."""
    _, value = scenes.turn_value(armature, armature.data.bones[1].name, armature.pose.bones[0].rotation_quaternion)
    prop = scenes.datapath.rotation_prop(armature.pose.bones[1].rotation_mode)[0]
    scenes.key(armature, armature.data.bones[1].name, prop, 60.5, value)
    for curve in compat.curves(*scenes.own(armature))[:6]:
        curve.modifiers.new("NOISE")


def _marked(armature: Any) -> None:
    marks.mark_path(scenes.curve_path([(0, 0, 0), (0, -2, 0)]), armature)
    marks.mark_waypoint(scenes.empty((0, -3, 0), "There"), armature, 35)
    marks.mark_pin(scenes.empty((0.3, -0.4, 1.0), "Grab"), armature, armature.data.bones[0].name, frames=(22, 30))


MADE = [_plain, _constrained, _below_a_moving_parent, _animated, _between_keys, _marked]
CASES = [("human", _plain), ("quadruped", _constrained), *(("mixamo", made) for made in MADE)]


@pytest.mark.parametrize(("kind", "made"), CASES, ids=lambda x: x if isinstance(x, str) else x.__name__.strip("_"))
def test_in_turns_and_in_one_go_it_is_the_same_to_the_last_bit(
    scene: Any, kind: str, made: Callable[[Any], None]
) -> None:
    armature = keyed(kind)
    made(armature)
    bpy.context.view_layer.update()
    scene.frame_set(33)
    want = packed(gathering.gather(armature, scene, direction()))
    assert packed(read(Looking.ahead(armature, scene, direction()))) == want
    assert scene.frame_current == 33


def test_a_generated_rig_and_chosen_keys(addon: Any) -> None:
    armature = scenes.generated_rigify()
    scenes.key_poses(armature, ["torso", "upper_arm_fk.L", "spine_fk"], "torso")
    for asked in (direction(), direction(pick=Pick.SELECTED_KEYS), direction(keys=KeyMode.FRAMES, start_pose=True)):
        want = packed(gathering.gather(armature, addon, asked))
        assert packed(read(Looking.ahead(armature, addon, asked))) == want


def test_a_bone_that_was_renamed_behind_a_take(addon: Any) -> None:
    armature = keyed("human")
    made = measure.gather(armature, model=trial.MODEL, **SPAN)
    measure.baked(made.rig, measure.wander(made.rig, 150))
    armature.data.bones["spine.003"].name = "chest"
    want = gathering.gather(armature, addon, direction())
    assert "chest" in want.request["constraints"][0]["joint_rotations"]
    assert packed(read(Looking.ahead(armature, addon, direction()))) == packed(want)


def at(turn: int, kind: str = "mixamo") -> tuple[Any, Looking]:
    """So many turns were read."""
    armature = keyed(kind)
    bpy.context.view_layer.update()
    found = Looking.ahead(armature, bpy.context.scene, direction())
    for _ in range(turn):
        assert not found.step(0.0)
    return armature, found


def turns() -> int:
    _, found = at(0)
    count = 1
    while not found.step(0.0):
        count += 1
    return count


HEAD = "mixamorig:Head"


def _a_key(armature: Any) -> None:
    scenes.key(armature, HEAD, "rotation_quaternion", 60, (0.9, 0.4358899, 0.0, 0.0))


def _a_key_that_nobody_is_told_of(armature: Any) -> None:
    curve = compat.curves(*scenes.own(armature))[-1]
    curve.keyframe_points[2].co.y += 0.01


def _a_curve_goes(armature: Any) -> None:
    owner = compat.curve_list(*scenes.own(armature))
    owner.remove(owner[0])


def _a_bone_is_renamed(armature: Any) -> None:
    armature.data.bones[HEAD].name = "Kopf"


def _the_rest_is_edited(armature: Any) -> None:
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones[HEAD].tail.y += 3.0
    bpy.ops.object.mode_set(mode="OBJECT")


def _it_is_moved(armature: Any) -> None:
    armature.location.x += 2.0


def _it_is_posed(armature: Any) -> None:
    armature.pose.bones["mixamorig:LeftToeBase"].rotation_mode = "XYZ"
    armature.pose.bones["mixamorig:LeftToeBase"].rotation_euler.x = 0.3


def _a_constraint_comes(armature: Any) -> None:
    _constrained(armature)


def _a_frame_is_marked(armature: Any) -> None:
    keymarks.mark(armature.pose.bones[HEAD], {47})


def _another_action(armature: Any) -> None:
    copy = armature.animation_data.action.copy()
    compat.bind(armature.animation_data, copy, compat.same_slot(copy, scenes.own(armature)[1]))
    _a_key(armature)


CHANGES = [
    _a_key,
    _a_key_that_nobody_is_told_of,
    _a_curve_goes,
    _a_bone_is_renamed,
    _the_rest_is_edited,
    _it_is_moved,
    _it_is_posed,
    _a_constraint_comes,
    _a_frame_is_marked,
    _another_action,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_what_changes_in_between_is_read_again_from_the_start(scene: Any, change: Callable[[Any], None]) -> None:
    """Before the last comparison, at any turn: what is sent is what the scene says afterwards, and no mixture."""
    count = turns()
    for turn in range(0, count - 4, 3):
        scene = scenes.fresh()
        armature, found = at(turn)
        change(armature)
        got = packed(read(found))
        bpy.context.view_layer.update()
        assert got == packed(gathering.gather(armature, scene, direction())), turn


def test_frames_selection_and_mode_are_the_users_and_no_change(scene: Any) -> None:
    armature, found = at(3)
    want = packed(gathering.gather(armature, scene, direction()))
    before = guard.visits()
    scene.frame_set(77)
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="POSE")
    while not found.step(0.0):
        assert (scene.frame_current, armature.mode) == (77, "POSE")
    assert packed(found.outgoing) == want
    assert guard.visits() == before


def test_in_edit_mode_it_says_so(scene: Any) -> None:
    armature, found = at(4)
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(KineographError) as e:
        read(found)
    assert e.value.code is ErrorCode.APPLY_BLOCKED
    assert e.value.details["blocker"] == "edit_mode"
    bpy.ops.object.mode_set(mode="OBJECT")


def _deleted(armature: Any) -> None:
    bpy.data.objects.remove(armature)


def _another_file(armature: Any) -> None:
    scenes.fresh()
    keyed("mixamo")


@pytest.mark.parametrize("gone", [_deleted, _another_file], ids=lambda f: f.__name__)
def test_a_character_that_is_gone_is_never_touched_again(scene: Any, gone: Callable[[Any], None]) -> None:
    for turn in range(0, turns() - 1, 2):
        scenes.fresh()
        armature, found = at(turn)
        gone(armature)
        with pytest.raises(KineographError) as e:
            read(found)
        assert e.value.code is ErrorCode.RIG_CHANGED


def test_an_undo_in_between_is_a_change_and_no_crash(addon: Any) -> None:
    armature = keyed("mixamo")
    scenes.activate(armature)
    bpy.ops.ed.undo_push(message="before")
    scenes.key(armature, HEAD, "rotation_quaternion", 60, (0.9, 0.4358899, 0.0, 0.0))
    bpy.ops.ed.undo_push(message="a key")
    for turn in range(0, 16, 2):
        name = armature.name
        found = Looking.ahead(armature, bpy.context.scene, direction())
        for _ in range(turn):
            found.step(0.0)
        bpy.ops.ed.undo()
        armature = bpy.data.objects[name]
        got = packed(read(found))
        assert got == packed(gathering.gather(armature, bpy.context.scene, direction()))
        bpy.ops.ed.redo()
        armature = bpy.data.objects[name]
        assert got != packed(gathering.gather(armature, bpy.context.scene, direction()))


def test_a_moved_target_of_a_constraint_is_a_change(scene: Any) -> None:
    armature = keyed("mixamo")
    target = scenes.empty((1.0, 0.0, 1.0), "Look")
    follow = armature.pose.bones[HEAD].constraints.new("DAMPED_TRACK")
    follow.target = target
    bpy.context.view_layer.update()
    found = Looking.ahead(armature, scene, direction())
    while found.progress[0] < 3:
        assert not found.step(0.0)
    target.location = (-1.0, 0.5, 2.0)
    got = read(found)
    assert packed(got) == packed(gathering.gather(armature, scene, direction()))
    heads = np.array([c["joint_rotations"][HEAD] for c in measure.constraints(got, "pose_keyframe")])
    assert np.isfinite(heads).all()


def test_nothing_is_hung_into_blender_when_it_is_over(scene: Any) -> None:
    before = len(bpy.app.handlers.depsgraph_update_post), len(bpy.app.handlers.undo_post)
    _, found = at(3)
    assert len(bpy.app.handlers.depsgraph_update_post) == before[0] + 1
    read(found)
    _, other = at(3)
    other.close()
    assert (len(bpy.app.handlers.depsgraph_update_post), len(bpy.app.handlers.undo_post)) == before
