# SPDX-License-Identifier: Apache-2.0
"""What a schema library's record says a field takes, in plain words; by the record's type, never by its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kineograph.fixes import wording

_KINDS = (
    ("string", "text"),
    ("int", "a whole number"),
    ("float", "a number"),
    ("bool", "on or off"),
    ("list", "a list"),
    ("tuple", "a list"),
    ("dict", "a group of values"),
    ("model", "a group of values"),
    ("finite_number", "a number"),
)


def takes(record: Mapping[str, Any]) -> str | None:
    """What would be right there, or None when the record does not say."""
    kind = str(record.get("type", ""))
    context = record.get("ctx")
    context = context if isinstance(context, Mapping) else {}
    if kind in ("string_too_short", "string_too_long"):
        return f"{wording.allowed_range(context)} characters" if context else "text"
    if kind in ("too_short", "too_long"):
        limits = wording.allowed_range(context)
        return f"{limits} {'entry' if limits.endswith(' 1') else 'entries'}" if context else "a list"
    if kind == "string_pattern_mismatch":
        return "the form 1.4" if list(record.get("loc") or [])[-1:] == ["protocol_version"] else "another form"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return wording.allowed_range(context) or "another number"
    for key in ("expected", "expected_tags"):
        if context.get(key):
            return wording.short(str(context[key]).replace("'", ""))
    return next((words for start, words in _KINDS if kind.startswith(start)), None)


def problem(record: Mapping[str, Any]) -> str | None:
    """The library's own sentence, for faults that no table names (two fields that do not fit together)."""
    text = str(record.get("msg") or "").removeprefix("Value error, ").rstrip(".").replace("`", "'")
    return wording.short(text) if text else None
