#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The way of one request, side by side: MMCP's official HTTP stack and Kineograph's wire and durable queue.

Both get the same request and return the same ready-made motion as numpy arrays to the caller; the rounds of all
contenders are interleaved. CPU is that of every process involved (client, server; client, front, worker); each client
is a process of its own, so that none pays for what another imports and leaves behind. ``floor`` is a bare
ROUTER/DEALER exchange of the same bytes. Ratios stand last.

    python benchmarks/transport.py            a table
    python benchmarks/transport.py --json     the same as JSON
    python benchmarks/transport.py --cases 300x4 --rounds 15
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import multiprocessing as mp
import os
import platform
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psutil
import zmq

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kineograph_bench import motion as bench  # noqa: E402
from kineograph_bench.clocks import Series  # noqa: E402

from kineograph.client import Client, discovery  # noqa: E402

DEFAULT_CASES = ("60x1", "300x4", "900x4")
Call = Callable[[], object]
Pids = Callable[[], Sequence[int]]


def _official_server(port: int, trajectories: bool) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    from kineograph_bench.backbone import ReadyMade
    from motionmcp.server import serve

    serve(ReadyMade(trajectories), host="127.0.0.1", port=port)


def _floor_server(endpoint: str) -> None:
    router: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    router.bind(endpoint)
    answers: dict[bytes, list[bytes]] = {}
    while True:
        peer, key, _ = router.recv_multipart(copy=False)
        size = key.bytes
        if size not in answers:
            frames, samples = map(int, size.split(b"x"))
            rotations, root = bench.motion(frames, samples)
            answers[size] = [b"header", b"body", rotations.tobytes(), root.tobytes()]
        router.send_multipart([peer, *answers[size]], copy=False)


class Contender(Protocol):
    """One way for a request to go."""

    def call(self, frames: int, samples: int) -> Call: ...

    def pids(self) -> Sequence[int]: ...

    def rest(self) -> None: ...


class Official:
    """MMCP's own server in a process of its own, and its own client here."""

    def __init__(self, stack: ExitStack, trajectories: bool) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = int(s.getsockname()[1])
        self.process = _spawn(stack, _official_server, self.port, trajectories)
        _wait(lambda: socket.create_connection(("127.0.0.1", self.port), 0.2).close(), "the official server")

    def call(self, frames: int, samples: int) -> Call:
        """One request and its parsed answer."""
        from motionmcp import client

        url, request = f"http://127.0.0.1:{self.port}", bench.request(frames, samples)
        return lambda: client.parse_gltf_samples(client.generate(url, request))  # type: ignore[no-untyped-call]

    def rest(self) -> None:
        """Nothing is kept."""

    def pids(self) -> Sequence[int]:
        """Processes whose CPU counts."""
        return [os.getpid(), int(self.process.pid or 0)]


class Ours:
    """A real daemon with its worker, and the sync client here."""

    def __init__(self, stack: ExitStack, trajectories: bool) -> None:
        self.trajectories = trajectories
        self.done: list[str] = []
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="kb", ignore_cleanup_errors=True))
        os.environ["KINEOGRAPH_HOME"] = home
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        run_file = discovery.start_daemon(
            python=sys.executable, extra_args=("--backbone", "kineograph_bench.backbone:ReadyMade")
        )
        self.daemon = psutil.Process(run_file.pid)
        self.client = Client(run_file.endpoint, name="benchmark")
        stack.callback(self._stop)

    def _stop(self) -> None:
        self.client.stop_daemon()
        self.client.close()
        psutil.wait_procs([self.daemon], timeout=10)

    def call(self, frames: int, samples: int) -> Call:
        """One request through the durable queue, its arrays in the caller's hands."""
        request = bench.request(frames, samples)
        rotations, _ = bench.motion(frames, samples)

        def once() -> object:
            result = self.client.generate(request, trajectories=self.trajectories)
            assert result.rotations_xyzw.shape == rotations.shape
            self.done.append(result.job.job)
            return result

        result = self.client.generate(request, trajectories=self.trajectories)
        assert np.allclose(result.rotations_xyzw, rotations, atol=1e-6), "the motion must arrive as it was made"
        return once

    def rest(self) -> None:
        """Forget the round's jobs, so that the disk cache's memory is used again and not new memory taken each time."""
        while self.done:
            self.client.forget(self.done.pop())

    def pids(self) -> Sequence[int]:
        """Client, front and workers."""
        return [os.getpid(), self.daemon.pid, *(p.pid for p in self.daemon.children(recursive=True))]


class Floor:
    """The same bytes, nothing else."""

    def __init__(self, stack: ExitStack) -> None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="kf"))
        endpoint = f"ipc://{folder}/floor" if os.name != "nt" else "tcp://127.0.0.1:50877"
        self.process = _spawn(stack, _floor_server, endpoint)
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        stack.callback(self.socket.close, 0)
        self.socket.connect(endpoint)

    def call(self, frames: int, samples: int) -> Call:
        """Request bytes out, array bytes back."""
        import msgpack

        body = msgpack.packb(bench.request(frames, samples))
        key = f"{frames}x{samples}".encode()

        def once() -> object:
            self.socket.send_multipart([key, body], copy=False)
            return [np.frombuffer(f.buffer, np.float32) for f in self.socket.recv_multipart(copy=False)[2:]]

        return once

    def rest(self) -> None:
        """Nothing is kept."""

    def pids(self) -> Sequence[int]:
        """Both ends."""
        return [os.getpid(), int(self.process.pid or 0)]


CONTENDERS: dict[str, Callable[[ExitStack], Contender]] = {
    "official": functools.partial(Official, trajectories=True),
    "official_no_trajectory": functools.partial(Official, trajectories=False),
    "ours": functools.partial(Ours, trajectories=False),
    "ours_trajectory": functools.partial(Ours, trajectories=True),
    "floor": Floor,
}


def _client(orders: Connection, name: str) -> None:
    """A contender's client, in a process of its own: rounds of ``(frames, samples, calls)`` until the pipe ends."""
    with ExitStack() as stack:
        contender = CONTENDERS[name](stack)
        calls_of: dict[tuple[int, int], Call] = {}
        with contextlib.suppress(EOFError):
            while True:
                frames, samples, calls = orders.recv()
                if (frames, samples) not in calls_of:
                    calls_of[frames, samples] = contender.call(frames, samples)
                took = Series()
                took.round(calls_of[frames, samples], calls, contender.pids)
                contender.rest()
                orders.send(took)


class Lane:
    """The measuring end of a contender's client."""

    def __init__(self, stack: ExitStack, name: str, calls: int) -> None:
        self.name = name
        self.calls = max(calls // 4, 1) if name.startswith("official") else calls
        self._pipe, other = mp.get_context("spawn").Pipe()
        process = mp.get_context("spawn").Process(target=_client, args=(other, name))
        process.start()
        other.close()
        stack.callback(process.join, 20)
        stack.callback(self._pipe.close)

    def round(self, frames: int, samples: int, series: Series) -> None:
        """One round, added to ``series``."""
        try:
            self._pipe.send((frames, samples, self.calls))
            took: Series = self._pipe.recv()
        except (EOFError, OSError):
            raise SystemExit(f"{self.name}: its client ended; what it said stands above") from None
        series.cpu += took.cpu
        series.wall += took.wall


def measure(cases: Sequence[tuple[int, int]], rounds: int, calls: int) -> dict[str, Any]:
    """All contenders over all cases, interleaved round by round."""
    with ExitStack() as stack:
        lanes = [Lane(stack, name, calls) for name in CONTENDERS]
        out: dict[str, Any] = {"machine": machine(), "cases": {}}
        for frames, samples in cases:
            series = {lane.name: Series() for lane in lanes}
            for lane in lanes:
                lane.round(frames, samples, Series())  # warm
            for _ in range(rounds):
                for lane in lanes:
                    lane.round(frames, samples, series[lane.name])
            out["cases"][f"{frames}x{samples}"] = _case({n: s.summary() for n, s in series.items()})
        return out


def _case(figures: dict[str, dict[str, float]]) -> dict[str, Any]:
    def ratio(a: str, b: str) -> float:
        return figures[a]["cpu_ms"] / figures[b]["cpu_ms"]

    return {
        **figures,
        "ratios": {
            "official_no_trajectory_to_ours": ratio("official_no_trajectory", "ours"),
            "official_to_ours_trajectory": ratio("official", "ours_trajectory"),
            "ours_to_floor": ratio("ours", "floor"),
        },
    }


def machine() -> dict[str, Any]:
    """What this ran on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _spawn(stack: ExitStack, target: Callable[..., None], *args: object) -> Any:
    process = mp.get_context("spawn").Process(target=target, args=args, daemon=True)
    process.start()
    stack.callback(process.join, 5)
    stack.callback(process.terminate)
    return process


def _wait(probe: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            probe()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{what} did not start within {seconds:g} s")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--cases", nargs="+", default=DEFAULT_CASES, metavar="FRAMESxSAMPLES")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=20, help="calls a round")
    options = parser.parse_args()
    cases = [(int(a), int(b)) for a, b in (c.split("x") for c in options.cases)]
    result = measure(cases, options.rounds, options.calls)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for case, figures in result["cases"].items():
        print(f"\n{case}: {'':18} CPU ms   wall ms")
        for name, f in figures.items():
            if name != "ratios":
                print(f"  {name:24} {f['cpu_ms']:8.2f} {f['wall_ms']:9.2f}")
        for name, value in figures["ratios"].items():
            print(f"  {name:34} {value:6.1f}")


if __name__ == "__main__":
    main()
