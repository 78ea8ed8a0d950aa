# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mending action is handed, and how it finds its way in the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from .. import applying
from ..session import Trouble


class CannotMend(Exception):
    """A fix that does not fit the scene any more, in a sentence for its card; the scene is as it was."""


@dataclass(eq=False)
class Work:
    """``args`` are the fix's own, ``value`` is what the user chose. ``can_go_on``: whether to try again makes sense."""

    context: Any
    trouble: Trouble
    args: dict[str, Any]
    value: str = ""
    can_go_on: bool = True

    @property
    def where(self) -> dict[str, Any]:
        """The place that the error names."""
        found = self.trouble.error.details.get("where")
        return dict(found) if isinstance(found, dict) else {}

    @property
    def ref(self) -> dict[str, Any]:
        """What of the scene the error is about; empty when nobody says."""
        found = self.where.get("ref")
        return dict(found) if isinstance(found, dict) else {}

    def character(self) -> Any:
        """The armature that the trouble is about. Raises ``CannotMend`` when it is gone."""
        found = applying.find_character(self.trouble.owner, self.trouble.character)
        if found is None:
            raise self.cannot(f"{self.trouble.character!r} is gone")
        return found

    def thing(self, name: str | None = None) -> Any:
        """The object that the error points at: a pin, a curve. Raises ``CannotMend`` when it is gone."""
        wanted = name if name is not None else str(self.ref.get("object") or "")
        found = bpy.data.objects.get(wanted)
        if found is None:
            raise self.cannot(f"{wanted!r} is gone")
        return found

    def cannot(self, why: str) -> CannotMend:
        """What to raise where the fix does not fit the scene any more."""
        return CannotMend(f"{why[:1].upper()}{why[1:]}.")
