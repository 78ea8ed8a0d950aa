# SPDX-License-Identifier: GPL-3.0-or-later
"""From the click to the wire: a request is on disk before it leaves, and what never left is not lost."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, scenes, test_looking
from tests.blender.test_resumed import other_blender, polled, records

from kineograph.client import Client
from kineograph.errors import ErrorCode
from kineograph_blender import link, plan, props, session
from kineograph_blender.session import archive

pytestmark = pytest.mark.daemon

CLICK = """
scenes.fresh()
hero = trial.hero()
bpy.context.scene.kineograph.model = ""  # which one it is to be is asked for first
bpy.ops.wm.save_as_mainfile(filepath={path!r})
assert bpy.ops.kineograph.generate() == {{"FINISHED"}}
bpy.ops.wm.save_mainfile()
job = session.current().jobs[-1]
assert job.errand is None
session.current().shelf.close()
print("UID", hero.kineograph.uid, job.id)
"""
READ = """
from tests.blender import test_looking
scenes.fresh()
armature = test_looking.hero()
bpy.context.scene.kineograph.model = trial.MODEL
bpy.ops.wm.save_as_mainfile(filepath={path!r})
from kineograph_blender import plan, props
props.of_character(armature)
link.ensure()
part = plan.directions_of(armature, bpy.context.scene, trial.MODEL)[0]
assert session.current().generate_soon(armature, bpy.context.scene, part) is None
session.current().shelf.close()
print("UID", armature.kineograph.uid)
"""


def jobs_of(daemon: Any) -> list[str]:
    """All that the daemon knows."""
    with Client(daemon) as client:
        return [job.job for job in client.list()]


def clicked(tmp_path: Path, script: str = CLICK) -> tuple[str, list[str]]:
    """A Blender that ended after the click: its file, and what it said."""
    path = str(tmp_path / "shot.blend")
    said = other_blender(script.format(path=path))
    return path, next(line.split()[1:] for line in said.splitlines() if line.startswith("UID"))


def opened(path: str) -> Any:
    """The file in this Blender, with the daemon there."""
    bpy.ops.wm.open_mainfile(filepath=path)
    armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    scenes.activate(armature)
    link.ensure()
    polled(lambda: session.current().standing.is_ready)
    return armature


@pytest.fixture
def slow_disk(daemon: Any) -> Iterator[threading.Event]:
    """A disk that writes nothing until the gate is set."""
    gate = threading.Event()
    session.current().shelf.run(gate.wait)
    yield gate
    gate.set()


def aged(home: Path, **change: Any) -> None:
    """The one record, as if it were older, or another's."""
    (path,) = records(home)
    if path.suffix == ".reading":
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    else:
        archive.write_sent(dataclasses.replace(archive.read_sent(path), **change), path)


def test_what_never_left_leaves_from_the_next_blender(addon: Any, daemon: Any, home: Path, tmp_path: Path) -> None:
    path, (uid, job) = clicked(tmp_path)
    assert [p.name for p in records(home)] == [f"{job}.asked"]
    assert job not in jobs_of(daemon)
    armature = opened(path)
    row = polled(lambda: next(iter(session.current().shelf.rows(uid)), None))
    assert row.id == job.replace("-", "")
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}
    polled(lambda: not records(home))
    assert session.owner_of(armature) == uid
    assert jobs_of(daemon).count(job) == 1
    assert not len(session.current().troubles)


@pytest.mark.parametrize("then", ["sent again", "put away", "left alone"])
def test_what_is_old_is_asked_about(addon: Any, daemon: Any, home: Path, tmp_path: Path, then: str) -> None:
    path, (uid, job) = clicked(tmp_path)
    aged(home, created_s=time.time() - 3 * 3600.0)
    opened(path)
    polled(lambda: len(session.current().troubles))
    assert "'take' was asked for 3 h ago and never left: Blender ended before." in trial.problem()
    assert job not in jobs_of(daemon)
    assert trial.shown("generate").button("kineograph.generate").enabled
    if then == "sent again":
        trial.shown("problems").button("Send again").press()
        assert trial.settled().error is None
        assert len(session.current().shelf.rows(uid)) == 1
    elif then == "put away":
        trial.shown("problems").button("kineograph.dismiss").press()
    assert (fake_layout.draw("problems") is None) == (then != "left alone")
    session.current().shelf.close()
    assert len(records(home)) == (then == "left alone"), "asked about again by the next Blender"
    for path_left in records(home):
        path_left.unlink()


def test_a_click_whose_scene_was_not_read_to_the_end_is_told(
    addon: Any, daemon: Any, home: Path, tmp_path: Path
) -> None:
    path, (uid,) = clicked(tmp_path, READ)
    assert [p.suffix for p in records(home)] == [".reading"]
    opened(path)
    polled(lambda: len(session.current().troubles))
    assert "Generate was pressed for 'Hero'" in trial.problem()
    assert "Blender ended while it read the scene." in trial.problem()
    session.current().shelf.close()
    assert not records(home)
    trial.shown("problems").button("Send again").press()
    assert trial.settled().error is None
    assert len(session.current().shelf.rows(uid)) == 1


@pytest.mark.parametrize("script", [CLICK, READ], ids=["clicked", "read"])
def test_what_another_blender_is_at_is_left_to_it(
    addon: Any, daemon: Any, home: Path, tmp_path: Path, script: str
) -> None:
    path, _ = clicked(tmp_path, script)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        aged(home, pid=other.pid)
        opened(path)
        polled(lambda: not session.current()._ledger.is_looking)
        session.current().poll()
        assert not session.current().jobs
        assert not len(session.current().troubles)
        assert len(records(home)) == 1
    finally:
        other.kill()
        other.communicate()
    session.detach()
    opened(path)
    polled(lambda: session.current().jobs or len(session.current().troubles))
    polled(lambda: not records(home))


def test_nothing_leaves_before_it_is_on_disk(addon: Any, daemon: Any, home: Path, slow_disk: threading.Event) -> None:
    trial.hero()
    link.ensure()
    polled(lambda: session.current().standing.is_ready)
    assert bpy.ops.kineograph.generate() == {"FINISHED"}
    job = session.current().jobs[-1]
    for _ in range(5):
        session.current().poll()
    assert job.errand is None
    assert "sending" in trial.shown("generate").text
    assert job.id not in jobs_of(daemon)
    slow_disk.set()
    polled(lambda: job.errand is not None)
    assert [p.stem for p in records(home)] == [job.id]
    assert trial.settled().error is None
    session.current().shelf.close()
    assert not records(home)


def test_what_waits_for_the_disk_can_be_cancelled(
    addon: Any, daemon: Any, home: Path, slow_disk: threading.Event
) -> None:
    trial.hero()
    link.ensure()
    assert bpy.ops.kineograph.generate() == {"FINISHED"}
    job = session.current().jobs[-1]
    assert bpy.ops.kineograph.cancel(job=job.id) == {"FINISHED"}
    assert job.error is not None
    assert job.error.code is ErrorCode.REQUEST_CANCELLED
    slow_disk.set()
    session.current().shelf.close()
    polled(lambda: not session.current().poll())
    assert not records(home)
    assert job.id not in jobs_of(daemon)


def test_a_disk_that_cannot_be_written_stops_nobody(addon: Any, daemon: Any, home: Path) -> None:
    armature = trial.hero()
    uid = armature.kineograph.uid or "a" * 32
    armature.kineograph.uid = uid
    folder = home / "data" / "takes" / uid
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    try:
        assert trial.generated().owner == uid
    finally:
        session.current().shelf.close()
        folder.unlink()


def test_damaged_notes_of_reading_harm_nothing(addon: Any, daemon: Any, home: Path) -> None:
    trial.hero()
    row = trial.generated()
    folder = home / "data" / "takes" / row.owner
    session.current().shelf.close()
    whole = {"key": "d", "owner": "somebody else", "character": "Hero", "created_s": 1.0}
    for name, text in {"a": "", "b": "[1]", "c": '{"key": "c"}', "d": json.dumps(whole)}.items():
        (folder / f"{name}.reading").write_text(text)
    session.detach()
    link.ensure()
    polled(lambda: session.current().standing.is_ready)
    polled(lambda: len(session.current().shelf.every()) == 1)
    polled(lambda: not session.current()._ledger.is_looking)
    session.current().poll()
    assert not len(session.current().troubles)
    for name in "abcd":
        (folder / f"{name}.reading").unlink()


def test_a_scene_that_is_read_here_is_no_news(addon: Any, daemon: Any, home: Path) -> None:
    armature = test_looking.hero()
    addon.kineograph.model = trial.MODEL
    link.ensure()
    polled(lambda: session.current().standing.is_ready)
    props.of_character(armature)
    part = plan.directions_of(armature, addon, trial.MODEL)[0]
    current = session.current()
    assert current.generate_soon(armature, addon, part) is None
    current._ledger.ask_again()
    current.look_around()
    while current.reading:
        current.poll()
    assert trial.settled().error is None
    polled(lambda: not current._ledger.is_looking)
    current.poll()
    assert not len(current.troubles)
    current.shelf.close()
    assert not records(home)
