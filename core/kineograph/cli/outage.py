# SPDX-License-Identifier: Apache-2.0
"""What a command says of a daemon that goes away while it is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.markup import escape

from kineograph.cli.output import say
from kineograph.client import LinkChanged, LinkState
from kineograph.client.verbs import PATIENCE_S
from kineograph.errors import ErrorCode, KineographError

_START = "[cyan]-[/] Start it: [bold]kineograph daemon start[/]"


class Outage:
    """Feed it with every change of the connection. A connection that is back at once is not worth a word.

    ``address``: where the daemon was asked for; None is this user's own.
    """

    def __init__(self, address: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._clock = clock
        self._since_s: float | None = None
        self._told: set[str] = set()

    def __call__(self, change: LinkChanged) -> None:
        """One change; says what follows from it, each thing once."""
        match change.state:
            case LinkState.LOST if change.error is not None:
                self._since_s = self._clock() if self._since_s is None else self._since_s
                self._lost(change.error)
            case LinkState.STARTING:
                self._tell("starting", "[yellow]The daemon is gone[/]; starting it again. Its jobs are kept.")
            case LinkState.READY:
                self._back()
            case _:
                return

    def _lost(self, error: KineographError) -> None:
        wait = f"Waiting up to {PATIENCE_S:g} s for it to come back"
        if self._address is not None:
            self._tell("away", f"[yellow]The daemon at {escape(self._address)} does not answer any more.[/] {wait}.")
        elif error.code is ErrorCode.HANDSHAKE_TIMEOUT:
            self._tell("away", f"[yellow]The daemon does not answer any more.[/] {wait}.")
        elif error.code is ErrorCode.DAEMON_UNREACHABLE:
            gone = f"It did not start: {escape(error.message)}" if "starting" in self._told else "The daemon is gone"
            self._tell("away", f"[yellow]{gone}[/]; its jobs are kept. {wait}.\n  {_START}")

    def _back(self) -> None:
        if self._told and self._since_s is not None:
            say(f"[green]The daemon is back[/] after {self._clock() - self._since_s:.0f} s.")
        self._since_s = None
        self._told.clear()

    def _tell(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            say(text)
