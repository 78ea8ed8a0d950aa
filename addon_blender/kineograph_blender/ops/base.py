# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operators share: they are short verbs; what goes wrong is told and stays in the Problems panel."""

from collections.abc import Callable
from typing import Any

import bpy

from kineograph.errors import KineographError

from .. import plan, session

Outcome = set[str]
FINISHED: Outcome = {"FINISHED"}
CANCELLED: Outcome = {"CANCELLED"}


def told(operator: Any, verb: Callable[[], Any], context: Any = None, *, may_redo: bool = True) -> Outcome:
    """Run ``verb``; an error of the catalogue becomes a sentence in the header, stays as a problem, and cancels.

    What was pressed is kept with it, unless it was a problem's own button: once it is mended, the same is done again.
    """
    try:
        verb()
    except KineographError as e:
        current = session.current()
        armature = plan.character_of(context or bpy.context)
        known = next((t for t in current.troubles if t.error is e), None)
        if known is None:
            owner, name = ("", "") if armature is None else (session.owner_of(armature), armature.name)
            take = str(e.details.get("take") or "")
            redo = pressed(operator) if may_redo else ("", {})
            known = current.troubles.add(e, owner=owner, character=name, take=take, redo=redo)
        operator.report({"WARNING"}, current.troubles.problem(known).text)
        session.redraw()
        return CANCELLED
    return FINISHED


def pressed(operator: Any) -> tuple[str, dict[str, Any]]:
    """An operator's name and what it was told, to do the same again."""
    return str(type(operator).bl_idname), operator.as_keywords()
