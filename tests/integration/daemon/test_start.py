# SPDX-License-Identifier: Apache-2.0
"""The first seconds of a daemon: it answers at once, and waits for its models where that helps."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fakes.backbones import request_map
from tests.integration.daemon.conftest import ROOT, House, generate, wait_until

from kineograph.errors import ErrorCode, KineographError
from kineograph_daemon import app


def test_hello_and_capabilities_answer_before_the_models_do(make_house: Callable[..., House]) -> None:
    house = make_house()
    house.wait_for_workers()
    assert house.stop() == 0
    house.start()
    wire = house.wire()
    assert "fake" in wire.call("hello")["models"], "known from the last time"
    assert wire.call("capabilities")["models"]["fake"]["state"] in ("loading", "unloaded")
    memory = wire.call("daemon.stats")["memory_bytes"]
    assert memory < 120e6, f"{memory / 1e6:.0f} MB"


def test_hello_is_answered_while_the_schema_is_still_imported(make_house: Callable[..., House], tmp_path: Path) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(_SLOW_DISK)
    path = os.pathsep.join([str(hooks), str(ROOT)])
    house = make_house(PYTHONPATH=path, BEGUN=str(begun), GO_ON=str(go_on))
    wait_until(begun.exists)
    wire = house.wire()
    for _ in range(3):
        assert wire.call("hello")["models"] is not None
    go_on.touch()
    body = generate()
    wire.call("generate", body)
    assert wire.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]["state"] == "succeeded"


_SLOW_DISK = """
import os, pathlib, sys, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "motionmcp.schemas" and "run" in sys.argv and "-m" in sys.orig_argv:
            pathlib.Path(os.environ["BEGUN"]).touch()
            until = time.monotonic() + 120
            while not os.path.exists(os.environ["GO_ON"]) and time.monotonic() < until:
                time.sleep(0.02)

sys.meta_path.insert(0, Slow())
"""
"""Holds the import of a module up until a file is there."""


def test_a_submit_on_the_very_first_start_waits_for_the_models(make_house: Callable[..., House]) -> None:
    house = make_house("--spec-wait-s", "60")
    wire = house.wire()
    body = generate()
    assert wire.call("generate", body)["state"] == "queued"
    assert wire.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]["state"] == "succeeded"


def test_when_the_models_do_not_come_the_client_is_told_when_to_try_again(make_house: Callable[..., House]) -> None:
    late = ("--backbone", "tests.fakes.slow_import:Late")
    house = make_house("--spec-wait-s", "0.05", "--worker-stop-s", "0.2", *late, KINEOGRAPH_FAKE_IMPORT_S="30")
    wire = house.wire()
    error = wire.error("generate", generate())
    assert error.code is ErrorCode.MODEL_UNAVAILABLE
    assert error.retry_after_s
    assert error.details["workers"][0]["state"] == "starting"


def test_start_status_and_stop_as_the_command_line_calls_them(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(start=False)
    house.home.mkdir()
    assert app.status() is None
    assert app.stop() is False
    run = app.start(sys.executable, house.command[4:], wait_s=60.0)
    try:
        again = subprocess.run(
            [*house.command[:3], "start"], env=house.env, capture_output=True, text=True, timeout=60, check=True
        )
        assert again.stdout.strip() == run.endpoint
        status = app.status()
        assert status is not None
        assert (status["pid"], status["endpoint"]) == (run.pid, run.endpoint)
        with house.client() as client:
            assert client.generate(request_map("fake"), timeout_s=60).job.state == "succeeded"
    finally:
        assert app.stop()
    assert app.status() is None


def test_a_daemon_that_cannot_start_says_why(make_house: Callable[..., House]) -> None:
    house = make_house(start=False)
    house.home.mkdir()
    with pytest.raises(KineographError) as caught:
        app.start(sys.executable, ["--queue-limit", "lots"], wait_s=60.0)
    assert "queue_limit is 'lots'" in caught.value.details["log_tail"]
