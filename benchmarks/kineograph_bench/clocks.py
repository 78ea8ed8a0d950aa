# SPDX-License-Identifier: Apache-2.0
"""CPU time of whole processes, all threads, in milliseconds."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil


def cpu_ms(pids: Sequence[int]) -> float:
    """CPU milliseconds that the processes have used: the scheduler's nanoseconds on Linux, else psutil's ticks."""
    total = 0.0
    for pid in pids:
        files = glob.glob(f"/proc/{pid}/task/*/schedstat")
        if files:
            total += sum(int(Path(f).read_text().split()[0]) for f in files) / 1e6
        else:
            times = psutil.Process(pid).cpu_times()
            total += (times.user + times.system) * 1e3
    return total


@dataclass
class Series:
    """CPU and wall milliseconds a call, one entry a round."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def round(self, call: Callable[[], object], calls: int, pids: Callable[[], Sequence[int]]) -> None:
        """Time ``calls`` calls in a row as one round."""
        watched = pids()
        cpu, wall = cpu_ms(watched), time.perf_counter()
        for _ in range(calls):
            call()
        self.wall.append((time.perf_counter() - wall) * 1e3 / calls)
        self.cpu.append((cpu_ms(watched) - cpu) / calls)

    def summary(self) -> dict[str, float]:
        """Medians over the rounds."""
        return {"cpu_ms": float(np.median(self.cpu)), "wall_ms": float(np.median(self.wall)), "rounds": len(self.cpu)}
