# SPDX-License-Identifier: GPL-3.0-or-later
"""One generation under way, and how long Blender's main thread was held."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kineograph.client import Errand, Result
from kineograph.errors import KineographError
from kineograph.wire.messages import JobStatus

from ..bridge import blocks
from ..bridge.request import Direction, Outgoing
from ..takes import Take
from .shelf import Row


@dataclass
class Timings:
    """The longest that Blender's main thread was held, seconds."""

    submit_s: float = 0.0
    poll_s: float = 0.0
    bake_slice_s: float = 0.0


@dataclass(eq=False)
class Job:
    """One generation under way. ``status`` is what the daemon said last; ``take`` or ``error`` is how it ended.

    ``retry`` is what is being tried again and when, on the monotonic clock. ``owner`` is the character's id,
    ``fields`` go with the submit message, ``row`` stands for the take on the shelf. ``sent`` is the id that the job was
    first sent under; ``is_resumed``: by an earlier Blender. ``waiting``: the trouble's id that says why it waits, and
    offers what helps sooner. ``direction``: what the scene was read by; ``troubles_before``: the newest trouble when it
    was sent. ``asked_s``: when it was asked for (seconds of the clock), if an earlier Blender may not have sent it.
    """

    label: str
    outgoing: Outgoing
    apply: dict[str, Any] | None
    status: JobStatus | None = None
    take: Take | None = None
    error: KineographError | None = None
    retry: tuple[KineographError, float] | None = None
    is_done: bool = False
    wants_cancel: bool = False
    errand: Errand[Result] | None = None
    owner: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    row: Row | None = None
    sent: str = ""
    is_resumed: bool = False
    waiting: str = ""
    direction: Direction | None = None
    troubles_before: int = 0
    asked_s: float | None = None

    @property
    def id(self) -> str:
        """The daemon's id of the job at work."""
        return self.errand.job if self.errand is not None else self.sent

    @property
    def armature(self) -> str:
        """The character's name when the job was sent."""
        return self.outgoing.rig.armature


def label_of(direction: Direction) -> str:
    """A name for a take: its first prompt, of those that have frames in it."""
    for piece in blocks.spans(direction.blocks, direction.span):
        if piece.index is not None and piece.kind is blocks.Kind.PROMPT:
            return direction.blocks[piece.index].prompt.strip()
    return "take"
