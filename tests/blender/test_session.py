# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in flight while Blender lives on: nothing waits, nothing breaks, nothing is lost."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import pytest
from tests.blender import measure, scenes

from kineograph.client import LinkState
from kineograph.errors import ErrorCode, KineographError
from kineograph.wire.messages import JobState
from kineograph_blender import api, session
from kineograph_blender.bridge import guard, stamps
from kineograph_blender.session.outbox import PATIENCE_S
from kineograph_blender.session.writer import Writer

MODEL = "kineograph-interpolate"

daemon_test = pytest.mark.daemon


def hero(name: str = "Hero") -> Any:
    """A rig with three keys."""
    armature = scenes.simple(name)
    scenes.key_poses(armature, ["Hips", "LeftArm"], "Hips", frames=(1, 30, 60), travel=0.3)
    return armature


def sent(armature: Any, **how: Any) -> api.Handle:
    """A job of sixty frames."""
    return api.generate(armature, **({"model": MODEL, "start": 1, "end": 60} | how))


@contextmanager
def nobody_waits() -> Iterator[None]:
    """On the main thread nothing sleeps, and nothing waits for another thread but for one that it starts to begin, or
    the 2 ms that a click has for its record."""
    patch, wait, sleep = pytest.MonkeyPatch(), threading.Condition.wait, time.sleep

    def check(caller: Any) -> None:
        starts = caller.f_code is threading.Thread.start.__code__
        assert starts or threading.current_thread() is not threading.main_thread(), "Blender would stand still"

    def waits(condition: threading.Condition, timeout: float | None = None) -> bool:
        if timeout is None or timeout > PATIENCE_S:
            check(sys._getframe(2))
        return wait(condition, timeout)

    def sleeps(seconds: float) -> None:
        check(sys._getframe(1))
        sleep(seconds)

    patch.setattr(threading.Condition, "wait", waits)
    patch.setattr(time, "sleep", sleeps)
    try:
        yield
    finally:
        patch.undo()


@daemon_test
def test_generate_returns_at_once_and_the_pump_is_light(
    scene: Any, daemon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for the daemon, and a bake is spread over many turns; how long each is is for the benchmark."""
    armature = scenes.metarig("human")
    names = [b.name for b in armature.data.bones]
    scenes.key_poses(armature, names, names[0], frames=[1 + 7 * n for n in range(20)])
    current = session.current()
    current.client.connect(10.0)
    step = Writer.step
    monkeypatch.setattr(Writer, "step", lambda writer, budget_s: step(writer, 0.0))  # a piece of work a turn
    with nobody_waits():
        handle = api.generate(armature, model=MODEL, start=1, end=150, apply=True)
    job, turns, end_s = handle.job, 0, time.monotonic() + 120.0
    assert not job.is_done, "what the daemon says is heard in a turn of the pump"
    while not job.is_done:
        with nobody_waits():
            current.poll()
        assert time.monotonic() < end_s, job.status
        turns += bool(current._writer)
        time.sleep(0.0005)
    assert job.error is None
    assert job.take is not None
    assert job.take.applied[0].action == armature.animation_data.action.name
    assert turns > 100
    assert min(current.timings.submit_s, current.timings.poll_s, current.timings.bake_slice_s) > 0.0


@daemon_test
def test_several_characters_at_a_time(scene: Any, daemon: Any) -> None:
    one, two = hero("One"), hero("Two")
    two.location.x = 3.0
    bpy.context.view_layer.update()
    first, second = sent(one, apply=True), sent(two, apply=True)
    assert first.job.id != second.job.id
    for armature, handle in ((two, second), (one, first)):
        take = handle.wait(timeout_s=60)
        rig = take.rig
        assert rig.armature == armature.name
        want = measure.of_clip(take.clip())
        assert max(measure.miss(rig, measure.shown(armature, rig, range(1, 61)), want)) < 1e-5


@daemon_test
def test_samples_are_variants_of_one_take(scene: Any, daemon: Any) -> None:
    armature = hero()
    take = sent(armature, samples=3, seed=4).wait(timeout_s=60)
    assert take.samples == 3
    assert take.result.provenance
    names = set()
    for sample in range(3):
        report = take.apply(sample=sample)
        names.add(report.action)
        want = measure.of_clip(take.clip(sample))
        assert max(measure.miss(take.rig, measure.shown(armature, take.rig, range(1, 61)), want)) < 1e-5
    assert len(names) == 3


@daemon_test
def test_a_second_take_leaves_the_first_until_it_has_come(scene: Any, daemon: Any) -> None:
    armature = hero()
    first = sent(armature, seed=1, apply=True).wait(timeout_s=60)
    shown = armature.animation_data.action
    handle = sent(armature, seed=2, apply=True)
    assert armature.animation_data.action == shown
    second = handle.wait(timeout_s=60)
    assert stamps.take_of(armature.animation_data.action) == second.applied[0].take
    assert first.applied[0].take != second.applied[0].take


@daemon_test
def test_an_armature_deleted_while_its_job_runs_leaves_a_take(scene: Any, daemon: Any) -> None:
    armature = hero()
    handle = sent(armature, apply=True)
    bpy.data.objects.remove(armature)
    bpy.context.view_layer.update()
    with pytest.raises(KineographError) as e:
        handle.wait(timeout_s=60)
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert handle.problem is not None
    assert handle.problem.text == "'Hero' is gone; the result is kept as a take."
    take = handle.job.take
    assert take is not None
    assert session.current().takes[take.id] is take
    other = scenes.simple("Understudy")
    take.apply("Understudy")
    want = measure.of_clip(take.clip())
    assert max(measure.miss(take.rig, measure.shown(other, take.rig, range(1, 61)), want)) < 1e-5


@daemon_test
def test_an_armature_renamed_or_moved_while_its_job_runs(scene: Any, daemon: Any) -> None:
    armature = hero()
    handle = sent(armature, apply=True)
    armature.name = "Somebody"
    armature.location.x = 5.0
    take = handle.wait(timeout_s=60)
    want = measure.of_clip(take.clip())
    assert max(measure.miss(take.rig, measure.shown(armature, take.rig, range(1, 61)), want)) < 1e-5


@daemon_test
def test_a_bone_edited_while_its_job_runs(scene: Any, daemon: Any) -> None:
    armature = hero()
    source = armature.animation_data.action
    handle = sent(armature, apply=True)
    scenes.activate(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones["Head"].tail.y += 0.2
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(KineographError, match="Head") as e:
        handle.wait(timeout_s=60)
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert armature.animation_data.action == source


@daemon_test
def test_a_file_loaded_and_an_undo_while_a_job_runs(scene: Any, daemon: Any) -> None:
    armature = hero()
    bpy.ops.ed.undo_push(message="before")
    armature.location.x = 1.0
    bpy.ops.ed.undo_push(message="moved")
    handle = sent(armature)
    bpy.ops.ed.undo()
    handle.wait(timeout_s=60).apply()
    assert stamps.take_of(bpy.data.objects["Hero"].animation_data.action)
    handle = sent(bpy.data.objects["Hero"], apply=True)
    scenes.fresh()
    with pytest.raises(KineographError) as e:
        handle.wait(timeout_s=60)
    assert e.value.code is ErrorCode.RIG_CHANGED
    assert handle.job.take is not None


@daemon_test
def test_a_scene_switched_while_a_job_runs(scene: Any, daemon: Any) -> None:
    armature = hero()
    handle = sent(armature, apply=True)
    bpy.context.window.scene = bpy.data.scenes.new("Elsewhere")
    handle.wait(timeout_s=60)
    bpy.context.window.scene = scene
    assert stamps.take_of(armature.animation_data.action)


@daemon_test
def test_cancel_stops_one_job(scene: Any, daemon: Any) -> None:
    one, two = hero("One"), hero("Two")
    scene.frame_end = 4000
    long = api.generate(one, model=MODEL, start=1, end=4000, samples=16)
    short = sent(two)
    long.cancel()
    with pytest.raises(KineographError) as e:
        long.wait(timeout_s=120)
    assert e.value.code in {ErrorCode.REQUEST_CANCELLED, ErrorCode.INVALID_OPTIONS}
    if e.value.code is ErrorCode.INVALID_OPTIONS:
        pytest.fail(f"the job is too long for this model: {e.value.message}")
    assert short.wait(timeout_s=120).result.job.state is JobState.SUCCEEDED


@daemon_test
def test_what_the_daemon_refuses_is_said_in_words(scene: Any, daemon: Any) -> None:
    armature = hero()
    with pytest.raises(KineographError) as e:
        sent(armature, model="kineograph-imagined").wait(timeout_s=60)
    assert e.value.code is ErrorCode.UNKNOWN_MODEL
    with pytest.raises(KineographError) as e:
        sent(armature, options={"num_samples": 99}).wait(timeout_s=60)
    assert e.value.code is ErrorCode.INVALID_OPTIONS
    handle = sent(armature, options={"nonsense": 1})
    with pytest.raises(KineographError):
        handle.wait(timeout_s=60)
    assert handle.problem is not None
    assert "nonsense" in handle.problem.text
    assert session.current().takes == {}


@daemon_test
def test_the_default_model_is_the_daemons(scene: Any, daemon: Any) -> None:
    handle = sent(hero(), model=None)
    handle.wait(timeout_s=60)
    assert handle.job.outgoing.request["model"] == "kineograph-starter"


@daemon_test
def test_a_script_asks_for_what_the_panel_asks(scene: Any, daemon: Any) -> None:
    """Waypoints, a start in the current pose, an end in another frame's, and a range made anew."""
    armature = hero()
    api.mark_waypoint(scenes.empty((0.3, -1.0, 0.0), "There"), armature, 40)
    wishes = {"start_pose": True, "end_pose": 1, "keys": "none"}
    handle = sent(armature, **wishes)
    take = handle.wait(60)
    asked = handle.job.outgoing.request["constraints"]
    poses = [c["frame"] for c in asked if c["type"] == "pose_keyframe"]
    assert poses == [0, 59]
    assert [c["frames"] for c in asked if c["type"] == "root_path"] == [[39]]
    assert not any(
        c["type"] == "root_path" for c in sent(armature, use_waypoints=False).job.outgoing.request["constraints"]
    )
    take.apply()
    before = measure.shown(armature, take.rig, [10, 50])
    again = api.regenerate(armature, 20, 40, model=MODEL, use_waypoints=False)
    anew = again.wait(60)
    assert (anew.start, len(anew.clip())) == (20, 21)
    assert again.job.outgoing.lead_in == 8
    assert stamps.origin_of(armature.animation_data.action).partition(":")[0] == anew.id, "written when it came"
    after = measure.shown(armature, take.rig, [10, 50])
    assert max(measure.miss(take.rig, before, after)) < 1e-5, "outside the range nothing changed"


@daemon_test
def test_a_timeout_leaves_the_job_alone(scene: Any, daemon: Any) -> None:
    handle = sent(hero())
    with pytest.raises(KineographError) as e:
        handle.wait(timeout_s=0.0)
    assert e.value.code is ErrorCode.TIMEOUT
    handle.wait(timeout_s=60)


@daemon_test
def test_closing_the_session_in_the_middle(scene: Any, daemon: Any) -> None:
    armature = hero()
    sent(armature, apply=True)
    source = armature.animation_data.action
    session.detach()
    assert armature.animation_data.action == source
    assert not [a for a in bpy.data.actions if stamps.take_of(a)]


def test_without_a_daemon_nothing_waits(scene: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    armature = hero()
    with nobody_waits():
        handle = sent(armature)
        for _ in range(20):
            session.current().poll()
    assert not handle.is_done
    assert session.current().link is not LinkState.READY
    session.detach()


@pytest.mark.parametrize(
    ("address", "ok"),
    [
        (None, True),
        ("ipc:///tmp/x.sock", True),
        ("tcp://127.0.0.1:5555", True),
        ("tcp://localhost:5555", True),
        ("tcp://[::1]:5555", True),
        ("tcp://render.example.org:5555", False),
        ("tcp://10.0.0.3:5555", False),
    ],
)
def test_beyond_this_computer_only_with_leave(address: str | None, ok: bool) -> None:
    assert not bpy.app.online_access
    if ok:
        session.check_address(address)
        return
    with pytest.raises(KineographError, match="another computer") as e:
        session.check_address(address)
    assert e.value.code is ErrorCode.CONNECTION_FAILED


@daemon_test
def test_the_timer_turns_the_pump_and_ends_itself(scene: Any, daemon: Any) -> None:
    handle = sent(hero())
    turns = 0
    while (interval := session.tick()) is not None:
        assert interval == session.BUSY_INTERVAL_S
        turns += 1
        time.sleep(0.002)
        assert turns < 20000
    assert handle.is_done
    session.detach()
    assert session.tick() is None


@daemon_test
def test_callbacks_run_where_poll_runs(scene: Any, daemon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    heard, arrived = session.Session._heard, session.Session._arrived
    here = threading.get_ident

    def hear(self: session.Session, job: session.Job, status: Any) -> None:
        seen.append(here())
        heard(self, job, status)

    def arrive(self: session.Session, job: session.Job, errand: Any) -> None:
        seen.append(here())
        arrived(self, job, errand)

    monkeypatch.setattr(session.Session, "_heard", hear)
    monkeypatch.setattr(session.Session, "_arrived", arrive)
    sent(hero()).wait(timeout_s=60)
    assert len(seen) > 1
    assert set(seen) == {threading.main_thread().ident}


@daemon_test
def test_nothing_live_is_saved_in_the_file(scene: Any, daemon: Any, tmp_path: Any) -> None:
    armature = hero()
    keys = set(armature.keys())
    handle = sent(armature)
    path = str(tmp_path / "running.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    assert set(armature.keys()) == keys
    bpy.ops.wm.open_mainfile(filepath=path)
    handle.wait(timeout_s=60).apply()
    guard.go_to(bpy.context.scene, 1)
    assert stamps.take_of(bpy.data.objects["Hero"].animation_data.action)
