# SPDX-License-Identifier: Apache-2.0
"""A daemon that ends with the program that started it, where that program's user asked for it.

The program may end in any way, a crash included, so it is watched and not relied on to say goodbye. Nobody else's work
is lost to it: the daemon stays until no other client has a job left. The program's own jobs do not keep it; they go on
after the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kineograph.client.discovery import pid_exists
from kineograph_daemon.jobs.record import Job

Stop = Callable[[str], None]


@dataclass(frozen=True)
class Host:
    """The program to end with: its process id, and the name under which its jobs came."""

    pid: int
    client: str = ""


@dataclass
class HostWatch:
    """Asks now and then whether the host lives; calls ``stop`` once it does not and nobody else needs the daemon."""

    host: Host
    stop: Stop
    jobs: Callable[[], Iterable[Job]]
    lives: Callable[[int], bool] = field(default=pid_exists)
    _is_gone: bool = False

    def look(self) -> None:
        """Cheap enough for every heartbeat: jobs are counted only once the host is gone."""
        # Another process may get the same id later: gone is gone.
        self._is_gone = self._is_gone or not self.lives(self.host.pid)
        if self._is_gone and not any(self._is_anothers(job) for job in self.jobs()):
            self.stop(f"the program that started it has ended (process {self.host.pid})")

    def _is_anothers(self, job: Job) -> bool:
        return not job.state.is_final and (not self.host.client or job.facts.client != self.host.client)
