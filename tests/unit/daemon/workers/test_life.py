# SPDX-License-Identifier: Apache-2.0
"""How a worker starts and ends: never too early, never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest
from tests.fakes.backbones import request_map

from kineograph.wire.messages import ModelState
from kineograph_daemon.workers import link
from kineograph_daemon.workers.heartbeat import EXIT_ORPHANED

PARENT = """
import subprocess, sys, time
print(subprocess.Popen(sys.argv[1:], start_new_session=True).pid, flush=True)
time.sleep(60)
"""


def gone_within(pid: int, seconds: float) -> bool:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        if not psutil.pid_exists(pid):
            return True
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        time.sleep(0.05)
    return False


def test_the_heart_beats_before_any_model_is_imported(start: Any) -> None:
    front = start("tests.fakes.slow_import:Late", KINEOGRAPH_FAKE_IMPORT_S="0.7")
    beat = front.wait(link.WorkerHeartbeat)
    assert beat.ready is False
    assert not any(isinstance(m, link.WorkerReady) for _, m, _ in front.said)
    ready = front.wait(link.WorkerReady)
    beats = [m for _, m, _ in front.said if isinstance(m, link.WorkerHeartbeat)]
    assert len(beats) >= 2
    assert list(ready.models) == ["late"]


def test_a_backbone_that_cannot_load_is_reported_and_kills_nobody(start: Any) -> None:
    front = start("tests.fakes.backbones:broken_capabilities", "--backbone", "sys:exit", "--backbone", "no.such:Thing")
    ready = front.wait(link.WorkerReady)
    assert ready.token == "secret-of-this-test"
    assert ready.pid == front.process.pid
    assert ready.device == "cpu"
    fake = ready.models["fake"]
    assert fake["error"] is None
    assert fake["spec"]["id"] == "fake"
    assert fake["state"] == ModelState.UNLOADED
    assert fake["extras"]["text"] == "ignored"
    for model, word in (("bad-capabilities", "today"), ("sys:exit", "SystemExit"), ("no.such:Thing", "No module")):
        report = ready.models[model]
        assert report["spec"] is None
        assert report["state"] == ModelState.FAILED
        assert report["error"]["error"]["code"] == "internal_error"
        assert word in report["error"]["error"]["message"]
    front.run("fine", request_map("fake"))
    front.wait(link.TaskDone)
    for message in (link.ModelLoad("sys:exit"), link.ModelUnload("sys:exit"), link.ModelLoad("no-such-model")):
        front.send(message)
    for _ in range(2):
        changed = front.wait(link.ModelStateChanged, lambda m: m.model == "sys:exit")
        assert changed.state is ModelState.FAILED
        assert changed.error is not None
    front.run("not", request_map("bad-capabilities"))
    assert "today" in front.wait(link.TaskFailed).error["error"]["message"]


def test_worker_stop_ends_it_cleanly(start: Any) -> None:
    front = start()
    front.wait(link.WorkerReady)
    front.send(link.WorkerStop())
    assert front.process.wait(60) == 0


@pytest.mark.parametrize("when", ["idle", "busy"])
def test_sigterm_ends_it_cleanly(start: Any, when: str) -> None:
    front = start(KINEOGRAPH_FAKE_STEPS="100")
    front.wait(link.WorkerReady)
    if when == "busy":
        front.run("job", request_map("slow"))
        front.wait(link.TaskProgress)
    front.process.send_signal(signal.SIGTERM)
    assert front.process.wait(60) == 0
    final = [m for m in front.drain() if isinstance(m, (link.TaskDone, link.TaskFailed, link.TaskCancelled))]
    assert final == []  # a job left by a worker that ends is the front's to give to another


@pytest.mark.parametrize(("prompt", "status"), [("exit", 3), ("segfault", -signal.SIGSEGV)])
def test_a_crash_takes_its_process_and_nothing_else(start: Any, prompt: str, status: int) -> None:
    front = start()
    front.wait(link.WorkerReady)
    front.run("job", request_map("crashing", prompt=prompt))
    assert front.process.wait(60) == status
    assert not any(isinstance(m, (link.TaskEnd, link.TaskDone)) for m in front.drain())


@pytest.mark.parametrize("model", ["fake", "slow", "deaf"])
def test_no_orphan_outlives_a_killed_front(start: Any, model: str) -> None:
    front = start(KINEOGRAPH_FAKE_DEAF_S="600")
    front.process.kill()
    front.process.wait()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *front.command], env=front.environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        try:
            front.wait(link.WorkerReady)
            front.run("job", request_map(model))
            front.wait(
                link.TaskEnd if model == "fake" else link.WorkerHeartbeat, lambda m: model == "fake" or bool(m.busy)
            )
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            assert gone_within(pid, 60.0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_link_that_stays_down_ends_it(start: Any) -> None:
    front = start("tests.fakes.backbones:Fake", "--link-grace-s", "0.5")
    front.wait(link.WorkerReady)
    front.router.close()
    assert front.process.wait(60) == 0
    assert "the link is down" in front.logs()


def test_a_front_that_never_answers_is_given_up(start: Any) -> None:
    front = start("tests.fakes.backbones:Fake", "--link-grace-s", "0.5", "--link", "ipc:///nonexistent/w.sock")
    # On a busy machine it may still be at its imports, and then leaves without ado.
    assert front.process.wait(60) in (0, EXIT_ORPHANED)


def test_the_token_does_not_reach_the_models(start: Any) -> None:
    front = start("tests.fakes.slow_import:TellsToken", KINEOGRAPH_FAKE_IMPORT_S="0")
    assert front.wait(link.WorkerReady).models["late"]["extras"]["about"] == "token: none"
