# SPDX-License-Identifier: Apache-2.0
"""A wrong command line in plain words: what the libraries say of it names their own types, not what belongs there."""

from __future__ import annotations

import re
from typing import Any, cast

import typer

Wrong = cast(type[typer.BadParameter], typer.BadParameter.__mro__[2])
"""What every error of a command line is: ``ClickException``, wherever typer has it from."""
Usage = cast(type[typer.BadParameter], typer.BadParameter.__mro__[1])
"""``UsageError``: a command line that is wrong, whatever of it."""

_PLAIN = (
    (re.compile(r"^Value error, "), ""),
    (re.compile(r"^Input should be (?:greater than or equal to|at least) (\S+)$"), r"it takes at least \1."),
    (re.compile(r"^Input should be (?:less than or equal to|at most) (\S+)$"), r"it takes at most \1."),
    (re.compile(r"^Input should be greater than (\S+)$"), r"it takes more than \1."),
    (re.compile(r"^Input should be less than (\S+)$"), r"it takes less than \1."),
    (re.compile(r"^Input should be a valid (?:integer|int)\b.*$", re.DOTALL), "it takes a whole number."),
    (re.compile(r"^Input should be a valid (?:number|float|decimal)\b.*$", re.DOTALL), "it takes a number."),
    (re.compile(r"^Input should be (?:a valid )?"), "it takes "),
)


def plain(text: str) -> str:
    """A library's sentence about a value, as what the value takes."""
    for pattern, words in _PLAIN:
        text, changed = pattern.subn(words, text)
        if changed and words:
            break
    return text


def retold(wrong: Any) -> Any:
    """The error to raise instead of ``wrong``: itself in plain words; one about no single value as what it says."""
    if isinstance(wrong, typer.BadParameter):
        if wrong.param is None and wrong.param_hint is None:
            return Usage(wrong.message, cast(Any, wrong.ctx))
        wrong.message = plain(wrong.message)
    return wrong
