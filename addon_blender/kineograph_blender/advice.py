# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes on what would be sent, with what their buttons need. Knows no bpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kineograph.advise import advise
from kineograph.errors import NoteCode
from kineograph.fixes import Fix, Problem
from kineograph.fixes.facts import Facts
from kineograph.fixes.resolve import problem

Stray = Callable[[Sequence[int]], tuple[int, ...]]
"""Of some scene frames, those at which the user may have meant something and nothing is generated."""


@dataclass(frozen=True, eq=False)
class Advice:
    """A note on what would be sent.

    ``fixes`` speak of frames from ``first``, a scene frame, of constraints, which stand for ``refs`` in the scene, and
    of segments, whose texts are ``prompts``.
    """

    code: NoteCode
    text: str
    fixes: tuple[Fix, ...] = ()
    first: int = 0
    refs: tuple[Mapping[str, Any], ...] = ()
    prompts: tuple[str, ...] = ()

    def problem(self) -> Problem:
        """The same as a card."""
        return replace(problem(self.code, Facts()), text=self.text, fixes=self.fixes)


def outside(
    found: Sequence[tuple[Mapping[str, Any], Sequence[int]]], span: tuple[int, int], stray: Stray
) -> list[Advice]:
    """What of the scene, ``found`` with its frames, lies ``stray`` of the frames ``span``: one note, or none."""
    first, last = span
    kept = [(ref, at) for ref, frames in found if (at := stray(frames))]
    request = {
        "segments": [{"type": "unconditioned", "duration_frames": last - first + 1}],
        "constraints": [{"type": "effector_target", "frames": [f - first for f in at]} for _, at in kept],
    }
    refs = tuple(ref for ref, _ in kept)
    notes = advise(request, {}, {"constraints": list(refs)}, first)
    return [Advice(n.code, n.text, n.fixes, first, refs) for n in notes if n.code is NoteCode.KEY_OUTSIDE_BLOCKS]
