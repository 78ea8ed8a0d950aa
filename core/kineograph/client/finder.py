# SPDX-License-Identifier: Apache-2.0
"""Where a client looks for its daemon: this user's run file, or an address somebody gave."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Protocol

from kineograph.client import discovery
from kineograph.client.discovery import RunFile
from kineograph.client.link import Found, NotFound, StartFailed, Target
from kineograph.errors import LinkError


class Finder(Protocol):
    """Answers the link's questions; called on the engine's thread, so nothing here may wait."""

    def look(self) -> Found | NotFound:
        """Where a daemon listens, if anywhere."""

    def start(self) -> StartFailed | None:
        """Start a daemon's process and return at once."""


class LocalFinder:
    """This user's daemon, by run file and lock."""

    def __init__(self, python: str | None = None, flags: Sequence[str] = ()) -> None:
        self._python = python
        self._flags = tuple(flags)
        self._process: subprocess.Popen[bytes] | None = None
        self._failed: LinkError | None = None

    def look(self) -> Found | NotFound:
        """The living daemon's endpoints; an error, from then on, if the one that was started has ended badly."""
        run = discovery.find_daemon()
        if run is not None:
            self._process = self._failed = None  # one that came up and ends later was no failed start
            return Found(target_of(run))
        code = None if self._process is None else self._process.poll()
        if code:
            self._process, self._failed = None, discovery.start_failure(code, 0.0)
        return NotFound(self._failed)

    def start(self) -> StartFailed | None:
        """Spawn the daemon; ``look`` finds it once it answers. One that ended badly is not tried over and over."""
        if self._failed is not None:
            return StartFailed(self._failed)
        try:
            self._process = discovery.spawn_daemon(self._python, self._flags)
        except LinkError as e:
            return StartFailed(e)
        return None


class FixedFinder:
    """An address that was given. If it is this user's own daemon's, the run file supplies the server's key."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def look(self) -> Found | NotFound:
        """The address, with the key if one is known."""
        target = self._target
        if target.server_key is None:
            run = RunFile.read()
            if run is not None and run.endpoint == target.endpoint:
                target = target_of(run)
        return Found(target)

    def start(self) -> StartFailed | None:
        """A daemon elsewhere cannot be started from here."""
        return None


def target_of(run: RunFile) -> Target:
    """A run file's endpoints. The key matters to tcp only."""
    key = run.server_key if run.endpoint.startswith("tcp:") else None
    return Target(run.endpoint, run.events, key)
