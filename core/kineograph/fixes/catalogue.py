# SPDX-License-Identifier: Apache-2.0
"""The catalogue of errors and notes, read once from ``catalogue.toml``."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from kineograph.errors import ErrorCode, NoteCode
from kineograph.fixes.retry import RetryPolicy


class Severity(StrEnum):
    """How loud a row is. Waiting is never red; quiet rows are grey."""

    NOTE = "note"
    WAITING = "waiting"
    QUIET = "quiet"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Variant:
    """One wording: used when every field of ``text`` and every fact of ``needs`` is known."""

    text: str
    needs: frozenset[str]


@dataclass(frozen=True)
class FixRow:
    """A fix of the catalogue: what it says, what it needs to know, and what it does."""

    id: str
    label: tuple[Variant, ...]
    target: str
    action: str
    args: Mapping[str, str]


@dataclass(frozen=True)
class Row:
    """One code: what to say about it and what to offer."""

    code: ErrorCode | NoteCode
    severity: Severity
    title: str
    cause: str
    say: tuple[Variant, ...]
    retry: RetryPolicy
    fixes: tuple[FixRow, ...]


@dataclass(frozen=True)
class Aliases:
    """Foreign codes, whole sentences and HTTP statuses, in lower case, and the code each one means."""

    codes: Mapping[str, ErrorCode]
    sentences: Mapping[str, ErrorCode]
    statuses: Mapping[int, ErrorCode]


def all_rows() -> tuple[Row, ...]:
    """Every row: MMCP, queue, client side, notes."""
    return tuple(_load()[0].values())


def row_of(code: ErrorCode | NoteCode) -> Row:
    """The row of a code."""
    return _load()[0][str(code)]


def all_fixes() -> tuple[FixRow, ...]:
    """Every fix of the catalogue."""
    return tuple(_load()[1].values())


def aliases() -> Aliases:
    """How other services spell our codes."""
    return _load()[2]


def fill(variants: tuple[Variant, ...], words: Mapping[str, str]) -> str | None:
    """The first wording whose facts are all in ``words``, filled in; None when none is."""
    for variant in variants:
        if variant.needs <= words.keys():
            return variant.text.format_map(words)
    return None


@cache
def _load() -> tuple[dict[str, Row], dict[str, FixRow], Aliases]:
    with resources.files("kineograph.fixes").joinpath("catalogue.toml").open("rb") as file:
        data = tomllib.load(file)
    policies = {name: RetryPolicy(name=name, **entry) for name, entry in data["retry"].items()}
    fixes = {name: _fix(name, entry) for name, entry in data["fix"].items()}
    rows = {code: _row(code, entry, policies, fixes) for code, entry in data["row"].items()}
    alias = data["alias"]
    return (
        rows,
        fixes,
        Aliases(
            {k: ErrorCode(v) for k, v in alias["code"].items()},
            {k: ErrorCode(v) for k, v in alias["sentence"].items()},
            {int(k): ErrorCode(v) for k, v in alias["status"].items()},
        ),
    )


def _row(code: str, entry: Mapping[str, Any], policies: Mapping[str, RetryPolicy], fixes: Mapping[str, FixRow]) -> Row:
    known = ErrorCode(code) if code in ErrorCode.__members__.values() else NoteCode(code)
    return Row(
        known,
        Severity(entry["severity"]),
        entry["title"],
        entry["cause"],
        tuple(map(_variant, entry["say"])),
        policies[entry["retry"]],
        tuple(fixes[name] for name in entry["fixes"]),
    )


def _fix(name: str, entry: Mapping[str, Any]) -> FixRow:
    return FixRow(name, tuple(map(_variant, entry["label"])), entry["target"], entry["action"], entry.get("args", {}))


def _variant(entry: str | Mapping[str, str]) -> Variant:
    text = entry if isinstance(entry, str) else entry["text"]
    fields = {field for _, field, _, _ in string.Formatter().parse(text) if field}
    needs = set() if isinstance(entry, str) else set(entry["if"].split())
    return Variant(text, frozenset(fields | needs))
