# SPDX-License-Identifier: Apache-2.0
"""``/metrics``: what the door and the daemon behind it do, in Prometheus' text form."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from kineograph import __version__
from kineograph.errors import KineographError
from kineograph.wire.messages import DaemonStats, JobState, Method
from kineograph_daemon.http.line import Line

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """Counts of one door. Paths are counted by route, so that ids make no new series."""

    def __init__(self) -> None:
        self._registry = r = CollectorRegistry()
        labels = ("route", "method")
        self._requests = Counter("kineograph_http_requests", "Answers given", (*labels, "status"), registry=r)
        self._seconds = Histogram(
            "kineograph_http_seconds", "From request to answer", labels, registry=r, buckets=_BUCKETS
        )
        self._received = Counter("kineograph_http_received_bytes", "Bytes of bodies received", registry=r)
        self._sent = Counter("kineograph_http_sent_bytes", "Bytes of bodies sent", registry=r)
        self._active = Gauge("kineograph_http_active_requests", "Requests being answered", registry=r)
        self._up = Gauge("kineograph_up", "Whether the daemon answers", registry=r)
        self._info = Gauge("kineograph_info", "Versions", ("door", "daemon"), registry=r)
        self._jobs = Gauge("kineograph_jobs", "Jobs by state", ("state",), registry=r)
        self._workers = Gauge("kineograph_workers", "Worker processes by state", ("state",), registry=r)
        self._memory = Gauge("kineograph_daemon_memory_bytes", "Resident memory of the daemon's front", registry=r)
        self._uptime = Gauge("kineograph_daemon_uptime_seconds", "Since the daemon's start", registry=r)
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.active = 0

    def begin(self) -> float:
        """A request came; the moment to hand to ``end``."""
        self.active += 1
        return time.perf_counter()

    def end(self, began_s: float, route: str, method: str, status: int, received: int, sent: int) -> None:
        """It was answered, or its client left (status 499)."""
        self.active -= 1
        key = (route, method, status)
        series = self._series.get(key)
        if series is None:  # looked up once: finding a series costs more than counting in it
            counter = self._requests.labels(route, method, str(status or 499))
            series = self._series[key] = (counter, self._seconds.labels(route, method))
        series[0].inc()
        series[1].observe(time.perf_counter() - began_s)
        self._received.inc(received)
        self._sent.inc(sent)

    async def text(self, line: Line) -> bytes:
        """Everything, the daemon asked now."""
        self._active.set(self.active)
        try:
            stats: DaemonStats = await line.ask(Method.DAEMON_STATS, deadline_s=2.0)
        except KineographError:
            self._up.set(0)
        else:
            self._take(stats)
        return generate_latest(self._registry)

    def _take(self, stats: DaemonStats) -> None:
        self._up.set(1)
        self._info.clear()
        self._info.labels(__version__, stats.version).set(1)
        for state in JobState:
            self._jobs.labels(str(state)).set(stats.jobs.get(str(state), 0))
        self._workers.clear()
        for worker in stats.workers:
            self._workers.labels(str(worker.get("state", ""))).inc()
        self._memory.set(stats.memory_bytes)
        self._uptime.set(stats.uptime_s)
