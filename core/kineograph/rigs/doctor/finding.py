# SPDX-License-Identifier: Apache-2.0
"""One thing that the doctor looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: ``problem`` keeps motion off the rig, ``warning`` makes it worse."""

    FINE = "fine"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """``what`` was looked at, what was ``found``, the ``fix`` (empty when fine) and the ``joints`` it is about."""

    what: str
    level: Level
    found: str
    fix: str = ""
    joints: tuple[str, ...] = ()


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level among findings."""
    order = list(Level)
    return max((f.level for f in findings), key=order.index, default=Level.FINE)


def some(names: Iterable[str], most: int = 6) -> str:
    """Names in a sentence, the rest counted."""
    every = list(names)
    shown = ", ".join(f"'{n}'" for n in every[:most])
    return shown if len(every) <= most else f"{shown} and {len(every) - most} more"
