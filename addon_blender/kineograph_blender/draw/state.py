# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn now: alive, never saved, without RNA. A file that is loaded or a switched-off add-on clears it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..advice import Advice
from ..bridge.blocks import Block
from .shapes import Picture
from .strips import Drag
from .verdicts import Verdict


@dataclass(frozen=True, eq=False)
class Shown:
    """One drawing: which character's, its picture, and the lines that panels show beside it. ``held``: bones whose
    constraints keep the take from showing. ``take`` and ``sample``: what the verdicts are on."""

    character: str
    picture: Picture
    title: str = ""
    lines: tuple[str, ...] = ()
    notes: tuple[Advice, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    held: tuple[str, ...] = ()
    take: str = ""
    sample: int = 0


@dataclass
class Drawn:
    """Everything that is drawn.

    ``dragged``: blocks as they would be if the mouse were let go now; ``browsed``: the take whose samples the arrow
    keys step through.
    """

    preview: Shown | None = None
    verdicts: Shown | None = None
    drag: Drag | None = None
    dragged: Sequence[Block] = field(default_factory=tuple)
    browsed: str = ""

    def clear(self) -> None:
        """Nothing is drawn any more."""
        self.preview = self.verdicts = self.drag = None
        self.dragged, self.browsed = (), ""

    @property
    def shown(self) -> list[Shown]:
        """What stands in the 3D view."""
        return [s for s in (self.preview, self.verdicts) if s is not None]


drawn = Drawn()
