# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender that did not live to see its job end: the next one finds the result and puts it on the shelf by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import scenes

from kineograph.client.discovery import find_daemon, pid_exists
from kineograph_blender import link, session
from kineograph_blender.session import archive
from kineograph_blender.session.archive import Sent

HERE = Path(__file__).parent
SCRIPT = """
import os, sys
sys.path[:0] = {paths!r}
import bpy
import kineograph_blender
kineograph_blender.register()
from tests.blender import addon as trial, scenes
from kineograph_blender import link, session
{body}
sys.stdout.flush()
os._exit(9)
"""


def other_blender(body: str) -> str:
    """Run ``body`` in a Blender of its own that ends without a goodbye; what it printed."""
    root = HERE.parents[1]
    paths = [str(root), str(root / "core"), str(root / "addon_blender")]
    script = SCRIPT.format(paths=paths, body=body)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 9, done.stderr[-4000:]
    return done.stdout


def polled(is_true: Callable[[], Any], wait_s: float = 60.0) -> Any:
    """Turn the session until something is true."""
    end_s = time.monotonic() + wait_s
    while not (found := is_true()):
        assert time.monotonic() < end_s, "it never came true"
        session.current().poll()
        time.sleep(0.002)
    return found


def records(home: Path) -> list[Path]:
    """What was asked for and has not ended."""
    return sorted(p for p in (home / "data" / "takes").glob("*/*") if p.suffix in (".sent", ".asked", ".reading"))


SEND = """
scenes.fresh()
hero = trial.hero()
bpy.ops.wm.save_as_mainfile(filepath={path!r})
assert bpy.ops.kineograph.generate() == {{"FINISHED"}}
if {saved}:
    bpy.ops.wm.save_mainfile()
job = session.current().jobs[-1]
while job.status is None:
    session.current().poll()
session.current().shelf.close()
print("UID", hero.kineograph.uid, job.id)
"""


@pytest.mark.daemon
@pytest.mark.parametrize("saved", [True, False], ids=["saved", "crashed before it was saved"])
def test_what_a_job_brought_is_on_the_shelf_of_the_next_blender(
    addon: Any, daemon: Any, home: Path, tmp_path: Path, saved: bool
) -> None:
    path = str(tmp_path / "shot.blend")
    uid, job = next(
        line.split()[1:]
        for line in other_blender(SEND.format(path=path, saved=saved)).splitlines()
        if line.startswith("UID")
    )
    assert [p.stem for p in records(home)] == [job]
    link.ensure()
    polled(lambda: session.current().standing.is_ready)
    bpy.ops.wm.open_mainfile(filepath=path)
    armature = bpy.data.objects["Hero"]
    assert armature.kineograph.uid == (uid if saved else "")
    row = polled(lambda: next(iter(session.current().shelf.rows(session.owner_of(armature))), None))
    assert session.owner_of(armature) == uid
    assert row.id == job.replace("-", "")
    assert (row.character, row.name) == ("Hero", "take")
    assert "[take]" in trial.shown("takes").text
    trial.bpy.context.view_layer.objects.active = armature
    assert bpy.ops.kineograph.take_apply() == {"FINISHED"}
    session.current().shelf.close()
    assert not records(home)
    assert not len(session.current().troubles)


@pytest.mark.daemon
def test_a_job_that_still_runs_is_a_job_of_this_blender(addon: Any, daemon: Any, tmp_path: Path) -> None:
    trial.hero()
    path = str(tmp_path / "shot.blend")
    addon.kineograph.samples = 16
    addon.kineograph.end = 2000
    bpy.ops.kineograph.generate()
    bpy.ops.wm.save_as_mainfile(filepath=path)
    job = session.current().jobs[-1]
    polled(lambda: job.status is not None)
    session.detach()  # as a Blender that is gone: nobody waits for the job any more
    bpy.ops.wm.open_mainfile(filepath=path)
    bpy.context.view_layer.objects.active = bpy.data.objects["Hero"]
    link.ensure()
    again = polled(lambda: next(iter(session.current().jobs), None))
    polled(lambda: again.status is not None or again.is_done)
    assert again.id == job.id
    if not again.is_done:  # a quick machine may be through with it
        assert "take, Hero" in trial.shown("generate").text
        bpy.ops.kineograph.cancel(job=again.id)
    polled(lambda: again.is_done)
    assert not len(session.current().troubles), "who cancels knows it, and a result is no trouble"


@pytest.mark.daemon
def test_what_came_of_nothing_is_forgotten_without_a_word(addon: Any, daemon: Any, home: Path) -> None:
    armature = trial.hero()
    row = trial.generated()
    done = session.current().jobs[-1]
    lost = Sent(row.id[:8] + "-0000-4000-8000-000000000000", row.owner, "walk", done.outgoing, 1.0)
    session.current().shelf.close()
    archive.write_sent(lost, home / "data" / "takes" / row.owner / f"{lost.job}.sent")
    session.detach()
    link.ensure()
    polled(lambda: session.current().standing.is_ready)
    polled(lambda: not records(home))
    assert not len(session.current().troubles)
    assert [r.id for r in session.current().shelf.rows(session.owner_of(armature))] == [row.id]


@pytest.mark.daemon
def test_damaged_records_harm_nothing(addon: Any, daemon: Any, home: Path) -> None:
    trial.hero()
    row = trial.generated()
    folder = home / "data" / "takes" / row.owner
    session.current().shelf.close()
    for name, data in {"a": b"", "b": b"KGSENT1\n" + b"\xff" * 64, "c": b"KGTAKE1\n"}.items():
        (folder / f"{name}.sent").write_bytes(data)
    session.detach()
    link.ensure()
    polled(lambda: session.current().standing.is_ready)
    polled(lambda: len(session.current().shelf.every()) == 1)
    polled(lambda: not session.current()._ledger.is_looking)
    assert not session.current().jobs
    for name in "abc":
        (folder / f"{name}.sent").unlink()


@pytest.mark.daemon
def test_an_undo_before_the_first_generate_does_not_lose_the_takes(addon: Any, daemon: Any) -> None:
    armature = trial.hero()
    bpy.ops.ed.undo_push(message="before")
    armature.location.x = 1.0
    bpy.ops.ed.undo_push(message="moved")
    row = trial.generated()
    bpy.ops.ed.undo()
    armature = bpy.data.objects["Hero"]
    assert [r.id for r in session.current().shelf.rows(session.owner_of(armature))] == [row.id]
    scenes.activate(armature)
    assert trial.generated().owner == row.owner


BORN = """
session.current().start_daemon = True
bpy.context.preferences.system  # Blender is up
session.current().ends_with_blender = {ends}
session.current().connect()
while not session.current().standing.is_ready:
    session.current().poll()
print("PID", session.current().client.hello.pid)
"""


@pytest.mark.daemon
@pytest.mark.parametrize("ends", [True, False])
def test_a_daemon_ends_with_its_blender_only_where_that_is_wished(
    running_daemon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    # running_daemon: this machine can run one at all. This one is another, in a home of its own.
    python = os.environ.get("KINEOGRAPH_DAEMON_PYTHON") or str(HERE.parents[1] / ".venv" / "bin" / "python")
    home = tmp_path / "h"
    (home / "config").mkdir(parents=True)
    (home / "config" / "install.json").write_text(f'{{"python": "{python}"}}')
    monkeypatch.setenv("KINEOGRAPH_HOME", str(home))
    pid = int(other_blender(BORN.format(ends=ends)).split("PID")[1])
    if ends:
        end_s = time.monotonic() + 60.0
        while pid_exists(pid):
            assert time.monotonic() < end_s, "the daemon goes on"
            time.sleep(0.05)
        assert find_daemon() is None
        return
    run = find_daemon()
    assert run is not None
    assert run.pid == pid
    session.current().connect()
    polled(lambda: session.current().standing.is_ready)
    session.current().client.stop_daemon()
    session.detach()


def test_the_preference_reaches_the_client(addon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kineograph_blender import preferences

    monkeypatch.setattr(preferences, "wishes", lambda: preferences.Wishes("", False, True))
    link.ensure()
    assert session.current().ends_with_blender
    session.detach()
