# SPDX-License-Identifier: Apache-2.0
"""Real daemons for configurations of models, and the barest client that speaks the wire to one."""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq
from tests.conformance.backbones import CONFIG_VARIABLE

from kineograph.client.discovery import RunFile
from kineograph.wire import codec
from kineograph.wire.codec import Header, Kind
from kineograph.wire.messages import Hello, Method, to_body

ROOT = Path(__file__).resolve().parents[2]
START_S, CALL_S = 60.0, 60.0
MOST_AT_ONCE = 4
"""Daemons kept running; the one that was used longest ago ends first."""

Reply = tuple[Kind, dict[str, Any]]


class Link:
    """One DEALER. No retries, no reconnects: what the daemon says is what the caller gets."""

    def __init__(self, endpoint: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(endpoint)

    def call(self, method: Method, body: Mapping[str, Any]) -> Reply:
        """The reply's or error's body. Raises TimeoutError."""
        request_id = uuid.uuid4().hex
        self._socket.send_multipart(codec.encode(Header(Kind.REQUEST, method, request_id), body))
        until = time.monotonic() + CALL_S
        while self._socket.poll(max(0, int((until - time.monotonic()) * 1000))):
            message = codec.decode(self._socket.recv_multipart())
            if message.header.request_id == request_id:
                return message.header.kind, message.body
        raise TimeoutError(f"no answer to {method} within {CALL_S} s")

    def close(self) -> None:
        """End the connection."""
        self._socket.close(0)


class Daemon:
    """One daemon with the models of one configuration, in a home of its own."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="kg-"))  # short: a socket's path has 107 characters
        config_file = self.home / "config.json"
        config_file.write_text(json.dumps(config), "utf-8")
        environment = {
            **os.environ,
            "KINEOGRAPH_HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            CONFIG_VARIABLE: str(config_file),
        }
        self.output = self.home / "output.txt"
        command = [
            "-m",
            "kineograph_daemon",
            "run",
            "--only-backbones",
            "--backbone",
            "tests.conformance.backbones:build",
        ]
        with self.output.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        self.link = Link(self._endpoint())
        self.link.call(Method.HELLO, to_body(Hello(name="conformance")))

    def _endpoint(self) -> str:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            for path in self.home.rglob("daemon.json"):
                run_file = RunFile.read(path)
                if run_file is not None and run_file.pid == self._process.pid:
                    return run_file.endpoint
            time.sleep(0.02)
        said = self.output.read_text("utf-8", "replace")[-2000:]
        self.stop()
        raise RuntimeError(f"the daemon did not start: {said}")

    def stop(self) -> None:
        """End the daemon and remove its home."""
        if hasattr(self, "link"):
            self.link.close()
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def _end_with_parent() -> None:
    """Have the kernel end this process with its parent, for a test run that is killed."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


_running: OrderedDict[str, Daemon] = OrderedDict()


def daemon_for(config: Mapping[str, Any]) -> Daemon:
    """The running daemon of a configuration, started when there is none."""
    key = json.dumps(config, sort_keys=True)
    if key not in _running:
        while len(_running) >= MOST_AT_ONCE:
            _running.popitem(last=False)[1].stop()
        _running[key] = Daemon(config)
    _running.move_to_end(key)
    return _running[key]


@atexit.register
def stop_all() -> None:
    """End every daemon."""
    while _running:
        _running.popitem()[1].stop()
