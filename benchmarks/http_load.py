#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many clients at the HTTP door at once: what they are answered, how soon, and what it costs in memory.

Each client keeps one connection and, after a pause, asks for capabilities, generates (waiting for its motion), or
generates with ``Prefer: respond-async`` and asks for its job until that has ended. The model behind the door costs
nothing. A client that is told to come again waits as long as it was told. Memory is that of the daemon's front, once
every kind of request has been served for a tenth of the time, and at the end.

    python benchmarks/http_load.py                      200 clients for 60 s, a table
    python benchmarks/http_load.py --json
    python benchmarks/http_load.py --clients 50 --seconds 10 --pause-s 0      as fast as they can
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kineograph_bench import motion as bench  # noqa: E402

from kineograph.client import Client, discovery  # noqa: E402

FRAMES = 60
OPEN_S = 20.0
WEIGHTS = {"capabilities": 6, "generate": 3, "later": 1}


@dataclass
class Load:
    """What all clients saw. Latencies are in milliseconds by kind of request."""

    statuses: Counter[str] = field(default_factory=Counter)
    took_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    without_wait: int = 0
    broken: int = 0


class Guest:
    """One client on one kept connection."""

    def __init__(self, address: tuple[str, int], load: Load) -> None:
        self._address = address
        self._load = load
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def live(self, until_s: float, pause_s: float, rng: random.Random, body: bytes) -> None:
        """Ask until the time is over."""
        await asyncio.sleep(rng.random() * pause_s)
        while time.monotonic() < until_s:
            kind = rng.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
            try:
                wait_s = await self._one(kind, body, until_s)
            except (OSError, EOFError, asyncio.IncompleteReadError):
                self._load.broken += 1
                self.leave()
                wait_s = 0.1
            await asyncio.sleep(wait_s + rng.uniform(0.5, 1.5) * pause_s)
        self.leave()

    def leave(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _one(self, kind: str, body: bytes, until_s: float) -> float:
        if kind == "capabilities":
            return (await self._ask(kind, "GET", "/capabilities"))[1]
        prefer = "Prefer: respond-async\r\n" if kind == "later" else ""
        headers, wait_s = await self._ask(kind, "POST", "/generate", body, prefer)
        while kind == "later" and "location" in headers and time.monotonic() < until_s:
            await asyncio.sleep(wait_s)
            status, wait_s = await self._ask("poll", "GET", headers["location"])
            if status.get(":status") != "202":
                return 0.0
        return wait_s

    async def _ask(
        self, kind: str, method: str, path: str, body: bytes = b"", more: str = ""
    ) -> tuple[dict[str, str], float]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._address[0]}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        began_s = time.perf_counter()
        self._writer.write(head.encode() + body)
        line, *rest = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, _, v in (r.partition(": ") for r in rest)}
        await self._reader.readexactly(int(headers.get("content-length", 0)))
        self._load.took_ms[kind].append((time.perf_counter() - began_s) * 1e3)
        headers[":status"] = line.split()[1]
        self._load.statuses[headers[":status"]] += 1
        wait_s = float(headers.get("retry-after", 0.0))
        if headers[":status"] in ("429", "503", "504") and wait_s <= 0.0:
            self._load.without_wait += 1
        if headers.get("connection") == "close":
            self.leave()
        return headers, wait_s


async def _crowd(address: tuple[str, int], clients: int, seconds: float, pause_s: float, load: Load) -> None:
    body = json.dumps(bench.request(FRAMES, 1)).encode()
    until_s = time.monotonic() + seconds
    guests = [Guest(address, load).live(until_s, pause_s, random.Random(i), body) for i in range(clients)]
    await asyncio.gather(*guests)


async def _watched(front: psutil.Process, work: Any, seconds: float) -> list[int]:
    """Run ``work``; the front's memory in bytes, from a tenth of the time on."""
    task, memory = asyncio.ensure_future(work), []
    await asyncio.sleep(seconds * 0.1)
    while not task.done():
        memory.append(front.memory_info().rss)
        await asyncio.wait({task}, timeout=max(0.2, seconds / 60))
    await task
    memory.append(front.memory_info().rss)
    return memory


def measure(clients: int, seconds: float, pause_s: float) -> dict[str, Any]:
    """One load on one fresh daemon."""
    with tempfile.TemporaryDirectory(prefix="kb", ignore_cleanup_errors=True) as home:
        os.environ["KINEOGRAPH_HOME"] = home
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        flags = ("--http", "127.0.0.1:0", "--only-backbones", "--backbone", "kineograph_bench.backbone:ReadyMade")
        run_file = discovery.start_daemon(python=sys.executable, extra_args=flags)
        try:
            address = _address(Path(home) / "run" / "http.json")
            _warm_up()
            front, load = psutil.Process(run_file.pid), Load()
            crowd = _crowd(address, clients, seconds, pause_s, load)
            memory = asyncio.run(_watched(front, crowd, seconds))
        finally:
            with Client() as client:
                client.stop_daemon()
            psutil.wait_procs([psutil.Process(run_file.pid)] if psutil.pid_exists(run_file.pid) else [], timeout=10)
    return _told(load, memory, clients, seconds, pause_s)


def _told(load: Load, memory: list[int], clients: int, seconds: float, pause_s: float) -> dict[str, Any]:
    answers = sum(load.statuses.values())
    return {
        "clients": clients,
        "seconds": seconds,
        "pause_s": pause_s,
        "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "answers": answers,
        "answers_per_s": answers / seconds,
        "statuses": dict(sorted(load.statuses.items())),
        "server_errors": sum(n for s, n in load.statuses.items() if s[0] == "5" and s not in ("503", "504")),
        "without_retry_after": load.without_wait,
        "broken_connections": load.broken,
        "latency_ms": {
            kind: {"count": len(took), **{f"p{q}": float(np.percentile(took, q)) for q in (50, 90, 99)}}
            for kind, took in sorted(load.took_ms.items())
        },
        "front_memory_mb": {"first": memory[0] / 2**20, "last": memory[-1] / 2**20, "most": max(memory) / 2**20},
    }


def _address(note: Path) -> tuple[str, int]:
    until_s = time.monotonic() + OPEN_S
    while not note.exists():
        if time.monotonic() > until_s:
            raise SystemExit(f"the door did not open within {OPEN_S:g} s")
        time.sleep(0.05)
    parts = urlsplit(json.loads(note.read_text("utf-8"))["url"])
    return str(parts.hostname), int(parts.port or 0)


def _warm_up() -> None:
    with Client(name="warm-up") as client:
        client.generate(bench.request(FRAMES, 1), timeout_s=60)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause-s", type=float, default=2.0, help="mean pause of a client between its requests")
    options = parser.parse_args()
    out = measure(options.clients, options.seconds, options.pause_s)
    if options.json:
        print(json.dumps(out, indent=1))
        return
    print(f"{out['answers']} answers, {out['answers_per_s']:.0f} a second: {out['statuses']}")
    print(f"server errors {out['server_errors']}, waits not told {out['without_retry_after']}")
    for kind, took in out["latency_ms"].items():
        print(
            f"  {kind:14} {took['count']:7}  p50 {took['p50']:8.1f}  p90 {took['p90']:8.1f}  p99 {took['p99']:8.1f} ms"
        )
    memory = out["front_memory_mb"]
    print(f"front memory {memory['first']:.1f} MB, at the end {memory['last']:.1f} MB")


if __name__ == "__main__":
    main()
