# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and the client they talk through."""

from __future__ import annotations

import getpass
import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
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


def seed_in_range(value: int | None) -> int | None:
    """Callback of ``--seed``: a whole number of 64 bits, with or without a sign."""
    if value is not None and not -(2**63) <= value < 2**64:
        raise typer.BadParameter(f"{value} has more than 64 bits; a seed is a whole number from -2^63 to 2^64-1.")
    return value


def whole_model(name: Any, known: Collection[str]) -> Any:
    """A model's id, of which ``kineograph-`` may be left out. What is no model here is left to the daemon to refuse."""
    own = f"kineograph-{name}"
    return own if name not in known and own in known else name


def connect(address: str | None, *, start: bool = False) -> Client:
    """A connected client. Raises ``daemon_unreachable`` when no daemon answers and none may be started."""
    from kineograph.client import Client

    return Client(address, name=f"cli:{_user()}", kind="cli", start_daemon=start and address is None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user entry
        return "user"
