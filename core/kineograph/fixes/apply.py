# SPDX-License-Identifier: Apache-2.0
"""Apply a fix to a request. Pure: the request given stays as it is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kineograph.fixes import wording
from kineograph.fixes.patches import NotApplicable, Target

if TYPE_CHECKING:
    from kineograph.fixes.resolve import Fix

__all__ = ["FIELD_ACTIONS", "Applied", "NotApplicable", "apply"]

FIELD_ACTIONS = frozenset({"longer_deadline"})
"""Actions that change how a request is submitted, not the request."""


@dataclass(frozen=True)
class Applied:
    """The changed request, a sentence on what changed, and fields of the submit message that change with it."""

    request: dict[str, Any]
    said: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def apply(fix: Fix | Mapping[str, Any], request: Mapping[str, Any]) -> Applied:
    """The request with a fix (or its patch, as plain data) applied.

    Raises ``NotApplicable`` when the fix is a client's to carry out, or does not fit this request.
    """
    from kineograph.fixes.edits import EDITS  # numpy and the rigs come with it; what a code means is told without

    patch: Mapping[str, Any] = fix if isinstance(fix, Mapping) else fix.patch
    patch = patch.get("patch", patch)
    action, args = str(patch.get("action")), dict(patch.get("args") or {})
    if patch.get("target") != Target.REQUEST:
        raise NotApplicable(f"'{action}' is carried out by the client, not in the request")
    changed = copy.deepcopy(dict(request))
    if action in FIELD_ACTIONS:
        deadline_s = float(args["deadline_s"])
        return Applied(changed, f"The deadline is now {wording.seconds(deadline_s)}.", {"deadline_s": deadline_s})
    edit = EDITS.get(action)
    if edit is None:
        raise NotApplicable(f"there is no fix '{action}'")
    try:
        said = edit(changed, **args)
    except NotApplicable:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as problem:
        # A request that is malformed elsewhere must not turn a click into a crash.
        raise NotApplicable(f"the request is malformed there ({type(problem).__name__})") from problem
    return Applied(changed, said)
