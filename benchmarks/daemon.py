#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How quick the daemon's front is: to start, to answer while a model computes, to queue, to list, to stop a job.

A real daemon with one worker in a home of its own; the client is the project's, in this process. Each figure stands
beside its target. Times are wall times, so a busy machine shows in them; ``..._cpu_...`` is what the front and this
client computed meanwhile, which on an idle machine is nearly all of it.

    python benchmarks/daemon.py            a table
    python benchmarks/daemon.py --json     the same as JSON
    python benchmarks/daemon.py --jobs 2000 --starts 1
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kineograph_bench import motion as bench  # noqa: E402
from kineograph_bench.clocks import cpu_ms  # noqa: E402

from kineograph.client import Client, find_daemon, new_job_id  # noqa: E402
from kineograph.errors import JobError  # noqa: E402
from kineograph.wire.messages import Generate, JobState, JobStatus, Method  # noqa: E402

STEPPING = "bench-steps"
START_S = 30.0
TARGETS: dict[str, float] = {
    "ready_s": 1.0,
    "front_mb": 120.0,
    "capabilities_p99_ms": 20.0,
    "submits_one_by_one_s": 2.0,
    "submits_pipelined_s": 2.0,
    "list_ms": 100.0,
    "cancel_steps": 1.0,
}
"""Each figure is to be below, the steps at most. Of 1,000 submits, and a list of 10,000 jobs."""


class House:
    """A daemon in a home of its own. ``ready_s``: from its spawn to its answer to hello."""

    def __init__(self) -> None:
        backbones = ("ReadyMade", "Stepping")
        command = [sys.executable, "-m", "kineograph_daemon", "run", "--only-backbones", "--keep-days", "1"]
        for name in backbones:
            command += ["--backbone", f"kineograph_bench.backbone:{name}"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
        began = time.perf_counter()
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        self.client = Client(_run_file(self.process), name="benchmark", deadline_s=60.0)
        self.client.connect()
        self.ready_s = time.perf_counter() - began
        self.ready_cpu_s = self.cpu_s()

    def cpu_s(self) -> float:
        """CPU time of the front so far."""
        return cpu_ms([self.process.pid]) / 1e3

    def front_mb(self) -> float:
        """Resident memory of the front."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    def close(self) -> None:
        """Stop it and wait until it is gone."""
        self.client.stop_daemon()
        self.client.close()
        self.process.wait(30)


@contextmanager
def house() -> Iterator[House]:
    """A daemon that is gone afterwards, with its home."""
    with tempfile.TemporaryDirectory(prefix="kd", ignore_cleanup_errors=True) as home:
        os.environ["KINEOGRAPH_HOME"] = home
        made = House()
        try:
            yield made
        finally:
            made.close()


def measure(starts: int, jobs: int, asks: int, cancels: int) -> dict[str, Any]:
    """All figures."""
    ready = [_start() for _ in range(starts)]
    with house() as daemon:
        out: dict[str, Any] = {
            "machine": machine(),
            "jobs": jobs,
            "ready_s": statistics.median([*ready, daemon.ready_s]),
        }
        out |= {"ready_cpu_s": daemon.ready_cpu_s, "front_mb_at_start": daemon.front_mb()}
        out |= _capabilities(daemon.client, asks)
        out |= _cancel(daemon.client, cancels)
        out |= _submits(daemon)
        out |= _list(daemon, jobs)
        out["front_mb"] = daemon.front_mb()
    out["targets"] = {name: {"target": most, "met": bool(out[name] <= most)} for name, most in TARGETS.items()}
    return out


def _start() -> float:
    with house() as daemon:
        return daemon.ready_s


def _capabilities(client: Client, asks: int) -> dict[str, float]:
    job = _running(client)
    times = []
    for _ in range(asks):
        began = time.perf_counter()
        client.capabilities()
        times.append((time.perf_counter() - began) * 1e3)
    client.cancel(job)
    client.wait(job.job)
    times.sort()
    at = min(len(times) - 1, int(0.99 * len(times)))
    return {"capabilities_p50_ms": statistics.median(times), "capabilities_p99_ms": times[at]}


def _cancel(client: Client, cancels: int) -> dict[str, float]:
    steps, times = [], []
    for _ in range(cancels):
        job = _running(client)
        pace = _Pace(client, job.job)
        began = time.perf_counter()
        client.cancel(job)
        with suppress(JobError):
            client.result(job.job, wait_s=START_S)
        ended = time.perf_counter()
        status = client.status(job.job)
        assert status.state is JobState.CANCELLED
        times.append((ended - began) * 1e3)
        steps.append(status.progress.step - pace.step_at(began))
    return {"cancel_ms": statistics.median(times), "cancel_steps": statistics.median(steps)}


class _Pace:
    """Which step a job is at: told ten times a second, so what lies between is reckoned from its speed."""

    def __init__(self, client: Client, job: str) -> None:
        self._seen: list[tuple[float, int]] = []
        last = client.status(job).progress.step
        while len(self._seen) < 8:
            step = client.status(job).progress.step
            if step != last:
                self._seen.append((time.perf_counter(), step))
            last = step
            time.sleep(0.001)

    def step_at(self, when: float) -> float:
        """Steps ended at a time of ``perf_counter`` after the last that was told."""
        (t0, s0), (t1, s1) = self._seen[0], self._seen[-1]
        return s1 + (when - t1) * (s1 - s0) / (t1 - t0)


def _submits(daemon: House, count: int = 1000) -> dict[str, float]:
    daemon.client.drain()  # queued and nothing else: no job starts meanwhile
    request = bench.request(60, 1)
    cpu_s, began = _both_cpu_s(daemon), time.perf_counter()
    for _ in range(count):
        daemon.client.submit(request)
    one_by_one_s = time.perf_counter() - began
    one_by_one_cpu_s = _both_cpu_s(daemon) - cpu_s
    pipelined_s = _pipelined(daemon.client, count)
    return {
        "submits_one_by_one_s": one_by_one_s,
        "submits_one_by_one_cpu_s": one_by_one_cpu_s,
        "submits_pipelined_s": pipelined_s,
        "submits_pipelined_cpu_s": _both_cpu_s(daemon) - cpu_s - one_by_one_cpu_s,
    }


def _both_cpu_s(daemon: House) -> float:
    return cpu_ms([os.getpid(), daemon.process.pid]) / 1e3


def _pipelined(client: Client, count: int) -> float:
    request = bench.request(60, 1)
    began = time.perf_counter()
    futures = [client.call_nowait(Method.GENERATE, Generate(new_job_id(), request)) for _ in range(count)]
    for future in futures:
        future.result()
    return time.perf_counter() - began


def _list(daemon: House, jobs: int) -> dict[str, float]:
    while (missing := jobs - len(daemon.client.list())) > 0:
        _pipelined(daemon.client, min(missing, 1000))
    times, cpu = [], []
    for _ in range(9):
        cpu_s, began = _both_cpu_s(daemon), time.perf_counter()
        page = daemon.client.list()
        times.append((time.perf_counter() - began) * 1e3)
        cpu.append((_both_cpu_s(daemon) - cpu_s) * 1e3)
        assert len(page) == jobs
    return {"list_ms": statistics.median(times), "list_cpu_ms": statistics.median(cpu)}


def _running(client: Client) -> JobStatus:
    """A job of the stepping model that has taken some steps."""
    job = client.submit({**bench.request(60, 1), "model": STEPPING})
    until_s = time.monotonic() + START_S
    while client.status(job.job).progress.step < 3:
        if time.monotonic() > until_s:
            raise SystemExit("the worker does not start")
        time.sleep(0.01)
    return job


def _run_file(process: subprocess.Popen[bytes]) -> Any:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        run = find_daemon()
        if run is not None and run.pid == process.pid:
            return run
        time.sleep(0.002)
    raise SystemExit(f"the daemon did not start within {START_S:g} s")


def machine() -> dict[str, Any]:
    """What this ran on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--starts", type=int, default=4, help="starts beside the one that is measured further")
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs in the list; at least the 2,000 submitted")
    parser.add_argument("--asks", type=int, default=500, help="questions while a job runs")
    parser.add_argument("--cancels", type=int, default=5)
    options = parser.parse_args(argv)
    result = measure(options.starts, max(options.jobs, 2000), options.asks, options.cancels)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for name, value in result.items():
        if isinstance(value, float):
            target = result["targets"].get(name)
            verdict = (
                "" if target is None else f"   target {target['target']:g}: {'met' if target['met'] else 'MISSED'}"
            )
            print(f"{name:26} {value:10.3f}{verdict}")


if __name__ == "__main__":
    main()
