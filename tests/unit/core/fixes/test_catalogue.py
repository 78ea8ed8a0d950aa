# SPDX-License-Identifier: Apache-2.0
"""The catalogue is whole: every code has a row, every wording can be filled, every fix does something."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from kineograph.errors import RETRYABLE_CODES, ErrorCode, NoteCode, error
from kineograph.fixes import ACTIONS_OF, MAX_TRIES, FixRow, Row, Severity, Target, all_fixes, all_rows, resolve, row_of
from kineograph.fixes.apply import FIELD_ACTIONS
from kineograph.fixes.catalogue import Variant, aliases, fill
from kineograph.fixes.edits import EDITS

JARGON = ("backbone", "canonical", "retarget", "constraint", "segment", "schema", "payload", "traceback", "exception")
ROWS = {str(row.code): row for row in all_rows()}


def texts(row: Row) -> Iterator[str]:
    yield from (row.title, row.cause)
    yield from (variant.text for variant in row.say)
    yield from (variant.text for fix in row.fixes for variant in fix.label)


def test_every_code_has_a_row_and_every_row_a_code() -> None:
    assert sorted(ROWS) == sorted([*map(str, ErrorCode), *map(str, NoteCode)])


@pytest.mark.parametrize("code", [*ErrorCode, *NoteCode])
def test_the_last_wording_needs_nothing(code: ErrorCode | NoteCode) -> None:
    row = row_of(code)
    assert row.say[-1].needs == frozenset()
    assert all(variant.needs for variant in row.say[:-1]), "a wording after one that needs nothing is never said"
    assert fill(row.say, {}) == row.say[-1].text


@pytest.mark.parametrize("code", [*ErrorCode, *NoteCode])
def test_every_wording_renders(code: ErrorCode | NoteCode) -> None:
    row = row_of(code)
    for variant in (*row.say, *(label for fix in row.fixes for label in fix.label)):
        said = fill((variant,), dict.fromkeys(variant.needs, "7"))
        assert said
        assert not re.search(r"[{}]", said)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_a_bare_error_of_every_code_is_said(code: ErrorCode) -> None:
    problem = resolve(error(code, ""))
    assert problem.code is code
    assert problem.text
    assert not re.search(r"[{}]", problem.text)
    assert problem.title
    assert problem.cause


@pytest.mark.parametrize("row", all_rows(), ids=lambda row: str(row.code))
def test_words_are_short_and_nobody_is_blamed(row: Row) -> None:
    for text in texts(row):
        low = re.sub(r"{\w+}", "", text.lower())
        assert not [word for word in JARGON if word in low], text
        assert not re.search(r"\b(please|sorry|oops|failed to|you must|your fault|invalid|illegal)\b", low), text
        assert len(text) < 190, text
    assert len(row.title) < 45
    assert not row.title.endswith(".")
    assert row.cause.endswith(".")
    assert all(len(v.text) < 60 for fix in row.fixes for v in fix.label)


def test_every_fix_is_offered_by_a_row() -> None:
    offered = {fix.id for row in all_rows() for fix in row.fixes}
    assert {fix.id for fix in all_fixes()} - offered == set()


@pytest.mark.parametrize("fix", all_fixes(), ids=lambda fix: fix.id)
def test_every_fix_is_implemented_or_a_declared_action(fix: FixRow) -> None:
    if fix.target != Target.REQUEST:
        assert fix.action in list(ACTIONS_OF[Target(fix.target)])
    elif fix.action not in FIELD_ACTIONS:
        parameters = list(inspect.signature(EDITS[fix.action]).parameters.values())[1:]
        assert set(fix.args) <= {p.name for p in parameters}
        assert {p.name for p in parameters if p.default is inspect.Parameter.empty} <= set(fix.args)


def test_every_declared_action_and_edit_is_used() -> None:
    used = {(fix.target, fix.action) for fix in all_fixes()}
    declared = {(str(target), str(action)) for target, actions in ACTIONS_OF.items() for action in actions}
    assert declared - used == set()
    assert {("request", name) for name in EDITS} - used == set()


def test_rows_that_help_most_offer_something_without_any_detail() -> None:
    """Where a click can help whatever the details say, one is there."""
    silent = {str(code) for code in ErrorCode if not resolve(error(code, "")).fixes}
    assert silent <= {
        "unknown_model", "unsupported_constraint", "unsupported_segment", "frame_out_of_range", "invalid_options",
        "quota_exceeded", "invalid_parameters", "image_processing_error", "file_incomplete", "duplicate_input",
        "prompt_not_in_pack", "daemon_restarted",
    }  # fmt: skip


def test_only_codes_that_may_be_retried_are() -> None:
    auto = {str(row.code) for row in all_rows() if row.retry.auto}
    assert auto == {*map(str, RETRYABLE_CODES), "file_incomplete"}
    assert all(row.retry.tries <= MAX_TRIES for row in all_rows())


def test_waiting_is_no_error() -> None:
    for code in ("rate_limited", "model_unavailable", "queue_full", "concurrency_limit"):
        assert ROWS[code].severity is Severity.WAITING
    assert ROWS["request_cancelled"].severity is Severity.QUIET
    assert {row.severity for row in all_rows() if isinstance(row.code, NoteCode)} == {Severity.NOTE}


def test_aliases_are_in_lower_case_and_foreign() -> None:
    known = aliases()
    for spelling in (*known.codes, *known.sentences):
        assert spelling == spelling.lower()
    assert not set(known.codes) & set(map(str, ErrorCode))


def test_the_first_wording_that_fits_is_said() -> None:
    variants = (
        Variant("{a} and {b}", frozenset({"a", "b"})),
        Variant("{a}", frozenset({"a"})),
        Variant("-", frozenset()),
    )
    assert [fill(variants, w) for w in ({"a": "1", "b": "2"}, {"a": "1"}, {})] == ["1 and 2", "1", "-"]
    assert fill(variants[:2], {}) is None
