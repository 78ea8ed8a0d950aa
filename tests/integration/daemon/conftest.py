# SPDX-License-Identifier: Apache-2.0
"""Real daemons with real workers, each in a home of its own; nothing is left running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from tests.fakes.backbones import request_map

from kineograph import demo
from kineograph.client import Client
from kineograph.client.discovery import RunFile, find_daemon
from kineograph.errors import KineographError, from_envelope
from kineograph.fixes import Problem, resolve
from kineograph.wire import codec
from kineograph.wire.codec import Buffer, Header, Kind
from kineograph.wire.messages import Method

ROOT = Path(__file__).resolve().parents[3]
START_S = 60.0


def shown(error: KineographError, request: dict[str, Any] | None = None) -> Problem:
    """The problem as it is shown: words with something to do, no loose braces, no code in the sentence."""
    problem = resolve(error, {"request": request or {}, "refs": demo.refs(), "models": ["kineograph-interpolate"]})
    assert problem.code == error.code
    assert problem.title
    assert problem.text
    assert problem.cause
    assert problem.fixes, f"{error.code}: {problem.text} offers nothing"
    assert all(fix.label and "{" not in fix.label for fix in problem.fixes)
    assert "{" not in problem.text
    assert str(error.code) not in problem.text
    return problem


class Wire:
    """The barest client: one DEALER, frames in, frames out."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.set(zmq.LINGER, 0)
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(endpoint)
        self.count = 0

    def send(self, method: str, body: dict[str, Any] | None = None) -> str:
        """Send a request; its id."""
        self.count += 1
        self.socket.send_multipart(codec.encode(Header(Kind.REQUEST, method, str(self.count)), body or {}))
        return str(self.count)

    def receive(self, timeout_s: float = 90.0) -> codec.Message:
        """The next reply, whatever it answers."""
        assert self.socket.poll(int(timeout_s * 1000)), "no answer"
        frames: list[Buffer] = list(self.socket.recv_multipart())
        return codec.decode(frames)

    def call(self, method: str, body: dict[str, Any] | None = None, timeout_s: float = 90.0) -> dict[str, Any]:
        """The reply's body. Raises what the daemon answered."""
        request_id = self.send(method, body)
        message = self.receive(timeout_s)
        assert message.header.request_id == request_id
        if message.header.kind is Kind.ERROR:
            assert message.body["request_id"] == request_id
            raise from_envelope(message.body)
        return message.body

    def error(self, method: str, body: dict[str, Any] | None = None) -> KineographError:
        """The error that the daemon answers with."""
        with pytest.raises(KineographError) as caught:
            self.call(method, body)
        return caught.value

    def close(self) -> None:
        """Hang up."""
        self.context.destroy(linger=0)


class House:
    """One daemon and its home. ``start`` may be called again after an end."""

    def __init__(self, home: Path, *flags: str, **environment: str) -> None:
        self.home = home
        self.flags = flags
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self._hung_up: list[Callable[[], None]] = []
        self._pids: set[int] = set()

    @property
    def env(self) -> dict[str, str]:
        """What the daemon's process gets."""
        return {**os.environ, "KINEOGRAPH_HOME": str(self.home), "PYTHONPATH": str(ROOT), **self.environment}

    @property
    def command(self) -> list[str]:
        """The daemon's command line."""
        backbones = ["--only-backbones", "--backbone", "tests.fakes.backbones:everything"]
        return [sys.executable, "-m", "kineograph_daemon", "run", *backbones, *self.flags]

    def start(self) -> RunFile:
        """Start it and wait for its run file."""
        self.home.mkdir(exist_ok=True)
        self.process = subprocess.Popen(self.command, env=self.env, cwd=self.home)
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s:
            run = find_daemon()
            if run is not None and run.pid == self.process.pid:
                return run
            assert self.process.poll() is None, "the daemon ended at once"
            time.sleep(0.01)
        raise AssertionError(f"no daemon within {START_S} s")

    @property
    def run_file(self) -> RunFile:
        """Where it listens."""
        run = find_daemon()
        assert run is not None
        return run

    def wire(self, endpoint: str | None = None, **options: Any) -> Wire:
        """A bare client."""
        wire = Wire(endpoint or self.run_file.endpoint, **options)
        self._hung_up.append(wire.close)
        return wire

    def client(self, name: str = "test") -> Client:
        """The project's own client."""
        client = Client(name=name)
        self._hung_up.append(client.close)
        client.connect(START_S)
        return client

    def workers(self) -> list[psutil.Process]:
        """The worker processes, living."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE]

    def wait_for_workers(self, count: int = 1) -> None:
        """Until this many workers have reported."""
        wire = self.wire()
        wait_until(lambda: [w["state"] for w in wire.call("daemon.stats")["workers"]].count("ready") == count)

    def kill(self) -> None:
        """kill -9 of the daemon alone."""
        assert self.process is not None
        self._note_pids()
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self._note_pids()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def log(self) -> list[dict[str, Any]]:
        """The daemon's own log."""
        return [json.loads(line) for line in (self.home / "log" / "daemon.log").read_text().splitlines()]

    def end(self) -> None:
        """Hang up, stop, and see that nothing is left."""
        for hang_up in self._hung_up:
            hang_up()
        if self.process is not None and self.process.poll() is None:
            code = self.stop()
            assert code == 0, f"the daemon ended with {code}"
        wait_until(lambda: not any(psutil.pid_exists(pid) for pid in self._pids))
        sockets = list((self.home / "run").glob("*.sock"))
        assert not sockets or self.process is None or self.process.returncode != 0, f"left behind: {sockets}"

    def _note_pids(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._pids |= {w.pid for w in self.workers()}


def wait_until(is_true: Callable[[], Any], timeout_s: float = 60.0) -> None:
    """Wait for something that must come true."""
    until_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < until_s, "it never came true"
        time.sleep(0.02)


def new_id() -> str:
    """A job's id."""
    return str(uuid.uuid4())


def generate(model: str = "fake", job: str | None = None, **fields: Any) -> dict[str, Any]:
    """The body of a ``generate`` message; ``prompt`` and ``frames`` go into the request."""
    asked = {k: fields.pop(k) for k in ("prompt", "frames", "seed") if k in fields}
    return {"job": job or new_id(), "request": request_map(model, **asked), **fields}


@pytest.fixture
def make_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., House]]:
    """A daemon with flags and environment of its own."""
    houses: list[House] = []

    def make(*flags: str, start: bool = True, **environment: str) -> House:
        home = tmp_path / f"h{len(houses)}"
        monkeypatch.setenv("KINEOGRAPH_HOME", str(home))
        house = House(home, *flags, **environment)
        houses.append(house)
        if start:
            house.start()
        return house

    yield make
    with contextlib.ExitStack() as ends:  # each is ended, whatever another's end says
        for house in houses:
            ends.callback(_end, house, monkeypatch)


def _end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(house.home))
    house.end()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """A daemon that hosts all fakes and has reported them."""
    made = make_house(KINEOGRAPH_FAKE_STEPS="100", KINEOGRAPH_FAKE_STEP_S="0.05")
    made.wait_for_workers()
    return made


__all__ = ["House", "Method", "Wire", "generate", "new_id", "wait_until"]
