# SPDX-License-Identifier: Apache-2.0
"""From any error to what is said about it and what is offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kineograph.errors import ErrorCode, KineographError, NoteCode, from_envelope
from kineograph.fixes.alias import alias
from kineograph.fixes.catalogue import FixRow, Severity, fill, row_of
from kineograph.fixes.facts import Facts, gather
from kineograph.fixes.patches import Patch
from kineograph.fixes.retry import RetryPolicy


@dataclass(frozen=True)
class Fix:
    """One click: ``patch`` says what it does, as plain data (see ``patches``)."""

    id: str
    label: str
    patch: Patch


@dataclass(frozen=True)
class Problem:
    """An error as it is shown: the sentence first, the fixes beside it, best first."""

    code: ErrorCode | NoteCode
    severity: Severity
    title: str
    text: str
    cause: str
    retry: RetryPolicy
    fixes: tuple[Fix, ...] = ()
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    retry_after_s: float | None = None


def resolve(error: Any, context: Mapping[str, Any] | None = None) -> Problem:
    """What to say and offer for any error: ours, a foreign envelope, a sentence, an HTTP status, an exception.

    ``context`` may hold ``request`` (the MMCP request), ``refs`` (the client's references), ``character``, ``models``
    (ids on offer, best first), ``local_models``, ``capabilities`` (MMCP's document), ``attempt`` and ``ahead``. Never
    raises; where facts are missing the sentence has fewer numbers.
    """
    known = as_error(error)
    facts = gather(known, context if isinstance(context, Mapping) else {})
    return problem(known.code, facts, known)


def problem(code: ErrorCode | NoteCode, facts: Facts, error: KineographError | None = None) -> Problem:
    """The row of ``code`` filled with ``facts``."""
    row = row_of(code)
    text = fill(row.say, facts.words) or row.title
    fixes = tuple(fix for entry in row.fixes if (fix := _fix(entry, facts)) is not None)
    if error is None:
        return Problem(code, row.severity, row.title, text, row.cause, row.retry, fixes)
    return Problem(
        code,
        row.severity,
        row.title,
        text,
        row.cause,
        row.retry,
        fixes,
        error.message,
        error.details,
        error.request_id,
        error.retry_after_s,
    )


def as_error(error: Any) -> KineographError:
    """One of our errors for anything: mapped when it is foreign, ``internal_error`` for a stray exception."""
    if isinstance(error, KineographError):
        return error
    if isinstance(error, BaseException):
        return KineographError(ErrorCode.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
    return from_envelope(alias(error))


def _fix(entry: FixRow, facts: Facts) -> Fix | None:
    """The fix with its arguments, or None when this request lacks something it needs."""
    args = {}
    for name, source in entry.args.items():
        known = source.rstrip("?")
        if known not in facts.values and not source.endswith("?"):
            return None
        args[name] = facts.values.get(known)
    label = fill(entry.label, facts.words)
    if label is None:
        return None
    return Fix(entry.id, label, {"target": entry.target, "action": entry.action, "args": args})
