# SPDX-License-Identifier: Apache-2.0
"""Which worker processes there are: one a device, one for all remote services, one for each environment of its own.

A model in an environment of its own brings the Python and the packages that it wants; a remote service needs nobody's
device, so that a job that waits for it holds up no job of this computer.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from kineograph import files
from kineograph_daemon.backbones.environments import Installed, ready
from kineograph_daemon.settings import Settings

REMOTE_DEVICE = "remote"
REMOTE_BACKBONES = "kineograph_daemon.backbones.remote:remotes"


@dataclass(frozen=True)
class Host:
    """One worker process: its name, the device it owns, the Python it runs, and what it hosts.

    ``made`` tells an environment from the one that was there before it under the same name.
    """

    base: str
    device: str
    python: str
    backbones: tuple[str, ...] = ()
    only: bool = False
    made: files.Stamp | None = None

    def command(self, endpoint: str, worker: str) -> list[str]:
        """The command line of the process."""
        out = [self.python, "-m", "kineograph_daemon.workers.main", "--link", endpoint, "--id", worker]
        out += ["--device", self.device]
        for backbone in self.backbones:
            out += ["--backbone", backbone]
        return [*out, "--only"] if self.only else out


def hosts_of(settings: Settings, environments: Sequence[Installed] | None = None) -> list[Host]:
    """The processes that the settings and the installed environments ask for."""
    devices = list(settings.device)
    out = [
        Host(f"w{i}", device, sys.executable, settings.backbone, settings.only_backbones)
        for i, device in enumerate(devices, 1)
    ]
    if settings.remotes:
        out.append(Host("remote", REMOTE_DEVICE, sys.executable, (REMOTE_BACKBONES,), True))
    if settings.only_backbones:
        return out
    made = ready.marks()
    for found in ready.installed() if environments is None else environments:
        for i, device in enumerate(devices, 1):
            out.append(Host(f"{found.name}{i}", device, found.python, found.backbones, True, made.get(found.name)))
    return out
