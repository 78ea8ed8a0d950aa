# SPDX-License-Identifier: Apache-2.0
"""Every error is an instruction: a sentence with this request's numbers, and what to do about it as a click."""

from kineograph.fixes.alias import alias
from kineograph.fixes.apply import Applied, NotApplicable, apply
from kineograph.fixes.catalogue import FixRow, Row, Severity, all_fixes, all_rows, row_of
from kineograph.fixes.patches import ACTIONS_OF, Patch, Target
from kineograph.fixes.report import report
from kineograph.fixes.resolve import Fix, Problem, resolve
from kineograph.fixes.retry import MAX_TRIES, RetryPolicy, retry_delay_s

__all__ = [
    "ACTIONS_OF",
    "MAX_TRIES",
    "Applied",
    "Fix",
    "FixRow",
    "NotApplicable",
    "Patch",
    "Problem",
    "RetryPolicy",
    "Row",
    "Severity",
    "Target",
    "alias",
    "all_fixes",
    "all_rows",
    "apply",
    "report",
    "resolve",
    "retry_delay_s",
    "row_of",
]
