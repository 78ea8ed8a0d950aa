# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and the client they talk through."""

from __future__ import annotations

import getpass
import math
from collections.abc import Sequence
from typing import Annotated, TypeVar

import typer

from kineograph.client import Client

Numbers = TypeVar("Numbers", float | None, Sequence[float] | None)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
ConnectOption = Annotated[
    str | None,
    typer.Option("--connect", metavar="ADDRESS", help="A daemon's address; default: the one running on this computer."),
]
StartOption = Annotated[bool, typer.Option("--start/--no-start", help="Start the daemon when none is running.")]


def finite(value: Numbers) -> Numbers:
    """Callback of an option: infinity and "not a number" are no length, rate or wait, although they are floats."""
    for number in [value] if isinstance(value, (int, float)) else value or ():
        if not math.isfinite(number):
            raise typer.BadParameter(f"{number} is not a number that can be used here.")
    return value


def connect(address: str | None, *, start: bool = False) -> Client:
    """A connected client. Raises ``daemon_unreachable`` when no daemon answers and none may be started."""
    return Client(address, name=f"cli:{_user()}", kind="cli", start_daemon=start and address is None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user entry
        return "user"
