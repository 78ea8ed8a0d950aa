# SPDX-License-Identifier: Apache-2.0
"""A plain ROUTER that stands where the daemon's front will, and real worker processes on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import zmq

from kineograph.wire import codec
from kineograph_daemon.jobs import blobs
from kineograph_daemon.workers import link

ROOT = Path(__file__).resolve().parents[4]
TOKEN = "secret-of-this-test"
M = TypeVar("M")


def said_by(frames: Sequence[Any]) -> list[Any]:
    """A message, and the end of the task that it ends."""
    message = link.unpack(frames).message
    ends = getattr(message, "ends", "")
    return [message, link.TaskEnd(ends)] if ends else [message]


class Front:
    """Binds the link, spawns one worker, keeps what it says in order of arrival."""

    def __init__(self, folder: Path, spec: str, environment: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        self.folder = folder
        self.endpoint = f"ipc://{folder}/w.sock"
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.LINGER, 0)
        self.router.bind(self.endpoint)
        self.said: list[tuple[bytes, Any, float]] = []
        self.command = [
            *(sys.executable, "-m", "kineograph_daemon.workers.main", "--link", self.endpoint, "--id", "w1"),
            *("--device", "cpu", "--backbone", spec, "--only", "--heartbeat-s", "0.2", *arguments),
        ]
        self.environment = {
            **os.environ,
            "KINEOGRAPH_HOME": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
            link.TOKEN_ENV: TOKEN,
            **environment,
        }
        self.process = subprocess.Popen(self.command, env=self.environment, start_new_session=True, cwd=folder)

    def send(self, message: Any, frames: Any = (), *, to: bytes = b"w1") -> None:
        """Send one message to a socket of the worker."""
        self.router.send_multipart([to, *link.pack(message, frames)])

    def wait(self, kind: type[M], which: Callable[[M], bool] = lambda m: True, *, timeout_s: float = 60.0) -> M:
        """The next message of this kind (heartbeats are kept aside); it is taken out of ``said``."""
        until_s = time.monotonic() + timeout_s
        while True:
            for entry in self.said:
                if isinstance(entry[1], kind) and which(entry[1]):
                    self.said.remove(entry)
                    return entry[1]
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not self.router.poll(int(left_s * 1000)):
                raise AssertionError(f"no {kind.__name__} within {timeout_s} s, but {[e[1] for e in self.said][-6:]}")
            self.take()

    def take(self) -> None:
        """Receive one message."""
        identity, *frames = self.router.recv_multipart()
        now_s = time.monotonic()
        self.said.extend((identity, message, now_s) for message in said_by(frames))

    def drain(self) -> list[Any]:
        """What has been said so far and not been taken, heartbeats left out."""
        while self.router.poll(50):
            self.take()
        out = [m for _, m, _ in self.said if not isinstance(m, link.WorkerHeartbeat)]
        self.said.clear()
        return out

    def job(self, name: str, start: int = 0, count: int = 1, **more: Any) -> link.TaskJob:
        """A job of a task with its result in this test's folder."""
        return link.TaskJob(name, [start, count], str(self.folder / f"{name}.kgb"), **more)

    def run(self, name: str, request: Mapping[str, Any], **more: Any) -> link.TaskJob:
        """Send a task of one job."""
        job = self.job(name, **more)
        self.send(link.TaskRun(f"task-{name}", request["model"], [job]), codec.pack_body({"request": dict(request)}))
        return job

    def result(self, job: link.TaskJob) -> dict[str, Any]:
        """The stored result of a job."""
        frames = blobs.open(job.result_path)
        return codec.decode_body(frames[0], frames[1:])

    def logs(self) -> str:
        """What the worker logged."""
        return (self.folder / "home/log/worker-w1.log").read_text("ascii")

    def close(self) -> None:
        """End the worker and the link; nothing may be left running."""
        family = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        self.router.close()
        self.context.term()
        assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


StartFront = Callable[..., Front]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartFront]:
    """Makes fronts with one worker each; all are closed at the end."""
    fronts: list[Front] = []

    def make(spec: str = "tests.fakes.backbones:everything", *arguments: str, **environment: str) -> Front:
        folder = tmp_path / f"f{len(fronts)}"
        folder.mkdir()
        fronts.append(Front(folder, spec, environment, arguments))
        return fronts[-1]

    yield make
    for front in fronts:
        front.close()


@pytest.fixture(scope="module")
def shared_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One worker with every fake, for all tests of a module that leave it alive."""
    environment = {"KINEOGRAPH_FAKE_STEPS": "100", "KINEOGRAPH_FAKE_STEP_S": "0.05", "KINEOGRAPH_FAKE_DEAF_S": "2.0"}
    front = Front(tmp_path_factory.mktemp("front"), "tests.fakes.backbones:everything", environment, ())
    front.wait(link.WorkerReady)
    yield front
    front.close()


@pytest.fixture
def front(shared_front: Front) -> Front:
    """The shared worker, with nothing of earlier tests left to read."""
    shared_front.drain()
    assert shared_front.process.poll() is None
    return shared_front
