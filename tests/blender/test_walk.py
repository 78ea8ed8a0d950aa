# SPDX-License-Identifier: GPL-3.0-or-later
"""A random walk through everything that an animator does, with a model of what must be true after every step.

KINEOGRAPH_WALK_STEPS sets how many steps a walk has (100), KINEOGRAPH_WALKS how many walks (6, of which the first only
edits), KINEOGRAPH_WALK_SEED by which dice (always the same ones).
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from mathutils import Euler
from tests.blender import measure, scenes

import kineograph_blender
from kineograph_blender import applying, compat, plan, session
from kineograph_blender.bridge import guard, stamps, unkeyed, written
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.bridge.datapath import Channel
from kineograph_blender.direction import props as saved

MODEL = "kineograph-interpolate"
STEPS = int(os.environ.get("KINEOGRAPH_WALK_STEPS", "100"))
WALKS = int(os.environ.get("KINEOGRAPH_WALKS", "6"))
FRAMES = 40
KEYABLE = ("LeftArm", "RightForeArm", "Head", "Spine", "LeftUpLeg")
ROTATION = "rotation_quaternion"
POSED = "RightToeBase"
VERBS = (
    "edit",  # first what costs least: one walk of every run takes the first of everything
    *("generate", "apply", "key_one_bone") * 3,
    *("key_everything_as_it_is", "edit", "undo", "save", "reload") * 2,
    *("step_back", "reject", "rename_object", "rename_bone", "rename_action", "autosave", "delete"),
)

pytestmark = pytest.mark.daemon
Key = tuple[str, int]


@dataclass(frozen=True)
class Dice:
    """What a step may choose by."""

    bone: str
    frame: int
    n: int


@dataclass
class Truth:
    """What must be so: names, the user's own keys, the edits that each applied take carries, and where a bone stands
    that was moved by hand and never keyed."""

    name: str = "Hero"
    own_action: str = ""
    own: list[Any] = field(default_factory=list)
    own_keys: set[Key] = field(default_factory=set)
    shown: str = ""
    posed: float = 0.0
    edits: dict[str, dict[Key, bytes]] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)


@dataclass
class Held:
    """A take on the shelf, and the edits it was made to meet."""

    id: str
    edits: dict[Key, bytes]
    bones: tuple[str, ...]


class Walk(RuleBasedStateMachine):
    """One animator, one character, many takes."""

    def __init__(self) -> None:
        super().__init__()
        scenes.fresh()
        kineograph_blender.register()
        scene = bpy.context.scene
        scene.frame_start, scene.frame_end = 1, FRAMES
        rig = scenes.simple()
        for frame in (1, 20, 40):
            scenes.key(rig, "Hips", ROTATION, frame, Euler((0, 0, 0.01 * frame)).to_quaternion())
            scenes.key(rig, "Hips", "location", frame, (0, 0.0, 0.02 * frame))
        scenes.key(rig, "Neck", ROTATION, 15, Euler((0.2, 0, 0)).to_quaternion())
        self.truth = Truth(own_action=rig.animation_data.action.name, shown=rig.animation_data.action.name)
        self.truth.own_keys = {("Hips", 1), ("Hips", 20), ("Hips", 40), ("Neck", 15)}
        self.truth.called = {b.name: b.name for b in rig.data.bones}
        self.truth.own = self.dump_own()
        self.rest = [tuple(np.array(b.matrix_local).ravel()) for b in rig.data.bones]
        self.takes: list[Held] = []
        self.folder = Path(tempfile.mkdtemp(prefix="kg-walk-"))
        self.saved: Truth | None = None
        self.past: list[Truth] = []
        self.steps = 0
        self.verbs: Counter[str] = Counter()
        self.did("begin")

    # --- helpers ------------------------------------------------------------------------------------------------------
    @property
    def rig(self) -> Any:
        return bpy.data.objects[self.truth.name]

    @property
    def is_take(self) -> bool:
        return stamps.take_of(bpy.data.actions.get(self.truth.shown)) is not None

    def dump_own(self) -> list[Any]:
        return scenes.dump(bpy.data.actions[self.truth.own_action])

    def did(self, what: str) -> None:
        bpy.ops.ed.undo_push(message=what)
        self.past = [*self.past[-20:], deepcopy(self.truth)]
        self.verbs[what] += 1

    def bits(self, original: str, frame: int) -> bytes:
        """A bone's rotation at a frame as the curves say it, to the last bit."""
        action, slot = scenes.own(self.rig)
        values = written.values_at(action, slot, Channel(self.truth.called[original], ROTATION), frame, (0, 0, 0, 0))
        return np.array(values, np.float32).tobytes()

    def bone(self, original: str) -> Any:
        return self.rig.pose.bones[self.truth.called[original]]

    @rule(
        verb=st.sampled_from(VERBS),
        bone=st.sampled_from(KEYABLE),
        frame=st.integers(2, FRAMES - 1),
        n=st.integers(0, 99),
    )
    def step(self, verb: str, bone: str, frame: int, n: int) -> None:
        """One of the verbs: one rule for all, so that no walk leaves some out."""
        self.steps += 1
        getattr(self, verb)(Dice(bone, frame, n))

    # --- what an animator does ----------------------------------------------------------------------------------------
    def generate(self, d: Dice) -> None:
        current = session.current()
        part = plan.directions_of(self.rig, bpy.context.scene, MODEL)[0]
        job = current.generate(self.rig, bpy.context.scene, part)
        assert current.wait(job, 60)
        assert job.take is not None, job.error
        assert len(job.take.clip()) == FRAMES
        assert current.takes[job.take.id] is job.take
        carried = dict(self.truth.edits.get(self.truth.shown, {})) if self.is_take else {}
        self.takes.append(Held(job.take.id, carried, tuple(self.truth.called.values())))
        self.did("generate")

    def apply(self, d: Dice) -> None:
        if not self.takes:
            return
        held = self.takes[d.n % len(self.takes)]
        take = session.current().shelf.take(held.id)
        report = take.apply(self.truth.name)
        now = dict(zip(held.bones, self.truth.called.values(), strict=True))
        assert report.renamed == {old: new for old, new in now.items() if old != new}
        self.truth.shown = report.action
        self.truth.edits[self.truth.shown] = dict(held.edits)
        self.did("apply")

    def reject(self, d: Dice) -> None:
        if not self.takes:
            return
        held = self.takes.pop(d.n % len(self.takes))
        shown = applying.shown_origin(self.rig)
        goes = shown is not None and shown[0] == held.id and not applying.edited_bones(self.rig)
        own = stamps.own_action(self.rig)[0].name
        scenes.activate(self.rig)
        assert bpy.ops.kineograph.take_reject(take=held.id) == {"FINISHED"}
        if goes:
            self.truth.edits.pop(self.truth.shown, None)
            self.truth.shown = own
        assert self.rig.animation_data.action.name == self.truth.shown
        self.did("reject")

    def key_one_bone(self, d: Dice) -> None:
        pose_bone = self.bone(d.bone)
        guard.go_to(bpy.context.scene, d.frame)
        turn = Euler(np.random.default_rng(d.n).uniform(-0.5, 0.5, 3)).to_quaternion()
        before = np.frombuffer(self.bits(d.bone, d.frame), np.float32)
        pose_bone.rotation_quaternion = turn
        pose_bone.keyframe_insert(ROTATION, frame=d.frame)
        if self.is_take:
            edits, bits = self.truth.edits.setdefault(self.truth.shown, {}), self.bits(d.bone, d.frame)
            # What the take says there anyway, because it was made to meet just that key once, is no edit.
            if (d.bone, d.frame) in edits or np.abs(before - np.frombuffer(bits, np.float32)).max() > 2e-6:
                edits[d.bone, d.frame] = bits
            assert np.abs(np.frombuffer(bits, np.float32) - turn).max() < 1e-6
        else:
            self.truth.own_keys.add((d.bone, d.frame))
            self.truth.own = self.dump_own()
        self.did("key")

    def key_everything_as_it_is(self, d: Dice) -> None:
        if not self.is_take:
            return
        guard.go_to(bpy.context.scene, d.frame)
        for bone in self.rig.pose.bones:
            bone.keyframe_insert(ROTATION, frame=d.frame)
        # Blender keys what it shows, which may differ from the user's own key in the last bit: then that is the key.
        for bone, frame in self.truth.edits.get(self.truth.shown, {}):
            if frame == d.frame:
                self.truth.edits[self.truth.shown][bone, frame] = self.bits(bone, frame)
        self.did("key everything")

    def step_back(self, d: Dice) -> None:
        """As Reject does: the take goes, and all is as if it had not been there."""
        if not self.is_take:
            return
        own, slot = stamps.own_action(self.rig)
        made = stamps.take_of(self.rig.animation_data.action)
        unkeyed.step_to(self.rig, own, slot)
        stamps.remove_unused(str(made))
        self.truth.shown = own.name
        self.did("step back")

    def edit(self, d: Dice) -> None:
        if not self.is_take:
            self.rig.pose.bones[POSED].location.x = 0.01 * d.n
            self.truth.posed = float(self.rig.pose.bones[POSED].location.x)
        self.bone(d.bone).rotation_quaternion = Euler((0.4, 0, 0)).to_quaternion()
        self.rig.location.x = 0.05 * d.n
        self.rig.rotation_euler.z = 0.1 * d.n
        bpy.context.scene.frame_set(d.frame)
        self.did("edit")

    def rename_object(self, d: Dice) -> None:
        self.rig.name = self.truth.name = f'He "{d.n}" \\'
        self.did("rename the object")

    def rename_bone(self, d: Dice) -> None:
        new = f'{d.bone} "{d.n % 3}"'
        self.rig.data.bones[self.truth.called[d.bone]].name = new
        self.truth.called[d.bone] = new
        # Blender itself renames paths in the action that plays, and only there.
        if not self.is_take:
            self.truth.own = self.dump_own()
        self.did("rename a bone")

    def rename_action(self, d: Dice) -> None:
        action = bpy.data.actions[self.truth.shown]
        old = action.name
        action.name = f"Motion {d.n}"
        self.truth.shown = action.name
        self.truth.edits[action.name] = self.truth.edits.pop(old, {})
        if old == self.truth.own_action:
            self.truth.own_action = action.name
            self.truth.own = self.dump_own()
        self.did("rename the action")

    def save(self, d: Dice) -> None:
        bpy.ops.wm.save_as_mainfile(filepath=str(self.folder / "walk.blend"))
        self.saved = deepcopy(self.truth)

    def autosave(self, d: Dice) -> None:
        bpy.ops.wm.save_as_mainfile(filepath=str(self.folder / "auto.blend"), copy=True)

    def reload(self, d: Dice) -> None:
        if self.saved is None:
            return
        bpy.ops.wm.open_mainfile(filepath=str(self.folder / "walk.blend"))
        self.truth = deepcopy(self.saved)
        self.past = []
        self.did("reload")

    def undo(self, d: Dice) -> None:
        if len(self.past) < 2:
            return
        bpy.ops.ed.undo()
        self.past.pop()
        self.truth = deepcopy(self.past[-1])

    def delete(self, d: Dice) -> None:
        """Back to the user's own action; the take's action is deleted."""
        data = self.rig.animation_data
        if not self.is_take:
            return
        own, slot = stamps.own_action(self.rig)
        gone = data.action
        compat.bind(data, own, slot)
        bpy.data.actions.remove(gone)
        self.truth.edits.pop(self.truth.shown, None)
        self.truth.shown = own.name
        bpy.context.view_layer.update()
        self.truth.posed = float(self.rig.pose.bones[POSED].location.x)  # with the action goes what was kept in it
        self.did("delete")

    # --- what must be so ----------------------------------------------------------------------------------------------
    @invariant()
    def the_users_keys_are_as_they_were(self) -> None:
        assert self.dump_own() == self.truth.own

    @invariant()
    def what_was_posed_and_not_keyed_is_as_it_was(self) -> None:
        if not self.is_take:
            assert float(self.rig.pose.bones[POSED].location.x) == self.truth.posed

    @invariant()
    def no_key_is_widened_and_none_is_lost(self) -> None:
        out = measure.gather(self.rig)
        back = {now: original for original, now in self.truth.called.items()}
        asked = {
            (back[joint], c["frame"] + out.first)
            for c in measure.constraints(out, "pose_keyframe")
            for joint in c["joint_rotations"]
        }
        edits = self.truth.edits.get(self.truth.shown, {}) if self.is_take else {}
        assert asked == self.truth.own_keys | set(edits)
        for (bone, frame), bits in edits.items():
            assert self.bits(bone, frame) == bits

    @invariant()
    def the_rest_pose_does_not_drift(self) -> None:
        assert [tuple(np.array(b.matrix_local).ravel()) for b in self.rig.data.bones] == self.rest

    @invariant()
    def every_take_of_ours_has_its_length(self) -> None:
        for action in bpy.data.actions:
            if stamps.take_of(action) is not None:
                assert tuple(action.frame_range) == (1, FRAMES)

    def teardown(self) -> None:
        print(f"\n{self.steps} steps: {dict(self.verbs.most_common())}")
        kineograph_blender.unregister()


@pytest.fixture
def quiet() -> Iterator[None]:
    """The walk makes its own scene."""
    yield
    scenes.fresh()


def test_a_random_walk(quiet: None, daemon: Any) -> None:
    chosen = os.environ.get("KINEOGRAPH_WALK_SEED")
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Walk if chosen is None else seed(int(chosen))(Walk),
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=chosen is None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_twenty_applies_in_a_row_do_not_drift(scene: Any, daemon: Any) -> None:
    kineograph_blender.register()
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "LeftArm", "Head"], "Hips", frames=(1, 20, 40), travel=0.5)
    scene.frame_end = 40
    rest = [np.array(b.matrix_local) for b in armature.data.bones]
    current = session.current()
    first: Any = None
    for n in range(20):
        job = current.generate(armature, scene, plan.directions_of(armature, scene, MODEL)[0])
        assert current.wait(job, 60)
        assert job.take is not None, job.error
        job.take.apply()
        shown = measure.shown(armature, job.take.rig, [1, 20, 40])
        first = first or shown
        assert max(measure.miss(job.take.rig, shown, first)) < 1e-5, f"round {n}"
    assert all((np.array(b.matrix_local) == r).all() for b, r in zip(armature.data.bones, rest, strict=True))
    armature.animation_data_clear()
    for bone in armature.pose.bones:
        if bone.name != "Hips":
            assert tuple(bone.location) == (0, 0, 0)
        assert tuple(bone.scale) == (1, 1, 1)
    kineograph_blender.unregister()


def test_a_block_regenerated_twenty_times_keeps_its_length(scene: Any, daemon: Any) -> None:
    kineograph_blender.register()
    armature = scenes.simple()
    scenes.key_poses(armature, ["Hips", "LeftArm"], "Hips", frames=(1, 60, 120), travel=0.8)
    scene.frame_end, scene.kineograph.model = 120, MODEL
    current = session.current()
    rig = measure.gather(armature).rig
    saved.write(armature, [Block(1, 40, "a", locked=True), Block(41, 80, "b"), Block(81, 120, "c", locked=True)])
    beside = [*range(1, 41), *range(81, 121)]
    before = measure.shown(armature, rig, beside)
    for n in range(20):
        scene.kineograph.seed = n
        (part,) = plan.directions_of(armature, scene, MODEL)
        job = current.generate(armature, scene, part)
        assert current.wait(job, 60)
        assert job.take is not None, job.error
        assert (job.take.start, len(job.take.clip())) == (41, 40)
        job.take.apply()
        assert tuple(armature.animation_data.action.frame_range) == (1, 120)
    assert max(measure.miss(rig, measure.shown(armature, rig, beside), before)) < 2e-5, "what is locked stays"
    kineograph_blender.unregister()
