# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operators share: they are short verbs; what goes wrong is told and stays in the Problems panel."""

from collections.abc import Callable
from typing import Any

from kineograph.errors import KineographError

from .. import session

Outcome = set[str]
FINISHED: Outcome = {"FINISHED"}
CANCELLED: Outcome = {"CANCELLED"}


def told(operator: Any, verb: Callable[[], Any]) -> Outcome:
    """Run ``verb``; an error of the catalogue becomes a sentence in the header and the operator is cancelled."""
    try:
        verb()
    except KineographError as e:
        operator.report({"WARNING"}, session.problem_of(e).text)
        return CANCELLED
    return FINISHED
